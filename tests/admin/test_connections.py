"""The admin listener's places: no one holds one without using it, and what is being served is not cut off."""

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from statusproxy.admin import connections as module
from statusproxy.admin.connections import CONNECTIONS, Connections
from statusproxy.admin.feed import PAGES
from statusproxy.status.model import Record
from tests.admin.harness import Admin
from tests.admin.process import Process, running_process
from tests.admin.test_feed import open_page
from tests.proxy.downstream.stand_ins import StandInTransport
from tests.proxy.harness import PATIENCE, Wire, get, until
from tests.proxy.loop_clock import LoopClock

GET = b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

#: Files that the process may have open in the test that runs out of them: fewer than the silent connections.
FILES = 600
SILENT = 1000


class Site:
    """An aiohttp server behind `Connections`: `/` is answered at once, `/wait` when told so, `/much` with `much`."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.waiting = 0
        self.much = b"x" * 8_000_000
        self.wires: list[Wire] = []

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        with self.connections.serving(request.transport):
            response = web.Response(body=self.much if request.path == "/much" else b"ok")
            if request.path == "/wait":
                self.waiting += 1
                await self.go.wait()
                self.waiting -= 1
            with contextlib.suppress(ConnectionError):
                await response.prepare(request)
                await response.write_eof()
        return response

    async def start(self, limit: int) -> None:
        self.http = web.Server(self.answer)
        self.connections = Connections(self.http, limit)
        self.server = await asyncio.get_running_loop().create_server(self.connections, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def connect(self) -> Wire:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # little is in the kernel when a client stalls
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        wire = Wire(*await asyncio.open_connection(sock=sock, limit=4096))
        self.wires.append(wire)
        return wire

    async def ask(self, path: str = "/") -> Wire:
        wire = await self.connect()
        await wire.send(f"GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
        return wire


@asynccontextmanager
async def serving(limit: int) -> AsyncIterator[Site]:
    site = Site()
    await site.start(limit)
    try:
        yield site
    finally:
        for wire in site.wires:
            wire.reset()
        site.go.set()
        site.server.close()
        await site.http.shutdown(1.0)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Two places."""
    async with serving(2) as site:
        yield site


# ---- who goes when all places are taken ----


async def test_a_newcomer_gets_the_place_of_the_connection_that_has_rested_longest(site: Site) -> None:
    answered = await site.ask()
    await answered.message()
    silent = await site.connect()
    await until(lambda: len(site.connections) == 2)
    newcomer = await site.ask()
    assert (await newcomer.message()).status == 200
    assert await answered.ended()
    await silent.send(get())
    assert (await silent.message()).status == 200


async def test_a_request_that_is_being_served_keeps_its_place(site: Site) -> None:
    first, second = await site.ask("/wait"), await site.ask("/wait")
    await until(lambda: site.waiting == 2)
    assert (await (await site.connect()).message()).status == 503
    site.go.set()
    assert [(await wire.message()).status for wire in (first, second)] == [200, 200]


async def test_a_place_is_free_again_when_its_client_has_left(site: Site) -> None:
    for _ in range(5):
        wire = await site.ask("/wait")
        waiting = site.waiting
        await until(lambda waiting=waiting: site.waiting > waiting)
        wire.reset()
        await until(lambda: len(site.connections) == 0)


async def test_a_client_that_does_not_read_goes_before_one_that_does(site: Site) -> None:
    reading = await site.ask("/wait")
    await until(lambda: site.waiting == 1)
    await site.ask("/much")
    await until(lambda: any(one.claim[0] == 1 for one in site.connections._open.values()))
    newcomer = await site.ask()
    assert (await newcomer.message()).status == 200
    site.go.set()
    assert (await reading.message()).status == 200


# ---- what asyncio still tells of a connection without a place ----


