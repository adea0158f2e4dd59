"""Which faults run beside each other, and which has the machine to itself: a lock that all workers share (flock(2))."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


class Turns:
    """Turns by a lock on `file`, which is made where there is none."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @contextlib.contextmanager
    def beside_others(self) -> Iterator[None]:
        """Wait until nobody has the machine to itself; others may run meanwhile."""
        with self._held(fcntl.LOCK_SH):
            yield

    @contextlib.contextmanager
    def by_itself(self) -> Iterator[None]:
        """Wait until nobody else runs; nobody does meanwhile."""
        with self._held(fcntl.LOCK_EX):
            yield

    @contextlib.contextmanager
    def _held(self, how: int) -> Iterator[None]:
        with self._file.open("ab") as handle:
            fcntl.flock(handle, how)
            yield
