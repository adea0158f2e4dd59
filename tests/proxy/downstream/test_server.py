"""The proxied port as a whole: who has a place, who gets one, and how all of them end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from functools import partial

import pytest
from aiohttp import web
from msgspec.structs import replace

from statusproxy.proxy.downstream.connection import ConnectionState
from statusproxy.proxy.downstream.loop_budget import HEADS
from statusproxy.proxy.downstream.server import ClientServer
from statusproxy.proxy.downstream.starts import ASKED_AT_ONCE, AT_ONCE
from tests.proxy.downstream.port import GET, Port
from tests.proxy.downstream.stand_ins import StandInTransport


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    port = Port()
    yield port
    await port.close()


def test_it_is_a_server_of_aiohttps() -> None:
    assert issubclass(ClientServer, web.Server)


async def test_it_knows_the_connections_that_are_open(port: Port) -> None:
    first, _ = port.connect()
    second, _ = port.connect()
    assert port.server.connections == [first, second]
    first.connection_lost(None)
    assert port.server.connections == [second]
    assert len(port.server.admission) == 1


async def test_a_connection_that_is_lost_stays_until_its_request_was_served(port: Port) -> None:
    connection, _ = await port.asks()
    connection.connection_lost(None)
    assert port.server.connections == [connection]
    port.let_go.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (port.server.connections, len(port.server.admission)) == ([], 0)


async def test_when_all_places_are_taken_the_longest_idle_makes_room(port: Port) -> None:
    _, first = await port.answered()
    _, second = await port.answered()
    newcomer, third = port.connect()
    assert (first.is_closing(), second.is_closing(), third.is_closing()) == (True, False, False)
    assert newcomer.state is ConnectionState.IDLE


async def test_a_limit_that_was_lowered_is_reached_by_two_for_one(port: Port) -> None:
    _, first = await port.answered()
    _, second = await port.answered()
    port.server.limits = replace(port.server.limits, connections=1)
    port.connect()
    assert (first.is_closing(), second.is_closing()) == (True, True)
    assert len(port.server.admission) == 1


async def test_no_more_than_two_go_for_one_newcomer(port: Port) -> None:
    port.server.limits = replace(port.server.limits, connections=10)
    idle = [await port.answered() for _ in range(4)]
    port.server.limits = replace(port.server.limits, connections=1)
    port.connect()
    assert [transport.is_closing() for _, transport in idle] == [True, True, False, False]


async def test_a_client_that_comes_over_tcp_is_given_a_place(port: Port) -> None:
    with socket.socket() as tcp:
        connection, _ = port.connect(StandInTransport(("192.0.2.7", 40_000), near=tcp))
        assert (connection.state, connection.peer.address) == (ConnectionState.IDLE, "192.0.2.7")


async def test_where_every_place_is_at_work_a_newcomer_waits_to_be_refused(port: Port) -> None:
    for _ in range(2):
        await port.asks()
    newcomer, transport = port.connect()
    assert (newcomer.state, len(port.server.waiting), port.server.may_wait) == (ConnectionState.CLOSED, 1, True)
    (waiting,) = port.server.waiting
    waiting.data_received(GET)
    assert b"503 Service Unavailable" in transport.written
    assert port.refused == ["overloaded"]
    waiting.connection_lost(None)


async def test_who_is_short_of_descriptors_has_others_make_room(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[None] = []

    class Short:
        refused_at_once = 0

        def short(self, descriptor: int) -> bool:
            return True

        def freed(self) -> None:
            freed.append(None)

    _, idle = await port.answered()
    monkeypatch.setattr(port.server, "reserve", Short())
    newcomer, _ = port.connect()
    assert (idle.is_closing(), len(freed), newcomer.state) == (True, 1, ConnectionState.IDLE)
    assert not port.server.may_wait


async def test_a_problem_is_told_with_an_id_and_counted(port: Port) -> None:
    answer = port.server.problem("overloaded")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nConnection: close\r\n" in answer
    assert b'"request_id":"id-1"' in answer
    assert port.refused == ["overloaded"]


async def test_idle_connections_are_closed_and_no_others(port: Port) -> None:
    port.server.limits = replace(port.server.limits, connections=10)
    _, idle = await port.answered()
    _, new = port.connect()
    begun, head = await port.answered()
    begun.data_received(b"GET /")
    _, unsent = await port.answered()
    unsent.unsent = 1
    _, serving = await port.asks()
    port.server.close_idle()
    assert [t.is_closing() for t in (idle, new, head, unsent, serving)] == [True, False, False, False, False]
    unsent.unsent = 0


async def test_the_end_waits_for_what_is_unsent_and_for_who_has_connected(port: Port) -> None:
    assert (port.server.sending, port.server.expecting) == (False, False)
    connection, transport = await port.answered()
    assert (port.server.sending, port.server.expecting) == (False, False)
    transport.unsent = 1
    assert (port.server.sending, port.server.expecting) == (True, True)
    transport.unsent = 0
    connection.connection_lost(None)
    port.connect()
    assert (port.server.sending, port.server.expecting) == (False, True)


async def test_before_a_shutdown_the_idle_are_closed_and_the_others_after_their_request(port: Port) -> None:
    _, idle = port.connect()
    _, serving = await port.asks()
    port.server.pre_shutdown()
    assert (idle.is_closing(), serving.is_closing()) == (True, False)
    port.let_go.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (serving.written, serving.is_closing()) == (b"answer", True)


async def test_a_shutdown_closes_all_and_forgets_them(port: Port) -> None:
    _, idle = port.connect()
    _, serving = await port.asks()
    port.let_go.set()
    await port.server.shutdown(60.0)
    assert (idle.is_closing(), serving.is_closing(), serving.written) == (True, True, b"answer")
    assert port.server.connections == []


@pytest.mark.parametrize(("method", "at_once"), [("POST", AT_ONCE), ("DELETE", AT_ONCE), ("GET", ASKED_AT_ONCE)])
async def test_of_a_crowd_of_requests_a_few_begin_in_one_turn_and_at_a_shutdown_all(
    port: Port, method: str, at_once: int
) -> None:
    begun: list[int] = []
    for number in range(at_once + 3):
        port.server.starts_of(method).ask(partial(begun.append, number))
    assert begun == list(range(at_once))
    await port.server.shutdown(0.0)
    assert begun == list(range(at_once + 3))


async def test_a_shutdown_serves_a_request_whose_head_waits_in_a_crowd(port: Port) -> None:
    heads = port.server.heads
    heads.spend(heads.left)
    heads.wait(lambda: heads.spend(HEADS))  # the next turn is for those that came before
    connection, transport = port.connect()
    connection.data_received(GET)
    port.let_go.set()
    await port.server.shutdown(60.0)
    assert (transport.written, transport.is_closing()) == (b"answer", True)
