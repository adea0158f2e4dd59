"""Framing over real sockets: what is ambiguous reaches no gateway, what the gateway breaks reaches no client."""

from pathlib import Path

import pytest

from tests.proxy.harness import OK, Message, Origin, Running, Wire, answer, get, running, until

HOST = b"Host: proxy.example\r\n"


def raw(*lines: bytes, start: bytes = b"POST /a HTTP/1.1", body: bytes = b"") -> bytes:
    return b"\r\n".join([start, b"Host: proxy.example", *lines, b"", b""]) + body


AMBIGUOUS = {
    "length and chunks": raw(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "chunks and length": raw(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"0\r\n\r\n"),
    "two lengths": raw(b"Content-Length: 1", b"Content-Length: 2", body=b"ab"),
    "two equal lengths": raw(b"Content-Length: 1", b"Content-Length: 1", body=b"a"),
    "a list of lengths": raw(b"Content-Length: 1, 1", body=b"a"),
    "a signed length": raw(b"Content-Length: +1", body=b"a"),
    "a huge length": raw(b"Content-Length: 18446744073709551617", body=b"a"),
    "chunked, identity": raw(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "an unknown coding": raw(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "a control before the coding": raw(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "two codings": raw(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "a space before the colon": raw(b"Content-Length : 1", body=b"a"),
    "a tab before the colon": raw(b"Transfer-Encoding\t: chunked", body=b"0\r\n\r\n"),
    "a folded line": raw(b"X: a", b" b"),
    "a folded coding": raw(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n"),
    "a space before the first field": b"GET / HTTP/1.1\r\n Host: proxy.example\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: proxy.example\n\n",
    "a bare line feed in the head": raw(b"X: a\nY: b"),
    "a bare carriage return": raw(b"X: a\rY: b"),
    "a NUL in a value": raw(b"X: a\x00b"),
    "a NUL in a name": raw(b"X\x00: a"),
    "a name that is no token": raw(b"X(a): b"),
    "no colon": raw(b"X"),
    "two hosts": raw(b"Host: other.example"),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/0.9 by name": raw(start=b"GET / HTTP/0.9"),
    "HTTP/2.0": raw(start=b"GET / HTTP/2.0"),
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "lower-case http": raw(start=b"GET / http/1.1"),
    "two spaces": raw(start=b"GET  / HTTP/1.1"),
    "a space in the target": raw(start=b"GET /a b HTTP/1.1"),
    "a fragment": raw(start=b"GET /a#b HTTP/1.1"),
    "a lower-case method": raw(start=b"get / HTTP/1.1"),
    "chunks in HTTP/1.0": raw(b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.0", body=b"0\r\n\r\n"),
    "TLS on a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "an answer": b"HTTP/1.1 200 OK\r\n\r\n",
}


@pytest.mark.parametrize("wire", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
async def test_what_two_parsers_could_read_differently_is_refused_and_reaches_no_gateway(
    wire: bytes, origin: Origin, proxy: Running
) -> None:
    client = await proxy.connect()
    await client.send(wire)
    got = await client.message()
    assert (got.status, got.get("Connection")) == (400, b"close")
    assert await client.ended()
    assert origin.connections == 0


BROKEN_CHUNKS = {
    "a sign": b"+3\r\nabc\r\n0\r\n\r\n",
    "0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "an overflow": b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "a line feed": b"3\nabc\r\n0\r\n\r\n",
    "a space": b"3 \r\nabc\r\n0\r\n\r\n",
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "too much data": b"3\r\nabcd\r\n0\r\n\r\n",
    "a line feed in the extension": b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "an endless extension": b"3;" + b"a" * 70_000,
    "a length among the trailers": b"3\r\nabc\r\n0\r\nX : a\r\n\r\n",
}


@pytest.mark.parametrize("body", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS.keys())
async def test_a_body_with_broken_chunks_is_refused_and_never_completed_towards_the_gateway(
    body: bytes, origin: Origin, proxy: Running
) -> None:
    client = await proxy.connect()
    await client.send(raw(b"Transfer-Encoding: chunked", body=body) + get("/smuggled"))
    got = await client.message()
    assert (got.status, got.get("Connection")) == (400, b"close")
    assert await client.ended()
    assert origin.requests == []


@pytest.mark.parametrize("gateway", ["up", "down"])
@pytest.mark.parametrize("path", ["/tap", "/hook"])
async def test_a_webhook_with_broken_chunks_is_refused_and_not_heard(
    path: str, gateway: str, origin: Origin, tmp_path: Path
) -> None:
    hooks = [{"path": "/tap", "forward": False}, {"path": "/hook"}]
    if gateway == "down":
        await origin.stop()
    async with running(tmp_path, origin.url, webhooks=hooks) as proxy:
        body = b'1f\r\n{"event":"closesession","session":"a"}\r\nx\r\n'
        got = await proxy.ask(get(path, "Transfer-Encoding: chunked", method="POST") + body)
        assert got.status in ({400} if gateway == "up" or path == "/tap" else {400, 502})
        assert got.get("Connection") == b"close"
        assert not proxy.server.registry.has_overrides
        assert origin.requests == []


async def test_chunks_reach_the_gateway_without_extensions_and_leading_zeros(origin: Origin, proxy: Running) -> None:
    await proxy.ask(raw(b"Transfer-Encoding: Chunked", body=b"0003;a=b\r\nabc\r\n000;c\r\n\r\n"))
    assert origin.requests[0].framed == b"3\r\nabc\r\n0\r\n\r\n"
    assert origin.requests[0].all("Transfer-Encoding") == [b"chunked"]


async def test_a_length_stays_a_length_and_chunks_stay_chunks(origin: Origin, proxy: Running) -> None:
    await proxy.ask(raw(b"Content-Length: 3", body=b"abc"))
    await proxy.ask(raw(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n"))
    await proxy.ask(raw(b"Content-Length: 0"))
    await proxy.ask(raw(start=b"GET / HTTP/1.1"))
    seen = [(r.get("Content-Length"), r.get("Transfer-Encoding"), r.body) for r in origin.requests]
    assert seen == [(b"3", None, b"abc"), (None, b"chunked", b"abc"), (b"0", None, b""), (None, None, b"")]


async def test_a_get_may_have_a_body(origin: Origin, proxy: Running) -> None:
    got = await proxy.ask(raw(b"Content-Length: 3", start=b"GET /a HTTP/1.1", body=b"abc"))
    assert (got.status, origin.requests[0].body) == (200, b"abc")


async def test_pipelined_requests_are_answered_in_order(origin: Origin, proxy: Running) -> None:
    origin.answer = lambda request: answer(request.target)
    client = await proxy.connect()
    await client.send(get("/1") + raw(b"Content-Length: 2", start=b"POST /2 HTTP/1.1", body=b"xy") + get("/3"))
    assert [(await client.message()).body for _ in range(3)] == [b"/1", b"/2", b"/3"]


@pytest.mark.slow
async def test_many_pipelined_requests_are_all_answered(origin: Origin, proxy: Running) -> None:
    origin.answer = lambda request: answer(request.target)
    client = await proxy.connect()
    await client.send(b"".join(get(f"/{i}") for i in range(200)))
    assert [(await client.message()).body for i in range(200)] == [b"/%d" % i for i in range(200)]


async def test_requests_before_a_broken_one_are_answered(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    await client.send(get("/good") + b"nonsense\r\n\r\n" + get("/never"))
    assert [(await client.message()).status, (await client.message()).status] == [200, 400]
    assert await client.ended()
    assert [request.target for request in origin.requests] == [b"/good"]


async def test_bytes_behind_a_body_are_the_next_request(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    await client.send(raw(b"Content-Length: 3", body=b"abcGET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"))
    assert [(await client.message()).status, (await client.message()).status] == [200, 200]
    assert [(r.target, r.body) for r in origin.requests] == [(b"/a", b"abc"), (b"/smuggled", b"")]


async def test_requests_may_come_a_byte_at_a_time(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    for byte in raw(b"Transfer-Encoding: chunked", b"X: y", body=b"3\r\nabc\r\n0\r\nT: x\r\n\r\n"):
        await client.send(bytes([byte]))
    assert (await client.message()).status == 200
    assert origin.requests[0].body == b"abc"


async def test_a_connection_that_is_to_close_takes_no_further_request(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    await client.send(get("/last", "Connection: close") + get("/never"))
    got = await client.message()
    assert (got.status, got.get("Connection")) == (200, b"close")
    assert await client.ended()
    assert len(origin.requests) == 1


async def test_http_1_0_is_closed_after_one_answer_unless_it_asks_otherwise(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    await client.send(b"GET /a HTTP/1.0\r\n\r\n")
    got = await client.message()
    assert (got.start, got.get("Connection")) == (b"HTTP/1.1 200 OK", b"close")
    assert await client.ended()
    client = await proxy.connect()
    for _ in range(2):
        await client.send(b"GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
        assert (await client.message()).get("Connection") == b"keep-alive"
    assert [r.start for r in origin.requests] == [b"GET /a HTTP/1.1"] * 3


async def test_http_1_0_gets_a_body_of_unknown_length_up_to_the_end_of_its_connection(
    origin: Origin, proxy: Running
) -> None:
    origin.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n"
    client = await proxy.connect()
    await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    got = await client.message()
    assert (got.get("Connection"), got.all("Transfer-Encoding"), got.body) == (b"close", [], b"abc")


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_an_http_1_0_gateway_is_understood(version: bytes, origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await wire.send(b"HTTP/1.0 200 Fine\r\nX: y\r\n\r\nto the end")

    origin.script = script
    got = await proxy.ask(b"GET / HTTP/" + version + b"\r\n" + HOST + b"\r\n")
    assert (got.start, got.body, got.get("Via")) == (b"HTTP/1.1 200 Fine", b"to the end", b"1.0 statusproxy")


BROKEN_ANSWERS = {
    "no HTTP": b"<html>hello</html>\r\n\r\n",
    "HTTP/0.9": b"hello",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    "a bare line feed": b"HTTP/1.1 200 OK\r\nX: a\nContent-Length: 2\r\n\r\nok",
    "line feeds only": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "a bare carriage return": b"HTTP/1.1 200 OK\r\nX: a\rY: b\r\nContent-Length: 2\r\n\r\nok",
    "a NUL": b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok",
    "a control character": b"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 2\r\n\r\nok",
    "a control character in the reason": b"HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok",
    "a folded line": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "a name that is no token": b"HTTP/1.1 200 OK\r\nX(a): b\r\nContent-Length: 2\r\n\r\nok",
    "no colon": b"HTTP/1.1 200 OK\r\nX\r\nContent-Length: 2\r\n\r\nok",
    "a head too large": b"HTTP/1.1 200 OK\r\n" + b"X: %b\r\n" % (b"a" * 8000) * 10 + b"\r\n",
    "a head of too many lines": b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * 1000 + b"\r\n",
    "codings behind chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "gzip and chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a switch no one asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
}


@pytest.mark.parametrize("broken", BROKEN_ANSWERS.values(), ids=BROKEN_ANSWERS.keys())
async def test_an_answer_with_broken_framing_is_a_502_and_its_connection_is_not_used_again(
    broken: bytes, origin: Origin, proxy: Running
) -> None:
    origin.answer = lambda request: broken if request.target == b"/broken" else OK
    client = await proxy.connect()
    await client.send(get("/broken"))
    got = await client.message()
    assert (got.status, b'"gateway_bad_answer"' in got.body) == (502, True), got
    await client.send(get("/fine"))
    assert (await client.message()).body == b"ok"
    assert origin.connections == 2


async def test_bytes_behind_an_answer_go_to_nobody(origin: Origin, proxy: Running) -> None:
    origin.answer = lambda request: OK + (answer(b"stolen") if request.target == b"/1" else b"")
    client = await proxy.connect()
    for target in ("/1", "/2"):
        await client.send(get(target))
        assert (await client.message()).body == b"ok"
    assert origin.connections == 2


async def test_a_body_behind_the_answer_to_head_goes_to_nobody(origin: Origin, proxy: Running) -> None:
    origin.answer = OK
    client = await proxy.connect()
    await client.send(get("/1", method="HEAD"))
    got = await client.message(bodiless=True)
    assert (got.status, got.get("Content-Length")) == (200, b"2")
    await client.send(get("/2"))
    assert (await client.message()).body == b"ok"
    assert origin.connections == 2


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_a_status_without_body_has_none_whatever_the_fields_say(
    status: bytes, origin: Origin, proxy: Running
) -> None:
    def reply(request: Message) -> bytes:
        return b"HTTP/1.1 " + status + b"\r\nETag: x\r\n\r\n" if request.target == b"/1" else OK

    origin.answer = reply
    client = await proxy.connect()
    await client.send(get("/1"))
    got = await client.message()
    assert (got.start, got.all("Transfer-Encoding")) == (b"HTTP/1.1 " + status, [])
    await client.send(get("/2"))
    assert (await client.message()).body == b"ok"


@pytest.mark.parametrize(
    "interim",
    [b"HTTP/1.1 103 Early Hints\r\nX: %b\r\n\r\n" % (b"a" * 8000) * 10, b"HTTP/1.1 102 Processing\r\n\r\n" * 129],
    ids=["of too many bytes", "too many"],
)
async def test_interim_answers_without_end_are_a_502(interim: bytes, origin: Origin, proxy: Running) -> None:
    origin.answer = interim + OK
    client = await proxy.connect()
    await client.send(get())
    while (got := await client.head()).status < 200:
        pass
    assert got.status == 502
    await until(lambda: proxy.server.proxy.site.pool.idle + proxy.server.proxy.site.pool.in_use == 0)


BROKEN_ANSWER_CHUNKS = {
    "no size": b"nonsense\r\n0\r\n\r\n",
    "an endless extension": b"1;" + b"e" * 5000 + b"\r\nx\r\n0\r\n\r\n",
    "extensions that outweigh the body": (b"1;" + b"e" * 4000 + b"\r\nx\r\n") * 5 + b"0\r\n\r\n",
    "trailers larger than a head may be": b"0\r\n" + b"X: %b\r\n" % (b"a" * 8000) * 10 + b"\r\n",
    "too many trailers": b"0\r\n" + b"a:\r\n" * 1000 + b"\r\n",
}


@pytest.mark.parametrize("target", ["/", "/api/channels", "/v1/webhooks/receive"])
async def test_a_length_where_there_may_be_none_is_not_passed_on(origin: Origin, proxy: Running, target: str) -> None:
    """RFC 9110 §8.6. A reader that believed it would wait for a body, or take the next answer for one."""
    empty = b"Content-Length: 0\r\nX-Kept: yes\r\n\r\n"
    origin.answer = b"HTTP/1.1 103 Early Hints\r\n" + empty + b"HTTP/1.1 204 No Content\r\n" + empty
    client = await proxy.connect()
    await client.send(get(target, method="GET" if "webhook" not in target else "POST"))
    got = await client.head()
    if got.status == 103:  # none is passed on from a corrected route
        assert got.headers == [(b"X-Kept", b"yes")]
        got = await client.head()
    assert (got.status, got.get("Content-Length"), got.get("X-Kept")) == (204, None, b"yes")
    origin.answer = OK
    await client.send(get("/next"))
    assert (await client.message()).body == b"ok"


async def test_a_length_with_a_switch_of_protocols_is_not_passed_on(origin: Origin, proxy: Running) -> None:
    origin.answer = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n"
    )
    got = await proxy.ask(get("/", "Upgrade: echo", "Connection: Upgrade"))
    assert (got.status, got.get("Content-Length")) == (101, None)


@pytest.mark.parametrize("broken", BROKEN_ANSWER_CHUNKS.values(), ids=BROKEN_ANSWER_CHUNKS.keys())
async def test_an_answer_with_broken_chunks_breaks_off_and_is_not_completed(
    broken: bytes, origin: Origin, proxy: Running
) -> None:
    origin.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + broken
    client = await proxy.connect()
    await client.send(get())
    assert not (await client.rest()).endswith(b"0\r\n\r\n")


async def test_an_answer_shorter_than_its_length_breaks_off(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    origin.script = script
    client = await proxy.connect()
    await client.send(get())
    assert len((await client.rest()).partition(b"\r\n\r\n")[2]) < 10
