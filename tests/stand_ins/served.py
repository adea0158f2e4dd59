"""Handlers of aiohttp on loopback: the gateway, the hub or the other program that a test writes itself."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def everything(handler: Handler) -> web.RouteDef:
    """The route of a handler that answers each request."""
    return web.route("*", "/{path:.*}", handler)


@asynccontextmanager
async def served(*routes: web.AbstractRouteDef, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """These routes at a port (0: a free one); gives the URL, without a slash at its end."""
    application = web.Application()
    application.add_routes(routes)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
