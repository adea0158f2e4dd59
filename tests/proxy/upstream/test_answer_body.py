"""An answer keeps its connection to the gateway only until it is whole on our side."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from statusproxy.proxy.upstream.answer_body import SMALL, AnswerBody, Room
from statusproxy.proxy.upstream.answer_reader import HIGH_WATER
from statusproxy.proxy.upstream.connection import UpstreamConnection
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.origin import Origin as Address
from statusproxy.proxy.upstream.pool import Pool
from tests.proxy.harness import Origin, Running, Wire, answer, get, running, until
from tests.proxy.upstream.fake_transport import FakeTransport

#: An ordinary answer: too large to be written at once, and small enough to be read ahead.
ORDINARY = HIGH_WATER - 1024


async def unread(proxy: Running, requests: bytes) -> socket.socket:
    """A client that sends `requests` and reads nothing, connected until closed."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, (proxy.host, proxy.port))
    await loop.sock_sendall(sock, requests)
    return sock


def stalled(proxy: Running) -> int:
    """Clients that take no more."""
    return sum(connection.writing_paused for connection in proxy.server.clients.connections)


def in_use(proxy: Running) -> int:
    """Places at the gateway that are taken."""
    return proxy.server.proxy.site.pool.in_use


@pytest.mark.parametrize("target", ["/", "/api/channels"])
async def test_clients_that_do_not_read_hold_no_place_at_the_gateway(
    origin: Origin, tmp_path: Path, target: str
) -> None:
    origin.answer = answer(b"[" + b" " * (ORDINARY - 2) + b"]", "Content-Type: application/json")
    async with running(tmp_path, origin.url, limits={"upstream_connections": 2}) as proxy:
        with contextlib.ExitStack() as open_sockets:
            for _ in range(6):
                # Pipelined, so that the kernel's buffers are full after some of them.
                open_sockets.enter_context(await unread(proxy, get(target) * 30))
            await until(lambda: stalled(proxy) == 6)
            await until(lambda: in_use(proxy) == 0)
            assert (await proxy.ask(get("/next"))).status == 200
            assert stalled(proxy) == 6


@pytest.mark.slow
async def test_an_answer_larger_than_what_is_read_ahead_keeps_its_place(origin: Origin, tmp_path: Path) -> None:
    """So memory stays bounded: the gateway waits for the client."""
    size = 64 * 1024 * 1024
    origin.answer = answer(bytes(size))
    async with running(tmp_path, origin.url) as proxy:
        with await unread(proxy, get()):
            await until(lambda: stalled(proxy) == 1)
            assert in_use(proxy) == 1


async def test_where_there_is_no_room_an_answer_keeps_its_place(origin: Origin, tmp_path: Path) -> None:
    origin.answer = answer(bytes(ORDINARY))
    async with running(tmp_path, origin.url) as proxy:
        proxy.server.proxy.room = Room(SMALL)
        client = await proxy.connect()
        await until(lambda: len(proxy.server.clients.connections) == 1)
        (connection,) = proxy.server.clients.connections
        # It takes nothing from the first byte on: how much a kernel takes for a client that does not read, differs.
        connection.transport.set_write_buffer_limits(high=2**30)
        connection.pause_writing()
        await client.send(get())
        await until(lambda: any(busy.complete for busy in proxy.server.proxy.site.pool._busy))
        assert in_use(proxy) == 1
        assert (await proxy.ask(get())).status == 200
        assert in_use(proxy) == 1
        connection.resume_writing()
        assert len((await client.message()).body) == ORDINARY
        await until(lambda: in_use(proxy) == 0)


