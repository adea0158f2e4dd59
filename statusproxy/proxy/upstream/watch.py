"""The gateway's reachability: checked at the start and when a request could not reach it.

A gateway that answers is never asked: requests show that it does. One that does not is tried until it does, so that its
return is logged as well. An attempt opens a connection of its own, beside those of the pool. A pool without a free
place says nothing about the gateway: attempts to connect that get no answer may hold all of its places.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, cast

from statusproxy.observe.logs import NOTICE
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.origin import Origin

__all__ = ["GatewayWatch"]

log = logging.getLogger("statusproxy")

#: Seconds between two attempts while it cannot be reached; also the least between two looks because of failed requests.
PAUSE: Final = 3.0

#: Seconds for one attempt, whatever time traffic is given.
PATIENCE: Final = 5.0

_SLOW: Final = "no answer in time"


class GatewayWatch:
    """Knows whether the gateway can be reached, and logs when that changes."""

    def __init__(self, origin: Callable[[], Origin], name: Callable[[], str], changed: Callable[[], None]) -> None:
        """`origin` and `name` give where the gateway is, and what it is called, as now configured; `changed` is called
        after each change of `error`."""
        self.error: str | None = None
        """Why it cannot be reached; None while it can, and before the first look."""
        self.looked = False
        """Whether there was a first look."""
        self._origin = origin
        self._name = name
        self._changed = changed
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take the first look, and go on until `close`."""
        self._task = asyncio.create_task(self._run())

    def failed(self) -> None:
        """A request could not reach the gateway, or the hub: look."""
        self._asked.set()

    def look_soon(self) -> None:
        """Look, although nothing has failed: someone must know also where no requests come."""
        self._asked.set()

    def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            self._asked.clear()
            self._note(await self._look())
            await asyncio.sleep(PAUSE)
            if self.error is None:
                await self._asked.wait()

    async def _look(self) -> str | None:
        try:
            attempt = await self._origin().connect(_Attempt, PATIENCE)
        except UpstreamError as failed:
            return str(failed).partition(": ")[2] or _SLOW
        attempt.abort()
        return None

    def _note(self, error: str | None) -> None:
        before, self.error = self.error, error
        self.looked = True
        if error == before:
            return
        gateway = self._name()
        if error is None:
            log.log(NOTICE, "the gateway %s can be reached", gateway, extra={"gateway": gateway})
        elif before is None:
            log.warning(
                "the gateway %s cannot be reached: %s; it is tried again every %d s",
                gateway,
                error,
                PAUSE,
                extra={"gateway": gateway, "why": error},
            )
        self._changed()


class _Attempt(asyncio.Protocol):
    """A connection that is only opened."""

    _transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass

    def abort(self) -> None:
        """Close it."""
        self._transport.abort()
