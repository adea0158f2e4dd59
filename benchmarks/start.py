"""How long until it is ready, and how much memory it takes with nothing to do."""

import contextlib
import socket
import sys
import time

import yaml

from benchmarks.fleet import HERE, Fleet, settings
from benchmarks.processes import Process, cores, free_port
from benchmarks.results import Finding, Goal, Median, Section

_READY = Goal("< 0.5 s", 0.5, at_least=False)
_REST = Goal("< 45 MiB", 45.0, at_least=False)


def _start(fleet: Fleet, number: int) -> tuple[float, float]:
    """Seconds from the start of the process to systemd's `READY=1`, and MiB resident a second later."""
    notified = fleet.folder / f"notify-{number}"
    config = fleet.folder / f"start-{number}.yaml"
    config.write_text(yaml.safe_dump(settings(fleet, free_port(), f"start-{number}.db", share=True)))
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind(str(notified))
        listener.settimeout(20)
        environment = {"NOTIFY_SOCKET": str(notified), "PYTHONPATH": str(HERE.parent)}
        command = [sys.executable, "-m", "statusproxy", "run", "--config", str(config)]
        begun = time.perf_counter()
        process = Process(command, cores()[0], fleet.folder / f"start-{number}.log", environment=environment)
        try:
            while b"READY=1" not in listener.recv(4096):
                pass
            ready = time.perf_counter() - begun
            time.sleep(1)
            return ready, process.memory()
        finally:
            process.stop()


def measure(fleet: Fleet, *, turns: int) -> tuple[Section, list[Finding]]:
    """Several starts, one after the other; the first, which may compile, does not count."""
    _start(fleet, 0)
    starts = [_start(fleet, number) for number in range(1, turns + 1)]
    ready, rest = (Median.of([start[index] for start in starts]) for index in (0, 1))
    section = Section(
        "Start and rest",
        "From the start of the process to READY=1, with a database on disk; resident memory a second later.",
        ["ready", "resident"],
        [[ready.text("s", 2), rest.text("MiB", 1)]],
    )
    return section, [
        Finding("start-up to READY", ready.text("s", 2), "", _READY.text, _READY.verdict(ready.value)),
        Finding("memory at rest", rest.text("MiB", 1), "", _REST.text, _REST.verdict(rest.value)),
    ]
