"""Idle connections: the one used last first, none that may have ended, no more than allowed."""

import asyncio
import socket

import pytest

from statusproxy.proxy.upstream import idle
from statusproxy.proxy.upstream.connection import UpstreamConnection
from statusproxy.proxy.upstream.idle import IdleConnections
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.origin import Origin
from statusproxy.proxy.upstream.pool import Pool
from tests.hand_clock import HandClock
from tests.proxy.upstream.fake_transport import FakeTransport


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """The clock by which connections are idle."""
    clock = HandClock(100.0)
    monkeypatch.setattr(idle, "_now", clock)
    return clock


def connected(sock: socket.socket | None = None) -> UpstreamConnection:
    """A connection of no real pool."""
    connection = UpstreamConnection(asyncio.get_running_loop(), Pool(Origin(), UpstreamLimits()))
    connection.connection_made(FakeTransport(sock=sock))
    return connection


async def test_the_connection_used_last_is_used_first(clock: HandClock) -> None:
    kept, first, second = IdleConnections(9), connected(), connected()
    kept.add(first)
    kept.add(second)
    assert (len(kept), list(kept)) == (2, [first, second])
    assert (kept.pop(probe=False), kept.pop(probe=False), kept.pop(probe=False)) == (second, first, None)


async def test_a_connection_past_its_time_is_closed_and_not_used(clock: HandClock) -> None:
    kept, old, young = IdleConnections(9), connected(), connected()
    kept.add(old)
    clock.now += 1
    kept.add(young)
    clock.now += old.idle_limit - 1
    assert kept.pop(probe=False) is young
    assert kept.pop(probe=False) is None
    assert (old.closed, young.closed) == (True, False)


async def test_a_connection_that_is_lost_is_not_used(clock: HandClock) -> None:
    kept, gone = IdleConnections(9), connected()
    kept.add(gone)
    gone.closed = True
    assert kept.pop(probe=False) is None


async def test_a_look_into_the_kernel_finds_the_end_that_the_loop_has_not_seen(clock: HandClock) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        kept, connection = IdleConnections(9), connected(ours)
        kept.add(connection)
        assert kept.pop(probe=True) is connection
        kept.put_back(connection)
        theirs.close()
        assert kept.pop(probe=False) is connection
        kept.put_back(connection)
        assert kept.pop(probe=True) is None
        assert connection.closed


async def test_one_too_many_is_closed_and_the_others_stay(clock: HandClock) -> None:
    kept, first, second = IdleConnections(1), connected(), connected()
    kept.add(first)
    kept.trim(first)
    kept.add(second)
    kept.trim(first)
    assert list(kept) == [first, second]
    kept.trim(second)
    assert (list(kept), first.closed, second.closed) == ([first], False, True)


async def test_those_past_their_time_are_closed_and_no_others(clock: HandClock) -> None:
    kept, old, young = IdleConnections(9), connected(), connected()
    kept.add(old)
    clock.now += 1
    kept.add(young)
    clock.now += old.idle_limit
    kept.close_overdue()
    assert (list(kept), old.closed, young.closed) == ([young], True, False)


async def test_the_oldest_or_all_can_be_closed(clock: HandClock) -> None:
    kept, connections = IdleConnections(9), [connected() for _ in range(3)]
    for connection in connections:
        kept.add(connection)
    kept.close_oldest()
    assert [connection.closed for connection in connections] == [True, False, False]
    kept.close_all()
    assert (len(kept), all(connection.closed for connection in connections)) == (0, True)


async def test_a_connection_that_ended_by_itself_is_forgotten(clock: HandClock) -> None:
    kept, first, other = IdleConnections(9), connected(), connected()
    kept.add(first)
    kept.discard(other)
    kept.discard(first)
    assert len(kept) == 0
