"""Reloads asked for by a signal: one after the other, and one more for all that are asked for meanwhile."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

__all__ = ["Reloads"]

log = logging.getLogger("statusproxy")


class Reloads:
    """Runs a reload each time it is asked for, never two at once."""

    def __init__(self, reload: Callable[[], Awaitable[object]]) -> None:
        """`reload` reads the configuration and puts it in force."""
        self._reload = reload
        self._asked = False
        self._running: asyncio.Task[None] | None = None

    def ask(self) -> None:
        """Reload soon. What was written to the file before this call is read, also where a reload runs already."""
        self._asked = True
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="statusproxy-reload")

    def close(self) -> None:
        """Give up the reload that runs, if any."""
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        try:
            while self._asked:
                self._asked = False
                try:
                    await self._reload()
                except Exception:  # one asked for meanwhile still has its turn
                    log.exception("the configuration could not be reloaded")
        finally:
            self._running = None
