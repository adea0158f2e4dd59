"""A client that reads too slowly is given up; one that waits for the gateway, or reads in time, never is."""

import asyncio
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from statusproxy.proxy.downstream import slow_reader
from statusproxy.proxy.downstream.slow_reader import SlowReader, progress
from statusproxy.proxy.min_rate import Pace
from tests.proxy.harness import PATIENCE, Origin, Running, Wire, get, reports, running, until
from tests.proxy.loop_clock import LoopClock

#: More than the kernel takes for a client that reads nothing.
VOLUME = 32 * 1024 * 1024
PIECE = bytes(64 * 1024)
BRISK = {"limits": {"min_rate": "1MiB"}, "timeouts": {"min_rate_grace": "150ms"}}


async def endless(wire: Wire) -> None:
    """A gateway with a large answer."""
    await wire.head()
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % VOLUME)
    for _ in range(VOLUME // len(PIECE)):
        await wire.send(PIECE)


async def unread(proxy: Running) -> socket.socket:
    """A client with a small buffer that has asked for something and reads nothing."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, (proxy.host, proxy.port))
    await loop.sock_sendall(sock, get())
    return sock


async def read_all(sock: socket.socket) -> None:
    """Read up to the end."""
    while await asyncio.get_running_loop().sock_recv(sock, 65536):
        pass


async def test_a_client_that_does_not_read_is_reset_and_counted(origin: Origin, tmp_path: Path) -> None:
    origin.script = endless
    async with running(tmp_path, origin.url, **BRISK) as proxy:
        seen = reports(proxy)
        with await unread(proxy) as client:
            await until(lambda: bool(seen))
            assert (seen[0].problem, seen[0].status) == ("client_stopped_reading", 499)
            await until(lambda: not proxy.server.clients.connections)
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(read_all(client), PATIENCE)
        await until(lambda: proxy.server.proxy.site.pool.in_use == 0)


async def test_a_client_that_reads_slowly_but_in_time_gets_it_all(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    """Above the minimum rate, for several times the grace."""
    origin.script = endless
    settings = {"limits": {"min_rate": "50k"}, "timeouts": {"min_rate_grace": "3s"}}
    async with running(tmp_path, origin.url, **settings) as proxy:
        with await unread(proxy) as client:
            loop = asyncio.get_running_loop()
            for _ in range(12):
                await loop_clock.move(1)
                left = 250 * 1024
                while left:
                    data = await asyncio.wait_for(loop.sock_recv(client, left), PATIENCE)
                    assert data
                    left -= len(data)


async def test_without_a_minimum_rate_a_client_has_its_time(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    origin.script = endless
    settings = {"limits": {"min_rate": None}, "timeouts": {"min_rate_grace": "1ms"}}
    async with running(tmp_path, origin.url, **settings) as proxy:
        seen = reports(proxy)
        with await unread(proxy):
            await until(lambda: any(c.writing_paused for c in proxy.server.clients.connections))
            for _ in range(5):
                await loop_clock.move(5)
            assert seen == []


async def test_a_stream_whose_gateway_is_silent_is_never_cut(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    """Server-sent events, long polls: nothing waits for the client there."""

    async def script(wire: Wire) -> None:
        await wire.head()
        await loop_clock.move(4)
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for _ in range(3):
            await loop_clock.move(4)
            await wire.send(b"data: 1\n\n")

    origin.script = script
    settings = {"limits": {"min_rate": "1MiB"}, "timeouts": {"min_rate_grace": "2s"}}
    async with running(tmp_path, origin.url, **settings) as proxy:
        got = await proxy.ask(get("/events"))
        assert got.body == b"data: 1\n\n" * 3


async def test_progress_is_what_the_peer_has_taken_not_what_the_kernel_holds() -> None:
    accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda reader, writer: accepted.set_result(writer), "127.0.0.1", 0)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(server.sockets[0].getsockname())
    transport = (await accepted).transport
    transport.write(PIECE)
    assert progress(transport) < len(PIECE)
    await asyncio.sleep(0.05)
    before = progress(transport)
    assert before < len(PIECE) // 2
    client.setblocking(False)
    left = len(PIECE)
    while left:
        left -= len(await asyncio.get_running_loop().sock_recv(client, 65536))
    await until(lambda: progress(transport) >= len(PIECE))
    transport.abort()
    client.close()
    server.close()


async def test_where_nothing_counts_what_the_peer_took_our_own_buffer_tells(tmp_path: Path) -> None:
    accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    path = str(tmp_path / "socket")
    server = await asyncio.start_unix_server(lambda reader, writer: accepted.set_result(writer), path)
    reader, writer = await asyncio.open_unix_connection(path, limit=1024)
    transport = (await accepted).transport
    transport.write(bytes(VOLUME))
    before = progress(transport)
    assert before < 0
    await reader.readexactly(1024 * 1024)
    await until(lambda: progress(transport) > before)
    transport.abort()
    writer.close()
    server.close()
    assert progress(None) == 0


# ---- by itself ----


class Slow:
    """A client's connection whose peer takes what the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.transport: object | None = object()
        self.taken = 0
        self.was_reset: list[object] = []
        self.drained: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(slow_reader, "progress", lambda _: self.taken)
        monkeypatch.setattr(slow_reader, "reset", self.reset)

    def reset(self, transport: object) -> None:
        self.was_reset.append(transport)
        self.drained.set_exception(ConnectionResetError())

    async def drain(self) -> None:
        await self.drained


def reader(client: Slow, pace: Pace | None, stall: float | None) -> SlowReader:
    """What waits for `client`."""
    real: Any = client
    return SlowReader(real, pace, stall)


async def test_a_client_that_takes_nothing_for_too_long_is_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Slow(monkeypatch)
    waiting = reader(client, None, 0.0)
    with pytest.raises(ConnectionResetError):
        await waiting.wait()
    assert (waiting.stopped, client.was_reset) == (True, [client.transport])


async def test_a_client_below_the_minimum_rate_is_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Slow(monkeypatch)
    waiting = reader(client, Pace(1000, 0.0), None)
    with pytest.raises(ConnectionResetError):
        await waiting.wait()
    assert waiting.stopped


async def test_a_client_that_is_fast_enough_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_reader, "_STEP", 0.0)
    client, looks = Slow(monkeypatch), list[int]()

    def progress(_: object) -> int:
        looks.append(client.taken)
        client.taken += 1_000_000
        if len(looks) == 5:
            client.drained.set_result(None)
        return client.taken

    monkeypatch.setattr(slow_reader, "progress", progress)
    waiting = reader(client, Pace(1000, 0.0), 60.0)
    await waiting.wait()
    assert (waiting.stopped, client.was_reset) == (False, [])
    assert len(looks) == 6


async def test_a_client_whose_connection_is_lost_is_not_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_reader, "_STEP", 0.0)
    client = Slow(monkeypatch)
    waiting = reader(client, None, 0.0)
    client.transport = None
    task = asyncio.ensure_future(waiting.wait())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    client.drained.set_result(None)
    await task
    assert (waiting.stopped, client.was_reset) == (False, [])


@pytest.mark.parametrize("known", [OSError("closed"), b"", b"\0" * 120 + (7).to_bytes(8, "little")])
def test_the_kernels_count_is_used_where_there_is_one(known: bytes | OSError) -> None:
    class Sock:
        family = socket.AF_INET

        def getsockopt(self, *_: int) -> bytes:
            if isinstance(known, OSError):
                raise known
            return known

    transport: Any = SimpleNamespace(get_extra_info=lambda _: Sock(), get_write_buffer_size=lambda: 5)
    assert progress(transport) == (7 if known and not isinstance(known, OSError) else -5)
