"""A stand-in's life: it listens from its start to its stop, and posts with a client of its own."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web

from statusproxy.demo.loopback import LoopbackServer
from tests.ports import free_port


class Greeting(LoopbackServer):
    """Answers every GET."""

    def runner(self) -> web.AppRunner:
        """A server of one route."""
        application = web.Application()
        application.router.add_get("/", _greeting)
        return web.AppRunner(application, shutdown_timeout=0.5)


async def _greeting(_: web.Request) -> web.Response:
    return web.Response(text="hello")


async def test_it_listens_until_it_is_stopped() -> None:
    async with Greeting() as server:
        async with server.client.get(f"{server.base_url}/") as answer:
            assert await answer.text() == "hello"
        client = server.client
    assert client.closed
    async with aiohttp.ClientSession() as another:
        with pytest.raises(aiohttp.ClientConnectorError):
            await another.get(server.base_url)


async def test_it_listens_on_the_port_that_is_wanted() -> None:
    server, port = Greeting(), free_port()
    try:
        assert await server.start(port=port) == server.base_url == f"http://127.0.0.1:{port}"
    finally:
        await server.stop()


async def test_what_was_not_started_has_no_client_and_can_be_stopped() -> None:
    server = Greeting()
    await server.stop()
    assert server.base_url == ""
    with pytest.raises(RuntimeError, match="the stand-in gateway is not started"):
        _ = server.client


async def test_a_server_without_a_runner_cannot_be_started() -> None:
    server = LoopbackServer()
    with pytest.raises(NotImplementedError):
        await server.start()
    await server.stop()
