"""The delivery: what begins when, what is under way, and that each event arrives in its order or is accounted for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from statusproxy.clock import OwnClock
from statusproxy.proxy.ports import Attempt, NotKeptError
from statusproxy.spool.delivery import PARALLEL, Delivery
from statusproxy.spool.schedule import SpoolRules
from statusproxy.spool.spool import Spool
from statusproxy.store.claims import LEASE
from statusproxy.store.holding import HoldingTiming
from statusproxy.store.spooled import Content, Entry, EntryState
from tests.proxy.loop_clock import LoopClock
from tests.spool.entries import entry
from tests.spool.fakes import (
    FAILED,
    NO_ANSWER,
    NOT_SENT,
    QUEUED,
    TAKEN,
    Clock,
    Counts,
    FakeStore,
    parcel,
    refused,
)
from tests.spool.shared_state import SharedState, SharedStore
from tests.store.still_clock import StillClock


class Try:
    """An attempt that is under way."""

    def __init__(self, sent: Entry, content: Content, age: int) -> None:
        self.id, self.content, self.age = sent.id, content, age
        self.attempt: asyncio.Future[Attempt] = asyncio.get_running_loop().create_future()

    def end(self, attempt: Attempt) -> None:
        self.attempt.set_result(attempt)


class Bench:
    """A delivery with a receiver that answers as the test says."""

    def __init__(self, entries: tuple[Entry, ...], own: OwnClock | None = None, **rules: Any) -> None:
        self.store, self.clock, self.counts = FakeStore(), Clock(), Counts()
        for each in entries:
            self.store.rows[each.id] = each, Content(b"head", b"body")
        own = own or self.clock.own
        self.spool = Spool(self.store, own, SpoolRules(**rules), self.counts, chance=lambda: 0.5)
        self.tries: asyncio.Queue[Try] = asyncio.Queue()
        self.delivery = Delivery(self.spool, own, self.send)

    async def send(self, sent: Entry, content: Content, age: int, may_go: Callable[[], bool]) -> Attempt:
        if not may_go():
            return QUEUED
        begun = Try(sent, content, age)
        self.tries.put_nowait(begun)
        return await begun.attempt

    async def begun(self) -> Try:
        """The next attempt that begins."""
        return await self.tries.get()

    async def settled(self) -> None:
        """All that can happen now has happened."""
        for _ in range(50):
            await asyncio.sleep(0)

    async def passes(self, seconds: float, loop_clock: LoopClock) -> None:
        """Time passes, also on the loop's clock: nothing but that wakes the delivery."""
        await self.settled()
        self.clock.wait(seconds)
        await loop_clock.move(seconds)
        await self.settled()

    async def wait(self, seconds: float) -> None:
        """Once all that can happen now has happened time passes, and the delivery sees it."""
        await self.settled()
        self.clock.wait(seconds)
        self.spool.changed.set()
        await self.settled()


@asynccontextmanager
async def bench(*entries: Entry, **rules: Any) -> AsyncIterator[Bench]:
    made = Bench(entries, **rules)
    made.delivery.start()
    try:
        yield made
    finally:
        await made.delivery.close()


async def test_an_event_is_sent_with_what_it_came_with_and_its_age_and_removed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with bench(entry(1)) as it:
        begun = await it.begun()
        assert (begun.id, begun.content, begun.age) == ("000001", Content(b"head", b"body"), 999)
        assert it.delivery.under_way == 1
        begun.end(TAKEN)
        await it.settled()
        assert (it.store.rows, it.counts.all, it.delivery.under_way) == ({}, {"delivered": 1}, 0)
        assert it.store.released == [begun.content]
    assert caplog.messages == []


async def test_a_session_goes_one_by_one_and_sessions_go_side_by_side() -> None:
    async with bench(entry(1, queue="a"), entry(2, queue="a"), entry(3, queue="b")) as it:
        first, other = await it.begun(), await it.begun()
        await it.settled()
        assert (first.id, other.id, it.tries.empty()) == ("000001", "000003", True)
        first.end(TAKEN)
        assert (await it.begun()).id == "000002"


