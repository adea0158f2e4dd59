"""Expires overrides that are too old (`sessions.max_age`), a bounded number at a time."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from statusproxy.status.model import Change
from statusproxy.status.sessions import SessionMap

#: Overrides that expire in one go, 5 ms; the others follow when others have had their turn.
AT_ONCE: Final = 128


class Expiry:
    """Ends overrides that are too old, when `look` is called."""

    def __init__(self, sessions: SessionMap, more: Callable[[], None]) -> None:
        """`more` is called on the event loop soon after a look that left some over; it should look again."""
        self._sessions = sessions
        self._more = more

    def look(self, now: float) -> Sequence[Change]:
        """End those that are too old at `now` (our own clock, epoch seconds), as many as may be at once."""
        changes = self._sessions.expire(now, AT_ONCE)
        if len(changes) >= AT_ONCE:
            asyncio.get_running_loop().call_soon(self._more)
        return changes
