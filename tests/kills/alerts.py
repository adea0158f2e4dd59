"""Kills the service at each step of sending an alert, and looks whether each lost session was told, by one message.

A receiver on this machine keeps each message. Where the service died between the answer and its mark, the message comes
again: with the same id and the same content, so that the receiver can know it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Lock, Thread
from typing import IO, Final

import yaml

from tests import forks
from tests.faults.worker import ROOT
from tests.kills.alerts_child import STEPS

#: Seconds that one life of the service may take, on a busy machine.
_LIFE: Final = 60.0

#: Seconds after which one that dies at any time does.
_LATEST: Final = 1.2


@dataclass
class AlertsResult:
    """What a run gave."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    """How often the service died, by the step."""
    lost: set[str] = field(default_factory=set)
    """Sessions whose loss was acknowledged."""
    messages: int = 0
    repeats: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Receiver:
    """Keeps messages, and kills their sender where a test wants that."""

    def __init__(self) -> None:
        self.came: list[tuple[str, bytes]] = []
        """The id and the body of each message that was answered, or that its sender died at."""
        self.kill: tuple[str, int] | None = None
        """The step at which the sender is to die here, and its process id."""
        self._lock = Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.take(self)

            def log_message(self, *arguments: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/alerts"

    def take(self, request: BaseHTTPRequestHandler) -> None:
        """One message."""
        body = request.rfile.read(int(request.headers["Content-Length"]))
        with self._lock:
            self.came.append((request.headers["webhook-id"], body))
            kill = self.kill
            if kill is not None and kill[0] == "before the answer":
                self.kill = None
                os.kill(kill[1], signal.SIGKILL)
                return
        request.send_response(204)
        request.end_headers()

    def close(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()


def run_alerts(kills: int, seed: int) -> AlertsResult:
    """Kill so often, at each step in turn, let the last life finish, and look."""
    result, chance, begun = AlertsResult(seed), Random(seed), time.monotonic()
    receiver = Receiver()
    try:
        with tempfile.TemporaryDirectory(prefix="statusproxy-kills-") as folder:
            file = Path(folder) / "config.yaml"
            file.write_text(yaml.safe_dump(_settings(folder, receiver.url)))
            lives = 0
            while result.kills.total() < kills and lives < 3 * kills:
                step = STEPS[lives % len(STEPS)]
                _live(result, receiver, file, step, f"session-{lives:04}", chance.random() * _LATEST)
                lives += 1
            _live(result, receiver, file, "", "", 0.0)
    finally:
        receiver.close()
    _look(result, receiver)
    result.seconds = time.monotonic() - begun
    return result


def _settings(folder: str, url: str) -> dict[str, object]:
    return {
        "listen": "127.0.0.1:0",
        "gateway": "http://127.0.0.1:1",
        "preset": "gateway-wrapper",
        "state": {"url": f"sqlite:///{folder}/state.db"},
        "admin": {"listen": None},
        "alerts": {"after": "0s", "remind": None, "on": ["lost", "back"], "to": [{"webhook": url}]},
    }


def _live(result: AlertsResult, receiver: Receiver, file: Path, step: str, session: str, delay: float) -> None:
    """One life of the service, until it dies or has told everything."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
        child = forks.start(
            "tests.kills.alerts_child", str(file), step, session, str(delay), folder=ROOT, stdout=said, stderr=errors
        )
        receiver.kill = (step, child.pid)
        try:
            code = child.wait(_LIFE)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
            result.wrong.append(
                f"at {step!r}: it neither died nor told everything within {_LIFE:.0f} s: {_end(errors)}"
            )
        receiver.kill = None
        if lost := _end(said).strip():
            result.lost.add(lost)
        if code == -signal.SIGKILL:
            result.kills[step] += 1
        elif code:
            result.wrong.append(f"at {step!r}: it ended with {code}: {_end(errors)}")


def _end(file: IO[bytes]) -> str:
    """The last words in a file."""
    file.seek(0)
    return file.read().decode()[-400:]


def _look(result: AlertsResult, receiver: Receiver) -> None:
    """Each loss is told by one message, however often that came."""
    told: dict[str, set[str]] = defaultdict(set)
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for id_, body in receiver.came:
        bodies[id_].add(body)
        for line in json.loads(body)["sessions"]:
            told[line["session"]].add(id_)
    result.messages, result.repeats = len(bodies), len(receiver.came) - len(bodies)
    result.wrong += [f"{session} was lost and told by no message" for session in sorted(result.lost - told.keys())]
    result.wrong += [f"{session} was told by {len(ids)} messages" for session, ids in told.items() if len(ids) > 1]
    result.wrong += [f"message {id_} came with {len(each)} contents" for id_, each in bodies.items() if len(each) > 1]


def table(result: AlertsResult) -> str:
    """The closing table."""
    kills = "\n".join(f"  {number:3} {step}" for step, number in sorted(result.kills.items()))
    lines = [
        f"killed {result.kills.total()} times in {result.seconds:.0f} s, --seed {result.seed}",
        kills,
        f"{len(result.lost)} sessions were lost, {result.messages} messages told them",
        f"{result.repeats} times one came again, with the same id and content",
        *(f"WRONG: {each}" for each in result.wrong),
    ]
    return "\n".join(lines)