async def test_eight_are_under_way_to_a_receiver_and_each_that_ends_leaves_its_place_to_the_next() -> None:
    many = [entry(number, queue=str(number)) for number in range(1, 31)]
    async with bench(*many, entry(99, receiver="hub")) as it:
        begun = [await it.begun() for _ in range(8 + 1)]
        await it.settled()
        assert (it.tries.empty(), {each.id for each in begun} >= {"000001", "000099"}) == (True, True)
        begun = [each for each in begun if each.id != "000099"]
        for number in range(8 + 1, 31):
            begun.pop(0).end(TAKEN)
            await it.settled()
            assert it.tries.qsize() == 1
            begun.append(it.tries.get_nowait())
            assert begun[-1].id == f"{number:06}"


async def test_what_is_kept_later_goes_at_once() -> None:
    async with bench() as it:
        await it.settled()
        id_ = await it.spool.keep(parcel(), QUEUED)
        begun = await it.begun()
        assert (begun.id, begun.age) == (id_, 0)


async def test_what_is_refused_is_sent_again_when_its_pause_is_over() -> None:
    async with bench(entry(1)) as it:
        (await it.begun()).end(refused(500))
        await it.wait(0.9)
        assert it.tries.empty()
        await it.wait(0.2)
        (await it.begun()).end(TAKEN)
        await it.settled()
        assert it.store.rows == {}


async def test_it_looks_at_the_clock_itself() -> None:
    made = Bench((entry(1),), OwnClock(), schedule=(0.001,))
    made.delivery.start()
    (await made.begun()).end(refused(500))
    (await made.begun()).end(refused(500))
    assert (await made.begun()).id == "000001"
    await made.delivery.close()


async def test_one_probe_goes_to_a_receiver_that_is_away_and_all_when_it_is_back() -> None:
    async with bench(entry(1, queue="a"), entry(2, queue="b"), entry(3, queue="c")) as it:
        for begun in [await it.begun() for _ in range(3)]:
            begun.end(NOT_SENT)
        await it.wait(0.9)
        assert it.tries.empty()
        await it.wait(0.2)
        probe = await it.begun()
        await it.settled()
        assert (probe.id, it.tries.empty()) == ("000001", True)
        probe.end(TAKEN)
        assert {(await it.begun()).id, (await it.begun()).id} == {"000002", "000003"}


class Looks:
    """Counts how often the task looks what may go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._real = Spool.drop_old
        monkeypatch.setattr(Spool, "drop_old", self._method())

    def _method(self) -> Callable[[Spool], Awaitable[None]]:
        async def drop_old(spool: Spool) -> None:
            self.count += 1
            await self._real(spool)

        return drop_old

    async def are_over(self, it: Bench) -> bool:
        """Whether the task sleeps."""
        await it.settled()
        before = self.count
        await it.settled()
        return self.count == before and it.tries.empty()


@pytest.mark.parametrize("waiting", [0, PARALLEL, PARALLEL + 1])
async def test_the_task_sleeps_while_as_many_are_under_way_as_may_be(
    waiting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(monkeypatch)
    async with bench(*[entry(number, queue=str(number)) for number in range(1, waiting + 1)]) as it:
        for _ in range(min(waiting, PARALLEL)):
            await it.begun()
        assert await looks.are_over(it)
        assert looks.count


async def test_the_task_sleeps_while_nothing_can_go(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch)
    poison = entry(5, queue="p", status=429, next_at=9999.0)
    async with bench(*[entry(number, queue=str(number)) for number in range(1, 3)], poison) as it:
        for begun in [await it.begun() for _ in range(2)]:
            begun.end(NOT_SENT)
        await it.settled()
        await it.wait(1.1)
        (await it.begun()).end(FAILED)
        assert await looks.are_over(it)


#: Seconds between two readings of a clock that stands still (`OwnClock.now`).
A_READING = 1e-6

#: How many times the task may read the clock in one turn, and more: a moment may come between any two readings.
READINGS = range(12)


@pytest.mark.parametrize("left", READINGS)
async def test_a_probe_that_falls_due_while_the_task_looks_goes_then(loop_clock: LoopClock, left: int) -> None:
    """Not a minute later: the task then plans by the event's own pause, which is far longer."""
    loop_clock.stand_still()
    async with bench(entry(1, status=503, next_at=5000.0)) as it:
        await it.settled()
        it.spool.attempted("gateway", "other", NOT_SENT)
        await it.settled()
        at = it.spool.next_at("gateway")
        assert at is not None
        await it.wait(at - it.clock.wall - left * A_READING)
        await it.passes(0.1, loop_clock)
        assert it.tries.qsize() == 1


