"""From when on history is past its days, whatever happens to the system's clock.

What was deleted cannot be brought back, so a clock that runs ahead must not decide it. Age is counted by the earlier
of the system's clock and one that goes on evenly since the start; and a clock that is wrong at the start (a machine
whose battery is empty) is given an hour to be put right.
"""

import time
from collections.abc import Callable
from typing import Final

from statusproxy.clock import OwnClock, steady

__all__ = ["SETTLING", "HistoryAge"]

#: Seconds after the start in which nothing is deleted for its age. Time services set a clock within minutes.
SETTLING: Final = 3_600.0

_SECONDS_PER_DAY: Final = 86_400


class HistoryAge:
    """The age at which one store's history is deleted."""

    def __init__(
        self,
        days: float | None,
        clock: Callable[[], float] = time.time,
        even: Callable[[], float] | None = None,
    ) -> None:
        """`days` None keeps changes whatever their age. A made-up `clock` without `even` needs no time to settle."""
        self._days = days
        self._settling = even is not None or clock is time.time
        self._even = even or (steady if self._settling else clock)
        self._clock = OwnClock(clock, self._even)
        self._begun = self._even()

    @property
    def wait(self) -> float:
        """Seconds until `before` gives an answer; 0 where it does now."""
        return max(0.0, self._begun + SETTLING - self._even()) if self._settling and self._days is not None else 0.0

    def before(self) -> float | None:
        """The moment (epoch seconds) before which changes are past their days; `None` where none is deleted now."""
        if self._days is None or self.wait:
            return None
        return min(self._clock.now(), self._clock.wall()) - self._days * _SECONDS_PER_DAY
