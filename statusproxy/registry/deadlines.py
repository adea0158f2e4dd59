"""What becomes due: overrides that are too old (`sessions.max_age`), transient states that have lasted long enough.

Both are judged when someone looks. A transient state counts at its time all the same, so that it is told and saved
then: one timer is set for the next of them. Thousands may be due at once, and are judged some at a time.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Final

from statusproxy.status.model import Change
from statusproxy.status.sessions import SessionMap

#: Deadlines judged in one go, 5 ms; the others follow when others have had their turn.
AT_ONCE: Final = 128

#: Seconds after which the timer looks again at the latest: our own clock and the event loop's may differ a little.
_LONGEST: Final = 3_600.0


class Deadlines:
    """Judges what is due when someone looks, and looks itself when a deadline passes."""

    __slots__ = ("_due", "_look", "_sessions", "_timer")

    def __init__(self, sessions: SessionMap, look: Callable[[], object]) -> None:
        """`look` is called on the event loop when something is due; it should call `look` of this class."""
        self._sessions = sessions
        self._look = look
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf  # what the timer is set for, on our own clock

    def look(self, now: float) -> Sequence[Change]:
        """Judge what is due at `now` (our own clock, epoch seconds), as much as may be at once."""
        changes = self._sessions.expire(now, AT_ONCE)
        if now >= self._sessions.transient_due:
            changes = (*changes, *self._sessions.judge_transient(now, AT_ONCE))
        if len(changes) >= AT_ONCE:
            asyncio.get_running_loop().call_soon(self._look)
        return changes

    def watch(self, now: float) -> None:
        """Set the timer for the next transient state that may count; to be called after anything that may bring one."""
        due = self._sessions.transient_due
        if due == self._due:
            return
        self.close()
        self._due = due
        if due < math.inf:
            self._timer = asyncio.get_running_loop().call_later(min(max(due - now, 0.0), _LONGEST), self._ring)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        self._due = math.inf
        self._look()