async def test_what_is_due_in_a_part_of_a_second_goes_then(loop_clock: LoopClock) -> None:
    loop_clock.stand_still()
    async with bench(entry(1, next_at=1000.25)) as it:
        await it.passes(0.2, loop_clock)
        assert it.tries.empty()
        await it.passes(0.1, loop_clock)
        assert it.tries.qsize() == 1


async def test_what_is_too_old_is_dropped_within_a_minute_though_nothing_else_happens(loop_clock: LoopClock) -> None:
    loop_clock.stand_still()
    async with bench(max_age=30.0) as it:
        await it.settled()
        await it.spool.keep(parcel(), refused(429, 3_600.0))
        await it.passes(59.9, loop_clock)
        assert it.counts.all["dropped age"] == 0
        await it.passes(0.2, loop_clock)
        assert it.counts.all["dropped age"] == 1


async def test_what_is_too_old_is_dropped_without_an_attempt() -> None:
    async with bench(max_age=60.0) as it:
        await it.settled()
        for session in ("a", "b", "c"):
            it.spool.attempted("gateway", session, refused(503))
        await it.spool.keep(parcel(), QUEUED)
        await it.wait(61.0)
        assert (it.store.rows, it.tries.empty(), it.counts.all["dropped age"]) == ({}, True, 1)


async def test_an_event_whose_content_is_gone_is_dropped() -> None:
    made = Bench((entry(1), entry(2)))
    await made.spool.open()
    del made.store.rows["000001"]
    made.delivery.start()
    assert (await made.begun()).id == "000002"
    assert made.counts.all == {"dropped lost": 1}
    await made.delivery.close()


async def test_an_event_that_cannot_be_read_now_is_sent_later(caplog: pytest.LogCaptureFixture) -> None:
    made = Bench((entry(1),))
    await made.spool.open()
    made.store.unreadable = "the disk is away"
    made.delivery.start()
    await made.settled()
    made.store.unreadable = None
    await made.settled()
    assert made.tries.empty()
    await made.wait(1.1)
    assert (await made.begun()).id == "000001"
    assert caplog.messages == ["spool: event 000001 cannot be read now: the disk is away"]
    await made.delivery.close()


async def test_a_fault_of_the_sending_is_logged_and_the_event_is_sent_later(caplog: pytest.LogCaptureFixture) -> None:
    async with bench(entry(1)) as it:
        (await it.begun()).attempt.set_exception(RuntimeError("a fault"))
        await it.settled()
        assert it.tries.empty()
        await it.wait(1.1)
        assert (await it.begun()).id == "000001"
    assert caplog.messages == ["spool: event 000001 could not be sent"]


async def test_a_fault_of_the_spool_ends_neither_the_task_nor_the_turn_of_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, loop_clock: LoopClock
) -> None:
    loop_clock.stand_still()
    faults = ["one", "two"]
    real = Spool.drop_old

    async def faulty(spool: Spool) -> None:
        if faults:
            raise RuntimeError(faults.pop())
        await real(spool)

    monkeypatch.setattr(Spool, "drop_old", faulty)
    async with bench(entry(1)) as it:
        for seconds, left in ((4.9, 1), (0.2, 0), (4.9, 0)):
            await it.passes(seconds, loop_clock)
            assert (len(faults), it.tries.empty()) == (left, True)
        await it.passes(0.2, loop_clock)
        begun = await it.begun()
        monkeypatch.setattr(it.counts, "delivered", lambda: 1 / 0)
        begun.end(TAKEN)
        await it.settled()
        monkeypatch.undo()
        assert (await it.begun()).id == "000001"
    assert caplog.text.count("the delivery failed inside the proxy") == 3


async def test_a_store_that_is_away_at_the_start_is_read_within_seconds_when_it_is_back(loop_clock: LoopClock) -> None:
    loop_clock.stand_still()
    made = Bench((entry(1),))
    made.store.unreadable = "no such disk"
    made.delivery.start()
    await made.settled()
    made.store.unreadable = None
    await made.passes(4.9, loop_clock)
    assert made.tries.empty()
    await made.passes(0.2, loop_clock)
    assert (await made.begun()).id == "000001"
    await made.delivery.close()


