"""A Redis server's clock beside this machine's: by the server's, proxies on several machines tell each other moments.

What is added to the system's time for the server's is a whole number of microseconds, as are the moments themselves:
one that is moved to the server's time and back is the same again.
"""

import time
from collections.abc import Callable
from typing import Final

from statusproxy.clock import boot_time
from statusproxy.store.redis_link import Link, raise_first

__all__ = ["ServerClock"]

#: Seconds. The two clocks count as one while they differ by less; and what is added stays as it is while it is no
#: further off. It is below what matters between two machines, and above what a busy machine takes for an answer.
TOLERANCE: Final = 0.1

#: Seconds for which the answer that came quickest counts before a slower one may take its place.
_REMEMBERED: Final = 60.0

_QUESTIONS_AT_FIRST: Final = 3


class ServerClock:
    """What is known of the server's clock: its distance from this machine's monotonic one."""

    def __init__(self, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = boot_time) -> None:
        """`clock` gives the system's epoch seconds."""
        self._clock = clock
        self._monotonic = monotonic
        self._distance: float | None = None
        self._took = 0.0
        self._learned_at = 0.0
        self._offset = 0.0

    async def ask(self, link: Link, times: int = _QUESTIONS_AT_FIRST) -> None:
        """Ask the server for its time, `times` times; the quickest answer tells it best."""
        for _ in range(times):
            asked = self._monotonic()
            replies = await link.ask(("TIME",))
            answered = self._monotonic()
            raise_first(replies)
            seconds, micros = replies[0]
            self.learn(int(seconds) + int(micros) / 1e6, asked, answered)

    def learn(self, told: float, asked: float, answered: float) -> None:
        """The server told its time (epoch seconds); the question left and the answer came at these monotonic times."""
        took, distance = answered - asked, told - (asked + answered) / 2
        known = self._distance
        if (
            known is None
            or took <= self._took
            or answered - self._learned_at > _REMEMBERED
            or abs(distance - known) > TOLERANCE + took / 2  # its clock was set, or it is another server's
        ):
            self._distance, self._took, self._learned_at = distance, took, answered

    @property
    def offset(self) -> float:
        """Seconds to add to the system's time of this machine for the server's; 0 while they agree.

        Right also just after the system's clock was set.
        """
        if self._distance is not None:
            offset = self._distance + self._monotonic() - self._clock()
            if abs(offset - self._offset) > TOLERANCE:
                self._offset = round(offset, 6) if abs(offset) > TOLERANCE else 0.0
        return self._offset

    @property
    def now(self) -> float:
        """The server's time (epoch seconds)."""
        return self._clock() + self.offset
