"""How long until it is ready, and how much memory it takes: with nothing to do, and after long lists."""

import contextlib
import itertools
import socket
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from benchmarks.fleet import HERE, Fleet, disconnect, settings
from benchmarks.processes import Process, cores, free_port
from benchmarks.results import Finding, Goal, Median, Section
from tests.upgrade.version import Version

_READY = Goal("≤ 0.40 s", 0.40, at_least=False)
_REST = Goal("≤ 46 MiB", 46.0, at_least=False)
_AFTER = Goal("≤ 70 MiB", 70.0, at_least=False)

#: How often the list of 10 000 channels is asked for, each time with another answer where the gateway can.
_LISTS = 20


#: Each start has files of its own.
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Start:
    """One start and what followed."""

    ready: float
    """Seconds from the start of the process to systemd's `READY=1`."""
    rest: float
    """MiB resident a second later."""
    after: float
    """MiB resident a second after many lists of 10 000 channels, one corrected."""


def _start(fleet: Fleet, number: int, version: Version | None = None) -> Start:
    """Start, wait, ask for lists, and end it."""
    python, checkout = sys.executable, {"PYTHONPATH": str(HERE.parent)}
    if version is not None:
        python, checkout = version.python, dict(version.environment)
    notified, port = fleet.folder / f"notify-{number}", free_port()
    config = fleet.folder / f"start-{number}.yaml"
    config.write_text(yaml.safe_dump(settings(fleet, port, f"start-{number}.db", share=True)))
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind(str(notified))
        listener.settimeout(20)
        environment = {"NOTIFY_SOCKET": str(notified), **checkout}
        command = [python, "-P", "-m", "statusproxy", "run", "--config", str(config)]
        begun = time.perf_counter()
        process = Process(command, cores()[0], fleet.folder / f"start-{number}.log", environment=environment)
        try:
            while b"READY=1" not in listener.recv(4096):
                pass
            ready = time.perf_counter() - begun
            time.sleep(1)
            rest = process.memory()
            disconnect(port)
            path = "differing" if fleet.differs else "channels"
            for _ in range(_LISTS):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/{path}?n=10000", timeout=30) as answer:
                    answer.read()
            time.sleep(1)
            return Start(ready, rest, process.memory())
        finally:
            process.stop()


def in_turn(fleet: Fleet, versions: Sequence[Version | None], *, turns: int) -> list[list[Start]]:
    """Starts of each version in turn, None being this checkout; the first, which may compile, does not count."""
    starts: list[list[Start]] = [[] for _ in versions]
    for turn in range(turns + 1):
        for version, seen in zip(versions, starts, strict=True):
            started = _start(fleet, next(_NUMBERS), version)
            if turn:
                seen.append(started)
    return starts


def measure(fleet: Fleet, *, turns: int) -> tuple[Section, list[Finding]]:
    """Several starts, one after the other."""
    (starts,) = in_turn(fleet, [None], turns=turns)
    figures = [Median.of([getattr(one, of) for one in starts]) for of in ("ready", "rest", "after")]
    ready, rest, after = figures
    section = Section(
        "Start and memory",
        "From the start of the process to READY=1, with a database on disk; resident memory a second later, and a"
        f" second after {_LISTS} lists of 10 000 channels.",
        ["ready", "resident at rest", "resident after long lists"],
        [[ready.text("s", 2), rest.text("MiB", 1), after.text("MiB", 1)]],
    )
    return section, [
        Finding("start-up to READY", ready.text("s", 2), "", _READY.text, _READY.verdict(ready.value)),
        Finding("memory at rest", rest.text("MiB", 1), "", _REST.text, _REST.verdict(rest.value)),
        Finding("memory after long lists", after.text("MiB", 1), "", _AFTER.text, _AFTER.verdict(after.value)),
    ]