class Told(asyncio.Protocol):
    """Stands for the protocol that speaks HTTP, and notes what it is told."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.calls.append("made")

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("lost")

    def data_received(self, data: bytes) -> None:
        self.calls.append("data")

    def eof_received(self) -> bool | None:
        self.calls.append("eof")
        return True

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")


def told_everything(connection: asyncio.Protocol) -> bool | None:
    """Tell it all that asyncio may; what it answers to the end of the input."""
    connection.data_received(b"GET / HTTP/1.1")
    connection.pause_writing()
    connection.resume_writing()
    more = connection.eof_received()
    connection.connection_lost(None)
    return more


async def test_what_a_refused_client_sends_goes_nowhere() -> None:
    http = [Told(), Told()]
    taken, transport = StandInTransport(), StandInTransport()
    places = Connections(iter(http).__next__, 1)
    served, refused = places(), places()
    served.connection_made(taken)
    with places.serving(taken):
        refused.connection_made(transport)
        assert transport.written.startswith(b"HTTP/1.1 503 ")
        assert (transport.is_closing(), taken.is_closing()) == (True, False)
        assert told_everything(refused) is None
    assert [each.calls for each in http] == [["made"], []]
    served.connection_lost(None)
    taken.free()
    transport.free()


async def test_of_a_connection_whose_place_was_taken_the_application_hears_to_its_end() -> None:
    http, transport = Told(), StandInTransport()
    places = Connections(lambda: http, 1)
    first, second = places(), places()
    first.connection_made(transport)
    second.connection_made(newcomer := StandInTransport())
    assert (transport.aborted, newcomer.aborted, len(places)) == (True, False, 1)
    assert told_everything(first) is True
    assert http.calls == ["made", "made", "data", "pause", "resume", "eof", "lost"]
    assert (len(places), newcomer.aborted) == (1, False)
    second.connection_lost(None)
    transport.free()
    newcomer.free()


async def test_a_connection_that_has_given_its_place_up_is_not_ended_again() -> None:
    transport = StandInTransport()
    places = Connections(Told, 1)
    connection = places()
    connection.connection_made(transport)
    (held,) = places._open.values()
    connection.connection_lost(None)
    held.abort()
    assert (transport.aborted, len(places)) == (False, 0)
    transport.free()


async def test_a_request_whose_client_has_gone_is_served_to_its_end() -> None:
    places, served = Connections(Told, 1), list[str]()
    with places.serving(None):
        served.append("no transport")
    transport = StandInTransport()
    with places.serving(transport):
        served.append("a transport without a place")
    transport.free()
    assert (served, len(places)) == (["no transport", "a transport without a place"], 0)


# ---- how long a place may be held ----


async def opened(site: Site) -> Wire:
    """A connection that has been accepted."""
    wire = await site.connect()
    await until(lambda: len(site.connections) == 1)
    return wire


async def test_a_client_that_sends_nothing_is_let_go_without_a_word(site: Site, loop_clock: LoopClock) -> None:
    wire = await opened(site)
    await loop_clock.move(module.HEAD_TIME + 1)
    assert await wire.ended()
    await until(lambda: len(site.connections) == 0)


async def test_a_head_that_is_not_whole_in_time_is_told_so(site: Site, loop_clock: LoopClock) -> None:
    wire = await opened(site)
    await wire.send(b"GET / HTTP/1.1\r\nHost: a")
    await loop_clock.move(module.HEAD_TIME + 1)
    assert (await wire.message()).status == 408
    assert await wire.ended()


async def test_the_time_for_a_head_is_not_made_longer_by_sending_it_byte_by_byte(
    site: Site, loop_clock: LoopClock
) -> None:
    wire = await opened(site)
    for byte in b"GET /":
        await wire.send(bytes([byte]))
        await loop_clock.move(module.HEAD_TIME / 4.5)
    assert (await wire.message()).status == 408


async def test_the_head_of_a_later_request_has_its_own_time(site: Site, loop_clock: LoopClock) -> None:
    wire = await site.ask()
    await wire.message()
    await loop_clock.move(module.HEAD_TIME + 1)  # resting for longer than a head may take
    await wire.send(b"GET / HTTP/1.1\r\n")
    await loop_clock.move(module.HEAD_TIME + 1)
    assert (await wire.message()).status == 408


async def test_a_connection_may_rest_between_two_requests_but_not_for_ever(site: Site, loop_clock: LoopClock) -> None:
    wire = await site.ask()
    assert (await wire.message()).status == 200
    await loop_clock.move(module.KEEP_ALIVE + 1)
    assert await wire.ended()


async def test_a_request_may_take_longer_than_its_head_may(site: Site, loop_clock: LoopClock) -> None:
    wire = await site.ask("/wait")
    await until(lambda: site.waiting == 1)
    await loop_clock.move(module.HEAD_TIME + module.KEEP_ALIVE + module.READ_TIME)
    site.go.set()
    assert (await wire.message()).status == 200


async def test_a_client_that_does_not_read_its_answer_is_let_go(site: Site, loop_clock: LoopClock) -> None:
    await site.ask("/much")
    await until(lambda: any(one.claim[0] == 1 for one in site.connections._open.values()))
    for _ in range(3):  # what went on its way meanwhile counts as read, and gains it the time once more
        await loop_clock.move(module.READ_TIME + 1)
    await until(lambda: len(site.connections) == 0)


@pytest.mark.slow
async def test_a_client_that_reads_slowly_gets_all_of_its_answer(site: Site, loop_clock: LoopClock) -> None:
    wire = await site.ask("/much")
    head = await wire.head()
    left = int(head.get("Content-Length") or b"0")
    for _ in range(8):  # reading takes longer than the time for which nothing may be read
        data = await wire.reader.readexactly(left // 20)
        left -= len(data)
        await loop_clock.move(module.READ_TIME / 4)
    assert len(await wire.reader.readexactly(left)) == left


# ---- the listener ----


@pytest.mark.slow
async def test_silent_connections_lock_out_neither_checks_nor_scrapes_nor_pages(admin: Admin) -> None:
    async with AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(open_page(admin)) for _ in range(PAGES)]
        silent = []
        for number in range(SILENT):
            silent.append(await admin.connect())
            if number % 250 == 0:
                assert (await admin.ask("/readyz")).status == 200
                assert (await admin.ask("/metrics")).status == 200
        await admin.lose("sales")
        for page in pages:
            await page.session("sales", shows="disconnected")
        assert len(admin.proxy.server.admin._connections) <= CONNECTIONS
        for wire in silent:
            wire.reset()


@pytest.mark.slow
async def test_a_slow_reader_of_the_sessions_holds_no_place(admin: Admin) -> None:
    admin.proxy.server.registry.sessions.load(Record(f"session {number}" + "x" * 1000) for number in range(8000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "READ_TIME", 0.1)
        host, port = address(f"http://{admin.netloc}")
        wire = Wire(*await asyncio.open_connection(host, port, limit=4096))
        await wire.send(f"GET /sessions HTTP/1.1\r\nHost: {admin.netloc}\r\n\r\n".encode())
        await wire.head()
        await until(lambda: len(admin.proxy.server.admin._connections) == 0)
        wire.reset()


def ask(process: Process, sock: socket.socket) -> bytes:
    """One request for the list over a connection that stays open; the answer's first line."""
    sock.sendall(b"GET /api/channels HTTP/1.1\r\nHost: proxy.example\r\n\r\n")
    with sock.makefile("rb") as file:
        first: bytes = file.readline()
        length = 0
        while (line := file.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        file.read(length)
    return first


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return host, int(port)


@pytest.mark.slow
def test_a_thousand_silent_connections_reset_no_client_of_the_proxied_port(tmp_path: Path) -> None:
    with running_process(tmp_path, {"channels": []}) as process, contextlib.ExitStack() as stack:
        assert process.popen is not None
        resource.prlimit(process.popen.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        proxied, admin = address(process.url), address(process.admin_url)
        clients = [stack.enter_context(socket.create_connection(proxied, PATIENCE)) for _ in range(20)]
        for number in range(SILENT):
            stack.enter_context(socket.create_connection(admin, PATIENCE))
            if number % 50 == 0:
                assert ask(process, clients[number // 50]) == b"HTTP/1.1 200 OK\r\n"
        with socket.create_connection(proxied, PATIENCE) as newcomer:
            assert ask(process, newcomer) == b"HTTP/1.1 200 OK\r\n"
        for client in clients:
            assert ask(process, client) == b"HTTP/1.1 200 OK\r\n"
        assert len(os.listdir(f"/proc/{process.popen.pid}/fd")) < CONNECTIONS + 100
        said = process.config.with_name("proxy.log").read_text()
    assert "Too many open files" not in said
