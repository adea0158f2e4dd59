"""Connections to the gateway: kept, bounded, never reused in doubt; what may be repeated and what never is."""

import asyncio
import json
import socket
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from statusproxy.proxy.downstream.request_body import ENOUGH
from statusproxy.proxy.http1.response_parser import CHUNKS_AT_ONCE
from statusproxy.proxy.upstream.answer_reader import HIGH_WATER
from statusproxy.proxy.upstream.connection import UpstreamConnection
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.keep_alive import DEFAULT_IDLE, IDLE_MARGIN
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.origin import Origin as Address
from statusproxy.proxy.upstream.pool import Pool
from tests.proxy.blocking_gateway import Peer, blocking_gateway
from tests.proxy.harness import OK, PATIENCE, Origin, Running, Wire, answer, get, running, until
from tests.proxy.held_origin import Held
from tests.proxy.upstream.fake_transport import FakeTransport


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
    """No one has the part of it any more that was sent."""
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


async def test_a_connection_the_gateway_will_not_keep_is_not_used_again(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b"ok", "Keep-Alive: timeout=1")  # less than the margin
    for _ in range(3):
        await proxy.ask(get())
    assert origin.connections == 3


async def test_a_client_that_leaves_while_its_request_waits_takes_no_connection(origin: Origin, tmp_path: Path) -> None:
    held = Held(origin)
    async with running(tmp_path, origin.url, limits={"upstream_connections": 1}) as proxy:
        first, second = await proxy.connect(), await proxy.connect()
        await first.send(get("/first"))
        await origin.received()
        await second.send(get("/second"))
        await until(lambda: proxy.server.proxy.in_flight == 2)
        second.reset()
        await until(lambda: sum(c.connected for c in proxy.server.clients.connections) == 1)
        held.let_go.set()
        assert (await first.message()).body == b"ok"
        assert (await proxy.ask(get("/third"))).body == b"ok"
    assert [r.target for r in origin.requests] == [b"/first", b"/third"]


async def test_a_reload_that_changes_nothing_keeps_the_connections(origin: Origin, proxy: Running) -> None:
    await proxy.ask(get())
    assert await proxy.server.reload()
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
        assert await proxy.server.reload()
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
    pool = Pool(Address("127.0.0.1", origin.port), UpstreamLimits(response_head=0.2))  # only waited for
    first = await pool.acquire()
    pool.release(first)  # nothing was asked on it: it ends
    await until(lambda: pool.in_use == 0)
    pool.close()  # a reload named another gateway, while a request was still connecting to this one
    late = await pool.acquire()
    late.begin(head_only=False)
    late.write(get(), last=True)
    with pytest.raises(UpstreamError, match="gateway_timeout"):
        await asyncio.wait_for(late.head(), PATIENCE)
    pool.release(late)


# ---- much work for few bytes ----

#: A head, and chunks of one byte each: as much work as bytes can make.
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TINY = 20_000


def tiny_answer(chunks: int) -> bytes:
    """An answer of so many chunks."""
    return CHUNKED + b"1\r\nx\r\n" * chunks + b"0\r\n\r\n"


TINY_ANSWER = tiny_answer(TINY)


def asked(connection: UpstreamConnection) -> None:
    """A GET was sent on `connection`."""
    connection.begin(head_only=False)
    connection.write(get(), last=True)


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
    gone, few = threading.Event(), TINY // 10  # 12 kB: so few are in our kernel before the reset, always

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(tiny_answer(few))
        peer.arrived()
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
        assert await body_of(connection) == b"x" * few
        pool.release(connection)

    with blocking_gateway(script) as gateway:
        asyncio.run(drive(gateway.port))


async def test_single_bytes_make_the_gateway_wait_before_they_fill_the_memory() -> None:
    """Each piece counts with what it costs, not with its one byte."""
    transport = FakeTransport()
    connection = UpstreamConnection(asyncio.get_running_loop(), Pool(Address(), UpstreamLimits()))
    connection.connection_made(transport)
    connection.begin(head_only=False)
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
    sent = 0
    while transport.is_reading() and sent < 10_000:
        connection.data_received(b"x")
        sent += 1
    assert not transport.is_reading()


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
    connection.write(bytes(50_000_000), last=True)
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


# ---- a connection by itself ----


