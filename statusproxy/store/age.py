"""The age limit of the history: the time before which changes are deleted, safe when the system's clock is wrong.

What was deleted cannot be brought back, so a clock that runs ahead must not decide it. Age is measured against the
earlier of the system's clock and the monotonic one that was started with it. A clock that is wrong at the start (a
machine whose battery is empty) gets an hour to be set right.
"""

import time
from collections.abc import Callable
from typing import Final

from statusproxy.clock import OwnClock, boot_time

__all__ = ["SETTLING", "HistoryAge"]

#: Seconds after the start in which nothing is deleted for its age. Time services set a clock within minutes.
SETTLING: Final = 3_600.0

_SECONDS_PER_DAY: Final = 86_400


class HistoryAge:
    """The age limit of one store's history."""

    def __init__(
        self,
        days: float | None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        """`days` None keeps changes of any age. A test's `clock` without `monotonic` needs no time to settle."""
        self._days = days
        self._settling = monotonic is not None or clock is time.time
        self._monotonic = monotonic or (boot_time if self._settling else clock)
        self._clock = OwnClock(clock, self._monotonic)
        self._begun = self._monotonic()

    @property
    def wait(self) -> float:
        """Seconds until `before` gives a limit; 0 if it does now."""
        return (
            max(0.0, self._begun + SETTLING - self._monotonic()) if self._settling and self._days is not None else 0.0
        )

    def before(self) -> float | None:
        """The time (epoch seconds) before which changes are deleted; `None` if none are deleted now."""
        if self._days is None or self.wait:
            return None
        return min(self._clock.now(), self._clock.wall()) - self._days * _SECONDS_PER_DAY
