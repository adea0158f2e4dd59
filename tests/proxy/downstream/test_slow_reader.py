"""A client that reads too slowly is given up; one that waits for the gateway, or reads in time, never is."""

import asyncio
import socket
import sys
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


async def test_a_client_that_does_not_read_is_reset_and_counted(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    origin.script = endless
    async with running(tmp_path, origin.url, limits={"min_rate": "1MiB"}, timeouts={"min_rate_grace": "8s"}) as proxy:
        seen = reports(proxy)
        with await unread(proxy) as client:
            await until(lambda: any(c.writing_paused for c in proxy.server.clients.connections))
            await loop_clock.move(20)  # what it took already pays for 15 s
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
    settings = {"limits": {"min_rate": None}, "timeouts": {"min_rate_grace": "1s"}}  # of no clock: not asked
    async with running(tmp_path, origin.url, **settings) as proxy:
        seen = reports(proxy)
        with await unread(proxy):
            await until(lambda: any(c.writing_paused for c in proxy.server.clients.connections))
            await loop_clock.move(30)
            assert seen == []


async def test_a_stream_whose_gateway_is_silent_is_never_cut(
    origin: Origin, proxy: Running, loop_clock: LoopClock
) -> None:
    """Server-sent events, long polls: nothing waits for the client there."""
    events, asked = asyncio.Queue[bytes](), asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        asked.set()
        while True:
            await wire.send(await events.get())

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/events"))
    await asked.wait()
    await loop_clock.move(60)
    events.put_nowait(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    assert (await client.head()).status == 200
    for _ in range(3):
        await loop_clock.move(60)
        events.put_nowait(b"data: 1\n\n")
        assert await client.reader.readexactly(9) == b"data: 1\n\n"


async def test_progress_is_what_the_peer_has_taken_not_what_the_kernel_holds() -> None:
    accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda reader, writer: accepted.set_result(writer), "127.0.0.1", 0)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(server.sockets[0].getsockname())
    transport = (await accepted).transport
    transport.write(PIECE)
    assert progress(transport) < len(PIECE)
    await until(lambda: progress(transport) > 0)
    assert progress(transport) < len(PIECE) // 2
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


async def is_reset_now(client: Slow, task: asyncio.Task[None], clock: LoopClock) -> None:
    """The client has not been reset a moment before its time is over, and is when it is."""
    assert client.was_reset == []
    await clock.move(0.02)
    assert client.was_reset == [client.transport]
    with pytest.raises(ConnectionResetError):
        await task


def waiting(client: Slow, pace: Pace | None = None, stall: float | None = None) -> asyncio.Task[None]:
    """A task that waits for `client`."""
    return asyncio.create_task(reader(client, pace, stall).wait())


@pytest.mark.parametrize(
    ("rate", "grace", "stall", "seconds"),
    [
        (None, 0.0, 5.0, 5.0),
        (1000, 3.0, None, 3.0),
        (1000, 3.0, 5.0, 3.0),
        (1000, 5.0, 3.0, 3.0),
        (1000, 0.5, 0.25, 0.25),
        (1000, 0.25, 0.5, 0.25),
        (None, 0.0, 0.0, 0.0),
    ],
)
async def test_a_client_that_takes_nothing_is_reset_after_its_time(
    monkeypatch: pytest.MonkeyPatch,
    still_clock: LoopClock,
    rate: float | None,
    grace: float,
    stall: float | None,
    seconds: float,
) -> None:
    client = Slow(monkeypatch)
    client.taken = 1_000_000  # before: that pays for nothing
    waits = reader(client, None if rate is None else Pace(rate, grace), stall)
    task = asyncio.create_task(waits.wait())
    await still_clock.move(max(seconds - 0.01, 0.0))
    if seconds:
        assert (waits.stopped, client.was_reset) == (False, [])
    await still_clock.move(0.02)
    assert (waits.stopped, client.was_reset) == (True, [client.transport])
    with pytest.raises(ConnectionResetError):
        await task


async def test_without_limits_a_client_has_all_the_time(
    monkeypatch: pytest.MonkeyPatch, still_clock: LoopClock
) -> None:
    client = Slow(monkeypatch)
    task = waiting(client)
    for _ in range(100):
        await still_clock.move(2.0)
    client.drained.set_result(None)
    await task
    assert client.was_reset == []


async def test_a_client_that_takes_something_has_its_time_anew(
    monkeypatch: pytest.MonkeyPatch, still_clock: LoopClock
) -> None:
    """From the look that found it, of which there is one every two seconds."""
    client = Slow(monkeypatch)
    task = waiting(client, stall=5.0)
    await still_clock.move(2.0)
    await still_clock.move(1.5)
    client.taken = 1
    await still_clock.move(0.5)
    for _ in range(2):
        await still_clock.move(2.0)
    await still_clock.move(0.99)
    await is_reset_now(client, task, still_clock)


async def test_a_client_pays_for_its_time_by_what_it_takes(
    monkeypatch: pytest.MonkeyPatch, still_clock: LoopClock
) -> None:
    client = Slow(monkeypatch)
    task = waiting(client, Pace(1000, 3.0))
    await still_clock.move(1.0)
    client.taken = 10_000
    await still_clock.move(1.0)
    for _ in range(3):
        await still_clock.move(2.0)
    await still_clock.move(1.99)
    await is_reset_now(client, task, still_clock)


@pytest.mark.parametrize(("between", "seconds"), [(5000, 4.0), (-5000, 2.0)])
async def test_between_two_waits_what_is_taken_counts_and_no_time_does(
    monkeypatch: pytest.MonkeyPatch, still_clock: LoopClock, between: int, seconds: float
) -> None:
    """Where our own buffer is all that tells, it grows with what is written: that is held against no one."""
    client = Slow(monkeypatch)
    waits = reader(client, Pace(1000, 3.0), 60.0)
    task = asyncio.create_task(waits.wait())
    await still_clock.move(1.0)
    client.drained.set_result(None)
    await task
    await still_clock.move(100.0)
    assert client.was_reset == []
    client.taken += between
    client.drained = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(waits.wait())
    for _ in range(int(seconds) // 2 - 1):
        await still_clock.move(2.0)
    await still_clock.move(1.99)
    await is_reset_now(client, task, still_clock)


async def test_a_client_whose_connection_is_lost_is_not_reset(
    monkeypatch: pytest.MonkeyPatch, still_clock: LoopClock
) -> None:
    client = Slow(monkeypatch)
    waits = reader(client, None, 1.0)
    client.transport = None
    task = asyncio.create_task(waits.wait())
    await still_clock.move(1.0)
    client.drained.set_result(None)
    await task
    assert (waits.stopped, client.was_reset) == (False, [])


class Sock:
    """A socket that says this of itself."""

    def __init__(self, family: int, info: bytes | OSError) -> None:
        self.family = family
        self.info = info

    def getsockopt(self, *_: int) -> bytes:
        if isinstance(self.info, OSError):
            raise self.info
        return self.info


ACKED = b"\1" * 120 + (7).to_bytes(8, sys.byteorder)


@pytest.mark.parametrize(
    ("sock", "taken"),
    [
        (Sock(socket.AF_INET, ACKED), 7),
        (Sock(socket.AF_INET6, ACKED), 7),
        (Sock(socket.AF_INET, ACKED + b"\1" * 100), 7),
        (Sock(socket.AF_INET, ACKED[:-1]), -5),
        (Sock(socket.AF_INET, b""), -5),
        (Sock(socket.AF_INET, OSError("closed")), -5),
        (Sock(socket.AF_UNIX, ACKED), -5),
        (None, -5),
    ],
)
def test_the_kernels_count_is_used_where_there_is_one(sock: Sock | None, taken: int) -> None:
    known: Any = SimpleNamespace(
        get_extra_info=lambda name: sock if name == "socket" else None, get_write_buffer_size=lambda: 5
    )
    assert progress(known) == taken
