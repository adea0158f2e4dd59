"""Times and sizes: each has its documented answer, and what is refused never reaches the gateway."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from statusproxy.proxy.downstream.connection import ClientConnection, ConnectionState
from statusproxy.proxy.downstream.eviction import may_evict
from tests.proxy.harness import PATIENCE, Message, Origin, Running, Wire, answer, get, running, until
from tests.proxy.held_origin import Held
from tests.proxy.loop_clock import LoopClock

#: A limit of seconds, and the time that is more than that on the clock of the loop, which goes as the test says.
LIMIT, LONGER = "5s", 6.0


def problem(message: Message) -> tuple[int, str, str]:
    """Status, code and hop of an answer of the proxy's own; that it is one the hub can read is checked here."""
    document = json.loads(message.body)
    assert message.get("Content-Type") == b"application/json; charset=utf-8"
    assert document["success"] is False
    assert isinstance(document["error"], str)
    assert document["request_id"].encode() == message.get("X-Request-Id")
    return message.status, document["error_code"], document["hop"]


def in_a_head(proxy: Running) -> bool:
    """Whether a client has begun a head."""
    return any(connection.state is ConnectionState.HEAD for connection in proxy.server.clients.connections)


async def silent(wire: Wire) -> None:
    """A gateway that takes a request and says nothing."""
    await wire.rest()


