"""Only connections are closed on which nothing is lost: no request, and no byte of an answer."""

import select
from collections.abc import AsyncIterator
from types import SimpleNamespace
from unittest import mock

import pytest
from msgspec.structs import replace

from statusproxy.proxy.downstream.eviction import is_idle, may_evict
from tests.proxy.downstream.port import GET, Port


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    port = Port()
    port.server.limits = replace(port.server.limits, connections=1000)
    yield port
    await port.close()


@pytest.mark.parametrize(("unsent", "unread", "may_go"), [(0, b"", True), (1, b"", False), (0, b"GET", False)])
async def test_a_client_may_go_when_no_byte_would_be_lost(port: Port, unsent: int, unread: bytes, may_go: bool) -> None:
    connection, transport = await port.answered()
    transport.unsent = unsent
    transport.far.send(unread)
    assert may_evict(connection) is may_go
    transport.unsent = 0
    connection.data_received(b"GET")
    assert may_evict(connection)  # half a head may be cut off
    connection.force_close()
    assert may_evict(connection)


async def test_a_client_whose_request_waits_to_be_read_may_not_go(port: Port) -> None:
    connection, _ = port.connect()
    port.server.heads.spend(port.server.heads.left)
    connection.data_received(GET)
    assert not may_evict(connection)


async def test_who_may_go_is_found_out_without_a_wait(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer may have many looked at, and thousands may come at once."""
    look = mock.Mock(return_value=[])
    monkeypatch.setattr(select, "poll", lambda: SimpleNamespace(register=mock.Mock(), poll=look))
    connection, _ = await port.answered()
    assert may_evict(connection)
    assert look.mock_calls == [mock.call(0)]


async def test_a_client_is_idle_when_it_was_answered_and_asks_for_nothing(port: Port) -> None:
    new, _ = port.connect()
    answered, _ = await port.answered()
    begun, _ = await port.answered()
    begun.data_received(b"GET /")
    unsent, transport = await port.answered()
    transport.unsent = 1
    serving, _ = await port.asks()
    switched, _ = await port.asks()
    switched.take_over(lambda _: None)
    assert [is_idle(one) for one in (new, answered, begun, unsent, serving, switched)] == [False, True, *[False] * 4]
    transport.unsent = 0
