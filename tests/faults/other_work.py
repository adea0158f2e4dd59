"""How much of the processors others take: what an ordinary client waits beside them is not the proxy's doing alone."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Final

#: Clock ticks a second, in which the kernel counts (proc(5)).
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class OtherWork:
    """Counts from its making on what runs on this machine besides this process and its descendants."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._busy = busy()
        self._ours = used_by(os.getpid())

    def cores(self) -> float:
        """How many processors others kept busy since then, on average."""
        others = busy() - self._busy - (used_by(os.getpid()) - self._ours)
        return max(others, 0.0) / max(time.monotonic() - self._begun, 0.001)


class Standstill:
    """The longest time for which this machine let a thread that only sleeps not go on.

    A host that runs other machines takes the processors away now and then: nobody is served meanwhile.
    """

    #: Seconds of one sleep.
    _NAP: Final = 0.002

    def __init__(self) -> None:
        self.longest = 0.0
        """Seconds beyond a sleep's end, so far."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sleep, daemon=True)
        self._thread.start()

    def end(self) -> float:
        """Look no longer; the longest, in seconds."""
        self._ended.set()
        self._thread.join()
        return self.longest

    def _sleep(self) -> None:
        begun = time.monotonic()
        while not self._ended.wait(self._NAP):
            now = time.monotonic()
            self.longest = max(self.longest, now - begun - self._NAP)
            begun = now


def busy() -> float:
    """Seconds of all processors that were not idle since the machine began; those that a host took away count."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = _numbers(
        Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def used_by(root: int) -> float:
    """Seconds of processor time of a process and its descendants, with those of them that have ended."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        parents[int(folder.name)] = int(fields[1])
        used[int(folder.name)] = sum(_numbers(fields[11:15]))  # utime, stime, cutime, cstime
    return sum(ticks for process, ticks in used.items() if _descends(process, root, parents)) / _TICKS


def _descends(process: int, root: int, parents: dict[int, int]) -> bool:
    while process != root:
        if process not in parents:
            return False
        process = parents[process]
    return True


def _numbers(texts: list[str]) -> list[int]:
    return list(map(int, texts))
