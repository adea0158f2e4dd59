"""Tunnels: after `101` every byte goes both ways untouched, until both sides are done."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from statusproxy.proxy.actions.tunnel import Tunnel
from statusproxy.proxy.downstream.request_body import ENOUGH
from statusproxy.proxy.http1.framing import LAST_CHUNK, chunk
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
from tests.proxy.loop_clock import LoopClock

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n"


def ask_to_switch(protocol: str = "echo", *fields: str) -> bytes:
    """The bytes of a request for another protocol."""
    return get("/socket", f"Upgrade: {protocol}", "Connection: Upgrade", *fields)


async def echo(wire: Wire) -> None:
    """Switch, and send back what comes until it ends."""
    await wire.head()
    await wire.send(SWITCHED)
    while data := await wire.reader.read(2**20):
        await wire.send(data)


async def switched(proxy: Running, request: bytes = b"") -> Wire:
    """A tunnel through the proxy."""
    client = await proxy.connect()
    await client.send(request or ask_to_switch())
    head = await client.head()
    assert (head.status, head.get("Upgrade"), head.get("Connection")) == (101, b"echo", b"Upgrade")
    return client


async def test_bytes_go_both_ways_after_the_switch(origin: Origin, proxy: Running) -> None:
    origin.script = echo
    client = await switched(proxy)
    for data in (b"hello", b"\x00\xff\r\n\r\nGET / HTTP/1.1\r\n\r\n", b"x"):
        await client.send(data)
        assert await asyncio.wait_for(client.reader.readexactly(len(data)), PATIENCE) == data


async def test_the_gateway_is_asked_for_the_protocol_the_client_asked_for(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await origin.note(await wire.head())
        await wire.send(SWITCHED)

    origin.script = script
    await switched(proxy, ask_to_switch("echo/2, echo", "Sec-WebSocket-Key: abc"))
    asked = origin.requests[0]
    assert asked.all("Upgrade") == [b"echo/2, echo"]
    assert asked.all("Connection") == [b"Upgrade"]
    assert asked.get("Sec-WebSocket-Key") == b"abc"


async def test_what_the_gateway_says_together_with_its_101_arrives(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(SWITCHED + b"greetings")
        await wire.rest()

    origin.script = script
    client = await switched(proxy)
    assert await asyncio.wait_for(client.reader.readexactly(9), PATIENCE) == b"greetings"


@pytest.mark.parametrize("protocol", ["websocket", "echo"])
async def test_what_the_client_says_together_with_its_request_arrives(
    origin: Origin, proxy: Running, protocol: str
) -> None:
    origin.script = echo
    client = await switched(proxy, ask_to_switch(protocol) + b"too early")
    assert await asyncio.wait_for(client.reader.readexactly(9), PATIENCE) == b"too early"


async def test_a_client_that_has_said_all_still_hears_the_rest(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(SWITCHED)
        said = await wire.rest()
        await wire.send(b"you said " + said)

    origin.script = script
    client = await switched(proxy)
    await client.send(b"all")
    client.writer.write_eof()
    assert await client.rest() == b"you said all"


async def test_a_gateway_that_has_said_all_still_hears_the_rest(origin: Origin, proxy: Running) -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(SWITCHED + b"bye")
        wire.writer.write_eof()
        heard.set_result(await wire.rest())

    origin.script = script
    client = await switched(proxy)
    assert await client.rest() == b"bye"
    await client.send(b"last words")
    await client.close()
    assert await asyncio.wait_for(heard, PATIENCE) == b"last words"


async def test_what_is_under_way_arrives_when_both_sides_have_ended(origin: Origin, proxy: Running) -> None:
    """The sender is done long before the receiver has read it all."""
    read_on = asyncio.Event()
    heard: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def script(wire: Wire) -> None:
        await wire.head()
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(SWITCHED)
        wire.writer.write_eof()
        await read_on.wait()
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        size = 0
        while data := await wire.reader.read(2**20):
            size += len(data)
        heard.set_result(size)

    origin.script = script
    client = await switched(proxy)
    assert await client.ended()
    client.writer.write(bytes(VOLUME // 4))
    client.writer.write_eof()
    read_on.set()
    assert await asyncio.wait_for(heard, PATIENCE) == VOLUME // 4


async def test_a_client_that_breaks_off_ends_the_tunnel(origin: Origin, proxy: Running) -> None:
    ended = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(SWITCHED)
        await wire.rest()
        ended.set()

    origin.script = script
    told = reports(proxy)
    client = await switched(proxy)
    client.reset()
    await asyncio.wait_for(ended.wait(), PATIENCE)
    await until(lambda: proxy.server.proxy.in_flight == 0)
    assert [(one.status, one.problem) for one in told] == [(101, "client_gone")]


async def test_a_gateway_that_breaks_off_ends_the_tunnel(origin: Origin, proxy: Running) -> None:
    broken = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(SWITCHED)
        await broken.wait()
        wire.reset()

    origin.script = script
    told = reports(proxy)
    client = await switched(proxy)
    broken.set()
    assert await client.ended()
    await until(lambda: proxy.server.proxy.in_flight == 0)
    assert [(one.status, one.problem) for one in told] == [(101, "gateway_closed")]


async def test_a_client_that_left_before_the_switch_leaves_no_tunnel_behind(origin: Origin, proxy: Running) -> None:
    left, ended = asyncio.Event(), asyncio.Event()

    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await left.wait()
        await wire.send(SWITCHED)
        await wire.rest()
        ended.set()

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/", "Upgrade: echo", "Connection: Upgrade", method="POST", body=b"{}"))
    await origin.received()
    client.reset()
    await until(lambda: not any(connection.connected for connection in proxy.server.clients.connections))
    left.set()
    await asyncio.wait_for(ended.wait(), PATIENCE)
    await until(lambda: proxy.server.proxy.in_flight == 0)


async def test_a_silent_tunnel_is_ended(origin: Origin, tmp_path: Path, loop_clock: LoopClock) -> None:
    origin.script = echo
    async with running(tmp_path, origin.url, timeouts={"upgrade_idle": "5s"}) as proxy:
        client = await switched(proxy)
        await loop_clock.move(6)
        assert await client.ended()
        await until(lambda: proxy.server.proxy.in_flight == 0)


async def test_a_tunnel_lives_on_while_either_side_speaks(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    """Six words at a third of the limit each: twice the limit in all."""
    origin.script = echo
    async with running(tmp_path, origin.url, timeouts={"upgrade_idle": "5s"}) as proxy:
        client = await switched(proxy)
        for _ in range(6):
            await loop_clock.move(5 / 3)
            await client.send(b".")
            assert await asyncio.wait_for(client.reader.readexactly(1), PATIENCE) == b"."


@pytest.mark.slow
async def test_64_megabytes_come_back_as_they_went(origin: Origin, proxy: Running) -> None:
    origin.script = echo
    client = await switched(proxy)
    sent = hashlib.sha256()

    async def send() -> None:
        for _ in range(64):
            piece = os.urandom(2**20)
            sent.update(piece)
            await client.send(piece)

    sending = asyncio.create_task(send())
    got, left = hashlib.sha256(), 64 * 2**20
    async with asyncio.timeout(PATIENCE):
        while left:
            data = await client.reader.read(2**20)
            left -= len(data)
            got.update(data)
    await sending
    assert got.digest() == sent.digest()


@pytest.mark.parametrize("stalled", ["client", "gateway"])
async def test_a_side_that_does_not_read_makes_the_other_wait(origin: Origin, proxy: Running, stalled: str) -> None:
    taken: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(SWITCHED)
        if stalled == "client":
            taken.set_result(await push(proxy, wire, VOLUME))
        else:
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await taken

    origin.script = script
    client = await switched(proxy)
    if stalled == "client":
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    else:
        taken.set_result(await push(proxy, client, VOLUME))
    assert await asyncio.wait_for(taken, PATIENCE) < UNDER_WAY


@pytest.mark.slow
async def test_a_thousand_idle_tunnels_leave_room_for_requests(origin: Origin, tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        request = await origin.take(wire)
        if request.get("Upgrade") is None:
            await wire.send(answer(b"here"))
        else:
            await wire.send(SWITCHED)
            await wire.rest()

    origin.script = script
    patient = {"connect": "10m"}  # fifty wait for four places, for as long as the machine is busy
    async with running(tmp_path, origin.url, limits={"upstream_connections": 4}, timeouts=patient) as proxy:
        for _ in range(20):
            await asyncio.gather(*(switched(proxy) for _ in range(50)))
        assert proxy.server.proxy.in_flight == 1000
        assert (await proxy.ask(get())).body == b"here"
        for wire in proxy.wires:
            wire.reset()
        await until(lambda: proxy.server.proxy.in_flight == 0)


async def test_an_answer_other_than_101_is_an_ordinary_one(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b"no", "Upgrade: echo", "Connection: Upgrade", status="426 Upgrade Required")
    client = await proxy.connect()
    await client.send(ask_to_switch())
    got = await client.message()
    assert (got.status, got.body) == (426, b"no")
    origin.answer = answer(b"next")
    await client.send(get("/next"))
    assert (await client.message()).body == b"next"


async def test_a_connection_option_upgrade_without_the_field_is_an_ordinary_request(
    origin: Origin, proxy: Running
) -> None:
    """nginx is often configured to send it with every request."""
    got = await proxy.ask(get("/", "Connection: upgrade"))
    assert got.body == b"ok"
    assert origin.requests[0].all("Connection") == []


async def test_a_101_nobody_asked_for_is_a_broken_answer(origin: Origin, proxy: Running) -> None:
    origin.answer = SWITCHED
    got = await proxy.ask(get())
    assert (got.status, got.get("Content-Type")) == (502, b"application/json; charset=utf-8")


@pytest.mark.parametrize("protocol", ["h2c", "HTTP/2.0", "echo, h2c"])
async def test_http2_is_not_spoken_past_the_proxy(origin: Origin, proxy: Running, protocol: str) -> None:
    """Requests inside such a tunnel would pass by the correction and the watching."""
    got = await proxy.ask(get("/", f"Upgrade: {protocol}", "Connection: Upgrade"))
    assert got.body == b"ok"
    assert origin.requests[0].all("Upgrade") == []


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_body_that_was_still_coming_at_the_switch_goes_first_and_in_its_framing(
    framing: str, origin: Origin, proxy: Running
) -> None:
    got = asyncio.Event()
    seen = b""

    async def script(wire: Wire) -> None:
        nonlocal seen
        await origin.note(await wire.head())
        await wire.send(SWITCHED)
        while data := await wire.reader.read(2**20):
            seen += data
            if seen.endswith(b"tunnel"):
                got.set()

    origin.script = script
    field = f"Content-Length: {ENOUGH + 3}" if framing == "length" else "Transfer-Encoding: chunked"
    begun = bytes(ENOUGH)
    client = await switched(proxy, ask_to_switch("echo", field) + (begun if framing == "length" else chunk(begun)))
    await client.send((b"def" if framing == "length" else b"3;x\r\ndef\r\n0\r\n\r\n") + b"tunnel")
    await asyncio.wait_for(got.wait(), PATIENCE)
    framed = begun + b"def" if framing == "length" else chunk(begun) + chunk(b"def") + LAST_CHUNK
    assert seen == framed + b"tunnel"


async def test_a_tunnel_that_began_before_its_request_was_whole_keeps_nothing_when_it_ends(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statusproxy.proxy.downstream.connection._UNWANTED", 3600.0)  # the time for a body no one wants

    async def script(wire: Wire) -> None:
        await origin.note(await wire.head())
        await wire.send(SWITCHED + b"bye")

    origin.script = script
    client = await switched(proxy, ask_to_switch("echo", "Content-Length: 100000") + bytes(ENOUGH))
    assert await client.rest() == b"bye"
    client.writer.write_eof()
    await until(lambda: not proxy.server.clients.connections)
    await until(lambda: proxy.server.proxy.in_flight == 0)


@pytest.mark.parametrize("framing", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("behind", [b"", b"bye"])
async def test_a_gateway_that_ends_the_tunnel_before_the_request_is_whole_frees_the_client_s_connection(
    framing: str, behind: bytes, origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statusproxy.proxy.downstream.connection._UNWANTED", 3600.0)
    ended = asyncio.Event()

    async def script(wire: Wire) -> None:
        await origin.note(await wire.head())
        await wire.send(SWITCHED + behind)
        if behind:
            await ended.wait()  # the tunnel stands before the gateway ends it

    origin.script = script
    client = await switched(
        proxy, ask_to_switch("echo", framing) + (bytes(ENOUGH) if "Length" in framing else chunk(bytes(ENOUGH)))
    )
    assert await asyncio.wait_for(client.reader.readexactly(len(behind)), PATIENCE) == behind
    ended.set()
    # The client's own half stays open all the while.
    await until(lambda: not proxy.server.clients.connections)
    await until(lambda: proxy.server.proxy.in_flight == 0)


# ---- by itself, between stand-ins for both sides ----


class Transport:
    """One side's transport: what it is sent, and how it was ended."""

    def __init__(self, *, half: bool = True) -> None:
        self.half = half
        self.written = b""
        self.ended = ""
        self.reading = True

    def write(self, data: bytes) -> None:
        self.written += data

    def can_write_eof(self) -> bool:
        return self.half

    def write_eof(self) -> None:
        self.ended = "half"

    def close(self) -> None:
        self.ended = "closed"

    def is_closing(self) -> bool:
        return self.ended in {"closed", "aborted"}

    def abort(self) -> None:
        self.ended = "aborted"

    def get_extra_info(self, _: str) -> None:
        return None

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Side:
    """The connection of a client or of a gateway."""

    def __init__(self, *, half: bool = True) -> None:
        self.transport: Transport | None = Transport(half=half)
        self.writable: Callable[[], None] | None = None
        self.writing_paused = self.was_reset = self.closed = self.unsent = self.held = False
        self.receive: Callable[[bytes | None], None] = lambda _: None
        self.ended = ""

    def tunnel(self, receive: Callable[[bytes | None], None]) -> None:
        self.receive = receive

    def take_over(self, receive: Callable[[bytes | None], None]) -> None:
        self.receive = receive

    def hold(self) -> None:
        self.held = True

    def go_on(self) -> None:
        self.held = False

    def write(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def close(self) -> None:
        self.ended = "closed"

    def reset(self) -> None:
        self.ended = "reset"


class Pair:
    """A tunnel under way between two sides."""

    def __init__(
        self, *, half: bool = True, upload: asyncio.Future[None] | None = None, idle: float | None = None
    ) -> None:
        self.client, self.gateway = Side(half=half), Side(half=half)
        client: Any = self.client
        gateway: Any = self.gateway
        self.tunnel = Tunnel(client, gateway, idle)
        self.task = asyncio.ensure_future(self.tunnel.run(upload))

    async def __aenter__(self) -> "Pair":
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


async def test_a_client_that_takes_no_more_makes_the_gateway_wait() -> None:
    async with Pair() as pair:
        transport: Any = pair.gateway.transport
        pair.client.writing_paused = True
        pair.gateway.receive(b"hello")
        assert not transport.reading
        assert pair.client.writable is not None
        pair.client.writable()
        assert transport.reading
        transport.reading, pair.gateway.closed = False, True
        pair.client.writable()
        assert not transport.reading


async def test_a_gateway_that_takes_no_more_makes_the_client_wait() -> None:
    async with Pair() as pair:
        client: Any = pair.client
        pair.gateway.writing_paused = True
        client.receive(b"hello")
        assert client.held
        assert pair.gateway.writable is not None
        pair.gateway.writable()
        assert not client.held
        assert pair.tunnel.bytes_up == 5


async def test_the_end_of_the_gateways_half_closes_a_client_that_has_no_half() -> None:
    async with Pair(half=False) as pair:
        pair.gateway.receive(None)
        assert pair.client.transport is not None
        assert pair.client.transport.ended == "closed"


async def test_the_end_of_the_clients_half_closes_a_gateway_that_has_no_half() -> None:
    async with Pair(half=False) as pair:
        pair.client.receive(None)
        assert pair.gateway.transport is not None
        assert pair.gateway.transport.ended == "closed"


async def test_when_both_have_ended_the_gateway_is_closed_behind_what_is_left() -> None:
    async with Pair() as pair:
        pair.client.receive(None)
        pair.gateway.receive(None)
        assert pair.gateway.ended == "closed"


async def test_a_lost_client_ends_the_tunnel_though_the_gateway_goes_on_talking() -> None:
    async with Pair() as pair:
        pair.client.transport = None
        pair.gateway.receive(b"hello")
        assert not pair.task.done()
        pair.gateway.receive(None)
        await pair.task
        assert (pair.tunnel.broken, pair.tunnel.bytes_down) == (None, 5)


async def test_a_reset_is_passed_on_once() -> None:
    async with Pair() as pair:
        pair.gateway.was_reset = pair.client.was_reset = True
        pair.gateway.receive(None)
        pair.client.receive(None)
        await pair.task
        assert pair.client.transport is not None
        assert (pair.client.transport.ended, pair.gateway.ended) == ("aborted", "reset")
        assert pair.tunnel.broken == "gateway_closed"


async def test_a_reset_of_a_client_that_is_lost_needs_no_reset() -> None:
    async with Pair() as pair:
        pair.client.transport, pair.client.was_reset = None, True
        pair.client.receive(None)
        await pair.task
        assert (pair.gateway.ended, pair.tunnel.broken) == ("reset", "client_gone")


async def test_a_gateway_that_has_not_taken_all_is_reset_at_the_end() -> None:
    async with Pair() as pair:
        pair.gateway.unsent, pair.client.transport = True, None
        pair.gateway.receive(None)
        await pair.task
        assert pair.gateway.ended == "reset"


@pytest.mark.parametrize("speaker", ["client", "gateway"])
async def test_the_words_of_one_side_alone_keep_a_tunnel_alive(speaker: str, loop_clock: LoopClock) -> None:
    async with Pair(idle=5.0) as pair:
        side: Side = getattr(pair, speaker)
        for _ in range(6):
            await loop_clock.move(4.0)
            side.receive(b".")
        assert not pair.task.done()
        await loop_clock.move(6.0)
        await asyncio.wait_for(pair.task, PATIENCE)


async def test_a_tunnel_without_a_time_limit_is_never_looked_at() -> None:
    async with Pair() as pair:
        assert pair.tunnel._timer is None


async def test_what_went_through_a_tunnel_is_reported(origin: Origin, proxy: Running) -> None:
    origin.script = echo
    seen = reports(proxy)
    for size in (5, 105):
        client = await switched(proxy)
        await client.send(bytes(size))
        assert await asyncio.wait_for(client.reader.readexactly(size), PATIENCE) == bytes(size)
        client.writer.write_eof()
        await client.rest()
    await until(lambda: len(seen) == 2)
    assert [(report.status, report.received, report.problem) for report in seen] == [(101, 5, None), (101, 105, None)]
    assert seen[1].sent - seen[0].sent == 100  # the head has always the same length


async def test_a_tunnel_that_ended_is_not_looked_at_any_more() -> None:
    client, gateway = Side(), Side()
    tunnel = Tunnel(cast("Any", client), cast("Any", gateway), 3600.0)
    client.transport = None
    await tunnel.run()
    assert tunnel._timer is not None
    assert tunnel._timer.cancelled()


async def test_a_gateway_that_ends_before_it_has_the_request_wants_no_more_of_it() -> None:
    upload: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with Pair(upload=upload) as pair:
        pair.gateway.receive(None)
        await pair.task
        assert pair.tunnel.broken is None


@pytest.mark.parametrize(
    ("before", "half", "ended", "done"),
    [
        ("nothing", True, "half", False),
        ("nothing", False, "closed", False),
        ("the gateway ended", True, "closed", False),
        ("the client was lost", True, "closed", False),
        ("the gateway was closed", True, "", True),
        ("the gateway was lost", True, None, True),
    ],
)
async def test_how_the_clients_end_is_passed_on(before: str, half: bool, ended: str | None, done: bool) -> None:
    async with Pair(half=half) as pair:
        if before == "the gateway ended":
            pair.gateway.receive(None)
        elif before == "the client was lost":
            pair.client.transport = None
        elif before == "the gateway was closed":
            pair.gateway.closed = True
        elif before == "the gateway was lost":
            pair.gateway.transport = None
        pair.client.receive(None)
        await asyncio.sleep(0)
        transport = pair.gateway.transport
        assert (transport and transport.ended, pair.task.done(), pair.tunnel.broken) == (ended, done, None)


@pytest.mark.parametrize(
    ("before", "half", "ended", "done"),
    [
        ("nothing", True, "half", False),
        ("nothing", False, "closed", False),
        ("the client ended", True, "", False),
        ("the client was lost", True, None, True),
        ("the gateway was closed", True, "", True),
    ],
)
async def test_how_the_gateways_end_is_passed_on(before: str, half: bool, ended: str | None, done: bool) -> None:
    async with Pair(half=half) as pair:
        if before == "the client ended":
            pair.client.receive(None)
        elif before == "the client was lost":
            pair.client.transport = None
        elif before == "the gateway was closed":
            pair.gateway.closed = True
        pair.gateway.receive(None)
        await asyncio.sleep(0)
        transport = pair.client.transport
        assert (transport and transport.ended, pair.task.done(), pair.tunnel.broken) == (ended, done, None)
        assert pair.gateway.ended == ("closed" if before == "the client ended" else "")


@pytest.mark.parametrize("name", ["client", "gateway"])
async def test_a_side_that_breaks_off_after_its_end_has_said_all(name: str) -> None:
    async with Pair() as pair:
        side = pair.client if name == "client" else pair.gateway
        side.receive(None)
        side.was_reset = True
        side.receive(None)
        await pair.task
        assert (pair.tunnel.broken, pair.gateway.ended) == (None, "reset")


async def test_a_gateway_that_is_closed_is_not_reset_at_the_end() -> None:
    async with Pair() as pair:
        pair.gateway.unsent = pair.gateway.closed = True
        pair.client.receive(None)
        await pair.task
        assert pair.gateway.ended == ""
        assert (pair.client.writable, pair.gateway.writable) == (None, None)


async def test_bytes_for_a_side_that_takes_them_hold_nobody() -> None:
    async with Pair() as pair:
        client, gateway = pair.client.transport, pair.gateway.transport
        assert client is not None
        assert gateway is not None
        pair.gateway.receive(b"hello")
        pair.client.receive(b"you")
        assert (client.written, gateway.written) == (b"hello", b"you")
        assert (gateway.reading, pair.client.held) == (True, False)
        pair.client.writing_paused, pair.gateway.transport = True, None
        pair.gateway.receive(b"rest")
        assert pair.client.writable is not None
        pair.client.writable()
        assert (client.written, pair.tunnel.bytes_down, pair.tunnel.bytes_up) == (b"hellorest", 9, 3)
