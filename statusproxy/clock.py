"""The proxy's own clock: epoch seconds that go on evenly, whatever happens to the system's clock.

It begins with the system's time and then counts on steadily. A system clock that runs ahead for a while, or is set,
must not make a message look later than a disconnect, a correction old, or an answer fresh: all of those compare two
moments on this clock. What people are shown and what is stored is in the system's time, to which `shift` leads.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

#: The least step between two readings, in seconds, so that arrivals have an order.
_TICK: Final = 1e-6

#: Seconds from which on a difference between the two is told: below, they were merely not read at the same moment.
_NOTICEABLE: Final = 1.0


steady: Final[Callable[[], float]] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)
"""Seconds that go on evenly, also while the machine is suspended (where the system can count those)."""


class OwnClock:
    """One process's clock."""

    __slots__ = ("_base", "_steady", "last", "wall")

    def __init__(self, wall: Callable[[], float] = time.time, even: Callable[[], float] | None = None) -> None:
        """`wall` gives the system's epoch seconds, `even` counts on steadily; it defaults to `steady`.

        A made-up `wall` without `even` is taken as steady itself.
        """
        if even is None:
            even = steady if wall is time.time else wall
        self.wall = wall
        """The system's time, epoch seconds."""
        self._steady = even
        self._base = wall() - even()
        self.last = 0.0
        """The newest reading."""

    def now(self) -> float:
        """Seconds on this clock, never the same twice and never less than before."""
        now = self._base + self._steady()
        if now <= self.last:
            now = self.last + _TICK
        self.last = now
        return now

    @property
    def base(self) -> float:
        """This clock's reading when the even one began, with the boot: it tells two clocks of one boot apart."""
        return self._base

    @property
    def shift(self) -> float:
        """Seconds to be added to a moment on this clock for the system's time; 0 while they agree."""
        shift = self.wall() - self._base - self._steady()
        return shift if abs(shift) >= _NOTICEABLE else 0.0
