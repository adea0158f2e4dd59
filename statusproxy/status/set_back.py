"""Notices that a sender's own clock was set back: local time in autumn, or a gateway that was given another zone.

One event that seems an hour late may be just that. But a clock ticks: when several events come in equally far behind,
and their own times go on as fast as they come in, the clock has been set. What was sent before, and is sent again now,
is told from what is sent by the new time by how far it is behind.
"""

from __future__ import annotations

import math
from typing import Final

TICKS: Final = 5
TICKING: Final = 30.0
"""Events, and the seconds that they span at least, until a clock counts as set back. Old events that are sent again in
one go are equally far behind by chance only."""

EVEN: Final = 2.0
"""Seconds by which deliveries of one ticking clock differ in how far they are behind."""

FORGOTTEN: Final = 600.0
"""Seconds without a tick after which another difference is looked at."""


class SetBack:
    """What is known of one sender's clock. `lag`s are what is added to its times for ours."""

    __slots__ = ("_count", "_first", "_heard", "_lag", "_last", "before", "now", "until")

    _first: float  # the own times of the first and of the last tick, when that came in, and how many there were
    _last: float
    _heard: float
    _count: int

    def __init__(self) -> None:
        self.before = -math.inf
        """The lag before the clock was set back."""
        self.now = -math.inf
        """The lag since."""
        self.until = -math.inf
        """Until when events of before may come in again."""
        self._lag = math.inf  # how far behind the events are that may show a set-back

    def take(self, lag: float, usual: float, tolerated: float, at: float, now: float) -> bool:
        """An event of the time `at` came in at `now`, with this lag beside the usual one: whether it shows a set-back.

        What is late by `tolerated` seconds or less may have been sent again.
        """
        if lag <= usual + tolerated:
            if lag <= usual + EVEN:
                self._lag = math.inf  # it goes on as before
            return False
        if lag < self._lag - EVEN or now - self._heard > FORGOTTEN:
            self._lag, self._first, self._last, self._heard, self._count = lag, at, at, now, 1
            return False
        if lag > self._lag + EVEN or at <= self._last:
            return False
        self._last, self._heard, self._count = at, now, self._count + 1
        if self._count < TICKS or at - self._first < TICKING:
            return False
        self.before, self.now, self.until = usual, self._lag, now + tolerated
        self._lag = math.inf
        return True

    def is_of_before(self, lag: float, tolerated: float, now: float) -> bool:
        """Whether an event with this lag was dated before the clock was set back, and came in again."""
        return now <= self.until and self.before <= lag < self.now - tolerated