async def test_at_the_end_nothing_begins_and_what_is_under_way_may_finish() -> None:
    async with bench(entry(1), entry(2)) as it:
        begun = await it.begun()
        it.delivery.finish()
        begun.end(TAKEN)
        await it.settled()
        assert (list(it.store.rows), it.delivery.under_way, it.tries.empty()) == (["000002"], 0, True)


async def test_what_is_given_up_at_the_end_stays_as_it_was_and_is_sent_at_the_next_start() -> None:
    made = Bench((entry(1),))
    made.delivery.start()
    begun = await made.begun()
    await made.delivery.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert (begun.attempt.cancelled(), made.store.rows["000001"][0], made.delivery.under_way) == (True, entry(1), 0)
    async with bench(*[row for row, _ in made.store.rows.values()]) as it:
        assert (await it.begun()).id == "000001"


async def test_a_delivery_with_nothing_to_do_has_ended_once_it_is_closed() -> None:
    made = Bench(())
    made.delivery.start()
    await made.settled()
    await made.delivery.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_session_waits_a_second_at_most_once_the_disk_works_again(loop_clock: LoopClock) -> None:
    loop_clock.stand_still()
    async with bench(entry(1), entry(2)) as it:
        it.store.fail()
        (await it.begun()).end(TAKEN)
        await it.settled()
        assert it.tries.empty()
        it.store.heal()
        await it.passes(0.9, loop_clock)
        assert it.tries.empty()
        await it.passes(0.2, loop_clock)
        assert (await it.begun()).id == "000002"


async def test_a_delivery_that_never_began_can_be_ended() -> None:
    made = Bench(())
    made.delivery.finish()
    await made.delivery.close()


# ---- with other proxies ----


class One(Bench):
    """One of several proxies with a state in common."""

    def __init__(self, state: SharedState, still: StillClock, clock: Clock, **rules: Any) -> None:
        self.store: SharedStore = state.store()
        self.clock, self.counts = clock, Counts()
        self.spool = Spool(self.store, clock.own, SpoolRules(**rules), self.counts, chance=lambda: 0.5)
        self.tries = asyncio.Queue()
        timing = HoldingTiming(clock=lambda: still.now)
        self.delivery = Delivery(self.spool, clock.own, self.send, self.store.claims, timing)

    def count_looks(self, monkeypatch: pytest.MonkeyPatch) -> list[None]:
        """One for each time that the task looks at what there is to do, from now on."""
        looks: list[None] = []
        drop_old = self.spool.drop_old

        async def look() -> None:
            looks.append(None)
            await drop_old()

        monkeypatch.setattr(self.spool, "drop_old", look)
        return looks