class Alone:
    """A connection whose transport and pool are the test's."""

    def __init__(self, *, sock: socket.socket | None = None) -> None:
        self.pool = Pool(Address(), UpstreamLimits(response_head=10.0))
        self.transport = FakeTransport(sock=sock)
        self.connection = UpstreamConnection(asyncio.get_running_loop(), self.pool)
        self.connection.connection_made(self.transport)

    def ask(self, *, whole: bool = True) -> UpstreamConnection:
        """Begin an exchange whose request was sent, whole or not."""
        self.connection.begin(head_only=False)
        self.connection.write(b"GET / HTTP/1.1\r\n\r\n", last=whole)
        return self.connection


async def test_small_writes_go_out_at_once_and_a_peer_that_vanished_is_noticed() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    with listening, socket.create_connection(listening.getsockname()) as near:
        Alone(sock=near)
        options = (socket.IPPROTO_TCP, socket.TCP_NODELAY), (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert [near.getsockopt(*option) for option in options] == [1, 1]


async def test_a_request_on_a_connection_that_closed_before_it_was_not_sent() -> None:
    alone = Alone()
    alone.connection.connection_lost(None)
    connection = alone.ask()
    with pytest.raises(UpstreamError, match="closed before the request was sent") as failed:
        await connection.head()
    assert (failed.value.code, failed.value.answered, alone.transport.written) == ("gateway_closed", False, b"")
    assert not connection.end_exchange()


async def test_a_connection_is_as_new_after_an_exchange_in_order() -> None:
    alone = Alone()
    connection = alone.ask()
    connection.writable = lambda: None
    connection.data_received(OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=9\r\n\r\n", 1))
    assert connection.complete
    assert connection.end_exchange()
    assert [connection.writable, connection.complete, connection.idle_limit] == [None, False, 9 - IDLE_MARGIN]
    alone.ask()
    connection.data_received(OK)
    assert connection.end_exchange()
    assert (connection.idle_limit, connection.used) == (DEFAULT_IDLE, 2)


async def test_a_request_that_was_written_whole_stays_so_until_the_next_exchange() -> None:
    alone = Alone()
    connection = alone.ask()
    connection.write(b"")
    connection.data_received(OK)
    assert connection.end_exchange()
    alone.ask(whole=False).data_received(OK)
    assert not connection.end_exchange()


async def test_a_connection_on_which_nothing_was_asked_is_kept_only_where_it_was_used_before() -> None:
    alone = Alone()
    assert not alone.connection.end_exchange()
    alone.ask().data_received(OK)
    assert alone.connection.end_exchange()
    assert alone.connection.end_exchange()


@pytest.mark.parametrize("why", ["closing", "not sent", "not taken", "paused", "drained", "given up"])
async def test_a_connection_in_doubt_is_not_used_again(why: str) -> None:
    alone = Alone()
    connection = alone.ask(whole=why != "not sent")
    if why == "given up":
        connection.give_up(UpstreamError("client_gone"))
    elif why == "closing":
        alone.transport.close()
    elif why == "not taken":
        alone.transport.buffered = 1
    elif why in {"paused", "drained"}:
        connection.pause_writing()
    draining = asyncio.create_task(connection.drain()) if why == "drained" else None
    await asyncio.sleep(0)
    if why == "drained":
        connection.writing_paused = False
    if why != "given up":
        connection.data_received(OK)
    assert not connection.end_exchange()
    if draining is not None:
        connection.resume_writing()
        await draining


async def test_a_connection_that_was_not_read_is_read_again_by_the_next_exchange() -> None:
    alone = Alone()
    connection = alone.ask()
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * HIGH_WATER))
    connection.data_received(bytes(HIGH_WATER + 1))
    assert not alone.transport.is_reading()
    await connection.answer.read()
    assert alone.transport.is_reading()
    connection.data_received(bytes(HIGH_WATER - 1))
    assert (connection.complete, alone.transport.is_reading(), connection.end_exchange()) == (True, True, True)


