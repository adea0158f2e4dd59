"""The proxy's own clock: epoch seconds that never jump when the system's clock is set.

It starts at the system's time and then follows a monotonic clock. A system clock that runs ahead for a while, or is
set, must not make a message look later than a disconnect, a correction old, or an answer fresh: all of these compare
two times on this clock. What is shown and stored is in the system's time, which is this clock's plus `shift`.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

#: The smallest step between two readings, in seconds, so that arrivals have an order.
_TICK: Final = 1e-6

#: Seconds. A smaller difference to the system's clock counts as none: the two are not read at the same instant.
_NOTICEABLE: Final = 1.0

#: Seconds up to which another reading of the difference counts as the same: what is told by it twice is equal.
_STEADY: Final = 0.1


boot_time: Final[Callable[[], float]] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)
"""Monotonic seconds, counted also while the machine is suspended where the system can do that (CLOCK_BOOTTIME)."""


class OwnClock:
    """One process's clock."""

    __slots__ = ("_base", "_monotonic", "_shift", "last", "wall")

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] | None = None) -> None:
        """`wall` gives the system's epoch seconds, `monotonic` monotonic ones; it defaults to `boot_time`.

        A test's `wall` without `monotonic` is taken as monotonic itself.
        """
        if monotonic is None:
            monotonic = boot_time if wall is time.time else wall
        self.wall = wall
        """The system's time, epoch seconds."""
        self._monotonic = monotonic
        self._base = wall() - monotonic()
        self._shift = 0.0
        self.last = 0.0
        """The newest reading."""

    def now(self) -> float:
        """The time in epoch seconds on this clock, strictly increasing."""
        now = self._base + self._monotonic()
        if now <= self.last:
            now = self.last + _TICK
        self.last = now
        return now

    @property
    def base(self) -> float:
        """This clock's time at which the monotonic one was 0. It differs between two clocks of one boot."""
        return self._base

    @property
    def shift(self) -> float:
        """Seconds to add to a time on this clock to get the system's; 0 while they agree."""
        shift = self.wall() - self._base - self._monotonic()
        if abs(shift) < _NOTICEABLE:
            self._shift = 0.0
        elif abs(shift - self._shift) > _STEADY:
            self._shift = round(shift, 6)
        return self._shift
