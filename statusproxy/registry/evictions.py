"""Reports sessions that were removed at the limit: each is counted, and one line per minute says how many."""

import logging
from collections.abc import Callable
from typing import Final

from statusproxy.observe.counted import counted
from statusproxy.status.sessions import SessionMap

log = logging.getLogger("statusproxy.sessions")

#: Seconds between two lines.
PERIOD: Final = 60.0


class Evictions:
    """What the map has evicted, and how much of that was told."""

    def __init__(self, sessions: SessionMap, count: Callable[[int], None]) -> None:
        """`count` is called with the number of sessions that were evicted since it was called last."""
        self._sessions = sessions
        self._count = count
        self._counted = 0
        self._unsaid = 0
        self._said_at = 0.0

    def look(self, now: float) -> None:
        """Count what was evicted since the last look, and say so unless a line of this minute did."""
        evicted = self._sessions.evicted
        if evicted != self._counted:
            self._count(evicted - self._counted)
            self._unsaid += evicted - self._counted
            self._counted = evicted
            self.overdue(now)

    def overdue(self, now: float) -> None:
        """Say what is still owed from a minute that is over."""
        if self._unsaid and not 0 <= now - self._said_at < PERIOD:  # over, or the clock was set back
            room = self._sessions.rules.max_sessions
            log.warning(
                "%s forgotten: there is room for %d (sessions.max_sessions); "
                "those in the gateway's list are forgotten last",
                counted(self._unsaid, "session"),
                room,
                extra={"forgotten": self._unsaid, "room": room},
            )
            self._unsaid = 0
            self._said_at = now
