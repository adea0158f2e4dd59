"""Requests that are only passed on, and which of them may switch to another protocol."""

import pytest

from statusproxy.proxy.actions.forward import may_upgrade
from tests.proxy.harness import Origin, Running, Wire, answer, get


async def test_request_and_answer_pass_untouched(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b"\x00\xff{}", "X-Made-By: gateway", status="418 I'm a teapot")
    got = await proxy.ask(get("/any?a=b&a", "X-Asked-By: client", method="PATCH", body=b"\xff\x00"))
    assert (got.start, got.body) == (b"HTTP/1.1 418 I'm a teapot", b"\x00\xff{}")
    assert got.get("X-Made-By") == b"gateway"
    request = origin.requests[0]
    assert (request.start, request.body) == (b"PATCH /any?a=b&a HTTP/1.1", b"\xff\x00")
    assert request.get("X-Asked-By") == b"client"


async def test_an_upgrade_that_the_gateway_grants_becomes_a_tunnel(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        request = await wire.head()
        assert (request.get("Upgrade"), request.get("Connection")) == (b"echo", b"Upgrade")
        await wire.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
        await wire.send(await wire.reader.readexactly(5))

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/socket", "Upgrade: echo", "Connection: Upgrade"))
    head = await client.head()
    assert (head.status, head.get("Upgrade")) == (101, b"echo")
    await client.send(b"hello")
    assert await client.reader.readexactly(5) == b"hello"


async def test_an_upgrade_that_the_gateway_declines_is_an_ordinary_answer(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    for _ in range(2):
        await client.send(get("/socket", "Upgrade: echo", "Connection: Upgrade"))
        assert (await client.message()).body == b"ok"


async def test_http_2_is_not_asked_for(origin: Origin, proxy: Running) -> None:
    await proxy.ask(get("/", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk"))
    assert origin.requests[0].get("Upgrade") is None


@pytest.mark.parametrize("offered", [b"h2c", b"H2", b"http/1.1", b"websocket, h2c", b"h2c/1, websocket"])
def test_no_kind_of_http_may_be_spoken_past_us(offered: bytes) -> None:
    assert not may_upgrade([(b"Upgrade", offered)])
    assert not may_upgrade([(b"Upgrade", b"websocket"), (b"upgrade", offered)])


@pytest.mark.parametrize("offered", [b"websocket", b"h2o", b"IRC/6.9, echo"])
def test_other_protocols_may(offered: bytes) -> None:
    assert may_upgrade([(b"Upgrade", offered)])
