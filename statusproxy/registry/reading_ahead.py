"""Reads long lists before someone asks what they say, a step at a time, so that a look-up finds them read.

A look-up is done at once, on the way of a webhook, and a long list takes too long for that. Yet with every poll a list
may be another one, and hardly any of them is asked for. So of each route one is read in `PAUSE` seconds; a look-up that
comes between goes by that one. What a look-up has left unread is read then, for others will ask for it too. And the
first answer of each route is read, whatever its length, since that builds what reads them.
"""

import asyncio
import logging
from typing import Final

from statusproxy.pacing import Pacer
from statusproxy.registry.gateway_view import GatewayView
from statusproxy.status.channel_list import ChannelList
from statusproxy.status.list_reader import SMALL

log = logging.getLogger("statusproxy.sessions")

#: Seconds from one list of a route that is read ahead to the next: the reading of ten thousand channels takes 20 ms of
#: processor time.
PAUSE: Final = 60.0

#: Routes of which it is known when a list was read ahead.
_ROUTES: Final = 64


class ReadingAhead:
    """Reads what the view keeps."""

    def __init__(self, view: GatewayView, pacer: Pacer) -> None:
        self._view = view
        self._pacer = pacer
        self._read_at: dict[int, float] = {}
        """When a list of each rule was last read ahead; the identity of a rule that is gone may be another's."""
        self._wanted = False
        self._task: asyncio.Task[None] | None = None
        view.on_left = self.begin

    def note(self, listing: ChannelList, now: float) -> None:
        """An answer has come, and is kept; returns at once."""
        if not listing.rule.is_prepared:
            self.begin()
        if listing.is_read or len(listing.body) <= SMALL:
            return
        route = id(listing.rule)
        if 0 <= now - self._read_at.get(route, float("-inf")) < PAUSE:
            return
        if len(self._read_at) >= _ROUTES:
            self._read_at.clear()
        self._read_at[route] = now
        self.begin()

    def begin(self) -> None:
        """Read what is not read, in steps; returns at once."""
        self._wanted = True
        if self._task is None or self._task.done():
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:  # a program without one serves nobody meanwhile
                return
            self._task = loop.create_task(self._read())

    async def close(self) -> None:
        """Stop what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _read(self) -> None:
        try:
            while self._wanted:
                self._wanted = False
                for _ in self._view.reading():
                    await self._pacer.step()
        except Exception:
            log.exception("the gateway's answers could not be read ahead")
