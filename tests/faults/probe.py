"""The ordinary client: a process that asks for a few things again and again, and notes how long each took.

Each kind of request has a thread and a connection of its own. `straight` asks the gateway itself: what it waits is the
machine's doing, not the proxy's.

    python -m tests.faults.probe < arguments.json      (until its standard input ends; then its samples, as JSON)
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, Final, Self

import msgspec

from tests import forks
from tests.faults.waits import Sample
from tests.faults.wire import Client, WireError
from tests.faults.worker import ROOT

#: Kinds of requests: passed on, a corrected list, a webhook, and one on a fresh connection each time.
KINDS: Final = ("pass", "list", "webhook")
FRESH: Final = "fresh"
STRAIGHT: Final = "straight"

#: Seconds between an answer and the next request of the same kind. A hundred requests a second in all are no load.
_PAUSE: Final = 0.02

#: Seconds after which a request is given up: far beyond what any verdict allows.
_PATIENCE: Final = 20.0

#: Seconds that the last requests may take when the probe is told to stop.
_LAST: Final = 1.0

#: An event of a session that is well. It changes nothing.
_EVENT: Final = json.dumps({"event": "status-find", "session": "probed", "status": "inChat"}).encode()

_WEBHOOK: Final = "/v1/webhooks/receive"


class _Asker:
    """One thread that asks for one kind of thing."""

    def __init__(self, kind: str, port: int) -> None:
        self.kind = kind
        self.samples: list[Sample] = []
        self.acknowledged: list[str] = []
        """Serial numbers of webhooks that were answered with a success."""
        self._port = port
        self._begun = 0.0
        self._client: Client | None = None
        self._serial = 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.stopping = threading.Event()

    def _run(self) -> None:
        while not self.stopping.is_set():
            self._begun = time.monotonic()
            outcome = self._once()
            self.samples.append(Sample(self.kind, self._begun, time.monotonic() - self._begun, outcome))
            self._begun = 0.0
            self.stopping.wait(_PAUSE)

    def _once(self) -> str:
        try:
            if self._client is None:
                self._client = Client(self._port, patience=_PATIENCE)
            outcome = self._ask(self._client)
        except TimeoutError:
            outcome = "timeout"
        except WireError as error:
            outcome = str(error).split(" ")[0]
        except OSError as error:
            outcome = type(error).__name__
        if (outcome != "ok" or self.kind == FRESH) and self._client is not None:
            self._client.close()
            self._client = None
        return outcome

    def _ask(self, client: Client) -> str:
        if self.kind == "webhook":
            self._serial += 1
            serial = f"probe-{self._serial}"
            fields = [("X-Serial", serial), ("Content-Type", "application/json")]
            answer = client.ask("POST", _WEBHOOK, _EVENT, fields)
            if answer.status == 200:
                self.acknowledged.append(serial)
        elif self.kind == "list":
            answer = client.ask("GET", "/api/channels")
        else:
            answer = client.ask("GET", "/ping")
        return "ok" if answer.status == 200 else str(answer.status)

    def under_way(self) -> Sample | None:
        """The request that has not ended, if any."""
        begun = self._begun
        return Sample(self.kind, begun, time.monotonic() - begun, "unanswered") if begun else None


class Report(msgspec.Struct, frozen=True):
    """What a probe found."""

    samples: list[Sample]
    acknowledged: list[str]


class Probe:
    """A probe at work in a process of its own, until `stop`."""

    def __init__(
        self,
        proxy: int,
        gateway: int,
        kinds: Sequence[str] = KINDS,
    ) -> None:
        """`proxy` and `gateway` are ports."""
        self._process = forks.start("tests.faults.probe", folder=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        arguments = {"proxy": proxy, "gateway": gateway, "kinds": list(kinds)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments).encode() + b"\n")
        self._process.stdin.flush()
        self._process.stdout.readline()  # it has begun

    def stop(self) -> Report:
        """End it, and give what it found."""
        said, _ = self._process.communicate(timeout=_PATIENCE)
        return msgspec.json.decode(said, type=Report)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def _probe(arguments: dict[str, Any]) -> Report:
    askers = [
        _Asker(kind, arguments["gateway" if kind == STRAIGHT else "proxy"]) for kind in (*arguments["kinds"], STRAIGHT)
    ]
    for asker in askers:
        asker.thread.start()
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    sys.stdin.read()
    for asker in askers:
        asker.stopping.set()
    end = time.monotonic() + _LAST
    for asker in askers:
        asker.thread.join(max(0.0, end - time.monotonic()))
    left = [sample for asker in askers if asker.thread.is_alive() and (sample := asker.under_way()) is not None]
    return Report(
        samples=[*(sample for asker in askers for sample in list(asker.samples)), *left],
        acknowledged=[serial for asker in askers for serial in list(asker.acknowledged)],
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_probe(json.loads(sys.stdin.readline()))))
    sys.stdout.flush()
