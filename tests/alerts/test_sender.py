"""The sender: what is lost becomes one message, written before it is sent and marked after it, whatever fails."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from statusproxy.alerts.bookkeeping import Bookkeeping
from statusproxy.alerts.channels.letter import Letter, Outcome
from statusproxy.alerts.codec import decode
from statusproxy.alerts.dispatch import Dispatch, Line
from statusproxy.alerts.sender import CLAIM, LOOK, Sender
from statusproxy.alerts.sightings import Vitals
from statusproxy.alerts.values import AlertRules, Book, DeliveryState, Message, Target, Topic
from statusproxy.observe.alert_counts import AlertCounts
from statusproxy.status.model import RELEASED, REPEATED, STARTED, Change, Release
from statusproxy.store.claims import LEASE
from statusproxy.store.holding import HoldingTiming
from tests.alerts.fakes import NOW, FakeSite, Mailbox, SharedOutbox, message, target
from tests.spool.shared_state import SharedState, SharedStore
from tests.store.still_clock import StillClock

AFTER, GROUP, QUIET = 60.0, 30.0, 5.0


def compose(message: Message, to: Target) -> Letter:
    sessions = ",".join(line.outage.session or line.outage.topic for line in message.lines)
    return Letter(message.id, b"", message.type, sessions)


class Proxy:
    """One proxy: what it sees, its book, its sender and its mailbox."""

    def __init__(self, bench: Bench, name: str, store: SharedStore | None = None) -> None:
        self.store = store
        self.site = FakeSite()
        self.box = Mailbox()
        self.books = Bookkeeping(bench.outbox)
        self.dispatch = Dispatch(compose, AlertCounts(), bench.wall)
        self.dispatch.configure({"hub": Line(target(), self.box)})
        ids = itertools.count(1)
        self.sender = Sender(
            self.site,
            self.books,
            self.dispatch,
            None if store is None else store.claims,
            bench.wall,
            lambda: f"{name}{next(ids)}",
            chance=lambda: 0.0,
            timing=HoldingTiming(clock=lambda: bench.clock.now),
        )
        self.sender.configure(AlertRules(AFTER, 3600.0, GROUP, (target(),)))

    @property
    def sent(self) -> list[tuple[str, str, str]]:
        """Each attempt: the id of the message, its type, and what it is about."""
        return [(letter.id, letter.title, letter.text) for letter in self.box.letters]

    def lose(self, *sessions: str, at: float) -> None:
        for session in sessions:
            self.site.registry.lose(session, at)
        self.sender.changed([Change(session, STARTED, "x", at, at) for session in sessions], at)

    def find(self, session: str, at: float) -> None:
        self.site.registry.find(session, at)
        self.sender.changed([Change(session, RELEASED, "x", at, at)], at)


class Bench:
    """A store, and the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = StillClock(monkeypatch)
        self.outbox = SharedOutbox()
        self.state = SharedState(lambda: self.clock.now)
        self.ahead = 0.0

    def wall(self) -> float:
        """The system's time: `NOW` at the begin."""
        return NOW + self.clock.now - 1_000.0 + self.ahead

    def set_clock(self, by: float, proxy: Proxy) -> None:
        """The system's clock is set `by` seconds forward, below 0 back; the map goes by the proxy's own."""
        self.ahead += by
        proxy.site.shift = proxy.site.registry.shift = self.ahead

    @property
    def stored(self) -> Book:
        book = decode(self.outbox.document.payload)
        assert isinstance(book, Book)
        return book

    def proxy(self, name: str = "m", *, sharing: bool = False) -> Proxy:
        return Proxy(self, name, self.state.store() if sharing else None)

    async def passes(self, seconds: float, step: float = 0.5) -> None:
        """Let so much time pass, in steps."""
        for _ in range(round(seconds / step)):
            await self.clock.move(step)


@asynccontextmanager
async def started(*proxies: Proxy) -> AsyncIterator[None]:
    for proxy in proxies:
        proxy.sender.start()
    try:
        yield
    finally:
        for proxy in proxies:
            await proxy.sender.close()


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


