"""Connections to the gateway: kept, bounded, never reused in doubt; what may be repeated and what never is."""

import asyncio
import contextlib
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from statusproxy.proxy.downstream.request_body import ENOUGH
from statusproxy.proxy.http1.response_parser import CHUNKS_AT_ONCE
from statusproxy.proxy.upstream.connection import UpstreamConnection
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.keep_alive import DEFAULT_IDLE, IDLE_MARGIN, promised_idle
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.origin import Origin as Address
from statusproxy.proxy.upstream.pool import Pool
from tests.proxy.blocking_gateway import Peer, blocking_gateway
from tests.proxy.harness import OK, PATIENCE, Origin, Running, Wire, answer, get, running, until


def opened(proxy: Running) -> int:
    """Connections opened to the gateway so far."""
    return proxy.server.proxy.site.pool.opened


class Dying:
    """A gateway whose first connection serves one request and is gone when the next one comes."""

    def __init__(self, origin: Origin, how: str) -> None:
        self.how = how
        self.origin = origin
        self.doomed = True
        origin.script = self.serve

    async def serve(self, wire: Wire) -> None:
        """Serve; the second request of the first connection meets its end."""
        doomed, self.doomed = self.doomed, False
        await self.origin.take(wire)
        await wire.send(OK)
        if not doomed:
            await self.origin.serve(wire)
            return
        if self.how == "closed behind an unseen request":
            await wire.reader.read(1)  # it has begun to read, then it hangs up
        elif self.how == "answer begun":
            await wire.head()
            await wire.send(b"HTTP/1.1 2")
        elif self.how == "reset":
            await wire.reader.read(1)
            wire.reset()


async def test_a_connection_serves_request_after_request(origin: Origin, proxy: Running) -> None:
    origin.answer = lambda request: OK[:-2] if request.start.startswith(b"HEAD") else OK
    for method, body in (("GET", b""), ("POST", b"{}"), ("HEAD", b""), ("PUT", b"x" * 200_000), ("DELETE", b"")):
        bodiless = method == "HEAD"
        assert (await proxy.ask(get(method=method, body=body), bodiless=bodiless)).status == 200
    assert (origin.connections, len(origin.requests)) == (1, 5)


async def test_simultaneous_requests_have_connections_of_their_own(origin: Origin, proxy: Running) -> None:
    go = asyncio.Event()

    async def script(wire: Wire) -> None:
        while True:
            request = await origin.take(wire)
            await go.wait()
            await wire.send(answer(request.target))

    origin.script = script
    asked = [asyncio.create_task(proxy.ask(get(f"/{n}"))) for n in range(5)]
    await origin.received(5)
    go.set()
    assert [(await task).body for task in asked] == [b"/%d" % n for n in range(5)]
    assert origin.connections == 5


async def test_no_more_connections_are_opened_than_allowed(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url, limits={"upstream_connections": 3}) as proxy:
        answers = await asyncio.gather(*(proxy.ask(get(f"/{n}")) for n in range(40)))
        assert [got.status for got in answers] == [200] * 40
    assert origin.connections <= 3


async def test_no_more_idle_connections_are_kept_than_allowed(origin: Origin, tmp_path: Path) -> None:
    together = asyncio.Barrier(6)

    async def script(wire: Wire) -> None:
        while True:
            await origin.take(wire)
            await together.wait()
            await wire.send(OK)

    origin.script = script
    async with running(tmp_path, origin.url, limits={"upstream_idle": 2}) as proxy:
        await asyncio.gather(*(proxy.ask(get()) for _ in range(6)))
        pool = proxy.server.proxy.site.pool
        await until(lambda: (pool.idle, pool.in_use) == (2, 0))


async def test_the_connection_used_last_is_used_first(origin: Origin, proxy: Running) -> None:
    """So that a quiet site keeps few of them open."""
    await asyncio.gather(*(proxy.ask(get()) for _ in range(4)))
    before = origin.connections
    for _ in range(5):
        await proxy.ask(get())
    assert origin.connections == before


