"""A client is read while nothing speaks against it, and whoever waits to write is woken."""

import asyncio
from collections.abc import Iterator

import pytest

from statusproxy.proxy.downstream.flow_control import FlowControl, Hold, ReadingHolds
from tests.proxy.downstream.stand_ins import StandInTransport


@pytest.fixture
def transport() -> Iterator[StandInTransport]:
    transport = StandInTransport()
    yield transport
    transport.free()


def test_a_client_is_read_again_when_the_last_reason_not_to_is_gone(transport: StandInTransport) -> None:
    holds = ReadingHolds()
    holds.transport = transport
    holds.add(Hold.BODY)
    holds.add(Hold.BODY)
    holds.add(Hold.TURN)
    assert (transport.is_reading(), Hold.BODY in holds, Hold.AHEAD in holds) == (False, True, False)
    holds.remove(Hold.BODY)
    assert (transport.is_reading(), bool(holds)) == (False, True)
    holds.remove(Hold.TURN)
    assert (transport.is_reading(), bool(holds)) == (True, False)


def test_a_reason_that_was_not_there_can_be_removed(transport: StandInTransport) -> None:
    holds = ReadingHolds()
    holds.transport = transport
    holds.remove(Hold.BODY)
    holds.add(Hold.TURN)
    holds.remove(Hold.BODY)
    assert not transport.is_reading()


def test_without_a_connection_nothing_is_told(transport: StandInTransport) -> None:
    holds = ReadingHolds()
    holds.add(Hold.BODY)
    holds.remove(Hold.BODY)
    assert transport.is_reading()


class Case:
    """The flow control of a connection."""

    def __init__(self, transport: StandInTransport) -> None:
        self.flow = FlowControl(ReadingHolds())
        self.flow.transport = self.flow.holds.transport = transport


async def begun(coroutine: asyncio.Task[None]) -> bool:
    """Let a task run as far as it can; whether it still waits."""
    await asyncio.sleep(0)
    return not coroutine.done()


async def test_a_client_is_not_read_while_its_tunnel_takes_no_more(transport: StandInTransport) -> None:
    flow = Case(transport).flow
    flow.hold()
    assert (transport.is_reading(), Hold.TUNNEL in flow.holds) == (False, True)
    flow.go_on()
    assert (transport.is_reading(), bool(flow.holds)) == (True, False)


async def test_who_writes_goes_on_while_the_client_reads(transport: StandInTransport) -> None:
    await Case(transport).flow.drain()


async def test_all_who_wait_go_on_when_the_client_takes_more(transport: StandInTransport) -> None:
    flow = Case(transport).flow
    told: list[str] = []
    flow.writable = lambda: told.append("writable")
    for _ in range(2):
        flow.pause_writing()
        waiting = [asyncio.create_task(flow.drain()) for _ in range(2)]
        assert [await begun(each) for each in waiting] == [True, True]
        flow.resume_writing()
        await asyncio.gather(*waiting)
    assert told == ["writable", "writable"]
    assert not flow.writing_paused


async def test_one_who_waits_can_be_cancelled_and_others_wait_on(transport: StandInTransport) -> None:
    flow = Case(transport).flow
    flow.pause_writing()
    first = asyncio.create_task(flow.drain())
    assert await begun(first)
    first.cancel()
    second = asyncio.create_task(flow.drain())
    assert await begun(second)
    flow.resume_writing()
    await second


async def test_a_client_that_breaks_off_is_an_error_to_who_waits(transport: StandInTransport) -> None:
    flow = Case(transport).flow
    flow.pause_writing()
    waiting = asyncio.create_task(flow.drain())
    assert await begun(waiting)
    flow.writing_lost(was_reset=True)
    with pytest.raises(ConnectionError):
        await waiting
    assert flow.was_reset


async def test_a_client_that_ends_wakes_who_waits_and_nothing_can_be_written_after_it(
    transport: StandInTransport,
) -> None:
    flow = Case(transport).flow
    flow.pause_writing()
    waiting = asyncio.create_task(flow.drain())
    assert await begun(waiting)
    flow.writing_lost(was_reset=False)
    await waiting
    assert not flow.connected
    with pytest.raises(ConnectionError):
        await flow.drain()


@pytest.mark.parametrize(("held", "lost", "unsent"), [(0, False, False), (1, False, True), (1, True, False)])
def test_what_the_client_has_not_taken_is_unsent(
    transport: StandInTransport, held: int, lost: bool, unsent: bool
) -> None:
    flow = Case(transport).flow
    transport.unsent = held
    if lost:
        flow.writing_lost(was_reset=False)
    assert flow.unsent is unsent
