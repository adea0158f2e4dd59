"""The client's side: connections that end, linger, are told off, and go on."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.proxy.harness import PATIENCE, Origin, Running, Wire, answer, get, running


async def gone(proxy: Running) -> None:
    """Wait until no connection of a client is left."""
    clients = proxy.server.clients
    async with asyncio.timeout(PATIENCE):
        while clients.connections:  # noqa: ASYNC110 - aiohttp tells nobody
            await asyncio.sleep(0.005)


async def test_a_client_that_leaves_while_its_unwanted_body_is_read_leaves_nothing_behind(
    origin: Origin, tmp_path: Path
) -> None:
    async with running(tmp_path, origin.url, webhooks=[{"path": "/tap", "forward": False}]) as proxy:
        client = await proxy.connect()
        await client.send(get("/tap", "Transfer-Encoding: chunked"))
        client.writer.write_eof()
        assert (await client.message()).status == 404
        await client.close()
        async with asyncio.timeout(2):
            await gone(proxy)


async def test_what_is_still_coming_of_an_unwanted_body_is_no_slow_head(origin: Origin, tmp_path: Path) -> None:
    settings = {"timeouts": {"request_head": "50ms"}, "webhooks": [{"path": "/tap", "forward": False}]}
    async with running(tmp_path, origin.url, **settings) as proxy:
        client = await proxy.connect()
        await client.send(get("/tap", "Content-Length: 100"))
        assert (await client.message()).status == 404
        for _ in range(4):
            await client.send(b"x" * 10)
            await asyncio.sleep(0.03)  # time itself is what is tested
        await client.send(b"x" * 60)
        assert await client.ended()


async def test_an_unwanted_body_is_read_to_its_end_so_that_the_answer_is_not_lost(
    origin: Origin, proxy: Running
) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(answer(b"no", status="413 Content Too Large"))

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/", "Content-Length: 4000000", method="POST") + b"x" * 100_000)
    got = await client.message()
    assert (got.status, got.body) == (413, b"no")
    await client.send(b"x" * 3_900_000)
    assert await client.ended()


@pytest.mark.parametrize(
    ("wire", "status", "code"),
    [
        (b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: a.example\r\n\r\n", 414, b"target_too_long"),
        (b"GET /" + b"a" * 2000, 414, b"target_too_long"),
        (get("/", "X: " + "a" * 3000), 431, b"head_too_large"),
        (get("/", "X: " + "a" * 3000)[:-4], 431, b"head_too_large"),
        (get("/", *["X: a"] * 20), 431, b"head_too_large"),
        (b"nonsense\r\n\r\n", 400, b"bad_request"),
    ],
)
async def test_a_refused_request_is_answered_in_json_with_an_id_and_the_connection_ends(
    wire: bytes, status: int, code: bytes, origin: Origin, tmp_path: Path
) -> None:
    limits = {"target": 1000, "head": 2000, "headers": 10}
    async with running(tmp_path, origin.url, limits=limits) as proxy:
        client = await proxy.connect()
        await client.send(wire)
        got = await client.message()
        assert (got.status, got.get("Connection")) == (status, b"close")
        assert b'"error_code":"' + code + b'"' in got.body
        assert (got.get("X-Request-Id") or b"-") in got.body
        assert got.get("Content-Type") == b"application/json; charset=utf-8"
        assert await client.ended()
        assert origin.connections == 0


async def test_limits_of_heads_follow_a_reload_for_connections_from_then_on(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url, limits={"target": 1000}) as proxy:
        asked = b"GET /" + b"a" * 900 + b" HTTP/1.1\r\nHost: a.example\r\n\r\n"
        assert (await proxy.ask(asked)).status == 200
        file = tmp_path / "config.yaml"
        file.write_text(file.read_text().replace("target: 1000", "target: 300"))
        assert proxy.server.reload()
        assert (await proxy.ask(asked)).status == 414


async def test_dropping_underscores_follows_a_reload_on_connections_that_are_open(
    origin: Origin, tmp_path: Path
) -> None:
    async with running(tmp_path, origin.url, underscores_in_headers="pass") as proxy:
        client = await proxy.connect()
        file = tmp_path / "config.yaml"
        for setting, arrives in (("pass", True), ("drop", False), ("pass", True)):
            before = file.read_text()
            file.write_text(re.sub("underscores_in_headers: .*", f"underscores_in_headers: {setting}", before))
            assert proxy.server.reload()
            await client.send(get("/", "X_A: 1"))
            await client.message()
            assert (origin.requests[-1].get("X_A") is not None) is arrives


async def test_a_closed_connection_while_a_get_is_handled_ends_it_at_the_gateway(
    origin: Origin, proxy: Running
) -> None:
    ended = asyncio.Event()

    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await wire.rest()
        ended.set()

    origin.script = script
    client = await proxy.connect()
    await client.send(get())
    await origin.received()
    client.reset()
    async with asyncio.timeout(PATIENCE):
        await ended.wait()
    await gone(proxy)


async def test_a_declined_upgrade_whose_body_nobody_read_leaves_an_ordinary_connection(
    origin: Origin, proxy: Running
) -> None:
    client = await proxy.connect()
    await client.send(
        get("*", "Max-Forwards: 0", "Connection: Upgrade", "Upgrade: echo", "Content-Length: 10", method="OPTIONS")
    )
    assert (await client.message(bodiless=True)).status == 204
    await client.send(b"0123456789" + get("/next"))
    assert (await client.message()).body == b"ok"


async def test_a_body_that_was_whole_and_nobody_read_holds_up_nothing(origin: Origin, proxy: Running) -> None:
    """More of it than a connection may hold: its client would wait for a reader for ever."""
    client = await proxy.connect()
    for _ in range(3):
        await client.send(get("*", "Max-Forwards: 0", method="OPTIONS", body=b"x" * 600_000))
        assert (await client.message(bodiless=True)).status == 204
    await client.send(get("/next"))
    assert (await client.message()).body == b"ok"


async def test_many_requests_sent_at_once_let_others_in_between(origin: Origin, proxy: Running) -> None:
    flood, other = await proxy.connect(), await proxy.connect()
    requests = proxy.server.clients.requests_count
    await flood.send(get("*", "Max-Forwards: 0", method="OPTIONS") * 2000)
    await flood.message(bodiless=True)
    await other.send(get("*", "Max-Forwards: 0", method="OPTIONS"))
    await other.message(bodiless=True)
    assert proxy.server.clients.requests_count - requests < 1000
    for _ in range(1999):
        assert (await flood.message(bodiless=True)).status == 204