async def test_a_session_that_stays_lost_is_told_once_it_lasted_and_nothing_more_fell(bench: Bench) -> None:
    proxy = bench.proxy()
    async with started(proxy):
        await bench.passes(10)
        proxy.lose("sales", at=bench.wall())
        await bench.passes(AFTER + QUIET - 1)
        assert proxy.sent == []
        await bench.passes(2)
        assert proxy.sent == [("m1", "session.lost", "sales")]
        await bench.passes(120)
    assert len(proxy.sent) == 1
    (message,) = bench.stored.messages
    assert [each.state for each in message.deliveries] == [DeliveryState.SENT]


async def test_hundreds_that_fall_together_are_one_message(bench: Bench) -> None:
    proxy = bench.proxy()
    async with started(proxy):
        proxy.lose(*(f"s{number:03}" for number in range(300)), at=bench.wall())
        await bench.passes(AFTER + GROUP + QUIET)
    assert [(id_, type_, len(text.split(","))) for id_, type_, text in proxy.sent] == [("m1", "session.lost", 300)]


async def test_thousands_that_fall_together_are_decided_beside_the_event_loop(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statusproxy.alerts.sender._MANY", 1)
    proxy = bench.proxy()
    done: list[int] = []

    async def to_thread(work: Callable[[], object]) -> object:
        if not done:
            proxy.books.put(Book(messages=(message("m9"),)))  # a delivery is marked meanwhile
        done.append(1)
        return work()

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    async with started(proxy):
        proxy.lose("sales", "support", at=bench.wall())
        await bench.passes(AFTER + QUIET + 5)
    assert len(done) > 2
    assert [id_ for id_, _, _ in proxy.sent] == ["m9", "m1"]


async def test_a_flap_is_told_by_nothing(bench: Bench) -> None:
    proxy = bench.proxy()
    async with started(proxy):
        proxy.lose("sales", at=bench.wall())
        await bench.passes(AFTER - 1)
        proxy.find("sales", at=bench.wall())
        await bench.passes(200, 2.0)
    assert (proxy.sent, bench.outbox.writes) == ([], 0)


async def test_its_return_is_told_too(bench: Bench) -> None:
    proxy = bench.proxy()
    async with started(proxy):
        proxy.lose("sales", at=bench.wall())
        await bench.passes(AFTER + QUIET + 1)
        proxy.find("sales", at=bench.wall())
        await bench.passes(QUIET + 1)
    assert proxy.sent == [("m1", "session.lost", "sales"), ("m2", "session.back", "sales")]
    assert bench.stored.messages[1].lines[0].released == "connected-event"


async def test_a_condition_is_seen_without_being_told_of(bench: Bench) -> None:
    proxy = bench.proxy()
    async with started(proxy):
        await bench.passes(1)
        proxy.site.now = Vitals(store="the disk is full")
        await bench.passes(LOOK + AFTER + QUIET + 1)
        proxy.site.now = Vitals(unsure=frozenset({Topic.STORE}))
        await bench.passes(60)
        assert proxy.sent == [("m1", "store.failing", "store")]
        proxy.site.now = Vitals()
        await bench.passes(LOOK + QUIET + 1)
    assert [type_ for _, type_, _ in proxy.sent] == ["store.failing", "store.back"]


async def test_a_repeated_loss_wakes_no_one(bench: Bench) -> None:
    proxy = bench.proxy()
    async with started(proxy):
        await bench.passes(1)
        proxy.lose("sales", at=bench.wall())
        await bench.passes(1)
        looks = proxy.site.registry.looks
        proxy.sender.changed([Change("sales", REPEATED, "x", 0.0, 0.0)], 0.0)
        await bench.passes(1)
        assert proxy.site.registry.looks == looks


async def test_a_message_is_in_the_store_before_it_is_sent_and_marked_after_its_receiver_has_it(bench: Bench) -> None:
    proxy = bench.proxy()
    proxy.box.open.clear()
    async with started(proxy):
        proxy.lose("sales", at=bench.wall())
        await bench.passes(AFTER + QUIET + 1)
        assert len(proxy.sent) == 1
        (message,) = bench.stored.messages
        assert message.deliveries[0].state is DeliveryState.WAITING
        proxy.box.open.set()
        await bench.passes(1)
        (message,) = bench.stored.messages
        assert message.deliveries[0].state is DeliveryState.SENT


async def test_what_was_told_is_not_told_again_by_a_restart_and_what_was_not_sent_goes_with_the_same_id(
    bench: Bench,
) -> None:
    first = bench.proxy()
    first.box.outcome = Outcome("it answered 500")
    async with started(first):
        first.lose("sales", at=bench.wall())
        await bench.passes(AFTER + QUIET + 1)
    again = bench.proxy("again")
    again.lose("sales", at=NOW)
    async with started(again):
        await bench.passes(200, 2.0)
    assert first.sent == [("m1", "session.lost", "sales")]
    assert again.sent == [("m1", "session.lost", "sales")]


async def test_what_fails_is_tried_again_with_pauses_and_as_late_as_its_receiver_asks(bench: Bench) -> None:
    proxy = bench.proxy()
    proxy.box.outcome = Outcome("it answered 500")
    async with started(proxy):
        proxy.lose("sales", at=bench.wall())
        await bench.passes(AFTER + QUIET + 1)
        await bench.passes(5)
        assert len(proxy.sent) == 2
        proxy.box.outcome = Outcome("it answered 429", 600.0)
        await bench.passes(11)
        assert len(proxy.sent) == 3
        proxy.box.outcome = Outcome()
        await bench.passes(580, 2.0)
        assert len(proxy.sent) == 3
        await bench.passes(30, 2.0)
    assert proxy.sent == [("m1", "session.lost", "sales")] * 4


@pytest.mark.parametrize("by", [-10_800.0, 10_800.0])
async def test_after_the_clock_was_set_a_loss_is_told_in_time(bench: Bench, by: float) -> None:
    proxy = bench.proxy()
    async with started(proxy):
        proxy.lose("sales", at=bench.wall())
        await bench.passes(30)
        bench.set_clock(by, proxy)
        await bench.passes(AFTER + QUIET - 31)
        assert proxy.sent == []
        await bench.passes(2)
        assert proxy.sent == [("m1", "session.lost", "sales")]


@pytest.mark.parametrize("by", [-10_800.0, 10_800.0])
async def test_after_the_clock_was_set_a_condition_is_told_in_time(bench: Bench, by: float) -> None:
    proxy = bench.proxy()
    async with started(proxy):
        proxy.site.now = Vitals(gateway="connection refused")
        proxy.sender.wake()
        await bench.passes(30)
        bench.set_clock(by, proxy)
        await bench.passes(AFTER + QUIET - 31)
        assert proxy.sent == []
        await bench.passes(2)
        assert [type_ for _, type_, _ in proxy.sent] == ["gateway.down"]


@pytest.mark.parametrize("by", [-10_800.0, 1_800.0])
async def test_after_the_clock_was_set_a_message_that_failed_is_tried_after_its_pause(bench: Bench, by: float) -> None:
    proxy = bench.proxy()
    proxy.box.outcome = Outcome("it answered 429", 600.0)
    async with started(proxy):
        proxy.lose("sales", at=bench.wall())
        await bench.passes(AFTER + QUIET + 1)
        assert len(proxy.sent) == 1
        bench.set_clock(by, proxy)
        await bench.passes(590, 2.0)
        assert len(proxy.sent) == 1
        await bench.passes(20, 2.0)
        assert len(proxy.sent) == 2


@pytest.mark.parametrize("by", [-10_800.0, 10_800.0])
async def test_a_clock_that_is_set_repeats_no_message(bench: Bench, by: float) -> None:
    proxy = bench.proxy()
    proxy.lose("sales", at=bench.wall())
    known = proxy.site.registry.known
    known["sales"] = msgspec.structs.replace(
        known["sales"], released_at=bench.wall() - 100, released=Release.CONNECTED_EVENT
    )
    async with started(proxy):
        await bench.passes(AFTER + QUIET + 1)
        bench.set_clock(by, proxy)
        await bench.passes(300)
        assert proxy.sent == [("m1", "session.lost", "sales")]


async def test_messages_to_one_target_go_one_by_one_with_a_pause(bench: Bench) -> None:
    proxy = bench.proxy()
    async with started(proxy):
        proxy.lose("sales", at=bench.wall())
        proxy.site.now = Vitals(gateway="connection refused")
        await bench.passes(AFTER + QUIET)
        await bench.clock.move(0.5)
        assert len(proxy.sent) == 1
        await bench.clock.move(1.0)
        assert len(proxy.sent) == 1
        await bench.passes(2)
    assert sorted(type_ for _, type_, _ in proxy.sent) == ["gateway.down", "session.lost"]


async def test_while_the_store_takes_nothing_messages_go_out_and_are_written_when_it_is_back(bench: Bench) -> None:
    proxy = bench.proxy()
    bench.outbox.away = True
    async with started(proxy):
        proxy.site.now = Vitals(store="the disk is full")
        await bench.passes(AFTER + LOOK + QUIET + 1)
        assert proxy.sent == [("m1", "store.failing", "store")]
        bench.outbox.away = False
        await bench.passes(5)
        assert [message.id for message in bench.stored.messages] == ["m1"]
        await bench.passes(60)
    assert len(proxy.sent) == 1


async def test_of_two_proxies_one_sends_and_when_it_ends_the_other_goes_on_without_repeating(bench: Bench) -> None:
    one, other = bench.proxy("a", sharing=True), bench.proxy("b", sharing=True)
    async with started(other):
        async with started(one):
            await bench.passes(1)
            leader, follower = (one, other) if one.sender.leading else (other, one)
            for proxy in (one, other):
                proxy.lose("sales", at=bench.wall())
            await bench.passes(AFTER + QUIET + 1)
            assert (len(leader.sent), follower.sent) == (1, [])
            await bench.passes(LOOK)
            assert follower.books.book == leader.books.book
        await bench.passes(120, 2.0)
        assert other.sender.leading
        other.find("sales", at=bench.wall())
        one.site.registry.find("sales", bench.wall())
        await bench.passes(20)
    assert sorted(type_ for _, type_, _ in one.sent + other.sent) == ["session.back", "session.lost"]


async def test_when_the_holder_has_died_another_sends_what_it_had_written(bench: Bench) -> None:
    one, other = bench.proxy("a", sharing=True), bench.proxy("b", sharing=True)
    async with started(one):
        await bench.passes(1)
        assert one.sender.leading
        async with started(other):
            await bench.passes(1)
            one.lose("sales", at=bench.wall())
            other.lose("sales", at=bench.wall())
            one.box.open.clear()  # the attempt hangs …
            await bench.passes(AFTER + QUIET + 1)
            assert (len(one.sent), other.sent) == (1, [])
            assert one.store is not None
            one.store.fail("it hangs")  # … and so does all of the proxy
            one.sender.close = _nothing  # type: ignore[method-assign]
            await bench.passes(LEASE + 5)
            assert other.sent == one.sent == [("a1", "session.lost", "sales")]


async def test_the_last_holder_goes_on_while_the_server_of_the_state_is_away_and_others_stay_silent(
    bench: Bench,
) -> None:
    one, other = bench.proxy("a", sharing=True), bench.proxy("b", sharing=True)
    async with started(one):
        await bench.passes(1)
        async with started(other):
            await bench.passes(1)
            bench.outbox.away = True
            for proxy in (one, other):
                assert proxy.store is not None
                proxy.store.fail("the server is away")
                proxy.site.now = Vitals(store="the server is away")
            await bench.passes(LEASE + AFTER + LOOK + QUIET)
            assert (one.sent, other.sent) == ([("a1", "store.failing", "store")], [])
            bench.outbox.away = False
            for proxy in (one, other):
                assert proxy.store is not None
                proxy.store.heal()
                proxy.site.now = Vitals()
            await bench.passes(40)
    assert sorted(type_ for _, type_, _ in one.sent + other.sent) == ["store.back", "store.failing"]


async def test_a_server_that_is_away_from_the_start_silences_no_one(bench: Bench) -> None:
    proxy = bench.proxy("a", sharing=True)
    assert proxy.store is not None
    proxy.store.fail("the server is away")
    proxy.site.now = Vitals(store="the server is away")
    async with started(proxy):
        await bench.passes(AFTER + LOOK + QUIET)
        assert proxy.sent == [("a1", "store.failing", "store")]


async def test_another_proxys_book_is_united_with_ours_and_looked_at_at_once(bench: Bench) -> None:
    proxy, other = bench.proxy("a"), bench.proxy("b")
    async with started(proxy):
        proxy.lose("sales", at=bench.wall())
        await bench.passes(10)
        other.lose("support", at=bench.wall())
        async with started(other):
            await bench.passes(AFTER + QUIET + 20)
    assert {message.id for message in bench.stored.messages} >= {"a1", "b1"}


async def test_a_target_that_is_gone_gets_nothing(bench: Bench) -> None:
    proxy = bench.proxy()
    proxy.dispatch.configure({})
    async with started(proxy):
        proxy.lose("sales", at=bench.wall())
        await bench.passes(AFTER + QUIET + 20)
        assert proxy.sent == []


async def test_a_defect_of_a_look_is_logged_and_the_next_look_comes(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    proxy = bench.proxy()
    vitals: Callable[[], Vitals] = proxy.site.vitals

    def broken() -> Vitals:
        raise RuntimeError("a defect")

    proxy.site.vitals = broken  # type: ignore[method-assign]
    async with started(proxy):
        await bench.passes(1)
        assert "a check failed inside the proxy" in caplog.text
        proxy.site.vitals = vitals  # type: ignore[method-assign]
        proxy.lose("sales", at=bench.wall())
        await bench.passes(AFTER + QUIET + 6)
        assert len(proxy.sent) == 1


async def test_closing_lets_a_message_under_way_arrive_and_marks_it(bench: Bench) -> None:
    proxy = bench.proxy()
    proxy.box.open.clear()
    async with started(proxy):
        proxy.lose("sales", at=bench.wall())
        await bench.passes(AFTER + QUIET + 1)
        proxy.box.open.set()
    (message,) = bench.stored.messages
    assert message.deliveries[0].state is DeliveryState.SENT


async def test_closing_does_not_wait_for_long_and_loses_nothing(bench: Bench) -> None:
    proxy = bench.proxy()
    proxy.box.open.clear()
    proxy.sender.start()
    proxy.lose("sales", at=bench.wall())
    await bench.passes(AFTER + QUIET + 1)
    await _closed(bench, proxy)
    (message,) = bench.stored.messages
    assert message.deliveries[0].state is DeliveryState.WAITING


async def test_closing_does_not_wait_for_a_store_that_hangs(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    proxy = bench.proxy()
    proxy.sender.start()
    bench.outbox.away = True
    proxy.lose("sales", at=bench.wall())
    await bench.passes(AFTER + QUIET + 1)

    async def hangs(*_: object) -> None:
        await bench.clock.move(0)
        await _forever()

    bench.outbox.read = hangs  # type: ignore[assignment, method-assign]
    bench.outbox.away = False
    await _closed(bench, proxy)
    assert "they may be sent again after the start" in caplog.text


async def test_one_that_never_started_is_closed_without_ado(bench: Bench) -> None:
    proxy = bench.proxy("a", sharing=True)
    await proxy.sender.close()
    assert not bench.state.claims


async def test_its_claim_is_given_up_at_the_end(bench: Bench) -> None:
    proxy = bench.proxy("a", sharing=True)
    async with started(proxy):
        await bench.passes(1)
        assert list(bench.state.claims) == [CLAIM]
    assert not bench.state.claims


async def _closed(bench: Bench, proxy: Proxy) -> None:
    closing = asyncio.create_task(proxy.sender.close())
    while not closing.done():
        await bench.clock.move(1.0)
    await closing


async def _nothing() -> None:
    pass


async def _forever() -> Awaitable[None]:
    return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]
