"""Requests that are only passed on, and which of them may switch to another protocol."""

import gzip

import pytest

from statusproxy.proxy.actions.forward import may_upgrade
from tests.proxy.counted import calls_in
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


def test_no_protocol_of_a_long_offer_takes_more_than_a_few_calls() -> None:
    assert calls_in(lambda: may_upgrade([(b"Upgrade", b"," * 30_000)])) < 50
    assert not may_upgrade([(b"Upgrade", b"," * 30_000 + b"h2c")])


class Learner:
    """What is learned from answers."""

    def __init__(self, proxy: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heard: list[tuple[str, bytes]] = []
        learning = proxy.server.registry.learning
        learning.start(3600.0)
        monkeypatch.setattr(learning, "answer", lambda body, target: self.heard.append((target, body)))


async def test_lists_are_learned_from_while_that_is_wanted_and_pass_untouched(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = Learner(proxy, monkeypatch)
    origin.answer = answer(b'[{"id": 1}]', "Content-Type: application/json; charset=utf-8", "ETag: 1")
    got = await proxy.ask(get("/api/boxes?key=planted"))
    assert (got.status, got.body, got.get("ETag")) == (200, b'[{"id": 1}]', b"1")
    assert learner.heard == [("/api/boxes", b'[{"id": 1}]')]


async def test_a_coded_list_is_learned_from_decoded_and_passes_coded(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = Learner(proxy, monkeypatch)
    coded = gzip.compress(b"[]")
    origin.answer = answer(coded, "Content-Type: application/json", "Content-Encoding: gzip")
    assert (await proxy.ask(get("/api/boxes"))).body == coded
    assert learner.heard == [("/api/boxes", b"[]")]


@pytest.mark.parametrize(
    ("field", "status", "method", "size"),
    [
        ("Content-Type: text/html", "200 OK", "GET", 2),
        ("X-None: 1", "200 OK", "GET", 2),
        ("Content-Type: application/json", "404 Not Found", "GET", 2),
        ("Content-Type: application/json", "200 OK", "POST", 2),
        ("Content-Type: application/json", "200 OK", "GET", 200_000),
        ("Content-Type: application/json\r\nContent-Encoding: gzip", "200 OK", "GET", 2),
    ],
)
async def test_other_answers_just_pass(
    field: str, status: str, method: str, size: int, origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = Learner(proxy, monkeypatch)
    origin.answer = answer(b"1" * size, field, status=status)
    got = await proxy.ask(get("/api/boxes", method=method))
    assert (got.start, got.body) == (f"HTTP/1.1 {status}".encode(), b"1" * size)
    assert learner.heard == []
