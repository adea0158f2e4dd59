"""What leaves the spool undelivered: too old, unreadable, or lost by the server; each is counted and told once."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from statusproxy.spool.dropping import Dropping
from statusproxy.spool.order import Order
from statusproxy.spool.writing import Writing
from statusproxy.store.claims import LEASE
from statusproxy.store.spooled import Removed
from tests.spool.entries import entry
from tests.spool.fakes import Clock, Counts, FakeStore
from tests.spool.shared_state import SharedState
from tests.store.still_clock import StillClock

HOUR = 3600.0


class Bench:
    """Entries, and what drops them."""

    def __init__(self, store: FakeStore | None = None, *numbers: int) -> None:
        self.store, self.clock, self.counts, self.order = store or FakeStore(), Clock(10_000.0), Counts(), Order()
        for number in numbers:
            self.order.put(entry(number))
        writing = Writing(self.store, self.order.put_back)
        self.dropping = Dropping(self.order, self.store, self.clock.own, writing, self.counts)

    @property
    def left(self) -> list[str]:
        return sorted(each.id for each in self.order.entries())


async def test_what_is_too_old_is_dropped_counted_and_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    it = Bench(None, *range(1, 1103))
    assert await it.dropping.too_old(10_000.0 - 1101.5, 0.0)
    assert (it.left, it.counts.all) == (["001102"], {"dropped age": 1101})
    assert [len(ops) for ops in it.store.saves] == [100] * 11 + [1]
    assert caplog.messages == [
        "spool: 1101 events are older than max_age and were dropped; the first came for session sales"
    ]


async def test_while_a_store_refuses_others_have_their_turn_between_drops() -> None:
    it = Bench(None, *range(1, 1102))
    it.store.fail()
    dropping = asyncio.ensure_future(it.dropping.too_old(60.0, 0.0))
    left = [len(it.left)]
    while left[-1]:
        await asyncio.sleep(0)
        left.append(len(it.left))
    await dropping
    assert max(before - after for before, after in pairwise(left)) == 100


async def test_where_nothing_is_too_old_nothing_happens(caplog: pytest.LogCaptureFixture) -> None:
    it = Bench(None, 1)
    assert not await it.dropping.too_old(10_000.0, 0.0)
    assert (it.left, it.counts.all, it.store.saves, caplog.messages) == (["000001"], {}, [], [])


async def test_in_the_first_hour_those_of_an_earlier_process_stay() -> None:
    it = Bench(None, 1, 5)
    assert not await it.dropping.too_old(60.0, 10_000.0 - HOUR + 1.0)
    assert await it.dropping.too_old(60.0, 10_000.0 - HOUR - 1.0)
    assert it.left == []


async def test_of_several_proxies_one_drops_what_is_too_old_until_its_claim_ends() -> None:
    state = SharedState()
    one, two = (Bench(state.store(), 1) for _ in range(2))
    assert await one.dropping.too_old(60.0, 0.0)
    assert not await two.dropping.too_old(60.0, 0.0)
    assert (one.left, two.left, two.counts.all) == ([], ["000001"], {})
    state.now = lambda: LEASE + 1.0
    assert await two.dropping.too_old(60.0, 0.0)


async def test_a_proxy_whose_claim_ends_meanwhile_drops_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    state = SharedState()
    one, two = Bench(state.store(), *range(1, 1103)), Bench(state.store(), 1)
    save = one.store.save

    async def slowly(*written: Any) -> None:
        await save(*written)
        state.now = lambda: LEASE + 1.0
        assert await two.dropping.too_old(60.0, 0.0)

    monkeypatch.setattr(one.store, "save", slowly)
    assert await one.dropping.too_old(60.0, 0.0)
    assert len(one.left) == 1002


async def test_a_proxy_that_does_not_reach_the_server_drops_nothing_for_its_age() -> None:
    it = Bench(SharedState().store(), 1)
    it.store.fail()
    assert not await it.dropping.too_old(60.0, 0.0)
    assert it.left == ["000001"]


async def test_what_cannot_be_read_is_dropped_and_told(caplog: pytest.LogCaptureFixture) -> None:
    it = Bench(None, 1)
    await it.dropping.unreadable(entry(1))
    assert (it.left, it.counts.all, it.store.saves) == ([], {"dropped lost": 1}, [[Removed("000001")]])
    assert caplog.messages == ["spool: the content of event 000001 of session sales cannot be read; it is dropped"]


async def test_what_another_proxy_removed_meanwhile_is_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    it = Bench(None, 2)
    await it.dropping.unreadable(entry(1))
    assert (it.left, it.counts.all, it.store.saves, caplog.messages) == (["000002"], {}, [], [])


async def test_what_the_server_lost_is_one_line_at_each_proxy_and_counted_at_the_one_that_started_first(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, state = StillClock(monkeypatch), SharedState()
    one, two = (Bench(state.store(), 1, 2, 3, 4) for _ in range(2))
    for it in (one, two):
        it.dropping.vanished(["000001", "000002"])
        await clock.move(0.5)
        it.dropping.vanished(["000003", "never seen"])
        await clock.move(0.6)
        assert it.left == ["000004"]
    assert (one.counts.all, two.counts.all) == ({"dropped lost": 3}, {})
    lost = "spool: the server of the state lost its data, and with it 3 events that were kept there"
    assert caplog.messages == [lost, lost]


async def test_a_loss_of_nothing_that_is_known_is_not_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, it = StillClock(monkeypatch), Bench(None, 1)
    it.dropping.vanished(["never seen"])
    await clock.move(2.0)
    assert (it.left, it.counts.all, caplog.messages) == (["000001"], {}, [])


async def test_two_losses_are_two_lines(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    clock, it = StillClock(monkeypatch), Bench(None, 1, 2)
    for id_ in ("000001", "000002"):
        it.dropping.vanished([id_])
        await clock.move(2.0)
    assert it.counts.all == {"dropped lost": 2}
    assert (
        caplog.messages == ["spool: the server of the state lost its data, and with it 1 event that was kept there"] * 2
    )
