"""The client's side: connections that end, linger, are told off, and go on."""

import asyncio
import gc
import re
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from statusproxy.proxy.client_address import LOCAL, Peer
from statusproxy.proxy.downstream.body_buffer import NO_BODY
from statusproxy.proxy.downstream.connection import ClientConnection, ClientRequest, ConnectionState
from statusproxy.proxy.downstream.eviction import is_idle
from statusproxy.proxy.downstream.loop_budget import HEADS
from statusproxy.proxy.downstream.starts import ASKED_AT_ONCE, AT_ONCE
from tests.proxy.downstream.port import GET, Port
from tests.proxy.downstream.stand_ins import StandInClock, StandInTransport
from tests.proxy.harness import PATIENCE, Origin, Running, Wire, answer, get, running, until
from tests.proxy.loop_clock import LoopClock


async def gone(proxy: Running) -> None:
    """Wait until no connection of a client is left."""
    await until(lambda: not proxy.server.clients.connections)


async def test_a_client_that_leaves_while_its_unwanted_body_is_read_leaves_nothing_behind(
    origin: Origin, tmp_path: Path
) -> None:
    async with running(tmp_path, origin.url, webhooks=[{"path": "/tap", "forward": False}]) as proxy:
        client = await proxy.connect()
        await client.send(get("/tap", "Transfer-Encoding: chunked"))
        client.writer.write_eof()
        assert (await client.message()).status == 404
        await client.close()
        await gone(proxy)