class Several:
    """Two proxies, whose clocks go as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **rules: Any) -> None:
        self.still, self.clock = StillClock(monkeypatch), Clock()
        self.state = SharedState(lambda: self.still.now)
        self.one, self.other = (One(self.state, self.still, self.clock, **rules) for _ in range(2))

    async def wait(self, seconds: float = 0.0) -> None:
        """All that can happen now has happened, and all know of it; then time passes."""
        for _ in range(3):
            await self.still.move()
            self.one.store.hear()
            self.other.store.hear()
        self.clock.wait(seconds)
        await self.still.move(seconds)


@asynccontextmanager
async def several(monkeypatch: pytest.MonkeyPatch, **rules: Any) -> AsyncIterator[Several]:
    made = Several(monkeypatch, **rules)
    for each in (made.one, made.other):
        each.delivery.start()
        await made.wait()
    try:
        yield made
    finally:
        await made.one.delivery.close()
        await made.other.delivery.close()


async def test_one_proxy_at_a_time_delivers_to_a_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    async with several(monkeypatch) as it:
        first = await it.one.spool.keep(parcel("a"), QUEUED)
        await it.wait()
        second = await it.other.spool.keep(parcel("b"), QUEUED)
        third = await it.other.spool.keep(parcel("hub", receiver="hub"), QUEUED)
        await it.wait()
        assert [it.one.tries.get_nowait().id, it.one.tries.get_nowait().id] == [first, second]
        assert (it.other.tries.get_nowait().id, it.one.tries.qsize(), it.other.tries.qsize()) == (third, 0, 0)


async def test_what_is_kept_by_another_while_its_session_waits_goes_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async with several(monkeypatch) as it:
        ids = [await it.one.spool.keep(parcel(), QUEUED)]
        await it.wait()
        ids.append(await it.other.spool.keep(parcel(), QUEUED))
        await it.wait()
        for id_ in ids:
            begun = it.one.tries.get_nowait()
            assert (begun.id, it.one.tries.qsize(), it.other.tries.qsize()) == (id_, 0, 0)
            begun.end(TAKEN)
            await it.wait()
        await it.wait()
        assert it.state.claims == {}  # nothing waits any more
        assert [each.spool.control.totals.entries for each in (it.one, it.other)] == [0, 0]


async def test_a_proxy_that_finds_the_receiver_away_leaves_it_to_another_until_its_next_probe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with several(monkeypatch) as it:
        id_ = await it.one.spool.keep(parcel(), QUEUED)
        await it.wait()
        it.one.tries.get_nowait().end(NOT_SENT)
        await it.wait()
        begun = it.other.tries.get_nowait()
        assert begun.id == id_
        begun.end(NOT_SENT)
        await it.wait()
        assert (it.one.tries.empty(), it.other.tries.empty(), it.state.claims) == (True, True, {})
        await it.wait(1.5)
        await it.wait()
        assert it.one.tries.qsize() + it.other.tries.qsize() == 1


@pytest.mark.parametrize("left", READINGS)
async def test_a_receiver_whose_probe_falls_due_while_the_task_looks_is_claimed_then(
    monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    """Not a minute later: the task then takes it for one that another proxy holds."""
    async with several(monkeypatch) as it:
        it.other.delivery.finish()
        await it.one.spool.keep(parcel(), NOT_SENT)
        await it.wait()
        at = it.one.spool.next_at("gateway")
        assert at is not None
        it.clock.wait(at - it.clock.wall - left * A_READING)
        it.one.spool.changed.set()
        await it.wait(0.1)
        assert it.one.tries.qsize() == 1


async def test_what_is_under_way_ends_before_a_receiver_is_left_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    async with several(monkeypatch) as it:
        for session in ("a", "b"):
            await it.one.spool.keep(parcel(session), QUEUED)
        await it.wait()
        first, second = it.one.tries.get_nowait(), it.one.tries.get_nowait()
        first.end(NOT_SENT)
        await it.wait()
        assert (it.other.tries.empty(), list(it.state.claims)) == (True, ["spool:gateway"])
        second.end(NO_ANSWER)
        await it.wait()
        assert it.other.tries.qsize() == 2


async def test_a_proxy_that_stops_finishes_what_is_under_way_and_another_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with several(monkeypatch) as it:
        ids = [await it.one.spool.keep(parcel(), QUEUED) for _ in range(2)]
        await it.wait()
        begun = it.one.tries.get_nowait()
        it.one.delivery.finish()
        await it.wait()
        assert it.other.tries.empty()
        begun.end(TAKEN)
        await it.wait()
        assert (it.one.tries.empty(), it.other.tries.get_nowait().id) == (True, ids[1])


async def test_a_proxy_that_stops_while_nothing_is_under_way_leaves_its_receivers_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with several(monkeypatch, schedule=(600.0,)) as it:
        await it.one.spool.keep(parcel(), QUEUED)
        await it.wait()
        it.one.tries.get_nowait().end(refused(500))
        await it.wait()
        it.one.delivery.finish()
        await it.wait()
        assert [holder for holder, _ in it.state.claims.values()] == [it.other.store]


async def test_a_proxy_at_whose_end_an_attempt_is_given_up_leaves_it_to_another_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with several(monkeypatch) as it:
        id_ = await it.one.spool.keep(parcel(), QUEUED)
        await it.wait()
        assert it.one.tries.qsize() == 1
        await it.one.delivery.close()
        await it.wait()
        assert it.other.tries.get_nowait().id == id_


async def test_a_proxy_that_died_leaves_its_receivers_when_its_claim_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async with several(monkeypatch) as it:
        id_ = await it.one.spool.keep(parcel(), QUEUED)
        await it.wait()
        it.one.store.fail()
        await it.wait(LEASE - 0.5)
        assert it.other.tries.empty()
        await it.wait(3.0)
        await it.wait()
        assert it.other.tries.get_nowait().id == id_


async def test_nothing_is_sent_when_the_claim_ends_before_the_first_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    async with several(monkeypatch) as it:
        reading = asyncio.Event()
        content = it.one.store.content

        async def slow(id_: str) -> Content | None:
            await reading.wait()
            return await content(id_)

        monkeypatch.setattr(it.one.store, "content", slow)
        await it.one.spool.keep(parcel(), QUEUED)
        await it.wait()
        it.one.store.claims.claim = it.other.store.claims.claim  # type: ignore[method-assign] # it is not renewed
        await it.wait(LEASE - 0.5)
        reading.set()
        await it.wait()
        assert (it.one.tries.empty(), it.one.store.released != []) == (True, True)


async def test_a_proxy_that_cannot_send_itself_lets_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    async with several(monkeypatch) as it:
        id_ = await it.one.spool.keep(parcel(), QUEUED)
        await it.wait()
        it.one.tries.get_nowait().end(FAILED)
        await it.wait(1.1)
        await it.wait()
        assert (it.one.tries.empty(), it.other.tries.get_nowait().id) == (True, id_)


async def test_while_a_receiver_is_left_to_others_nothing_more_begins_and_the_task_sleeps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with several(monkeypatch) as it:
        for session in ("a", "b"):
            await it.one.spool.keep(parcel(session), QUEUED)
        await it.wait()
        failing, _ = it.one.tries.get_nowait(), it.one.tries.get_nowait()
        failing.end(FAILED)
        await it.wait()
        third = await it.one.spool.keep(parcel("c"), QUEUED)
        looks = it.one.count_looks(monkeypatch)
        await it.wait()
        assert (it.one.tries.empty(), it.other.tries.empty(), len(looks) <= 2) == (True, True, True)
        await it.wait(3.1)
        await it.wait()
        assert third in {it.one.tries.get_nowait().id for _ in range(it.one.tries.qsize())}


async def test_an_event_that_no_proxy_can_send_is_tried_again_by_all_until_it_is_too_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with several(monkeypatch, schedule=(1.0,), max_age=60.0) as it:
        await it.one.spool.keep(parcel(receiver="hub"), QUEUED)
        tried = {it.one: 0, it.other: 0}
        for _ in range(40):
            await it.wait(2.0)
            for each in tried:
                while not each.tries.empty():
                    tried[each] += 1
                    each.tries.get_nowait().end(FAILED)
        assert all(tried.values())
        assert it.state.rows == {}
        assert it.one.counts.all["dropped age"] + it.other.counts.all["dropped age"] == 1


async def test_a_proxy_that_does_not_hold_a_receiver_sleeps_while_events_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async with several(monkeypatch) as it:
        await it.one.spool.keep(parcel(), QUEUED)
        await it.wait()
        looks = it.other.count_looks(monkeypatch)
        for _ in range(10):
            await it.wait(2.0)
        assert len(looks) <= 1


ATTEMPTS = st.sampled_from([TAKEN, TAKEN, TAKEN, NOT_SENT, NO_ANSWER, refused(503), refused(404), refused(429, 9.0)])
SESSIONS = ("a", "b", None)


class Deliveries(RuleBasedStateMachine):
    """Arrivals, outcomes, crashes and operators in any order: no event that was answered 202 goes missing."""

    @initialize(rules=st.builds(SpoolRules, resend=st.booleans(), schedule=st.just((1.0, 5.0))))
    def begin(self, rules: SpoolRules) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock, self.store, self.spool_rules = Clock(), FakeStore(), rules
        self.kept: dict[str, str | None] = {}  # in the order of their answers
        self.sent: set[str] = set()
        self.gone: set[str] = set()  # dropped and counted
        self.aside: set[str] = set()  # once unknown or dead, or not removed on disk: out of the order
        self.counts = Counts()
        self.start()

    def start(self) -> None:
        self.clock.restart()
        self.under_way: list[Entry] = []
        self.spool = Spool(self.store, self.clock.own, self.spool_rules, self.counts, chance=lambda: 0.5)
        assert self.run(self.spool.open)

    def run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return self.loop.run_until_complete(call(*arguments))

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        self.heal()
        for _ in range(200):
            while (taken := self.spool.take("gateway")) is not None:
                self.under_way.append(taken)
            while self.under_way:
                self.end(0, TAKEN)
            if not self.spool.control.totals.waiting:
                break
            self.clock.wait(31.0)
        assert self.spool.control.totals.waiting == 0
        self.all_accounted_for()
        self.loop.close()

    @rule(session=st.sampled_from(SESSIONS), direct=ATTEMPTS)
    def arrive(self, session: str | None, direct: Attempt) -> None:
        attempt = QUEUED
        if self.spool.quiet("gateway") or self.spool.admit("gateway", session):
            attempt = direct
            if attempt is TAKEN or attempt.status == 404:
                self.spool.attempted("gateway", session, attempt)
                return
        try:
            id_ = self.run(self.spool.keep, parcel(session), attempt)
        except NotKeptError:
            return
        self.kept[id_] = session

    @rule()
    def take(self) -> None:
        taken = self.spool.take("gateway")
        if taken is not None:
            self.under_way.append(taken)

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 9), attempt=st.one_of(ATTEMPTS, st.sampled_from([QUEUED, FAILED])))
    def end(self, which: int, attempt: Attempt) -> None:
        taken = self.under_way.pop(which % len(self.under_way))
        if attempt.status is not None or attempt is NO_ANSWER:
            self.check_order(taken)
        if attempt is TAKEN:
            self.sent.add(taken.id)
            if not self.store.healthy:
                self.aside.add(taken.id)
        self.run(self.spool.tried, taken, attempt)

    def check_order(self, taken: Entry) -> None:
        """All that came earlier in its session was sent, dropped or set aside."""
        earlier = {
            id_ for id_, session in self.kept.items()
            if session == taken.session and id_ < taken.id and taken.id not in self.aside
        }  # fmt: skip
        assert earlier <= self.sent | self.gone | self.aside

    @rule(seconds=st.sampled_from([0.5, 2.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.clock.wait(seconds)
        self.run(self.spool.drop_old)

    @rule()
    def set_the_clock_back(self) -> None:
        self.clock.wall -= 7.0

    @rule()
    def crash(self) -> None:
        self.store.late.clear()
        self.store.healthy, self.store.error = True, None
        self.start()

    @rule()
    def fail(self) -> None:
        self.store.fail()

    @rule()
    def heal(self) -> None:
        self.store.heal()

    @rule(which=st.integers(0, 9), drop=st.booleans())
    @precondition(lambda self: self.store.healthy)
    def operate(self, which: int, drop: bool) -> None:
        ids = sorted(each.id for each in self.spool.control.entries())
        if not ids:
            return
        id_ = ids[which % len(ids)]
        self.run(self.spool.control.drop if drop else self.spool.control.replay, [id_])
        if drop:
            self.gone.add(id_)

    @invariant()
    def all_accounted_for(self) -> None:
        if not hasattr(self, "spool"):
            return
        there = {each.id for each in self.spool.control.entries()}
        self.aside |= {each.id for each in self.spool.control.entries() if each.state is not EntryState.WAITING}
        assert set(self.kept) <= there | self.sent | self.gone
        assert there <= set(self.kept)
        assert len(self.gone) == self.counts.all["dropped operator"]
        assert self.counts.all["dropped age"] == self.counts.all["dropped lost"] == 0

    @invariant()
    def what_is_on_disk_is_what_is_known(self) -> None:
        if hasattr(self, "spool") and self.store.healthy:
            assert sorted(self.store.rows) == sorted(each.id for each in self.spool.control.entries())


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(stateful_step_count=40)


async def test_a_session_held_by_a_store_that_fails_goes_on_soon_after_that_is_well() -> None:
    async with bench(entry(1), entry(2), entry(3, queue="support", session="support")) as it:
        first, other = await it.begun(), await it.begun()
        it.store.fail()
        first.end(TAKEN)
        other.end(TAKEN)
        await it.settled()
        assert it.tries.empty()
        it.store.healthy, it.store.error = True, None
        assert (await it.begun()).id == "000002"  # without a word from anybody, after a second
