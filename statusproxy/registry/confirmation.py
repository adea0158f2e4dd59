"""Confirms sessions by the gateway's own lists when the map is nearly full, so that invented ones are evicted first.

Anyone who can send events can make up sessions. The gateway's lists name only real ones.
"""

import asyncio

from statusproxy.registry.gateway_view import GatewayView
from statusproxy.status.sessions import SessionMap


class Confirmation:
    """Reads the kept lists for the map, a step at a time, and no list twice."""

    def __init__(self, sessions: SessionMap, view: GatewayView) -> None:
        self._sessions = sessions
        self._view = view
        self._news = -1
        """The count of the view's different answers that was last taken in."""
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Tell the map what it was not told before; returns at once."""
        if self._news == self._view.news or (self._task is not None and not self._task.done()):
            return
        self._news = self._view.news
        self._task = asyncio.ensure_future(self._confirm())

    async def close(self) -> None:
        """Stop what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _confirm(self) -> None:
        for listing in self._view.lists():
            for _ in listing.steps():
                await asyncio.sleep(0)
            for _ in self._sessions.answers.confirm(listing.ids, whole=listing.whole):
                await asyncio.sleep(0)