async def test_room_is_given_back_when_the_client_leaves_or_has_it_all(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(bytes(ORDINARY))
    proxy.server.proxy.room = room = Room(2 * ORDINARY)
    for _ in range(5):
        assert len((await proxy.ask(get())).body) == ORDINARY
    with await unread(proxy, get() * 30):
        await until(lambda: stalled(proxy) == 1)
    await until(lambda: proxy.server.proxy.in_flight == 0)
    assert room.take(2 * ORDINARY)


def test_room_is_never_taken_in_part() -> None:
    room = Room(100)
    assert room.take(60)
    assert not room.take(60)
    assert room.take(40)
    room.give_back(60)
    assert room.take(60)


async def test_the_next_request_goes_on_the_same_connection_while_the_client_still_reads(
    origin: Origin, proxy: Running
) -> None:
    origin.answer = answer(bytes(ORDINARY))
    with await unread(proxy, get("/slow") * 30):
        await until(lambda: stalled(proxy) == 1 and in_use(proxy) == 0)
        for _ in range(3):
            assert len((await proxy.ask(get("/next"))).body) == ORDINARY
    assert origin.connections == 1


@pytest.mark.parametrize("pieces", [1, 7, 100])
async def test_trailers_arrive_though_the_connection_was_given_back_before(
    origin: Origin, proxy: Running, pieces: int
) -> None:
    piece = b"y" * (ORDINARY // pieces)
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for _ in range(pieces))
    origin.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + b"0\r\nX-Sum: 1\r\n\r\n"
    for _ in range(5):
        got = await proxy.ask(get())
        assert (len(got.body), got.trailers) == (len(piece) * pieces, [(b"X-Sum", b"1")])
    assert origin.connections == 1


async def test_an_answer_that_ends_with_its_connection_arrives_whole(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(ORDINARY))

    origin.script = script
    assert len((await proxy.ask(get())).body) == ORDINARY
    await until(lambda: in_use(proxy) == 0)


@pytest.mark.slow
async def test_a_list_too_large_to_correct_arrives_whole_and_in_order(origin: Origin, tmp_path: Path) -> None:
    """What was collected in vain is sent first, then the rest."""
    body = b"".join(b"%08d" % number for number in range(400_000))
    origin.answer = answer(body, "Content-Type: application/json")
    async with running(tmp_path, origin.url, limits={"corrected": "100k"}) as proxy:
        assert (await proxy.ask(get("/api/channels"))).body == body


# ---- a body by itself ----


def begun(told: list[str], room: Room, came: bytes) -> tuple[UpstreamConnection, AnswerBody]:
    """An exchange whose answer has begun with `came`, and its body."""
    connection = UpstreamConnection(asyncio.get_running_loop(), Pool(Address(), UpstreamLimits()))
    connection.connection_made(FakeTransport())
    connection.begin(head_only=False)
    connection.data_received(came)
    return connection, AnswerBody(connection, lambda: told.append("given back"), room)


def head(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size


async def test_a_small_answer_that_is_whole_gives_its_connection_back_at_once() -> None:
    told: list[str] = []
    _, body = begun(told, Room(0), head(2) + b"ok")
    assert (told, body.ready(), body.ready(), body.room_taken) == (["given back"], b"ok", b"", 0)
    assert (await body.read(), body.trailers) == (b"", [])


async def test_a_large_answer_that_is_whole_takes_room_for_its_rest() -> None:
    told, room = list[str](), Room(2 * SMALL)
    _, body = begun(told, room, head(SMALL + 1) + bytes(SMALL + 1))
    assert (told, body.room_taken > SMALL) == (["given back"], True)
    assert await body.read() == bytes(SMALL + 1)
    body.close()
    body.close()
    assert (room.take(2 * SMALL), room.take(1)) == (True, False), "what it took comes back, once"


async def test_an_answer_gives_its_connection_back_when_its_last_byte_comes() -> None:
    told: list[str] = []
    connection, body = begun(told, Room(0), head(4) + b"ab")
    assert (told, body.ready()) == ([], None)
    assert await body.read() == b"ab"
    connection.data_received(b"cd")
    assert told == ["given back"]
    assert (await body.read(), await body.read()) == (b"cd", b"")


async def test_an_answer_whose_last_byte_is_waited_for_is_given_to_who_waits() -> None:
    told: list[str] = []
    connection, body = begun(told, Room(0), head(2))
    task = asyncio.create_task(body.read())
    await asyncio.sleep(0)
    connection.data_received(b"ok")
    assert told == [], "who reads gives it back"
    assert (await task, told) == (b"ok", ["given back"])


async def test_what_has_no_room_stays_with_its_connection_until_it_was_read() -> None:
    told: list[str] = []
    _, body = begun(told, Room(SMALL), head(SMALL + 1) + bytes(SMALL + 1))
    assert told == []
    assert body.ready() == bytes(SMALL + 1)
    assert (await body.read(), told) == (b"", ["given back"])


@pytest.mark.parametrize("pieces", [[b"abcdef"], [b"ab", b"cd", b"ef"]])
async def test_a_body_within_its_limit_is_collected(pieces: list[bytes]) -> None:
    connection, body = begun([], Room(0), head(6))
    task = asyncio.create_task(body.collect(6))
    for piece in pieces:
        await asyncio.sleep(0)
        connection.data_received(piece)
    assert await task == b"abcdef"


@pytest.mark.parametrize("whole", [True, False])
async def test_a_body_beyond_its_limit_can_still_be_read(whole: bool) -> None:
    connection, body = begun([], Room(0), head(6) + (b"abcdef" if whole else b"abcd"))
    assert await body.collect(3) is None
    assert body.ready() is None, "what was collected comes first"
    if not whole:
        connection.data_received(b"ef")
    assert b"".join([await body.read(), await body.read(), await body.read()]) == b"abcdef"


async def collected_of(size: int, monkeypatch: pytest.MonkeyPatch, *, threads: bool = True) -> tuple[bytes, int]:
    """A body of `size` bytes that came in pieces, and how often a thread was asked for it."""
    asked: list[object] = []
    loop = asyncio.get_running_loop()
    run = loop.run_in_executor

    def recorded(executor: None, work: Callable[[list[bytes]], bytes], pieces: list[bytes]) -> asyncio.Future[bytes]:
        asked.append(work)
        if not threads:
            raise RuntimeError("can't start new thread")
        return run(executor, work, pieces)

    monkeypatch.setattr(loop, "run_in_executor", recorded)
    connection, body = begun([], Room(0), head(size))
    task = asyncio.create_task(body.collect(size))
    for at in range(0, size, SMALL):
        await asyncio.sleep(0)
        connection.data_received(b"%c" % (at // SMALL % 256) * min(SMALL, size - at))
    return await task or b"", len(asked)


@pytest.mark.parametrize(("size", "threads", "asked"), [(2**22, True, 0), (2**22 + 1, True, 1), (2**22 + 1, False, 1)])
async def test_a_long_body_is_joined_in_a_thread_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, size: int, threads: bool, asked: int
) -> None:
    """The join of 32 MiB takes 40 ms."""
    body, times = await collected_of(size, monkeypatch, threads=threads)
    assert body == b"".join(b"%c" % number * SMALL for number in range(65))[:size]
    assert times == asked


async def test_what_was_collected_before_the_end_takes_room_as_well() -> None:
    told: list[str] = []
    connection, body = begun(told, Room(0), head(SMALL + 3) + bytes(SMALL + 1))
    task = asyncio.create_task(body.collect(2 * SMALL))
    await asyncio.sleep(0)
    connection.data_received(b"ab")
    assert len(await task or b"") == SMALL + 3
    assert told == [], "there is none: it keeps its connection"


async def test_a_whole_body_is_collected_without_a_wait() -> None:
    _, body = begun([], Room(0), head(2) + b"ok")
    assert await body.collect(2) == b"ok"


async def test_a_body_that_is_closed_gives_nothing_back_later() -> None:
    told: list[str] = []
    connection, body = begun(told, Room(0), head(2))
    body.close()
    connection.data_received(b"ok")
    assert told == []


async def test_an_answer_that_failed_is_not_whole_when_its_connection_ends() -> None:
    """Framed by the connection's end (RFC 9112 §6.3, rule 8), it would look so."""
    told: list[str] = []
    connection, body = begun(told, Room(0), b"HTTP/1.1 200 OK\r\n\r\n")
    connection.give_up(UpstreamError("client_gone"))
    connection.connection_lost(None)
    assert told == []
    with pytest.raises(UpstreamError):
        await body.read()
