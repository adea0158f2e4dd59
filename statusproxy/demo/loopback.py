"""A server on a loopback port, with a client for what it posts itself: what the stand-in gateways have in common."""

from __future__ import annotations

from typing import Self

import aiohttp
from aiohttp import web


class LoopbackServer:
    """Listens from `start` to `stop`, or inside `async with`. What it answers is what its `runner` serves."""

    def __init__(self) -> None:
        self.base_url = ""
        """Where it listens, once started; without a slash at its end."""
        self._running: web.BaseRunner | None = None
        self._client: aiohttp.ClientSession | None = None

    def runner(self) -> web.BaseRunner:
        """What answers the requests: made again for each start."""
        raise NotImplementedError

    @property
    def client(self) -> aiohttp.ClientSession:
        """What its own requests go out with. RuntimeError before it was started."""
        if self._client is None:
            raise RuntimeError("the stand-in gateway is not started")
        return self._client

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen (0: on a free port) and return the base URL."""
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        self._running = self.runner()
        await self._running.setup()
        await web.TCPSite(self._running, host, port).start()
        self.base_url = f"http://{host}:{self._running.addresses[0][1]}"
        return self.base_url

    async def stop(self) -> None:
        """Close everything."""
        if self._running is not None:
            await self._running.cleanup()
        if self._client is not None:
            await self._client.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