@pytest.mark.parametrize("begun", [b"GET / HTT", b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "])
async def test_a_head_that_does_not_come_is_a_408(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock, begun: bytes
) -> None:
    async with running(tmp_path, origin.url, timeouts={"request_head": LIMIT}) as proxy:
        client = await proxy.connect()
        await client.send(begun)
        await until(lambda: in_a_head(proxy))
        await loop_clock.move(LONGER)
        got = await client.message()
        assert problem(got) == (408, "request_head_too_slow", "client")
        assert got.get("Connection") == b"close"
        assert await client.ended()
    assert not origin.connections


async def test_a_head_sent_byte_by_byte_gains_no_time(origin: Origin, tmp_path: Path, loop_clock: LoopClock) -> None:
    async with running(tmp_path, origin.url, timeouts={"request_head": "60s"}) as proxy:
        client = await proxy.connect()
        for byte in b"GET /":
            await client.send(bytes([byte]))
            await until(lambda: in_a_head(proxy))
            await loop_clock.move(13)
        assert problem(await client.message())[0] == 408


async def test_the_head_of_a_later_request_has_its_time_too(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    async with running(tmp_path, origin.url, timeouts={"request_head": LIMIT}) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await client.message()
        await client.send(b"GET / HTTP/1.1\r\n")
        await until(lambda: in_a_head(proxy))
        await loop_clock.move(LONGER)
        assert problem(await client.message())[0] == 408


async def test_a_head_begun_behind_another_request_has_its_time_too(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    held = Held(origin, b"/held")
    async with running(tmp_path, origin.url, timeouts={"request_head": LIMIT, "keep_alive": "1h"}) as proxy:
        client = await proxy.connect()
        await client.send(get("/held") + b"GET / HTTP/1.1\r\nHost")
        await origin.received()
        held.let_go.set()
        assert (await client.message()).status == 200
        await until(lambda: in_a_head(proxy))
        await loop_clock.move(LONGER)
        assert problem(await client.message()) == (408, "request_head_too_slow", "client")
        assert await client.ended()


async def test_an_empty_line_behind_a_request_is_no_slow_head(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    async with running(tmp_path, origin.url, timeouts={"request_head": LIMIT, "keep_alive": "1m"}) as proxy:
        client = await proxy.connect()
        await client.send(get() + b"\r\n")
        assert (await client.message()).status == 200
        await loop_clock.move(LONGER)
        await client.send(get())
        assert (await client.message()).status == 200


async def test_a_head_begun_just_before_the_connection_got_too_old_is_still_served(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    async with running(tmp_path, origin.url, timeouts={"keep_alive": "5s"}) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await client.message()
        await client.send(b"GET /late HTTP/1.1\r\n")
        await loop_clock.move(6)
        await client.send(b"Host: proxy.example\r\n\r\n")
        assert (await client.message()).body == b"ok"


async def test_a_connection_that_never_says_a_word_is_closed_without_one(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    async with running(tmp_path, origin.url, timeouts={"request_head": LIMIT}) as proxy:
        client = await proxy.connect()
        await until(lambda: bool(proxy.server.clients.connections))
        await loop_clock.move(LONGER)
        assert await client.ended()


async def test_an_idle_connection_is_closed_after_its_time(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    async with running(tmp_path, origin.url, timeouts={"keep_alive": LIMIT}) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await client.message()
        await until(lambda: any(c.state is ConnectionState.IDLE for c in proxy.server.clients.connections))
        await loop_clock.move(LONGER)
        assert await client.ended()


@pytest.mark.parametrize(
    ("framing", "code"),
    [("Content-Length: 100", "request_body_incomplete"), ("Transfer-Encoding: chunked", "request_body_too_slow")],
)
async def test_a_body_that_stops_coming_is_a_408(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock, framing: str, code: str
) -> None:
    """The gateway has heard of a request in chunks by then, which may be a slow stream."""
    origin.script = silent
    async with running(tmp_path, origin.url, timeouts={"request_body": LIMIT}) as proxy:
        client = await proxy.connect()
        await client.send(get("/", framing, method="POST") + b"5\r\nhello\r\n")
        await until(lambda: proxy.server.proxy.in_flight == 1)
        if "chunked" in framing:
            await loop_clock.move(LONGER / 3)
            await until(lambda: origin.connections == 1)
        await loop_clock.move(LONGER)
        got = await client.message()
        assert problem(got) == (408, code, "client")
        assert got.get("Connection") == b"close"


async def test_a_slow_body_has_all_the_time_it_needs_while_it_comes(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    settings = {"timeouts": {"request_body": "3s"}, "limits": {"min_rate": None}}
    async with running(tmp_path, origin.url, **settings) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Content-Length: 8", method="POST"))
        for _ in range(8):
            await loop_clock.move(1)
            await client.send(b".")
        assert (await client.message()).body == b"ok"


async def test_an_answer_that_does_not_begin_is_a_504(origin: Origin, tmp_path: Path, loop_clock: LoopClock) -> None:
    Held(origin)
    async with running(tmp_path, origin.url, timeouts={"response_head": LIMIT}) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await origin.received()
        await loop_clock.move(LONGER)
        got = await client.message()
        assert problem(got) == (504, "gateway_timeout", "gateway")
        assert "timeout" in json.loads(got.body)["error"]


async def test_a_time_that_is_off_never_ends(origin: Origin, tmp_path: Path, loop_clock: LoopClock) -> None:
    held = Held(origin)
    times = {"response_head": None, "response_body": LIMIT}
    async with running(tmp_path, origin.url, timeouts=times) as proxy:
        client = await proxy.connect()
        await client.send(get())
        await origin.received()
        await loop_clock.move(100 * LONGER)
        held.let_go.set()
        assert (await client.message()).body == b"ok"


async def test_an_answer_that_stops_coming_is_broken_off(origin: Origin, tmp_path: Path, loop_clock: LoopClock) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await wire.rest()

    origin.script = script
    async with running(tmp_path, origin.url, timeouts={"response_body": LIMIT}) as proxy:
        client = await proxy.connect()
        await client.send(get())
        assert (await client.head()).status == 200
        assert await asyncio.wait_for(client.reader.readexactly(9), PATIENCE) == b"4\r\nhalf\r\n"
        await loop_clock.move(LONGER)
        assert await client.ended()


async def test_a_list_that_stops_coming_is_a_504(origin: Origin, tmp_path: Path, loop_clock: LoopClock) -> None:
    """Nothing of a corrected answer is sent before it is whole, so its trouble can still be told."""

    begun = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"channels":[')
        begun.set()
        await wire.rest()

    origin.script = script
    async with running(tmp_path, origin.url, timeouts={"response_body": LIMIT}) as proxy:
        client = await proxy.connect()
        await client.send(get("/api/channels"))
        await asyncio.wait_for(begun.wait(), PATIENCE)
        await loop_clock.move(LONGER)
        assert problem(await client.message()) == (504, "gateway_timeout", "gateway")


async def test_a_gateway_that_does_not_accept_is_a_504_that_says_nothing_was_sent(tmp_path: Path) -> None:
    # An address of the documentation's own network (RFC 5737) answers no one; where there is no route it is a 502.
    async with running(tmp_path, "http://192.0.2.1:9", timeouts={"connect": "150ms"}) as proxy:  # only waited for
        got = await proxy.ask(get())
        assert got.status in {502, 504}
        assert "timeout" not in json.loads(got.body)["error"]


async def test_nobody_listening_is_a_502_that_says_nothing_was_sent(origin: Origin, tmp_path: Path) -> None:
    await origin.stop()
    async with running(tmp_path, origin.url) as proxy:
        got = await proxy.ask(get())
        assert problem(got) == (502, "gateway_unreachable", "gateway")
        assert "timeout" not in json.loads(got.body)["error"]


async def test_a_name_nobody_knows_is_a_502(tmp_path: Path) -> None:
    async with running(tmp_path, "http://gateway.invalid:3000") as proxy:
        assert problem(await proxy.ask(get())) == (502, "gateway_name_unknown", "gateway")


@pytest.mark.parametrize(
    ("limits", "request_bytes", "expected"),
    [
        ({"target": "1k"}, get("/" + "a" * 1100), (414, "target_too_long", "client")),
        ({"head": "2k"}, get("/", "X-Large: " + "a" * 3000), (431, "head_too_large", "client")),
        ({"head": "2k"}, get("/", *(f"X-{n}: {'a' * 200}" for n in range(20))), (431, "head_too_large", "client")),
        ({"headers": 10}, get("/", *(f"X-{n}: a" for n in range(11))), (431, "head_too_large", "client")),
        ({"body": "1k"}, get("/", method="POST", body=b"a" * 1025), (413, "body_too_large", "client")),
    ],
    ids=["target", "one field", "all fields", "number of fields", "body"],
)
async def test_what_is_too_large_is_refused_unread(
    origin: Origin, tmp_path: Path, limits: dict[str, Any], request_bytes: bytes, expected: tuple[int, str, str]
) -> None:
    async with running(tmp_path, origin.url, limits=limits) as proxy:
        got = await proxy.ask(request_bytes)
        assert problem(got) == expected
        assert got.get("Connection") == b"close"
    assert not origin.requests


async def test_a_client_that_goes_on_with_an_endless_head_can_still_read_the_431(
    origin: Origin, proxy: Running
) -> None:
    client = await proxy.connect()
    await client.send(b"GET / HTTP/1.1\r\nHost: proxy.example\r\nX-Endless: ")
    for _ in range(64):
        await client.send(b"x" * 65536)
    assert problem(await client.message()) == (431, "head_too_large", "client")
    assert await client.ended()


async def test_what_is_just_small_enough_passes(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url, limits={"target": "1k", "headers": 10, "body": "1k"}) as proxy:
        fields = [f"X-{n}: a" for n in range(8)]  # Host and Content-Length make ten
        got = await proxy.ask(get("/" + "a" * 1023, *fields, method="POST", body=b"a" * 1024))
        assert got.status == 200


async def test_a_chunked_body_is_cut_off_where_it_grows_too_large(origin: Origin, tmp_path: Path) -> None:
    origin.script = silent
    async with running(tmp_path, origin.url, limits={"body": "1k"}) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Transfer-Encoding: chunked", method="POST") + b"401\r\n" + b"a" * 1025 + b"\r\n")
        assert problem(await client.message()) == (413, "body_too_large", "client")


@pytest.mark.parametrize("together", [True, False])
async def test_a_chunked_body_is_too_large_whether_or_not_it_came_with_its_head(
    together: bool, origin: Origin, tmp_path: Path
) -> None:
    tap = [{"path": "/tap", "forward": False}]
    async with running(tmp_path, origin.url, limits={"body": "1k"}, webhooks=tap) as proxy:
        for target, size, status in (("/", 1024, 200), ("/", 1025, 413), ("/tap", 1024, 204), ("/tap", 1025, 413)):
            client = await proxy.connect()
            head = get(target, "Transfer-Encoding: chunked", method="POST")
            body = b"%x\r\n" % size + b"a" * size + b"\r\n0\r\n\r\n"
            if together:
                await client.send(head + body)
            else:
                await client.send(head)
                await until(lambda: proxy.server.proxy.in_flight == 1)
                await client.send(body)
            assert (await client.message()).status == status, (target, size)
            await client.close()
            await until(lambda: proxy.server.proxy.in_flight == 0)
    assert len(origin.requests) == 1


async def test_a_newcomer_takes_the_place_of_the_client_that_was_idle_longest(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url, limits={"connections": 2}) as proxy:
        silent, served = await proxy.connect(), await proxy.connect()
        await served.send(get())
        await served.message()
        assert (await proxy.ask(get())).status == 200
        assert await silent.ended()
        await served.send(get())
        assert (await served.message()).status == 200


async def test_a_begun_head_gives_way_where_no_client_is_idle_and_is_told_so(origin: Origin, tmp_path: Path) -> None:
    held = Held(origin, b"/held")
    async with running(tmp_path, origin.url, limits={"connections": 2}) as proxy:
        at_work, begun = await proxy.connect(), await proxy.connect()
        await at_work.send(get("/held"))
        await begun.send(b"GET / HTTP/1.1\r\nHost")
        await origin.received()
        await until(lambda: any(c.state is ConnectionState.HEAD for c in proxy.server.clients.connections))
        newcomer = await proxy.connect()
        await newcomer.send(get())
        assert (await newcomer.message()).status == 200
        assert problem(await begun.message()) == (503, "overloaded", "proxy")
        assert await begun.ended()
        held.let_go.set()
        assert (await at_work.message()).status == 200


async def test_a_newcomer_is_refused_only_where_all_others_have_a_request_under_way(
    origin: Origin, tmp_path: Path
) -> None:
    held = Held(origin, b"/held")
    async with running(tmp_path, origin.url, limits={"connections": 2}) as proxy:
        first, second = await proxy.connect(), await proxy.connect()
        for client in (first, second):
            await client.send(get("/held"))
        await origin.received(2)
        third, fourth = await proxy.connect(), await proxy.connect()
        await third.send(get("/", method="POST", body=b"x" * 100_000))
        got = await third.message()
        assert problem(got) == (503, "overloaded", "proxy")
        assert (got.get("Retry-After"), got.get("Connection")) == (b"1", b"close")
        assert await third.ended()
        held.let_go.set()
        for client in (first, second):
            await client.message()
        await fourth.send(get())  # it came while all places were taken, and asks when one is free
        assert (await fourth.message()).status == 200
    assert len(origin.requests) == 3


async def test_a_request_that_has_arrived_unread_keeps_its_connection(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url, limits={"connections": 1}) as proxy:
        client = await proxy.connect()
        await until(lambda: len(proxy.server.clients.admission) == 1)
        [connection] = proxy.server.clients.connections
        assert isinstance(connection, ClientConnection)
        before = may_evict(connection)
        os.write(client.writer.get_extra_info("socket").fileno(), get())  # it is in the kernel, and the loop stands
        assert (before, may_evict(connection)) == (True, False)
        assert (await client.message()).status == 200


async def test_no_more_clients_wait_for_their_refusal_than_there_are_descriptors_for(
    origin: Origin, tmp_path: Path
) -> None:
    held = Held(origin, b"/held")
    async with running(tmp_path, origin.url, limits={"connections": 1}) as proxy:
        clients = proxy.server.clients
        clients.reserve.refused_at_once = 2
        first = await proxy.connect()
        await first.send(get("/held"))
        await origin.received()
        waiting = [await proxy.connect() for _ in range(2)]
        await until(lambda: len(clients.waiting) == 2)
        third = await proxy.connect()
        assert problem(await third.message()) == (503, "overloaded", "proxy")
        assert await third.ended()
        await waiting[0].send(get())
        assert problem(await waiting[0].message()) == (503, "overloaded", "proxy")
        held.let_go.set()
        await first.message()


async def test_requests_wait_for_a_place_and_are_told_when_none_comes_free(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    held = Held(origin)
    async with running(tmp_path, origin.url, limits={"upstream_connections": 1}, timeouts={"connect": LIMIT}) as proxy:
        pool = proxy.server.proxy.site.pool
        first, second, third = await proxy.connect(), await proxy.connect(), await proxy.connect()
        await first.send(get("/first"))
        await origin.received()
        await second.send(get("/second"))
        await until(lambda: pool.waiting == 1)
        await loop_clock.move(LONGER)
        assert problem(await second.message()) == (503, "overloaded", "proxy")
        await third.send(get("/third"))
        await until(lambda: pool.waiting == 1)
        held.let_go.set()
        assert (await third.message()).body == b"ok"
    assert origin.connections == 1
    assert [request.target for request in origin.requests] == [b"/first", b"/third"]


async def test_a_list_too_large_to_correct_passes_untouched(
    origin: Origin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps({"channels": [{"id": "sales", "status": "connected", "note": "x" * 5000}]}).encode()
    origin.answer = answer(body, "Content-Type: application/json")
    async with running(tmp_path, origin.url, limits={"corrected": "1k"}) as proxy:
        lost = {"event": "status-find", "session": "sales", "status": "browserClose"}
        await proxy.ask(get("/v1/webhooks/receive", method="POST", body=json.dumps(lost).encode()))
        assert (await proxy.ask(get("/api/channels"))).body == body
        assert (await proxy.ask(get("/api/channels", method="HEAD"), bodiless=True)).status == 200
    assert caplog.messages.count("channels passed untouched: too-large") == 1  # floods are held to a line a minute


async def test_a_webhook_too_large_to_read_passes_untouched(
    origin: Origin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps({"event": "status-find", "session": "sales", "many": ["short"] * 1000}).encode()
    async with running(tmp_path, origin.url, limits={"tap": "1k"}) as proxy:
        assert (await proxy.ask(get("/v1/webhooks/receive", method="POST", body=body))).status == 200
    assert caplog.messages.count("webhook passed untouched: too-large") == 1
    assert origin.requests[0].body == body


async def test_an_upload_the_gateway_stops_reading_is_a_504(origin: Origin, tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await ended.wait()

    origin.script = script
    async with running(tmp_path, origin.url, timeouts={"response_body": "200ms"}) as proxy:  # only waited for
        client = await proxy.connect()
        await client.send(get("/upload", "Content-Length: 1000000000", method="POST"))
        sending = asyncio.create_task(_flood(client))
        assert problem(await asyncio.wait_for(client.message(), PATIENCE)) == (504, "gateway_timeout", "gateway")
        sending.cancel()
        ended.set()


async def _flood(client: Wire) -> None:
    while True:
        await client.send(bytes(65536))


async def test_an_error_of_the_proxy_is_in_the_language_of_its_readers(origin: Origin, tmp_path: Path) -> None:
    await origin.stop()
    async with running(tmp_path, origin.url, language="pt-BR") as proxy:
        got: Message = await proxy.ask(get("/", "X-Request-Id: pedido-1"))
        assert json.loads(got.body)["error"].startswith("Não foi possível conectar ao gateway")
        assert got.get("X-Request-Id") == b"pedido-1"


async def test_the_gateways_limits_are_a_reloads_matter_too(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url) as proxy:
        file = tmp_path / "config.yaml"
        file.write_text(file.read_text() + "limits: {body: 1k}\n")
        assert await proxy.server.reload()
        assert (await proxy.ask(get("/", method="POST", body=b"a" * 2000))).status == 413
