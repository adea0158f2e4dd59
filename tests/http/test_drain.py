"""The end: no new clients, idle ones let go at once, what runs is finished, no one waits for ever."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from statusproxy.proxy.downstream.connection import ConnectionState
from tests.ports import free_port
from tests.proxy.harness import PATIENCE, Origin, Running, Wire, answer, get, hurry, running, until
from tests.proxy.held_origin import Held
from tests.proxy.loop_clock import LoopClock


def stopping(proxy: Running) -> Awaitable[None]:
    """Begin the end, as a signal does."""
    return asyncio.create_task(proxy.server.stop())


async def test_what_runs_is_finished_and_told_to_close(origin: Origin, proxy: Running) -> None:
    gateway = Held(origin, b"/held")
    client = await proxy.connect()
    await client.send(get("/held"))
    await origin.received()
    stop = stopping(proxy)
    await until(lambda: proxy.server.proxy.draining)
    gateway.let_go.set()
    got = await client.message()
    assert (got.body, got.get("Connection")) == (b"ok", b"close")
    assert await client.ended()
    await asyncio.wait_for(stop, PATIENCE)


async def is_refused(proxy: Running) -> bool:
    """Whether nobody listens. Until then a client is accepted, or meets a socket that is just being closed."""
    try:
        wire = await proxy.connect()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False
    await wire.close()
    return False


async def test_new_clients_are_not_accepted(origin: Origin, tmp_path: Path) -> None:
    gateway = Held(origin, b"/held")
    async with running(tmp_path, origin.url, listen=f"127.0.0.1:{free_port()}") as proxy:
        client = await proxy.connect()
        await client.send(get("/held"))
        await origin.received()
        stop = stopping(proxy)
        await until(lambda: is_refused(proxy))
        gateway.let_go.set()
        await client.message()
        await asyncio.wait_for(stop, PATIENCE)


async def test_idle_connections_are_closed_at_once_while_others_finish(origin: Origin, proxy: Running) -> None:
    gateway = Held(origin, b"/held")
    idle = await proxy.connect()
    await idle.send(get("/quick"))
    await idle.message()
    busy = await proxy.connect()
    await busy.send(get("/held"))
    await origin.received(2)
    stop = stopping(proxy)
    assert await idle.ended()
    gateway.let_go.set()
    assert (await busy.message()).body == b"ok"
    await asyncio.wait_for(stop, PATIENCE)


async def test_a_request_that_was_under_way_to_us_is_still_served(origin: Origin, proxy: Running) -> None:
    Held(origin, b"/held")
    begun = await proxy.connect()
    await begun.send(get("/first"))
    await begun.message()
    await begun.send(b"GET /second HTTP/1.1\r\n")
    await until(lambda: any(c.state is ConnectionState.HEAD for c in proxy.server.clients.connections))
    busy = await proxy.connect()
    await busy.send(get("/held"))
    await origin.received(2)
    stop = stopping(proxy)
    await until(lambda: proxy.server.proxy.draining)
    await begun.send(b"Host: proxy.example\r\n\r\n")
    got = await begun.message()
    assert (got.body, got.get("Connection")) == (b"ok", b"close")
    hurry(proxy.server)
    await asyncio.wait_for(stop, PATIENCE)


@pytest.mark.parametrize("before", [b"", b"POST /v1/webhooks/rec"], ids=["nothing", "a part"])
async def test_who_had_connected_when_the_end_began_is_still_heard(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch, loop_clock: LoopClock, before: bytes
) -> None:
    monkeypatch.setattr("statusproxy.server._LAST_CALL", 60.0)  # however long the machine pauses
    event = b'{"event":"status-find","session":"sales","status":"disconnectedMobile"}'
    request = get("/v1/webhooks/receive", method="POST", body=event)
    client = await proxy.connect()
    await client.send(before)
    await until(lambda: bool(proxy.server.clients.connections))
    stop = stopping(proxy)
    await loop_clock.move(0.5)
    await client.send(request.removeprefix(before))
    assert (await client.message()).get("Connection") == b"close"
    assert proxy.server.registry.has_overrides
    await asyncio.wait_for(stop, PATIENCE)


async def test_the_end_waits_until_a_slow_client_has_taken_the_last_of_its_answer(
    origin: Origin, proxy: Running, loop_clock: LoopClock
) -> None:
    body = os.urandom(60_000)  # less than what waits here before an exchange waits for its client
    origin.answer = answer(body)
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # before it connects: a window never shrinks
    narrow.connect((proxy.host, proxy.port))
    client = Wire(*await asyncio.open_connection(sock=narrow))
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await until(lambda: bool(proxy.server.clients.connections))
    [connection] = proxy.server.clients.connections
    assert connection.transport is not None
    connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    await client.send(get("/media"))
    await until(lambda: proxy.server.proxy.in_flight == 0 and proxy.server.clients.sending)
    stop = asyncio.ensure_future(stopping(proxy))
    for _ in range(3):
        await loop_clock.move(1)  # longer than anything else is waited for
    assert not stop.done()
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert (await client.message()).body == body
    await asyncio.wait_for(stop, PATIENCE)
    await client.close()


async def test_what_does_not_end_is_cut_off_after_the_time_for_it(origin: Origin, tmp_path: Path) -> None:
    Held(origin, b"/held")
    async with running(tmp_path, origin.url, timeouts={"drain": "100ms"}) as proxy:  # only waited for
        client = await proxy.connect()
        await client.send(get("/held"))
        await origin.received()
        await asyncio.wait_for(stopping(proxy), PATIENCE)
        assert await client.ended()


@asynccontextmanager
async def process(tmp_path: Path, origin: Origin) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A proxy in a process of its own, and its port."""
    document = {
        "listen": "127.0.0.1:0",
        "gateway": origin.url,
        "state": {"url": "memory:"},
        "admin": {"listen": None},
        "log": {"format": "json"},
    }
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(document))
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "statusproxy", "run", "--config", str(file),
        stderr=asyncio.subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert running.stderr is not None
    said = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while b'"listen":' not in (line := await running.stderr.readline()):
                said += line
                assert line, said.decode()
        yield running, json.loads(line)["listen"]
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def open_to(address: str) -> Wire:
    """A connection to a proxy in another process."""
    host, _, port = address.rpartition(":")
    return Wire(*await asyncio.open_connection(host, int(port)))


