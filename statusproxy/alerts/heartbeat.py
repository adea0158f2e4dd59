"""The heartbeat: a URL that is asked every minute while store and gateway answer, and at the start.

It is the other way round from an alert: a monitor elsewhere tells when it has not been asked for a while, so that a
proxy that is dead, or cannot reach anyone, is noticed too.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp
from aiohttp import ClientSession

from statusproxy.alerts.http_client import error_words, finish
from statusproxy.observe.alert_counts import HeartbeatCounts
from statusproxy.observe.logs import NOTICE

__all__ = ["EVERY", "Heartbeat", "ask"]

log = logging.getLogger("statusproxy.alerts")

#: Seconds between two requests.
EVERY: Final = 60.0

Sleep = Callable[[float], Awaitable[None]]


class Heartbeat:
    """The task. `start` it in the event loop, and `close` it."""

    def __init__(
        self,
        url: str,
        session: Callable[[], ClientSession],
        works: Callable[[], Awaitable[str | None]],
        counter: HeartbeatCounts,
        wall: Callable[[], float],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """`works` gives what does not answer (`store` or `gateway`), None where all does; `wall` is epoch seconds."""
        self._url = url
        self._session = session
        self._works = works
        self._counter = counter
        self._wall = wall
        self._sleep = sleep
        self._told: str | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Ask now, and every minute from now on."""
        self._task = asyncio.create_task(self._run(), name="statusproxy-heartbeat")

    async def close(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def beat(self) -> None:
        """Ask once, if all works."""
        broken = await self._works()
        if broken is not None:
            self._counter.withheld += 1
            self._note(f"not sent: the {broken} does not answer")
            return
        error = await ask(self._url, self._session())
        if error is None:
            self._counter.answered += 1
            self._counter.last_at = self._wall()
        else:
            self._counter.failed += 1
        self._note(error)

    async def _run(self) -> None:
        while True:
            try:
                await self.beat()
            except Exception:
                log.exception("alerts: the heartbeat failed inside the proxy")
            await self._sleep(EVERY)

    def _note(self, error: str | None) -> None:
        """Log the first failure of a row, each other kind of failure, and the end of it."""
        if error == self._told:
            return
        if error is None:
            log.log(NOTICE, "alerts: the heartbeat is answered again")
        else:
            log.warning("alerts: heartbeat: %s", error, extra={"why": error})
        self._told = error


async def ask(url: str, session: ClientSession) -> str | None:
    """Ask a monitor once: why it did not take the heartbeat, None where it did."""
    try:
        async with session.get(url, allow_redirects=False) as response:
            status = response.status
            await finish(response)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return error_words(error)
    return None if 200 <= status < 300 else f"it answered {status}"
