"""An engine that posts one session's events, one after the other and each once, as engines do.

Where there are several proxies it goes now and then from one to another, and from one that is down. Two rules make what
must hold then exact: between two events at different proxies is more time than their clocks may differ unnoticed, and a
proxy that it comes to has heard of the event of this session that was kept last.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from itertools import pairwise
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

#: The part of events before which another proxy is gone to, and the seconds since the event before it: less than
#: 0.1 s counts as no difference between two proxies' clocks (docs/redis.md), and each may be wrong by that.
_MOVES: Final = 0.1
_APART: Final = 0.25

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
    place: int = 0
    """The proxy that it was posted to."""

    @property
    def acknowledged(self) -> bool:
        """Whether the sender was told that all is well."""
        return 200 <= self.status < 300


Heard = Callable[[int, Sent], bool]
"""Whether the proxy at this place has heard of that event, which was kept."""


class Sender:
    """Posts events of `session` from `start` to `stop`; `sent` holds them all."""

    def __init__(self, session: str, ports: Sequence[int], seed: int, heard: Heard | None = None) -> None:
        """`ports` are those of the proxies; `heard` is asked where there are several."""
        self.session = session
        self.sent: list[Sent] = []
        self.posting = threading.Lock()
        """Held while an event is on its way; nothing is sent while another holds it."""
        self.error: str | None = None
        """Why it stopped by itself, which it should not."""
        self._ports = ports
        self._heard = heard
        self._chance = Random(f"{seed} {session}")
        self._place = self._last_place = self._chance.randrange(len(ports))
        self._last_at = 0.0
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
            return self._post() if self._connected() else None

    def go_to(self, place: int) -> None:
        """Post what comes next to the proxy at this place."""
        with self.posting:
            if place != self._place:
                self._disconnect()
                self._place = place

    def changes(self, since: int, place: int) -> int:
        """How many events from number `since` on changed the state and were acknowledged by the proxy at this place."""
        events = self.sent[max(0, since - 1) :]
        return sum(
            late.acknowledged and late.place == place and late.lost != early.lost for early, late in pairwise(events)
        )

    def posts(self) -> bool:
        """Post the next event; whether it was answered with a success."""
        sent = self.post()
        return sent is not None and sent.acknowledged

    @property
    def waits_for(self) -> Sent | None:
        """The event that was kept last: the next proxy must have heard of it."""
        return next((each for each in reversed(self.sent) if each.id is not None), None)

    def _connected(self) -> bool:
        """Whether there is a proxy to post the next event to."""
        if len(self._ports) > 1 and self._chance.random() < _MOVES:
            self._disconnect()
            self._place = (self._place + self._chance.randrange(1, len(self._ports))) % len(self._ports)
        if self._client is None and self._may_go_on():
            try:
                self._client = Client(self._ports[self._place], patience=_PATIENCE)
            except OSError:
                self._place = (self._place + 1) % len(self._ports)
        return self._client is not None

    def _may_go_on(self) -> bool:
        """Whether enough time went by to post to this proxy, and it has heard of what was kept."""
        if self._place != self._last_place and time.monotonic() - self._last_at < _APART:
            return False
        kept = self.waits_for
        return self._heard is None or kept is None or self._heard(self._place, kept)

    def _post(self) -> Sent:
        assert self._client is not None
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
        sent = Sent(len(self.sent), digest(body), self._lost, status, id_, self._place)
        self.sent.append(sent)
        self._last_place, self._last_at = self._place, time.monotonic()
        return sent

    def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                time.sleep(_DOWN if self.post() is None else self._chance.random() * _PAUSE)
        except Exception:  # noqa: BLE001 - in a thread nobody else would see it
            self.error = f"{self.session} stopped:\n{traceback.format_exc()}"

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):
                client.close()
