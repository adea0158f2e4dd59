"""Clients without a place: told so once they ask, served if one is free by then, and forgotten when they leave."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from statusproxy.proxy.downstream import unplaced
from tests.proxy.harness import Origin, Running, Wire, answer, get, running, until


@pytest.fixture
async def full(origin: Origin, tmp_path: Path) -> AsyncIterator[tuple[Running, Wire, asyncio.Event]]:
    """A proxy whose only place is taken by a request, which is answered when the event is set."""
    let_go = asyncio.Event()

    async def script(wire: Wire) -> None:
        while True:
            if (await origin.take(wire)).target == b"/held":
                await let_go.wait()
            await wire.send(answer(b"ok"))

    origin.script = script
    async with running(tmp_path, origin.url, limits={"connections": 1}) as proxy:
        first = await proxy.connect()
        await first.send(get("/held"))
        await origin.received()
        yield proxy, first, let_go
        let_go.set()


async def test_a_client_that_asks_is_refused_and_can_still_read_why_while_it_sends(
    full: tuple[Running, Wire, asyncio.Event],
) -> None:
    proxy, _, _ = full
    client = await proxy.connect()
    await client.send(get("/", method="POST", body=b"x" * 1_000_000))
    assert (await client.message()).status == 503
    assert await client.ended()


async def test_a_client_that_asks_when_a_place_is_free_is_served_as_any_other(
    full: tuple[Running, Wire, asyncio.Event],
) -> None:
    proxy, first, let_go = full
    client = await proxy.connect()
    await until(lambda: len(proxy.server.clients.waiting) == 1)
    let_go.set()
    await first.message()
    for _ in range(2):
        await client.send(get())
        assert (await client.message()).body == b"ok"
    assert not proxy.server.clients.waiting


async def test_a_client_that_leaves_is_forgotten(full: tuple[Running, Wire, asyncio.Event]) -> None:
    proxy, _, _ = full
    client = await proxy.connect()
    await until(lambda: len(proxy.server.clients.waiting) == 1)
    client.reset()
    await until(lambda: not proxy.server.clients.waiting)


async def test_a_client_that_says_nothing_is_cut_off(
    full: tuple[Running, Wire, asyncio.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unplaced, "LINGER", 0.05)
    proxy, _, _ = full
    client = await proxy.connect()
    assert await client.ended()
    await until(lambda: not proxy.server.clients.waiting)
