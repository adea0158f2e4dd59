"""An engine that posts one session's events, one after the other and each once, as engines do."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from random import Random
from typing import Final, NamedTuple

from tests.faults.stage import WEBHOOK, back, lost
from tests.faults.wire import Client, WireError
from tests.kills.ledger import digest

#: Seconds an answer is waited for: longer than any takes.
_PATIENCE: Final = 20.0

#: Seconds between two events at most, and until a proxy that is down is tried again.
_PAUSE: Final = 0.1
_DOWN: Final = 0.05

#: The parts of events that change the session's state, and that have a body for a file of its own.
_CHANGES: Final = 0.3
_LARGE: Final = 0.05
_MEDIA: Final = 300_000


class Sent(NamedTuple):
    """An event and how it was answered."""

    number: int
    digest: str
    lost: bool
    """Whether it says that the session is lost."""
    status: int
    """0: no answer came."""
    id: str | None
    """Under which the spool keeps it."""

    @property
    def acknowledged(self) -> bool:
        """Whether the sender was told that all is well."""
        return 200 <= self.status < 300


class Sender:
    """Posts events of `session` from `start` to `stop`; `sent` holds them all."""

    def __init__(self, session: str, port: int, seed: int) -> None:
        self.session = session
        self.sent: list[Sent] = []
        self.posting = threading.Lock()
        """Held while an event is on its way; nothing is sent while another holds it."""
        self._port = port
        self._chance = Random(f"{seed} {session}")
        self._lost = False
        self._client: Client | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, once the last event is answered."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._disconnect()

    def told(self) -> bool | None:
        """Whether the proxy must hold the session for lost; None where that cannot be known.

        An event that was not answered may have been heard or not.
        """
        words: set[bool] = set()
        for each in reversed(self.sent):
            words.add(each.lost)
            if each.acknowledged:
                return each.lost if len(words) == 1 else None
        return None

    def post(self) -> Sent | None:
        """Post the next event; None where there was no one to post it to."""
        with self.posting:
            return self._post()

    def _post(self) -> Sent | None:
        if self._client is None:
            try:
                self._client = Client(self._port, patience=_PATIENCE)
            except OSError:
                return None
        if self._chance.random() < _CHANGES:
            self._lost = not self._lost
        media = "A" * _MEDIA if self._chance.random() < _LARGE else ""
        event = {**(lost if self._lost else back)(self.session), "number": len(self.sent), "media": media}
        body = json.dumps(event).encode()
        status, id_ = 0, None
        try:
            answer = self._client.ask("POST", WEBHOOK, body, [("Content-Type", "application/json")])
            status = answer.status
            if status == 202:
                id_ = json.loads(answer.body)["id"]
            if answer.closes:
                self._disconnect()
        except (OSError, WireError):
            self._disconnect()
        sent = Sent(len(self.sent), digest(body), self._lost, status, id_)
        self.sent.append(sent)
        return sent

    def _work(self) -> None:
        while not self._stopping.is_set():
            time.sleep(_DOWN if self.post() is None else self._chance.random() * _PAUSE)

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):
                client.close()
