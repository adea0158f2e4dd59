"""Bodies stream: at the pace of the slower side, the first byte at once, broken ones visibly broken."""

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.harness import (
    PATIENCE,
    UNDER_WAY,
    VOLUME,
    Origin,
    Running,
    Wire,
    answer,
    get,
    push,
    reports,
    running,
    until,
)
from tests.proxy.held_origin import Held

PIECE = b"x" * 65536


@pytest.mark.slow
async def test_an_upload_waits_for_a_gateway_that_does_not_read(origin: Origin, proxy: Running) -> None:
    read_on = asyncio.Event()
    got = asyncio.get_running_loop().create_future()

    async def script(wire: Wire) -> None:
        await wire.head()
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await read_on.wait()
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        size = 0
        while size < VOLUME:
            size += len(await wire.reader.read(2**20))
        got.set_result(size)
        await wire.send(answer(b"done"))

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/upload", f"Content-Length: {VOLUME}", method="POST"))
    taken = await push(proxy, client, VOLUME)
    assert taken < UNDER_WAY
    read_on.set()
    while taken < VOLUME:
        await client.send(PIECE)
        taken += len(PIECE)
    assert (await client.message()).body == b"done"
    assert got.result() == VOLUME


@pytest.mark.slow
async def test_a_download_waits_for_a_client_that_does_not_read(origin: Origin, proxy: Running) -> None:
    taken = asyncio.get_running_loop().create_future()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % VOLUME)
        sent = await push(proxy, wire, VOLUME)
        taken.set_result(sent)
        while sent < VOLUME:
            await wire.send(PIECE)
            sent += len(PIECE)

    origin.script = script
    client = await proxy.connect()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await client.send(get("/download"))
    assert await asyncio.wait_for(taken, PATIENCE) < UNDER_WAY
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]
    head = await client.head()
    size = int(head.get("Content-Length") or 0)
    while size:
        size -= len(await client.reader.read(2**20))