async def test_what_is_still_coming_of_an_unwanted_body_is_no_slow_head(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    settings = {"timeouts": {"request_head": "2s"}, "webhooks": [{"path": "/tap", "forward": False}]}
    async with running(tmp_path, origin.url, **settings) as proxy:
        client = await proxy.connect()
        await client.send(get("/tap", "Content-Length: 100"))
        assert (await client.message()).status == 404
        for _ in range(4):
            await client.send(b"x" * 10)
            await loop_clock.move(0.7)
        await client.send(b"x" * 60)
        assert await client.ended()


async def test_an_unwanted_body_is_read_to_its_end_so_that_the_answer_is_not_lost(
    origin: Origin, proxy: Running
) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(answer(b"no", status="413 Content Too Large"))

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/", "Content-Length: 4000000", method="POST") + b"x" * 100_000)
    got = await client.message()
    assert (got.status, got.body) == (413, b"no")
    await client.send(b"x" * 3_900_000)
    assert await client.ended()


@pytest.mark.parametrize(
    ("wire", "status", "code"),
    [
        (b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: a.example\r\n\r\n", 414, b"target_too_long"),
        (b"GET /" + b"a" * 2000, 414, b"target_too_long"),
        (get("/", "X: " + "a" * 3000), 431, b"head_too_large"),
        (get("/", "X: " + "a" * 3000)[:-4], 431, b"head_too_large"),
        (get("/", *["X: a"] * 20), 431, b"head_too_large"),
        (b"nonsense\r\n\r\n", 400, b"bad_request"),
    ],
)
async def test_a_refused_request_is_answered_in_json_with_an_id_and_the_connection_ends(
    wire: bytes, status: int, code: bytes, origin: Origin, tmp_path: Path
) -> None:
    limits = {"target": 1000, "head": 2000, "headers": 10}
    async with running(tmp_path, origin.url, limits=limits) as proxy:
        client = await proxy.connect()
        await client.send(wire)
        got = await client.message()
        assert (got.status, got.get("Connection")) == (status, b"close")
        assert b'"error_code":"' + code + b'"' in got.body
        assert (got.get("X-Request-Id") or b"-") in got.body
        assert got.get("Content-Type") == b"application/json; charset=utf-8"
        assert await client.ended()
        assert origin.connections == 0


async def test_limits_of_heads_follow_a_reload_for_connections_from_then_on(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url, limits={"target": 1000}) as proxy:
        asked = b"GET /" + b"a" * 900 + b" HTTP/1.1\r\nHost: a.example\r\n\r\n"
        assert (await proxy.ask(asked)).status == 200
        file = tmp_path / "config.yaml"
        file.write_text(file.read_text().replace("target: 1000", "target: 300"))
        assert await proxy.server.reload()
        assert (await proxy.ask(asked)).status == 414


async def test_dropping_underscores_follows_a_reload_on_connections_that_are_open(
    origin: Origin, tmp_path: Path
) -> None:
    async with running(tmp_path, origin.url, underscores_in_headers="pass") as proxy:
        client = await proxy.connect()
        file = tmp_path / "config.yaml"
        for setting, arrives in (("pass", True), ("drop", False), ("pass", True)):
            before = file.read_text()
            file.write_text(re.sub("underscores_in_headers: .*", f"underscores_in_headers: {setting}", before))
            assert await proxy.server.reload()
            await client.send(get("/", "X_A: 1"))
            await client.message()
            assert (origin.requests[-1].get("X_A") is not None) is arrives


async def test_a_closed_connection_while_a_get_is_handled_ends_it_at_the_gateway(
    origin: Origin, proxy: Running
) -> None:
    ended = asyncio.Event()

    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await wire.rest()
        ended.set()

    origin.script = script
    client = await proxy.connect()
    await client.send(get())
    await origin.received()
    client.reset()
    async with asyncio.timeout(PATIENCE):
        await ended.wait()
    await gone(proxy)


@pytest.mark.parametrize("request_", [get("/"), get("/", method="POST", body=b"x"), get("/", "Connection: close")])
async def test_a_connection_that_ended_is_freed_without_the_collector(proxy: Running, request_: bytes) -> None:
    def left() -> int:
        return sum(type(thing) is ClientConnection for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = left()
        await proxy.ask(request_)
        await until(lambda: left() == before)
    finally:
        gc.enable()


async def test_a_declined_upgrade_whose_body_nobody_read_leaves_an_ordinary_connection(
    origin: Origin, proxy: Running
) -> None:
    client = await proxy.connect()
    await client.send(
        get("*", "Max-Forwards: 0", "Connection: Upgrade", "Upgrade: echo", "Content-Length: 10", method="OPTIONS")
    )
    assert (await client.message(bodiless=True)).status == 204
    await client.send(b"0123456789" + get("/next"))
    assert (await client.message()).body == b"ok"


async def test_a_body_that_was_whole_and_nobody_read_holds_up_nothing(origin: Origin, proxy: Running) -> None:
    """More of it than a connection may hold: its client would wait for a reader for ever."""
    client = await proxy.connect()
    for _ in range(3):
        await client.send(get("*", "Max-Forwards: 0", method="OPTIONS", body=b"x" * 600_000))
        assert (await client.message(bodiless=True)).status == 204
    await client.send(get("/next"))
    assert (await client.message()).body == b"ok"


@pytest.mark.slow
async def test_many_requests_sent_at_once_let_others_in_between(origin: Origin, proxy: Running) -> None:
    flood, other = await proxy.connect(), await proxy.connect()
    requests = proxy.server.clients.requests_count
    await flood.send(get("*", "Max-Forwards: 0", method="OPTIONS") * 2000)
    await flood.message(bodiless=True)
    await other.send(get("*", "Max-Forwards: 0", method="OPTIONS"))
    await other.message(bodiless=True)
    assert proxy.server.clients.requests_count - requests < 1000
    for _ in range(1999):
        assert (await flood.message(bodiless=True)).status == 204


# ---- one connection by itself, on a transport that is a stand-in ----

POST = b"POST / HTTP/1.1\r\nHost: proxy.example\r\nContent-Length: 4\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: proxy.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    port = Port()
    yield port
    await port.close()


async def turns(count: int = 3) -> None:
    """Let everyone else go on for some turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("name", "secure", "peer"),
    [
        (("192.0.2.7", 40_000), None, Peer("192.0.2.7")),
        (("2001:db8::7", 40_000, 0, 0), object(), Peer("2001:db8::7", secure=True)),
        ("", None, Peer(LOCAL)),
    ],
)
async def test_it_knows_who_is_at_the_other_end(port: Port, name: object, secure: object, peer: Peer) -> None:
    connection, _ = port.connect(StandInTransport(name, secure, socket.socket() if name else None))
    assert connection.peer == peer
    assert connection.connected
    assert port.server.connections == [connection]


async def test_a_body_ends_with_the_client(port: Port) -> None:
    told: list[str] = []

    async def read(request: ClientRequest) -> bool:
        request.connection.gone = lambda: told.append("gone")
        with pytest.raises(ConnectionResetError):
            await request.content.readany()
        told.append(f"reset: {request.connection.was_reset}")
        return True

    port.handler = read
    for error in (None, ConnectionResetError()):
        connection, _ = port.connect()
        connection.data_received(POST)
        await turns()
        connection.connection_lost(error)
        await turns()
    assert told == ["gone", "reset: False", "gone", "reset: True"]


async def test_a_body_that_is_whole_stays_when_the_client_leaves(port: Port) -> None:
    bodies: list[bytes] = []

    async def read(request: ClientRequest) -> bool:
        await port.let_go.wait()
        bodies.append(await request.content.readany())
        return True

    port.handler = read
    connection, _ = port.connect()
    connection.data_received(POST + b"body")
    await turns()
    connection.connection_lost(None)
    port.let_go.set()
    await turns()
    assert bodies == [b"body"]


async def test_a_client_that_says_nothing_costs_no_task(port: Port) -> None:
    tasks = asyncio.all_tasks()
    client, _ = port.connect()
    assert asyncio.all_tasks() == tasks
    client.data_received(GET[:5])
    assert asyncio.all_tasks() == tasks
    client.data_received(GET[5:])
    assert len(asyncio.all_tasks() - tasks) == 1


async def test_requests_are_served_in_turn(port: Port) -> None:
    connection, transport = port.connect()
    connection.data_received(GET * 3)
    await turns()
    assert (transport.written, connection.state) == (b"", ConnectionState.SERVING)
    port.let_go.set()
    await turns(10)
    assert (transport.written, connection.state) == (b"answer" * 3, ConnectionState.IDLE)
    assert port.server.requests_count == 3


async def test_after_a_failure_inside_the_proxy_the_connection_ends(
    port: Port, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(request: ClientRequest) -> bool:
        raise ValueError("wrong")

    port.handler = fail
    connection, transport = port.connect()
    connection.data_received(GET)
    await turns()
    assert (transport.is_closing(), connection.state) == (True, ConnectionState.CLOSED)
    assert "request failed inside the proxy" in caplog.text


async def test_the_rest_of_an_unwanted_body_is_not_waited_for_for_ever(port: Port, still_clock: LoopClock) -> None:
    port.let_go.set()
    connection, transport = port.connect()
    connection.data_received(POST)
    await still_clock.move(9.8)
    assert not transport.is_closing()
    await still_clock.move(0.3)
    assert (transport.written, transport.is_closing()) == (b"answer", True)


@pytest.mark.parametrize("error", [ConnectionResetError(), ssl.SSLError("bad record"), OSError(113, "no route")])
async def test_a_connection_that_breaks_while_an_unwanted_body_is_read_is_no_failure_of_ours(
    port: Port, caplog: pytest.LogCaptureFixture, error: OSError
) -> None:
    port.let_go.set()
    connection, transport = port.connect()
    connection.data_received(POST)
    await turns()
    assert transport.written == b"answer"
    connection.connection_lost(error)
    await turns()
    assert (port.server.connections, caplog.text) == ([], "")


async def test_a_refused_request_ends_our_half_and_what_still_comes_is_thrown_away(port: Port) -> None:
    connection, transport = port.connect()
    connection.data_received(b"nonsense\r\n\r\n")
    assert transport.written.startswith(b"HTTP/1.1 400 ")
    assert (transport.ended, transport.is_closing(), connection.state) == (True, False, ConnectionState.LINGERING)
    assert not connection.eof_received()
    connection.data_received(GET)
    assert port.refused == ["bad_request"]
    assert is_idle(connection)  # an end of the proxy does not wait for it


async def test_a_tunnel_gets_what_came_early_what_follows_and_the_end(port: Port) -> None:
    got: list[bytes | None] = []

    async def switch(request: ClientRequest) -> bool:
        await port.let_go.wait()
        request.connection.take_over(got.append)
        await asyncio.Event().wait()
        return True

    port.handler = switch
    connection, transport = port.connect()
    connection.data_received(UPGRADE + b"early")
    await turns()
    port.let_go.set()
    await turns()
    assert got == [b"early"]
    connection.data_received(b"late")
    connection.hold()
    assert not transport.is_reading()
    connection.go_on()
    assert transport.is_reading()
    assert connection.eof_received()
    connection.connection_lost(None)
    assert got == [b"early", b"late", None, None]


async def test_a_tunnel_over_tls_ends_both_ways_at_once(port: Port) -> None:
    async def switch(request: ClientRequest) -> bool:
        request.connection.take_over(lambda _: None)
        await asyncio.Event().wait()
        return True

    port.handler = switch
    connection, _ = port.connect(StandInTransport("", object()))
    connection.data_received(UPGRADE)
    await turns()
    assert not connection.eof_received()


async def test_a_client_that_has_gone_cannot_be_taken_over(port: Port) -> None:
    got: list[bytes | None] = []

    async def switch(request: ClientRequest) -> bool:
        await port.let_go.wait()
        request.connection.take_over(got.append)
        return True

    port.handler = switch
    connection, _ = port.connect()
    connection.data_received(UPGRADE)
    await turns()
    connection.connection_lost(None)
    port.let_go.set()
    await turns()
    assert got == []


async def test_what_came_behind_a_declined_upgrade_is_a_request(port: Port) -> None:
    port.let_go.set()
    connection, transport = port.connect()
    connection.data_received(UPGRADE + GET)
    await turns(5)
    assert transport.written == b"answer" * 2


async def test_a_client_that_gives_its_place_up_within_a_head_is_told(port: Port) -> None:
    silent, first = port.connect()
    begun, second = port.connect()
    begun.data_received(b"GET /")
    silent.give_way()
    begun.give_way()
    assert (first.written, first.is_closing()) == (b"", True)
    assert second.written.startswith(b"HTTP/1.1 503 ")
    assert (second.is_closing(), len(port.server.admission)) == (True, 0)


async def test_what_begins_behind_a_request_in_one_piece_waits_for_its_answer(port: Port) -> None:
    connection, transport = port.connect()
    connection.data_received(GET + b"GET /")
    assert connection.state is ConnectionState.SERVING
    port.let_go.set()
    await turns()
    assert (transport.written, connection.state) == (b"answer", ConnectionState.HEAD)


async def test_an_empty_line_behind_a_request_begins_no_head(port: Port) -> None:
    port.let_go.set()
    connection, transport = port.connect()
    connection.data_received(GET + b"\r\n")
    await turns()
    assert (transport.written, connection.state) == (b"answer", ConnectionState.IDLE)


async def test_of_many_requests_at_once_one_a_turn_is_served(port: Port) -> None:
    port.let_go.set()
    connection, _ = port.connect()
    await turns()
    connection.data_received(GET * 5)
    counts = []
    for _ in range(7):
        await turns(1)
        counts.append(port.server.requests_count)
    assert counts == [1, 2, 3, 4, 5, 5, 5]


# ---- a rush of requests ----


def rush(port: Port, count: int, sent: bytes = POST + b"body") -> list[tuple[ClientConnection, StandInTransport]]:
    """So many clients post something at once, or send something else."""
    port.server.limits = replace(port.server.limits, connections=1000)
    clients = [port.connect() for _ in range(count)]
    for connection, _ in clients:
        connection.data_received(sent)
    return clients


def crowd(port: Port) -> None:
    """Others have sent as many heads in this turn as are read."""
    port.server.heads.spend(port.server.heads.left)


def noted(port: Port) -> list[ClientRequest]:
    """The requests that are served from now on: each is answered at once."""
    served: list[ClientRequest] = []

    async def note(request: ClientRequest) -> bool:
        served.append(request)
        return True

    port.handler = note
    return served


async def test_of_a_rush_of_posts_a_few_are_served_in_each_turn_and_in_order(port: Port) -> None:
    served = noted(port)
    clients = [connection for connection, _ in rush(port, 3 * AT_ONCE)]
    for share in (1, 2, 3, 3):
        await turns(1)
        assert [request.connection for request in served] == clients[: share * AT_ONCE]


async def test_who_only_asks_does_not_wait_for_a_rush_of_posts(port: Port) -> None:
    served = noted(port)
    rush(port, 5 * AT_ONCE)
    connection, _ = port.connect()
    connection.data_received(GET)
    await turns(1)
    assert [request.method for request in served] == ["POST"] * AT_ONCE + ["GET"]


async def test_posts_that_come_on_a_connection_in_a_rush_wait_as_well(port: Port) -> None:
    port.let_go.set()
    first = rush(port, AT_ONCE)
    await turns(3)
    for connection, _ in first:
        connection.data_received((POST + b"body") * 2)
    rush(port, 2 * AT_ONCE)
    counts = []
    for _ in range(6):
        before = port.server.requests_count
        await turns(1)
        counts.append(port.server.requests_count - before)
    assert (max(counts), sum(counts)) == (AT_ONCE, 4 * AT_ONCE)


async def test_a_post_that_waits_is_served_though_its_client_leaves(port: Port) -> None:
    port.let_go.set()
    clients = rush(port, 2 * AT_ONCE)
    last, _ = clients[-1]
    last.connection_lost(None)
    await turns(2)
    assert port.server.requests_count == 2 * AT_ONCE
    await turns(3)
    assert len(port.server.connections) == 2 * AT_ONCE - 1


async def test_who_only_asks_and_leaves_before_it_is_served_is_not_served(port: Port) -> None:
    connection, _ = port.connect()
    connection.data_received(GET)
    connection.connection_lost(None)
    await turns(3)
    assert (port.server.requests_count, port.server.connections) == (0, [])


async def test_of_a_crowd_that_only_asks_some_are_served_in_each_turn_and_in_order(port: Port) -> None:
    served = noted(port)
    clients = [connection for connection, _ in rush(port, 3 * ASKED_AT_ONCE, GET)]
    for share in (1, 2, 3, 3):
        await turns(1)
        assert [request.connection for request in served] == clients[: share * ASKED_AT_ONCE]


async def test_a_post_does_not_wait_for_a_crowd_that_only_asks(port: Port) -> None:
    served = noted(port)
    rush(port, HEADS - 1, GET)
    rush(port, 1)
    await turns(1)
    assert [request.method for request in served] == ["GET"] * ASKED_AT_ONCE + ["POST"]


async def test_who_only_asks_and_leaves_a_crowd_is_not_served_and_holds_nobody_up(port: Port) -> None:
    served = noted(port)
    clients = rush(port, 3 * ASKED_AT_ONCE, GET)
    left = clients[ASKED_AT_ONCE : 2 * ASKED_AT_ONCE]
    for connection, _ in left:
        connection.connection_lost(None)
    await turns(5)
    stayed = [connection for connection, _ in clients if connection.transport is not None]
    assert len(stayed) == 2 * ASKED_AT_ONCE
    assert [request.connection for request in served] == stayed
    assert len(port.server.connections) == 2 * ASKED_AT_ONCE


@pytest.mark.parametrize("sent", [POST + b"body", GET], ids=["post", "get"])
async def test_a_shutdown_lets_a_request_that_waits_end(port: Port, sent: bytes) -> None:
    port.let_go.set()
    _, transport = rush(port, 3 * ASKED_AT_ONCE, sent)[-1]
    await port.server.shutdown(PATIENCE)
    assert (transport.written, transport.is_closing(), transport.aborted) == (b"answer", True, False)


async def test_of_a_crowd_so_many_heads_are_read_in_each_turn_in_order(port: Port) -> None:
    clients = [connection for connection, _ in rush(port, 2 * HEADS + 2, GET)]
    counts = []
    for _ in range(3):
        counts.append([client.state for client in clients].count(ConnectionState.SERVING))
        assert not any(client.reader.waits for client in clients[: counts[-1]])
        await turns(1)
    assert counts == [HEADS, 2 * HEADS, 2 * HEADS + 2]


async def test_a_post_whose_head_waits_is_served_though_its_client_leaves(port: Port) -> None:
    served = noted(port)
    connection, _ = port.connect()
    crowd(port)
    connection.data_received(POST + b"body")
    connection.connection_lost(None)
    await turns(3)
    assert [request.method for request in served] == ["POST"]
    assert (len(port.server.connections), len(port.server.admission)) == (0, 0)


@pytest.mark.parametrize("sent", [GET, GET[:-1], b"nonsense\r\n\r\n"], ids=["get", "half", "nonsense"])
async def test_what_else_waits_when_its_client_leaves_is_not_served(port: Port, sent: bytes) -> None:
    connection, transport = port.connect()
    crowd(port)
    connection.data_received(sent)
    connection.connection_lost(None)
    await turns(3)
    assert (port.server.requests_count, port.server.connections, port.refused) == (0, [], [])
    assert (len(port.server.admission), transport.written) == (0, b"")


@pytest.mark.parametrize("end", ["close", "shutdown"])
async def test_a_request_whose_head_waits_is_answered_though_the_server_stops(port: Port, end: str) -> None:
    port.let_go.set()
    connection, transport = port.connect()
    crowd(port)
    connection.data_received(GET)
    if end == "close":
        port.server.pre_shutdown()
        await turns(3)
    else:
        await port.server.shutdown(PATIENCE)
    assert (transport.written, transport.is_closing(), transport.aborted) == (b"answer", True, False)


async def test_an_idle_connection_ends_in_time_though_half_an_empty_line_waits(port: Port) -> None:
    port.let_go.set()
    connection, transport = port.connect()
    connection.data_received(GET)
    await turns(5)
    crowd(port)
    connection.data_received(b"\r")
    assert connection.reader.waits
    connection._too_late()
    assert (transport.written, transport.is_closing()) == (b"answer", True)
    await turns(3)


async def test_a_refusal_that_waits_is_told_though_the_time_is_over(port: Port) -> None:
    connection, transport = port.connect()
    crowd(port)
    connection.data_received(b"nonsense\r\n\r\n")
    connection._too_late()
    assert (connection.state, transport.is_closing()) == (ConnectionState.LINGERING, False)
    assert port.refused == ["bad_request"]
    await turns(3)


async def test_half_a_head_that_waits_ends_with_the_server(port: Port) -> None:
    connection, transport = port.connect()
    crowd(port)
    connection.data_received(GET[:-1])
    port.server.pre_shutdown()
    assert (transport.written, transport.is_closing()) == (b"", True)
    await turns(2)


async def test_a_refused_request_that_waited_is_told_why(port: Port) -> None:
    connection, transport = port.connect()
    crowd(port)
    connection.data_received(b"nonsense\r\n\r\n")
    assert transport.written == b""
    await turns(1)
    assert transport.written.startswith(b"HTTP/1.1 400 ")


async def test_a_connection_that_was_closed_is_not_read_in_its_turn(port: Port) -> None:
    connection, _ = port.connect()
    crowd(port)
    connection.data_received(GET)
    connection.force_close()
    await turns(3)
    assert port.server.requests_count == 0


async def test_a_rush_of_posts_whose_senders_do_not_wait_arrives_whole(origin: Origin, proxy: Running) -> None:
    clients = [await proxy.connect() for _ in range(2 * HEADS)]
    for number, client in enumerate(clients):
        client.writer.write(get(f"/{number}", "Content-Length: 4", method="POST") + b"body")
        client.writer.close()
    await until(lambda: len(origin.requests) == len(clients))
    assert sorted(int(one.target[1:]) for one in origin.requests) == list(range(len(clients)))
    await gone(proxy)


async def test_after_an_answer_that_ends_the_connection_nothing_more_is_served(port: Port) -> None:
    async def last(request: ClientRequest) -> bool:
        await port.answer(request)
        return False

    port.handler = last
    port.let_go.set()
    connection, transport = port.connect()
    connection.data_received(GET * 2)
    await turns(5)
    assert (transport.written, transport.is_closing(), connection.state) == (b"answer", True, ConnectionState.CLOSED)


async def test_when_its_tunnel_has_ended_the_connection_ends(port: Port) -> None:
    async def switch(request: ClientRequest) -> bool:
        request.connection.take_over(lambda _: None)
        await port.let_go.wait()
        return True

    port.handler = switch
    connection, transport = port.connect()
    connection.data_received(UPGRADE)
    await turns()
    assert (transport.is_closing(), connection.state) == (False, ConnectionState.TUNNEL)
    port.let_go.set()
    await turns(5)
    assert (transport.is_closing(), connection.state, port.server.requests_count) == (True, ConnectionState.CLOSED, 1)


async def test_a_tunnel_that_its_taker_closes_at_the_clients_end_does_not_stay_open(port: Port) -> None:
    async def switch(request: ClientRequest) -> bool:
        request.connection.take_over(lambda data: request.connection.force_close())
        await asyncio.Event().wait()
        return True

    port.handler = switch
    connection, transport = port.connect()
    connection.data_received(UPGRADE)
    await turns()
    assert not connection.eof_received()
    assert transport.is_closing()


async def test_a_connection_that_was_lost_is_never_told_to_read_again(port: Port) -> None:
    async def read(request: ClientRequest) -> bool:
        await port.let_go.wait()
        await request.content.readany()
        return True

    port.handler = read
    connection, transport = port.connect()
    connection.data_received(POST.replace(b": 4", b": 600000") + b"x" * 600_000)
    await turns()
    connection.connection_lost(None)
    port.let_go.set()
    await turns(5)
    assert not transport.is_reading()


async def test_a_refused_client_counts_and_keeps_its_place_while_it_reads_why(port: Port) -> None:
    refused = [port.connect() for _ in range(2)]
    for connection, _ in refused:
        connection.data_received(b"nonsense\r\n\r\n")
    assert port.server.requests_count == 2
    newcomer, _ = port.connect()
    assert newcomer.state is ConnectionState.CLOSED
    assert [transport.is_closing() for _, transport in refused] == [False, False]


async def test_who_was_answered_gives_way_before_who_has_begun_to_ask(port: Port) -> None:
    begun, head = await port.answered()
    begun.data_received(b"GET /")
    _, idle = await port.answered()
    port.connect()
    assert (head.is_closing(), idle.is_closing()) == (False, True)


async def test_a_body_that_is_whole_is_let_go_with_its_connection(port: Port) -> None:
    port.let_go.set()
    connection, _ = port.connect()
    connection.data_received(POST + b"body")
    connection.connection_lost(None)
    await turns()
    assert connection.reader.body is NO_BODY


async def test_a_connection_that_has_ended_leaves_no_task(port: Port) -> None:
    await turns()
    before = asyncio.all_tasks()
    closed, _ = port.connect()
    lost, _ = await port.answered()
    await turns()
    assert len(asyncio.all_tasks()) == len(before) + 1  # the first never asked for anything
    closed.force_close()
    lost.connection_lost(None)
    await turns()
    assert asyncio.all_tasks() == before
    assert port.server.connections == [closed]  # asyncio tells later that it is lost


# ---- its times ----


class Timed:
    """A connection on a clock that a test moves."""

    def __init__(self, port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = StandInClock(port.server.loop)
        self.port = port
        monkeypatch.setattr(port.server, "loop", self.clock)
        self.connection, self.transport = port.connect()


@pytest.fixture
def timed(port: Port, monkeypatch: pytest.MonkeyPatch) -> Timed:
    port.server.limits = replace(port.server.limits, request_head=30.0)
    port.let_go.set()
    return Timed(port, monkeypatch)


async def test_who_says_nothing_is_closed_without_a_word(timed: Timed) -> None:
    timed.clock.move(29.9)
    assert not timed.transport.is_closing()
    timed.clock.move(0.2)
    assert (timed.transport.is_closing(), timed.transport.written) == (True, b"")


async def test_a_first_head_has_its_time_from_the_connections_beginning(timed: Timed) -> None:
    timed.clock.move(20.0)
    timed.connection.data_received(b"\r\n")
    assert timed.connection.state is ConnectionState.IDLE
    timed.connection.data_received(b"GET /")
    timed.clock.move(9.9)
    timed.connection.data_received(b"a")
    assert not timed.transport.is_closing()
    timed.clock.move(0.2)
    assert timed.transport.is_closing()
    assert timed.transport.written.startswith(b"HTTP/1.1 408 ")


async def test_a_later_head_has_its_time_from_its_first_byte(timed: Timed) -> None:
    timed.connection.data_received(GET)
    await turns()
    timed.clock.move(70.0)
    timed.connection.data_received(b"GET /")
    timed.clock.move(29.9)
    assert not timed.transport.is_closing()
    timed.clock.move(0.2)
    assert b"HTTP/1.1 408 " in timed.transport.written


async def test_a_head_that_began_behind_a_request_has_its_time_from_its_answer(timed: Timed) -> None:
    timed.port.let_go.clear()
    timed.connection.data_received(GET)
    await turns()
    timed.connection.data_received(b"GET /")
    timed.clock.move(100.0)
    assert not timed.transport.is_closing()
    timed.port.let_go.set()
    await turns()
    assert timed.connection.state is ConnectionState.HEAD
    timed.clock.move(29.9)
    assert not timed.transport.is_closing()
    timed.clock.move(0.2)
    assert b"HTTP/1.1 408 " in timed.transport.written


async def test_an_idle_connection_is_closed_after_its_time(timed: Timed) -> None:
    timed.connection.data_received(GET)
    await turns()
    timed.clock.move(74.9)
    assert not timed.transport.is_closing()
    timed.clock.move(0.2)
    assert (timed.transport.is_closing(), timed.transport.written) == (True, b"answer")


async def test_without_a_time_for_heads_only_silence_ends(timed: Timed) -> None:
    timed.port.server.limits = replace(timed.port.server.limits, request_head=None)
    timed.connection.data_received(GET)
    await turns()
    timed.connection.data_received(b"GET /")
    timed.clock.move(1000.0)
    assert not timed.transport.is_closing()


async def test_without_any_times_a_silent_client_stays(timed: Timed) -> None:
    timed.port.server.limits = replace(timed.port.server.limits, request_head=None)
    timed.port.server.limits = replace(timed.port.server.limits, keep_alive=0.0)
    _, transport = timed.port.connect()
    timed.clock.move(1000.0)
    assert not transport.is_closing()


async def test_a_head_that_came_whole_is_served_though_its_turn_comes_after_its_time(timed: Timed) -> None:
    crowd(timed.port)
    timed.connection.data_received(GET)
    timed.clock.move(31.0)
    await turns(2)
    assert (timed.transport.written, timed.connection.state) == (b"answer", ConnectionState.IDLE)


async def test_a_refused_request_whose_turn_comes_after_its_time_can_read_why(timed: Timed) -> None:
    crowd(timed.port)
    timed.connection.data_received(b"nonsense\r\n\r\n")
    timed.clock.move(31.0)
    assert timed.transport.written.startswith(b"HTTP/1.1 400 ")
    assert (timed.transport.ended, timed.transport.is_closing()) == (True, False)
    timed.clock.move(2.1)
    assert timed.transport.is_closing()


async def test_a_head_that_is_not_whole_in_its_turn_keeps_its_time(timed: Timed) -> None:
    crowd(timed.port)
    timed.clock.move(20.0)
    timed.connection.data_received(GET[:-1])
    await turns(2)
    timed.clock.move(9.9)
    assert not timed.transport.is_closing()
    timed.clock.move(0.2)
    assert b"HTTP/1.1 408 " in timed.transport.written


async def test_empty_lines_that_wait_for_their_turn_begin_no_head(timed: Timed) -> None:
    crowd(timed.port)
    timed.connection.data_received(b"\r\n")
    await turns(2)
    assert timed.connection.state is ConnectionState.IDLE
    timed.clock.move(74.9)
    assert not timed.transport.is_closing()
    timed.clock.move(0.2)
    assert (timed.transport.is_closing(), timed.transport.written) == (True, b"")


async def test_a_head_behind_empty_lines_that_waited_has_its_time_from_its_first_byte(timed: Timed) -> None:
    crowd(timed.port)
    timed.connection.data_received(b"\r\n")
    await turns(2)
    timed.clock.move(40.0)
    timed.connection.data_received(b"GET /")
    timed.clock.move(29.9)
    assert not timed.transport.is_closing()
    timed.clock.move(0.2)
    assert b"HTTP/1.1 408 " in timed.transport.written


async def test_a_refused_client_is_cut_off_two_seconds_later(timed: Timed) -> None:
    timed.connection.data_received(b"nonsense\r\n\r\n")
    timed.clock.move(1.9)
    assert (timed.transport.ended, timed.transport.is_closing()) == (True, False)
    timed.clock.move(0.2)
    assert timed.transport.is_closing()


async def test_a_connection_that_was_closed_keeps_no_timer(timed: Timed) -> None:
    assert len(timed.clock.timers) == 1
    timed.connection.force_close()
    assert timed.clock.timers == []


# ---- its end ----


async def test_a_shutdown_lets_a_request_end_and_serves_no_other(port: Port) -> None:
    connection, transport = port.connect()
    connection.data_received(GET * 2)
    await turns()
    ending = asyncio.create_task(connection.shutdown(PATIENCE))
    await turns()
    port.let_go.set()
    await ending
    assert (transport.written, transport.is_closing(), transport.aborted) == (b"answer", True, False)


async def test_a_shutdown_ends_the_wait_for_a_body_and_then_cancels(port: Port, still_clock: LoopClock) -> None:
    """Each after the time that was given."""
    ended: list[str] = []

    async def read(request: ClientRequest) -> bool:
        try:
            await request.content.readany()
        except asyncio.CancelledError:
            ended.append("no body")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return False

    port.handler = read
    connection, transport = port.connect()
    connection.data_received(POST)
    await turns()
    ending = asyncio.create_task(connection.shutdown(5.0))
    told = []
    for seconds in (4.9, 0.2, 4.7, 0.3):
        await still_clock.move(seconds)
        told.append((list(ended), transport.is_closing()))
    assert told == [([], False), (["no body"], False), (["no body"], False), (["no body", "cancelled"], True)]
    await ending


async def test_a_request_that_is_whole_is_cancelled_by_a_shutdown_at_once_after_its_time(
    port: Port, still_clock: LoopClock
) -> None:
    connection, transport = await port.asks()
    ending = asyncio.create_task(connection.shutdown(5.0))
    await still_clock.move(4.9)
    assert (transport.is_closing(), ending.done()) == (False, False)
    await still_clock.move(0.2)
    assert (transport.is_closing(), connection.state) == (True, ConnectionState.CLOSED)
    await ending


async def test_a_request_that_a_shutdown_cancels_may_do_what_must_not_be_lost(port: Port) -> None:
    done: list[str] = []

    async def keep(request: ClientRequest) -> bool:
        try:
            await asyncio.Event().wait()
        finally:
            await turns()
            done.append("kept")
        return False

    port.handler = keep
    connection, _ = await port.asks()
    await connection.shutdown(0.1)
    assert done == ["kept"]


@pytest.mark.parametrize(("unfinished", "unsent", "cut_off"), [(False, 0, False), (True, 0, True), (False, 1, True)])
async def test_an_answer_that_a_shutdown_cuts_off_is_visibly_cut_off(
    port: Port, unfinished: bool, unsent: int, cut_off: bool
) -> None:
    connection, transport = await port.asks()
    connection.unfinished = unfinished
    transport.unsent = unsent
    await connection.shutdown(0.0)
    assert (transport.is_closing(), transport.aborted) == (True, cut_off)


async def test_a_connection_that_is_lost_within_a_shutdown_is_left_alone(port: Port) -> None:
    connection, transport = await port.asks()
    transport.unsent = 1
    ending = asyncio.create_task(connection.shutdown(PATIENCE))
    await turns()
    connection.connection_lost(None)
    port.let_go.set()
    await ending
    assert not transport.aborted


async def test_a_shutdown_closes_no_connection_that_its_client_has_just_ended(port: Port) -> None:
    connection, transport = port.connect(StandInTransport("", object()))
    await turns()
    transport.close()  # as asyncio's TLS does, a turn before it tells of the loss
    await connection.shutdown(0.0)
    assert (connection.state, connection.unsent, transport.aborted) == (ConnectionState.CLOSED, False, False)


async def test_a_client_without_a_place_has_nothing_to_shut_down(port: Port) -> None:
    connection = port.server()
    await connection.shutdown(0.0)
    assert connection.state is ConnectionState.CLOSED


async def test_a_request_without_a_body_has_an_empty_one(port: Port) -> None:
    seen: list[ClientRequest] = []

    async def look(request: ClientRequest) -> bool:
        seen.append(request)
        return True

    port.handler = look
    connection, _ = port.connect()
    connection.data_received(GET)
    await turns()
    (request,) = seen
    assert (request.method, request.target, request.version) == ("GET", b"/", (1, 1))
    assert (request.has_body, request.content is NO_BODY, request.keep_alive) == (False, True, True)
    assert request.headers == ((b"Host", b"proxy.example"),)
    assert request.connection is connection


async def test_a_client_for_whom_there_is_no_place_is_not_served(port: Port) -> None:
    for _ in range(2):
        await port.asks()
    connection, transport = port.connect()
    assert (connection.connected, connection.state) == (False, ConnectionState.CLOSED)
    assert transport.protocol is not connection


async def test_who_is_to_close_serves_nothing_more(port: Port) -> None:
    idle, first = port.connect()
    serving, second = await port.asks()
    idle.close()
    serving.close()
    assert (first.is_closing(), second.is_closing()) == (True, False)
    port.let_go.set()
    await turns()
    assert (second.written, second.is_closing()) == (b"answer", True)


async def test_a_body_that_nobody_read_is_forgotten(port: Port) -> None:
    port.let_go.set()
    connection, transport = port.connect()
    connection.data_received(POST + b"body" + GET)
    await turns(5)
    assert (transport.written, connection.state) == (b"answer" * 2, ConnectionState.IDLE)


async def test_a_large_body_that_nobody_read_does_not_keep_its_client_waiting(port: Port) -> None:
    port.let_go.set()
    connection, transport = port.connect()
    connection.data_received(POST.replace(b": 4", b": 600000") + b"x" * 600_000)
    assert not transport.is_reading()
    await turns(5)
    assert (transport.written, transport.is_reading()) == (b"answer", True)


async def test_a_connection_that_was_closed_serves_nothing_more(port: Port) -> None:
    connection, _ = port.connect()
    connection.force_close()
    connection.data_received(GET)
    await turns()
    assert (connection.state, port.server.requests_count) == (ConnectionState.CLOSED, 0)


async def test_the_rest_of_an_unwanted_body_is_thrown_away(port: Port) -> None:
    port.let_go.set()
    connection, transport = port.connect()
    connection.data_received(POST + b"bo")
    await turns()
    assert transport.written == b"answer"
    connection.data_received(b"dy" + GET)
    await turns(5)
    assert (transport.written, connection.state) == (b"answer" * 2, ConnectionState.IDLE)


@pytest.mark.parametrize("seconds", [None, 12.5])
async def test_the_kernel_looks_for_clients_that_died_or_never_read(port: Port, seconds: float | None) -> None:
    port.server.limits = replace(port.server.limits, response_body=seconds)
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as tcp:
        port.connect(StandInTransport(tcp.getsockname(), near=tcp))
        assert tcp.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == (seconds or 0) * 1000


async def test_who_was_answered_and_asks_for_nothing_is_not_waited_for(port: Port) -> None:
    """An end of the proxy closes its connection at once."""
    connection, _ = port.connect()
    assert not is_idle(connection)
    answered, _ = await port.answered()
    assert is_idle(answered)
