"""Clients without a place: told so once they ask, served if one is free by then, and forgotten when they leave."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from statusproxy.proxy.downstream import unplaced
from statusproxy.proxy.downstream.connection import ConnectionState
from tests.proxy.downstream.port import GET, Port
from tests.proxy.downstream.stand_ins import StandInTransport
from tests.proxy.harness import Origin, Running, Wire, get, running, until
from tests.proxy.held_origin import Held
from tests.proxy.loop_clock import LoopClock


@pytest.fixture
async def full(origin: Origin, tmp_path: Path) -> AsyncIterator[tuple[Running, Wire, asyncio.Event]]:
    """A proxy whose only place is taken by a request, which is answered when the event is set."""
    let_go = Held(origin, b"/held").let_go
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


# ---- by itself ----


@pytest.fixture
async def taken() -> AsyncIterator[Port]:
    """A port whose places are all at work."""
    port = Port()
    for _ in range(2):
        await port.asks()
    yield port
    await port.close()


async def test_over_tls_there_is_no_half_to_end(taken: Port) -> None:
    _, transport = taken.connect(StandInTransport("", object()))
    transport.protocol.data_received(GET)
    assert transport.written.startswith(b"HTTP/1.1 503 ")
    assert (transport.ended, transport.is_closing()) == (False, True)
    transport.protocol.connection_lost(None)


async def test_with_too_many_waiting_already_a_client_is_refused_before_it_asks(
    taken: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taken.server.reserve, "refused_at_once", 1)
    _, waiting = taken.connect()
    _, refused = taken.connect()
    assert (waiting.written, waiting.is_closing()) == (b"", False)
    assert refused.written.startswith(b"HTTP/1.1 503 ")
    assert refused.is_closing()
    refused.protocol.data_received(GET)
    assert refused.written.count(b"HTTP/1.1") == 1
    for transport in (waiting, refused):
        assert not transport.protocol.eof_received()
        transport.protocol.connection_lost(None)
    assert not taken.server.waiting


@pytest.mark.parametrize("asks", [False, True])
async def test_who_stays_is_cut_off_after_two_seconds(taken: Port, still_clock: LoopClock, asks: bool) -> None:
    _, transport = taken.connect()
    await still_clock.move(1.0)
    if asks:
        transport.protocol.data_received(GET)
    aborted = []
    for seconds in (0.9, 0.2):
        await still_clock.move(seconds)
        aborted.append(transport.aborted)
    assert aborted == [False, True]
    transport.protocol.connection_lost(None)


async def test_who_got_a_place_after_all_is_not_cut_off(taken: Port, still_clock: LoopClock) -> None:
    connection, transport = taken.connect()
    taken.server.limits = replace(taken.server.limits, connections=3)
    transport.protocol.data_received(GET)
    await still_clock.move(10.0)
    assert (connection.state, transport.protocol, transport.aborted) == (ConnectionState.SERVING, connection, False)
    assert not taken.server.waiting


async def test_who_asks_twice_is_refused_once(taken: Port) -> None:
    _, transport = taken.connect()
    for _ in range(2):
        transport.protocol.data_received(GET)
    assert (transport.written.count(b"HTTP/1.1"), transport.ended) == (1, True)
    transport.protocol.connection_lost(None)