async def test_bytes_that_nobody_asked_for_end_the_connection() -> None:
    alone = Alone()
    alone.connection.data_received(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert (alone.transport.ended, alone.connection.closed) == ("aborted", True)


async def test_bytes_behind_a_whole_answer_end_the_connection() -> None:
    alone = Alone()
    connection = alone.ask()
    connection.data_received(OK)
    connection.data_received(b"x")
    assert (alone.transport.ended, connection.end_exchange()) == ("aborted", False)


async def test_what_is_no_answer_ends_the_connection() -> None:
    alone = Alone()
    connection = alone.ask()
    connection.data_received(b"SSH-2.0\r\n\r\n")
    with pytest.raises(UpstreamError, match="gateway_bad_answer"):
        await connection.head()
    assert alone.transport.ended == "aborted"


async def test_an_overdue_exchange_fails_and_its_connection_is_given_up() -> None:
    alone = Alone()
    connection = alone.ask()
    task = asyncio.create_task(connection.head())
    await asyncio.sleep(0)
    now = asyncio.get_running_loop().time()
    connection.check_deadline(now + 9)
    assert not alone.transport.ended
    connection.check_deadline(now + 11)
    with pytest.raises(UpstreamError) as failed:
        await task
    assert (failed.value.code, failed.value.answered, alone.transport.ended) == ("gateway_timeout", False, "aborted")


async def test_an_answer_of_which_the_rest_is_overdue_counts_as_begun() -> None:
    alone = Alone()
    connection = alone.ask()
    connection.data_received(OK[:9])
    task = asyncio.create_task(connection.head())
    await asyncio.sleep(0)
    connection.check_deadline(asyncio.get_running_loop().time() + 11)
    with pytest.raises(UpstreamError) as failed:
        await task
    assert (failed.value.code, failed.value.answered) == ("gateway_timeout", True)


@pytest.mark.parametrize("whole", [False, True])
async def test_a_request_that_is_given_up_ends_with_a_reset_unless_it_was_whole(whole: bool) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    with listening, socket.create_connection(listening.getsockname()) as near:
        far, _ = listening.accept()
        with far:
            alone = Alone(sock=near)
            alone.ask(whole=whole).abort()
            near.close()
            with nullcontext() if whole else pytest.raises(ConnectionResetError):
                assert far.recv(1) == b""
    assert (alone.transport.ended, alone.connection.closed) == ("aborted", True)


async def test_a_lost_connection_is_neither_reset_nor_read_nor_written() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        alone = Alone(sock=ours)
        connection = alone.ask(whole=False)
        assert not connection.was_reset
        connection.connection_lost(ConnectionResetError())
    connection.abort()
    connection.write(b"more")
    assert (connection.was_reset, alone.transport.ended) == (True, "")
    assert alone.transport.written == b"GET / HTTP/1.1\r\n\r\n"


async def test_chunks_that_wait_for_their_turn_are_dropped_with_their_exchange() -> None:
    alone = Alone()
    connection = alone.ask()
    connection.data_received(TINY_ANSWER)
    connection.give_up(UpstreamError("client_gone"))
    await asyncio.sleep(0)
    assert connection.answer.parser.body.held < 2 * CHUNKS_AT_ONCE
    assert len(await connection.answer.read()) == CHUNKS_AT_ONCE
    with pytest.raises(UpstreamError, match="client_gone"):
        await connection.answer.read()
    assert not connection.end_exchange()
    await asyncio.sleep(0)


async def test_chunks_that_wait_for_their_turn_are_read_before_the_end_of_their_connection_is_told() -> None:
    alone = Alone()
    connection = alone.ask()
    connection.data_received(TINY_ANSWER.removesuffix(b"0\r\n\r\n"))
    connection.connection_lost(None)
    sizes: list[int] = []

    async def read_all() -> None:
        while piece := await connection.answer.read():
            sizes.append(len(piece))

    with pytest.raises(UpstreamError, match="gateway_bad_answer"):
        await read_all()
    assert sum(sizes) == TINY


async def test_whoever_wants_to_know_learns_when_an_answer_is_whole() -> None:
    alone, told = Alone(), list[str]()
    connection = alone.ask()
    connection.answer.whole = lambda: told.append("whole")
    connection.data_received(OK[:-1])
    assert told == []
    connection.data_received(OK[-1:])
    assert told == ["whole"]


async def test_a_connection_without_exchange_can_be_given_up() -> None:
    alone = Alone()
    alone.connection.give_up(UpstreamError("client_gone"))
    assert (alone.transport.ended, alone.connection.closed) == ("aborted", True)


async def test_a_connection_that_ended_in_order_was_not_reset() -> None:
    alone = Alone()
    alone.connection.connection_lost(None)
    assert (alone.connection.was_reset, alone.connection.closed) == (False, True)


async def test_closing_lets_what_was_written_be_sent() -> None:
    alone = Alone()
    alone.connection.close()
    assert alone.transport.ended == "closed"


async def test_a_connection_without_transport_can_be_ended_and_counts_as_ended() -> None:
    connection = UpstreamConnection(asyncio.get_running_loop(), Pool(Address(), UpstreamLimits()))
    assert (connection.idle_since, connection.idle_limit, connection.used) == (0.0, DEFAULT_IDLE, 0)
    assert connection.readable
    connection.close()
    connection.abort()
    connection.reset()
    assert connection.closed


async def test_what_an_answer_left_in_the_kernel_behind_a_reset_is_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        alone = Alone(sock=ours)
        connection = alone.ask(whole=False)
        theirs.sendall(OK)
        connection.connection_lost(BrokenPipeError())
        assert (await connection.head()).status == 200
        assert connection.answer.ready() == b"ok"


async def test_an_answer_that_is_not_whole_at_its_connection_s_end_is_an_error() -> None:
    alone = Alone()
    connection = alone.ask()
    assert connection.eof_received() is False
    connection.connection_lost(None)
    with pytest.raises(UpstreamError, match="gateway_closed"):
        await connection.head()


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"


async def test_a_tunnel_gets_every_byte_behind_the_switch_and_the_end() -> None:
    alone, got = Alone(), list[tuple[bytes | None, bool]]()
    connection = alone.ask()
    connection.data_received(SWITCH + b"early")
    await connection.head()
    connection.tunnel(lambda data: got.append((data, connection.closed)))
    connection.data_received(b"later")
    assert connection.eof_received() is True
    connection.connection_lost(None)
    assert got == [(b"early", False), (b"later", False), (None, False), (None, True)], "bytes, and whether it is lost"
    assert not connection.end_exchange()


async def test_a_tunnel_whose_gateway_is_gone_already_learns_it() -> None:
    alone, got = Alone(), list[bytes | None]()
    connection = alone.ask()
    connection.data_received(SWITCH)
    connection.connection_lost(None)
    connection.tunnel(got.append)
    assert got == [None]


async def test_a_tunnel_is_read_on_where_the_answer_was_held_back() -> None:
    alone, got = Alone(), list[bytes | None]()
    connection = alone.ask()
    connection.data_received(SWITCH + bytes(HIGH_WATER + 1))
    assert not alone.transport.is_reading()
    connection.tunnel(got.append)
    assert (alone.transport.is_reading(), got) == (True, [bytes(HIGH_WATER + 1)])


async def test_a_tunnel_takes_no_place_in_the_pool(origin: Origin) -> None:
    pool = Pool(Address("127.0.0.1", origin.port), UpstreamLimits(upstream_connections=1, reserved=0))
    origin.answer = SWITCH
    connection = await pool.acquire(probe=False, client="a", reserved=False)
    connection.begin(head_only=False)
    connection.write(get(), last=True)
    await connection.head()
    assert pool.take(probe=False, client="a", reserved=False) is None
    connection.tunnel(lambda _: None)
    other = await asyncio.wait_for(pool.acquire(probe=False, client="a", reserved=False), 10)
    for one in (connection, other):
        one.abort()
        pool.release(one)


async def test_a_request_counts_as_whole_only_where_that_was_said() -> None:
    alone = Alone()
    alone.connection.begin(head_only=False)
    alone.connection.write(b"POST / HTTP/1.1\r\n\r\n")
    alone.connection.data_received(OK)
    assert not alone.connection.end_exchange()


async def test_who_waits_for_the_gateway_to_take_more_learns_that_it_is_gone() -> None:
    alone = Alone()
    connection = alone.ask(whole=False)
    connection.pause_writing()
    draining = asyncio.create_task(connection.drain())
    await asyncio.sleep(0)
    connection.connection_lost(None)
    await asyncio.wait_for(draining, 10)


async def test_what_is_read_of_an_answer_after_its_exchange_ended_is_no_business_of_the_connection() -> None:
    alone = Alone()
    connection = alone.ask()
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (4 * HIGH_WATER))
    connection.data_received(bytes(HIGH_WATER + 1))
    answer = connection.answer
    assert not connection.end_exchange()
    assert await answer.read()
    assert not alone.transport.is_reading()


@pytest.mark.parametrize("ended", ["closing", "closed"])
async def test_a_connection_that_ends_is_neither_paused_nor_resumed(ended: str) -> None:
    """The transport of another event loop refuses that."""
    alone = Alone()
    connection = alone.ask()
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (4 * HIGH_WATER))
    if ended == "closing":
        alone.transport.close()
    else:
        connection.closed = True
    connection.data_received(bytes(HIGH_WATER + 1))
    assert alone.transport.is_reading()
