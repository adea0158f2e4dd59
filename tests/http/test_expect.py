"""`Expect: 100-continue` from end to end (RFC 9110 §10.1.1)."""

from pathlib import Path

from tests.proxy.harness import OK, Origin, Running, Wire, answer, get, running

ASKING = get("/", "Content-Length: 3", "Expect: 100-continue", method="POST")


async def test_the_gateway_s_permission_reaches_the_client_and_its_body_the_gateway(
    origin: Origin, proxy: Running
) -> None:
    async def script(wire: Wire) -> None:
        head = await wire.head()
        assert head.get("Expect") == b"100-continue"
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        head.body = await wire.reader.readexactly(3)
        await origin.note(head)
        await wire.send(OK)

    origin.script = script
    client = await proxy.connect()
    await client.send(ASKING)
    assert (await client.head()).start == b"HTTP/1.1 100 Continue"
    await client.send(b"abc")
    assert (await client.message()).body == b"ok"
    assert origin.requests[0].body == b"abc"


async def test_a_gateway_that_refuses_is_heard_before_any_body_is_sent(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(answer(b"too large", status="413 Content Too Large"))
        await wire.rest()

    origin.script = script
    client = await proxy.connect()
    await client.send(ASKING)
    got = await client.message()
    assert (got.status, got.body, got.get("Connection")) == (413, b"too large", b"close")


async def test_a_client_that_does_not_wait_is_served(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    await client.send(ASKING + b"abc")
    assert (await client.message()).status == 200
    assert origin.requests[0].body == b"abc"


async def test_a_permission_that_comes_late_is_not_sent_behind_the_answer(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await wire.send(OK + b"HTTP/1.1 100 Continue\r\n\r\n")
        await wire.rest()

    origin.script = script
    client = await proxy.connect()
    await client.send(ASKING + b"abc")
    assert (await client.message()).body == b"ok"
    origin.script = origin.serve
    await client.send(get("/next"))
    assert (await client.message()).start == b"HTTP/1.1 200 OK"


async def test_http_1_0_cannot_expect(origin: Origin, proxy: Running) -> None:
    request = b"POST / HTTP/1.0\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"
    await proxy.ask(request)
    assert (origin.requests[0].all("Expect"), origin.requests[0].body) == ([], b"abc")


async def test_another_expectation_is_the_gateway_s_to_judge(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b"no", status="417 Expectation Failed")
    got = await proxy.ask(get("/", "Expect: wonders"))
    assert (got.status, origin.requests[0].get("Expect")) == (417, b"wonders")


async def test_a_tap_gives_the_permission_itself(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url, webhooks=[{"path": "/tap", "forward": False}]) as proxy:
        client = await proxy.connect()
        await client.send(get("/tap", "Content-Length: 2", "Expect: 100-continue", method="POST"))
        assert (await client.head()).status == 100
        await client.send(b"{}")
        assert (await client.message()).status == 204
    assert origin.connections == 0
