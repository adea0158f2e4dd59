"""Detects that the system's clock was set, and voids what depends on it.

A change shows in its distance from our own, monotonic clock: while we run, and from what was stored, for the time when
we did not.
"""

import logging
from collections.abc import Sequence
from typing import Final

from statusproxy.registry.stored_ages import StoredAges
from statusproxy.status.model import Record
from statusproxy.status.sessions import SessionMap
from statusproxy.status.stored_times import moved

log = logging.getLogger("statusproxy.sessions")

#: Seconds by which the system's clock must have moved against our own for it to count as set.
NOTICEABLE: Final = 60.0


class ClockWatch:
    """Remembers the distance at which the system's clock was last seen."""

    __slots__ = ("_ages", "_sessions", "_shift")

    def __init__(self, sessions: SessionMap, ages: StoredAges) -> None:
        self._sessions = sessions
        self._ages = ages
        self._shift = 0.0

    def load(self, stored: Sequence[Record], now: float, *, shared: bool = False) -> list[Record]:
        """Have the map take over stored records; give them as they are on our own clock.

        `shared`: they are of a store that proxies share, which is told moments by one clock.
        """
        records, doubted_at, moved_by = self._ages.take_over(stored, now, shared=shared)
        self._sessions.load(records, doubted_at, now)
        if abs(moved_by) >= NOTICEABLE:
            self._was_set(moved_by)
        return records

    def look(self, now: float, wall: float) -> None:
        """Whether the system's clock, which reads `wall`, was set since the last look; ours reads `now`."""
        moved_by = wall - now - self._shift
        if -NOTICEABLE < moved_by < NOTICEABLE:
            return
        self._shift = wall - now
        doubted_at = self._ages.doubted_at(now)
        if doubted_at is not None and moved_by < 0:
            until = doubted_at
            # It was ahead when we started: our own clock is still, and what was stored before is that much younger.
            self._sessions.restate(lambda record: moved(record, -moved_by, until))
        self._was_set(moved_by)

    def _was_set(self, moved_by: float) -> None:
        """What is known goes by our own clock; only what it says of senders' clocks is void."""
        log.warning(
            "the system clock was moved by %+d s; corrections do not depend on it", moved_by, extra={"moved": moved_by}
        )
        self._sessions.clock_was_moved()