@pytest.mark.parametrize("how", ["closed behind an unseen request", "reset"])
@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("HEAD", b""), ("PUT", b"whole"), ("DELETE", b"")])
async def test_a_harmless_request_that_meets_a_dying_connection_is_repeated_once(
    origin: Origin, proxy: Running, method: str, body: bytes, how: str
) -> None:
    Dying(origin, how)
    await proxy.ask(get("/first"))
    got = await proxy.ask(get("/second", method=method, body=body), bodiless=method == "HEAD")
    assert got.status == 200
    assert [(r.target, r.body) for r in origin.requests] == [(b"/first", b""), (b"/second", body)]
    assert origin.connections == 2


@pytest.mark.parametrize("how", ["closed behind an unseen request", "reset"])
@pytest.mark.parametrize("method", ["POST", "PATCH", "LOCK"])
async def test_a_request_that_may_have_arrived_is_never_repeated(
    origin: Origin, proxy: Running, method: str, how: str
) -> None:
    Dying(origin, how)
    await proxy.ask(get("/first"))
    got = await proxy.ask(get("/second", method=method, body=b'{"text":"hi"}'))
    assert (got.status, json.loads(got.body)["error_code"]) == (502, "gateway_closed")
    assert "timeout" in json.loads(got.body)["error"]  # perhaps delivered
    assert [r.target for r in origin.requests] == [b"/first"]
    assert origin.connections == 1


async def test_a_request_of_whose_answer_anything_came_is_not_repeated(origin: Origin, proxy: Running) -> None:
    Dying(origin, "answer begun")
    await proxy.ask(get("/first"))
    got = await proxy.ask(get("/second"))
    assert (got.status, origin.connections) == (502, 1)


async def test_a_request_whose_body_was_still_coming_is_not_repeated(origin: Origin, proxy: Running) -> None:
    """Nobody has the part of it any more that was sent."""
    Dying(origin, "closed behind an unseen request")
    await proxy.ask(get("/first"))
    client = await proxy.connect()
    await client.send(get("/second", "Content-Length: 1000000", method="PUT") + b"x" * ENOUGH)
    got = await client.message()
    assert (got.status, origin.connections) == (502, 1)


async def test_a_request_on_a_fresh_connection_is_not_repeated(origin: Origin, proxy: Running) -> None:
    """That gateway did not close an idle connection: it does this to each request."""

    async def script(wire: Wire) -> None:
        await wire.head()

    origin.script = script
    assert (await proxy.ask(get())).status == 502
    assert origin.connections == 1


