"""The stand-in gateway alone: it listens until a signal, and its engine posts to the proxy that it is told."""

from __future__ import annotations

import asyncio
import os
import signal

import aiohttp
import pytest
from aiohttp import web

from statusproxy.demo.dialects.table import dialect
from statusproxy.demo.service import gateway, serve
from tests.ports import free_port


@pytest.mark.parametrize("signalled", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it(signalled: signal.Signals) -> None:
    port, lines = free_port(), list[str]()

    def say(line: str) -> None:
        lines.append(line)
        os.kill(os.getpid(), signalled)

    await serve(gateway(None, None), "127.0.0.1", port, say=say)
    assert lines == [f"the stand-in gateway listens on http://127.0.0.1:{port}"]


async def test_it_answers_until_then() -> None:
    listening = asyncio.Event()
    port = free_port()
    served = asyncio.create_task(serve(gateway(None, None), "127.0.0.1", port, say=lambda _: listening.set()))
    await listening.wait()
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/demo/truth") as answer:
        truth = await answer.json()
    assert truth == {"sales": "linked", "support": "linked", "Front Desk": "linked", "night shift": "waiting-qr"}
    os.kill(os.getpid(), signal.SIGTERM)
    await served


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    async with gateway(None, None) as first:
        port = int(first.base_url.rpartition(":")[2])
        second = gateway(None, None)
        with pytest.raises(OSError, match="address already in use"):
            await serve(second, "127.0.0.1", port)
        assert second.client.closed


@pytest.mark.parametrize("name", [None, "waha"])
async def test_its_events_go_to_the_proxy(name: str | None) -> None:
    arrived: asyncio.Queue[str] = asyncio.Queue()

    async def take(request: web.BaseRequest) -> web.Response:
        arrived.put_nowait(request.path)
        return web.Response()

    runner = web.ServerRunner(web.Server(take))
    await runner.setup()
    port = free_port()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        chosen = None if name is None else dialect(name)
        async with gateway(chosen, f"http://127.0.0.1:{port}") as stand_in:
            told = "unlink" if name is None else "lose"
            async with stand_in.client.post(f"{stand_in.base_url}/demo/{told}/sales") as answer:
                assert answer.status == 200
        expected = "/v1/webhooks/receive" if chosen is None else chosen.webhook.format(session="sales")
        assert await arrived.get() == expected
    finally:
        await runner.cleanup()