@pytest.mark.slow
async def test_sigterm_finishes_what_runs_and_ends_with_success(origin: Origin, tmp_path: Path) -> None:
    gateway = Held(origin, b"/held")
    async with process(tmp_path, origin) as (proxy, address):
        client, idle = await open_to(address), await open_to(address)
        await idle.send(get("/quick"))
        await idle.message()
        await client.send(get("/held"))
        await origin.received(2)
        proxy.send_signal(signal.SIGTERM)
        assert await idle.ended()
        gateway.let_go.set()
        got = await client.message()
        assert (got.body, got.get("Connection")) == (b"ok", b"close")
        assert await asyncio.wait_for(proxy.wait(), PATIENCE) == 0
        await client.close()
        await idle.close()


@pytest.mark.slow
async def test_a_second_signal_waits_for_nothing(origin: Origin, tmp_path: Path) -> None:
    Held(origin, b"/held")
    async with process(tmp_path, origin) as (proxy, address):
        client, begun, idle = [await open_to(address) for _ in range(3)]
        await client.send(get("/held"))
        await origin.received()
        await begun.send(get("/begun")[:-2])
        await idle.send(get("/quick"))
        await idle.message()
        proxy.send_signal(signal.SIGTERM)
        assert await idle.ended()
        await begun.send(get("/begun")[-2:])
        assert (await begun.message()).body == b"ok"  # the first signal alone ends nothing that runs
        proxy.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(proxy.wait(), PATIENCE) == 0
        assert await client.ended()
        for wire in (client, begun, idle):
            await wire.close()