async def test_a_request_is_repeated_only_once(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await origin.take(wire)
        if len(origin.requests) == 1:
            await wire.send(OK)
            await wire.reader.read(1)

    origin.script = script
    await proxy.ask(get("/first"))
    assert (await proxy.ask(get("/second"))).status == 502
    assert origin.connections == 2


async def test_a_post_never_meets_a_connection_that_is_closed_already(origin: Origin, proxy: Running) -> None:
    """The gateway's end is in the kernel, and the loop has not seen it: a look before the request is sent finds it."""
    pool = proxy.server.proxy.site.pool
    hung_up = asyncio.Event()

    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await wire.send(OK)
        if origin.connections == 1:
            await until(lambda: pool.idle == 1)
            (idle,) = pool._idle
            assert idle.transport is not None
            idle.transport.pause_reading()  # as if the loop were busy: it does not hear what follows
            wire.writer.close()
            await wire.writer.wait_closed()
            hung_up.set()

    origin.script = script
    await proxy.ask(get("/first"))
    await asyncio.wait_for(hung_up.wait(), PATIENCE)
    assert (await proxy.ask(get("/second", method="POST", body=b"{}"))).status == 200
    assert [r.target for r in origin.requests] == [b"/first", b"/second"]


async def test_a_connection_the_gateway_closed_is_not_used_again(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b"ok", "Connection: close")
    for _ in range(3):
        assert (await proxy.ask(get(method="POST"))).status == 200
    assert origin.connections == 3


async def test_an_http_1_0_answer_ends_its_connection_unless_it_says_otherwise(origin: Origin, proxy: Running) -> None:
    origin.answer = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"
    for _ in range(2):
        await proxy.ask(get())
    origin.answer = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"
    for _ in range(3):
        await proxy.ask(get())
    assert origin.connections == 3


async def test_bytes_behind_an_answer_end_its_connection_and_reach_nobody(origin: Origin, proxy: Running) -> None:
    origin.answer = OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"
    for _ in range(3):
        got = await proxy.ask(get())
        assert got.body == b"ok"
        await until(lambda: proxy.server.proxy.site.pool.idle == 0)
    assert origin.connections == 3


@pytest.mark.parametrize(
    ("promised", "expected"),
    [
        (b"timeout=5", 5 - IDLE_MARGIN),
        (b"timeout=60, max=1000", 60 - IDLE_MARGIN),
        (b"max=5, Timeout = 30", 30 - IDLE_MARGIN),
        (b"timeout=0", 0.0),
        (b"timeout=soon", DEFAULT_IDLE),
        (b"max=100", DEFAULT_IDLE),
        (b"", DEFAULT_IDLE),
    ],
)
def test_a_connection_is_kept_for_less_than_the_gateway_promises(promised: bytes, expected: float) -> None:
    assert promised_idle(promised) == expected


async def test_a_connection_the_gateway_will_not_keep_is_not_used_again(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b"ok", "Keep-Alive: timeout=1")  # less than the margin
    for _ in range(3):
        await proxy.ask(get())
    assert origin.connections == 3


async def test_a_client_that_leaves_while_its_request_waits_takes_no_connection(origin: Origin, tmp_path: Path) -> None:
    go = asyncio.Event()

    async def script(wire: Wire) -> None:
        while True:
            await origin.take(wire)
            await go.wait()
            await wire.send(OK)

    origin.script = script
    async with running(tmp_path, origin.url, limits={"upstream_connections": 1}) as proxy:
        first, second = await proxy.connect(), await proxy.connect()
        await first.send(get("/first"))
        await origin.received()
        await second.send(get("/second"))
        await until(lambda: proxy.server.proxy.in_flight == 2)
        second.reset()
        await until(lambda: sum(c.connected for c in proxy.server.clients.connections) == 1)
        go.set()
        assert (await first.message()).body == b"ok"
        assert (await proxy.ask(get("/third"))).body == b"ok"
    assert [r.target for r in origin.requests] == [b"/first", b"/third"]


async def test_a_gateway_on_a_unix_socket_is_served(tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(OK)
        writer.close()

    path = tmp_path / "gateway.sock"
    server = await asyncio.start_unix_server(connected, path)
    async with running(tmp_path, f"unix:{path}", host="gateway") as proxy:
        assert (await proxy.ask(get("/one"))).body == b"ok"
        assert (await proxy.ask(get("/two"))).body == b"ok"
        assert opened(proxy) == 1
    assert b"\r\nHost: localhost\r\n" in asked[0]
    server.close()


async def test_a_gateway_on_ipv6_is_served(tmp_path: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    asked: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        writer.close()

    try:
        server = await asyncio.start_server(connected, "::1", 0)
    except OSError:
        pytest.skip("no IPv6 here")
    port = server.sockets[0].getsockname()[1]
    async with running(tmp_path, f"http://[::1]:{port}", host="gateway") as proxy:
        assert (await proxy.ask(get())).body == b"ok"
    assert b"\r\nHost: [::1]:%d\r\n" % port in asked[0]
    server.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names that resolve as the test says, `gateway.example` among them; how often each was asked is in `asked`."""
    known: dict[str, list[str]] = {"asked": []}
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in known:
            return list(real(host, port, *args, **kwargs))
        known["asked"].append(name)
        return [found for address in known[name] for found in real(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


async def test_a_gateway_that_moves_is_found_at_its_new_address(
    origin: Origin, tmp_path: Path, names: dict[str, list[str]]
) -> None:
    """Containers are restarted at other addresses: a name is looked up for each new connection."""
    elsewhere = await asyncio.start_server(lambda _, writer: _say(writer, b"moved"), "127.0.0.2", origin.port)
    origin.answer = answer(b"first", "Connection: close")
    names["gateway.example"] = ["127.0.0.1"]
    async with running(tmp_path, f"http://gateway.example:{origin.port}") as proxy:
        assert (await proxy.ask(get())).body == b"first"
        names["gateway.example"] = ["127.0.0.2"]
        assert (await proxy.ask(get())).body == b"moved"
    assert names["asked"] == ["gateway.example"] * 2
    elsewhere.close()


def _say(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(answer(body, "Connection: close"))
    writer.close()


async def test_every_address_of_a_name_is_tried(origin: Origin, tmp_path: Path, names: dict[str, list[str]]) -> None:
    names["gateway.example"] = ["127.0.0.3", "127.0.0.1"]  # nobody listens at the first
    async with running(tmp_path, f"http://gateway.example:{origin.port}") as proxy:
        assert (await proxy.ask(get())).body == b"ok"


async def test_a_reload_that_changes_nothing_keeps_the_connections(origin: Origin, proxy: Running) -> None:
    await proxy.ask(get())
    assert proxy.server.reload()
    await proxy.ask(get())
    assert origin.connections == 1


async def test_a_reload_sends_new_requests_elsewhere_and_lets_those_under_way_end(
    origin: Origin, tmp_path: Path
) -> None:
    go = asyncio.Event()

    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await go.wait()
        await wire.send(answer(b"old"))

    origin.script = script
    other = Origin()
    await other.start()
    other.answer = answer(b"new")
    async with running(tmp_path, origin.url) as proxy:
        before = await proxy.connect()
        await before.send(get())
        await origin.received()
        file = tmp_path / "config.yaml"
        file.write_text(file.read_text().replace(origin.url, other.url))
        assert proxy.server.reload()
        assert (await proxy.ask(get())).body == b"new"
        go.set()
        assert (await before.message()).body == b"old"
    await other.stop()


async def test_a_request_that_reaches_a_pool_after_its_last_connection_closed_still_has_its_time_limit(
    origin: Origin,
) -> None:
    async def silent(wire: Wire) -> None:
        await wire.rest()

    origin.script = silent
    pool = Pool(Address("127.0.0.1", origin.port), UpstreamLimits(response_head=0.2))
    first = await pool.acquire()
    pool.release(first)  # nothing was asked on it: it ends
    await until(lambda: pool.in_use == 0)
    pool.close()  # a reload named another gateway, while a request was still connecting to this one
    late = await pool.acquire()
    late.begin(head_only=False)
    late.write(get())
    late.request_done = True
    with pytest.raises(UpstreamError, match="gateway_timeout"):
        await asyncio.wait_for(late.head(), PATIENCE)
    pool.release(late)


# ---- much work for few bytes ----

#: A head, and chunks of one byte each: as much work as bytes can make.
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TINY = 20_000
TINY_ANSWER = CHUNKED + b"1\r\nx\r\n" * TINY + b"0\r\n\r\n"


def asked(connection: UpstreamConnection) -> None:
    """A GET was sent on `connection`."""
    connection.begin(head_only=False)
    connection.write(get())
    connection.request_done = True


async def body_of(connection: UpstreamConnection) -> bytes:
    """The whole body."""
    body = b""
    async with asyncio.timeout(PATIENCE):
        assert (await connection.head()).status == 200
        while piece := await connection.answer.read():
            body += piece
    return body


async def test_chunks_of_a_byte_leave_the_loop_to_others_every_few_of_them(origin: Origin) -> None:
    """One connection's chunks once kept everybody waiting for as long as they came."""
    origin.answer = TINY_ANSWER
    pool = Pool(Address("127.0.0.1", origin.port), UpstreamLimits())
    connection = await pool.acquire()
    asked(connection)
    most = turns = parsed = 0

    def watch() -> None:
        nonlocal most, turns, parsed
        answer = connection._answer
        now = sum(map(len, answer.parser.body)) if answer is not None else 0
        most, parsed = max(most, now - parsed), now
        turns += 1
        if not connection.complete:
            asyncio.get_running_loop().call_soon(watch)

    watch()
    await until(lambda: connection.complete)
    assert most <= 2 * CHUNKS_AT_ONCE, "chunks between two turns of another's"
    assert turns >= TINY // (2 * CHUNKS_AT_ONCE)
    assert await body_of(connection) == b"x" * TINY
    pool.abort()


async def test_an_answer_that_came_whole_before_the_end_of_its_connection_is_whole(origin: Origin) -> None:
    """The end is seen while chunks still wait for their turn."""

    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await wire.send(TINY_ANSWER.replace(b"0\r\n\r\n", b"0\r\nX-Sum: 1\r\n\r\n"))

    origin.script = script
    pool = Pool(Address("127.0.0.1", origin.port), UpstreamLimits())
    connection = await pool.acquire()
    asked(connection)
    assert await body_of(connection) == b"x" * TINY
    assert connection.answer.parser.trailers == [(b"X-Sum", b"1")]
    pool.release(connection)


async def test_an_answer_cut_off_among_chunks_that_wait_for_their_turn_is_not_whole(origin: Origin) -> None:
    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await wire.send(TINY_ANSWER[:-6])

    origin.script = script
    pool = Pool(Address("127.0.0.1", origin.port), UpstreamLimits())
    connection = await pool.acquire()
    asked(connection)
    with pytest.raises(UpstreamError, match="gateway_bad_answer"):
        await body_of(connection)
    pool.release(connection)


def test_chunks_behind_a_write_that_failed_are_read_to_the_last_in_turns() -> None:
    """The gateway answers an upload, leaves the rest of it unread and goes: our next write fails before we read."""
    gone = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(TINY_ANSWER)
        peer.sock.close()  # with unread bytes: a reset
        gone.set()

    async def drive(port: int) -> None:
        pool = Pool(Address("127.0.0.1", port), UpstreamLimits())
        connection = await pool.acquire()
        connection.begin(head_only=False)
        assert connection.transport is not None
        connection.transport.pause_reading()  # as if the loop were busy: it reads nothing before the write fails
        connection.write(get("/", "Content-Length: 1000000000", method="POST"))
        async with asyncio.timeout(PATIENCE):
            while not connection.closed:
                connection.write(bytes(65536))
                await asyncio.sleep(0)
        assert gone.wait(PATIENCE)
        answer = connection._answer
        assert answer is not None
        assert not answer.complete, "all of it was parsed in one go"
        assert await body_of(connection) == b"x" * TINY
        pool.release(connection)

    with blocking_gateway(script) as gateway:
        asyncio.run(drive(gateway.port))


async def test_single_bytes_make_the_gateway_wait_before_they_fill_the_memory(origin: Origin) -> None:
    """Each piece counts with what it costs, not with its one byte."""
    sent = 0

    async def script(wire: Wire) -> None:
        nonlocal sent
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await wire.send(b"x")
            sent += 1
            if not sent % 100:
                await asyncio.sleep(0)

    origin.script = script
    pool = Pool(Address("127.0.0.1", origin.port), UpstreamLimits())
    connection = await pool.acquire()
    asked(connection)
    await connection.head()
    await until(lambda: connection._paused)
    answer = connection._answer
    assert answer is not None
    assert len(answer.parser.body) < 10_000
    pool.abort()


async def test_the_time_promised_by_one_answer_is_not_that_of_the_next(origin: Origin, proxy: Running) -> None:
    """A promise holds until the next answer: what follows may come from elsewhere, or the gateway thought again."""
    origin.answer = answer(b"ok", "Keep-Alive: timeout=60")
    await proxy.ask(get())
    (connection,) = proxy.server.proxy.site.pool._idle
    assert connection.idle_limit == 60 - IDLE_MARGIN
    origin.answer = OK
    await proxy.ask(get())
    assert connection.idle_limit == DEFAULT_IDLE


async def test_a_connection_whose_request_was_not_taken_is_not_used_again(origin: Origin) -> None:
    """The gateway answered an upload it did not read: the next request would stand behind it for ever."""

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(OK)
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    origin.script = script
    pool = Pool(Address("127.0.0.1", origin.port), UpstreamLimits())
    connection = await pool.acquire()
    connection.begin(head_only=False)
    connection.write(get("/", "Content-Length: 50000000", method="POST"))
    connection.write(bytes(50_000_000))
    connection.request_done = True
    assert await body_of(connection) == b"ok"
    pool.release(connection)
    assert (connection.closed, pool.idle) == (True, 0)


async def test_an_exchange_cannot_begin_before_the_one_before_it_was_ended(origin: Origin) -> None:
    pool = Pool(Address("127.0.0.1", origin.port), UpstreamLimits())
    connection = await pool.acquire()
    asked(connection)
    with pytest.raises(RuntimeError):
        connection.begin(head_only=False)
    pool.release(connection)