@pytest.mark.slow
async def test_memory_stays_flat_whatever_passes_both_ways(origin: Origin, proxy: Running) -> None:
    import resource

    size = 256 * 1024 * 1024
    piece = b"y" * (1024 * 1024)

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        left = size
        while left:
            data = await wire.reader.read(2**20)
            left -= len(data)
            await wire.send(b"%x\r\n%b\r\n" % (len(data), data))
        await wire.send(b"0\r\n\r\n")

    async def send(wire: Wire) -> None:
        for _ in range(size // len(piece) - 1):
            await wire.send(piece)

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/mirror", f"Content-Length: {size}", method="POST") + piece)
    await client.head()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sending = asyncio.create_task(send(client))
    received = 0
    while received < size:
        received += len(await client.reader.read(2**20))
    await sending
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 16 * 1024, f"{grown} KiB more for 256 MiB each way"


async def test_the_first_event_of_a_stream_is_passed_before_the_second_is_there(origin: Origin, proxy: Running) -> None:
    read_first = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await wire.send(b"9\r\ndata: 1\n\n\r\n")
        await read_first.wait()
        await wire.send(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/events", "Accept: text/event-stream"))
    await client.head()
    async with asyncio.timeout(PATIENCE):
        assert await client.reader.readexactly(14) == b"9\r\ndata: 1\n\n\r\n"
        read_first.set()
        assert await client.reader.readexactly(19) == b"9\r\ndata: 2\n\n\r\n0\r\n\r\n"


async def test_a_head_is_passed_before_any_byte_of_its_body_is_there(origin: Origin, proxy: Running) -> None:
    read_head = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await read_head.wait()
        await wire.send(b"ok")

    origin.script = script
    client = await proxy.connect()
    await client.send(get())
    assert (await client.head()).status == 200
    read_head.set()
    assert await asyncio.wait_for(client.reader.readexactly(2), PATIENCE) == b"ok"


async def test_an_upload_reaches_the_gateway_while_it_is_still_being_sent(origin: Origin, proxy: Running) -> None:
    arrived = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.reader.readexactly(len(PIECE))
        arrived.set()
        await wire.reader.readexactly(5)
        await wire.send(answer(b"both"))

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/upload", f"Content-Length: {len(PIECE) + 5}", method="POST") + PIECE)
    await asyncio.wait_for(arrived.wait(), PATIENCE)
    await client.send(b"other")
    assert (await client.message()).body == b"both"


async def test_an_early_413_is_passed_at_once_and_the_connection_ends_with_it(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.reader.readexactly(len(PIECE))
        await wire.send(answer(b'{"error":"too large"}', "Connection: close", status="413 Payload Too Large"))

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/upload", f"Content-Length: {VOLUME}", method="POST") + PIECE)
    got = await client.message()
    assert (got.status, got.body, got.get("Connection")) == (413, b'{"error":"too large"}', b"close")
    await client.close()


async def test_a_client_that_goes_on_sending_after_an_early_answer_can_still_read_it(
    origin: Origin, proxy: Running
) -> None:
    """A connection closed with unread bytes is reset, and a reset takes the answer with it: so they are read."""

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(answer(b"no", "Connection: close", status="413 Payload Too Large"))

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/upload", f"Content-Length: {VOLUME // 8}", method="POST"))
    for _ in range(VOLUME // 8 // len(PIECE)):
        await client.send(PIECE)
    got = await client.message()
    assert (got.status, got.body) == (413, b"no")
    assert await client.ended()


async def test_a_connection_whose_request_was_answered_early_is_not_used_again(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        message = await wire.head()
        await wire.send(answer(message.target))

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/first", "Content-Length: 100000", method="POST") + PIECE)
    assert (await client.message()).body == b"/first"
    assert (await proxy.ask(get("/second"))).body == b"/second"
    assert origin.connections == 2


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_request_that_changes_nothing_is_given_up_when_its_client_leaves(
    origin: Origin, proxy: Running, method: str
) -> None:
    asked, given_up = asyncio.Event(), asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        asked.set()
        await wire.rest()
        given_up.set()

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/slow", method=method))
    await asyncio.wait_for(asked.wait(), PATIENCE)
    client.reset()
    await asyncio.wait_for(given_up.wait(), PATIENCE)


async def test_a_stream_is_given_up_when_its_client_leaves(origin: Origin, proxy: Running) -> None:
    given_up = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        await wire.rest()
        given_up.set()

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/events"))
    await client.head()
    await client.close()
    await asyncio.wait_for(given_up.wait(), PATIENCE)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_request_that_changes_something_is_carried_to_its_end_without_its_client(
    origin: Origin, proxy: Running, method: str
) -> None:
    left = asyncio.Event()
    ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await left.wait()
        await wire.send(answer(b"done"))
        ended.set_result(not wire.reader.at_eof())

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/api/messages", method=method, body=b'{"text":"hi"}'))
    await origin.received()
    client.reset()
    await until(lambda: not any(connection.connected for connection in proxy.server.clients.connections))
    left.set()
    assert await asyncio.wait_for(ended, PATIENCE)
    assert origin.requests[0].body == b'{"text":"hi"}'


async def test_a_body_that_came_whole_is_carried_on_though_its_client_left_before_the_gateway_took_it(
    origin: Origin, tmp_path: Path
) -> None:
    held = Held(origin, b"/slow")
    event = b'{"event":"status-find","session":"sales","status":"disconnectedMobile"}'
    async with running(tmp_path, origin.url, limits={"upstream_connections": 1}) as proxy:
        other = await proxy.connect()
        await other.send(get("/slow"))
        await origin.received()
        client = await proxy.connect()
        request = get("/v1/webhooks/receive", method="POST", body=event)
        await client.send(request[: -len(event)])
        await until(lambda: proxy.server.proxy.in_flight == 2)
        await client.send(event)
        await client.close()
        await until(lambda: sum(connection.connected for connection in proxy.server.clients.connections) == 1)
        held.let_go.set()
        assert (await origin.received(2)).body == event
        await until(lambda: proxy.server.registry.has_overrides)


async def test_an_upload_that_its_client_breaks_off_never_looks_complete_to_the_gateway(
    origin: Origin, proxy: Running
) -> None:
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(wire: Wire) -> None:
        await wire.head()
        got.set_result(await wire.rest())

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/upload", "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n")
    await until(lambda: origin.connections == 1)
    client.reset()
    assert await asyncio.wait_for(got, PATIENCE) == b"5\r\nhello\r\n"


@pytest.mark.parametrize(
    "beginning",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
    ],
    ids=["length", "between chunks", "inside a chunk"],
)
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_an_answer_the_gateway_breaks_off_never_looks_complete_to_the_client(
    origin: Origin, proxy: Running, beginning: bytes, how: str
) -> None:
    passed = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(beginning)
        await passed.wait()
        if how == "reset":
            wire.reset()

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/download"))
    head = await client.head()
    passed.set()
    rest = await client.rest()
    assert b"0\r\n\r\n" not in rest
    assert len(rest) < int(head.get("Content-Length") or 100)


async def test_an_answer_that_ends_with_its_connection_is_broken_off_where_the_gateway_was_reset(
    origin: Origin, proxy: Running
) -> None:
    passed = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await passed.wait()
        wire.reset()

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/download"))
    await client.head()
    passed.set()
    assert b"0\r\n\r\n" not in await client.rest()


async def test_an_answer_that_ends_with_its_connection_is_passed_whole(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    origin.script = script
    got = await proxy.ask(get())
    assert (got.body, got.get("Transfer-Encoding")) == (b"all of it", b"chunked")


async def test_a_client_that_never_reads_the_last_bytes_does_not_keep_its_connection(
    origin: Origin, tmp_path: Path
) -> None:
    """No one here waits for those: they lie in buffers when the exchange is over, and the kernel counts the time."""
    origin.answer = answer(b"x" * 60_000)
    times = {"response_body": "300ms", "keep_alive": "100ms"}  # only waited for
    async with running(tmp_path, origin.url, timeouts=times) as proxy:
        seen = reports(proxy)
        unread = socket.socket()
        unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        unread.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(unread, (proxy.host, proxy.port))
        await until(lambda: bool(connections(proxy)))
        [connection] = connections(proxy)
        # The kernel takes a part of the answer, and the rest is ours.
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        await loop.sock_sendall(unread, get())
        await until(lambda: bool(seen))
        assert (seen[0].status, seen[0].problem) == (200, None)
        await until(lambda: not connections(proxy))
        unread.close()


def connections(proxy: Running) -> list[Any]:
    """The proxy's connections to clients."""
    return list(proxy.server.clients.connections)


async def test_a_client_that_stops_reading_is_dropped_after_the_time_it_has(origin: Origin, tmp_path: Path) -> None:
    dropped = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % VOLUME)
        with contextlib.suppress(ConnectionError):
            for _ in range(VOLUME // len(PIECE)):
                await wire.send(PIECE)
        dropped.set()

    origin.script = script
    async with running(tmp_path, origin.url, timeouts={"response_body": "200ms"}) as proxy:  # only waited for
        client = await proxy.connect()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(get("/download"))
        await asyncio.wait_for(dropped.wait(), PATIENCE)
        await until(lambda: not connections(proxy))
