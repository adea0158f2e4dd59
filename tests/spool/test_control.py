"""What operators see of the entries, and what they do to them."""

import pytest

from statusproxy.proxy.ports import Attempt
from statusproxy.spool.control import Control, SharedError
from statusproxy.spool.order import Order, Totals
from statusproxy.spool.receivers import Receivers
from statusproxy.store.errors import StoreError
from statusproxy.store.spooled import Content, Entry, EntryState, Moved, Removed
from tests.spool.entries import entry
from tests.spool.fakes import Clock, Counts, FakeStore
from tests.spool.shared_state import SharedState


class Bench:
    """Entries that are known and stored."""

    def __init__(self, *entries: Entry) -> None:
        self.store, self.clock, self.counts, self.order = FakeStore(), Clock(), Counts(), Order()
        for each in entries:
            self.order.put(each)
            self.store.rows[each.id] = each, Content(b"", b"")
        self.receivers = Receivers(self.clock.own)
        self.changes = 0
        self.control = Control(self.order, self.receivers, self.store, self.clock.own, self.counts, self._changed)

    def _changed(self) -> None:
        self.changes += 1


def test_all_entries_are_seen_with_what_they_come_to() -> None:
    it = Bench(entry(2), entry(1, state=EntryState.DEAD), entry(3, state=EntryState.UNKNOWN))
    assert it.control.totals == Totals(3, 300, 1, 1, 1)
    assert sorted(each.id for each in it.control.entries()) == ["000001", "000002", "000003"]
    assert it.control.oldest_waiting == entry(2)
    assert (it.control.get("000002"), it.control.get("no such")) == (entry(2), None)


def test_receivers_that_this_proxy_finds_away_are_seen() -> None:
    it = Bench()
    assert it.control.away == {}
    it.receivers.ended("gateway", "sales", Attempt("not-sent"))
    assert it.control.away == {"gateway": pytest.approx(1000.0, abs=0.01)}


def test_a_receiver_counts_as_away_while_something_waits_or_it_is_not_to_be_tried_yet() -> None:
    it = Bench(entry(1), entry(2, receiver="hub", state=EntryState.DEAD))
    for receiver in ("gateway", "hub"):
        it.receivers.ended(receiver, "sales", Attempt("not-sent"))
    assert list(it.control.away) == ["gateway", "hub"]
    it.clock.wait(1.1)
    assert list(it.control.away) == ["gateway"]
    it.order.remove("000001")
    assert it.control.away == {}


async def test_what_is_replayed_waits_from_now_on_with_all_its_attempts() -> None:
    it = Bench(entry(1, state=EntryState.DEAD, rejected=5, next_at=9000.0), entry(2))
    it.clock.wall += 60.0
    assert await it.control.replay(["000001", "no such"]) == 1
    here, (stored, _) = it.control.get("000001"), it.store.rows["000001"]
    assert here is not None
    assert (here.state, here.rejected, int(here.next_at)) == (EntryState.WAITING, 0, 1000)
    assert (it.store.saves, int(stored.next_at), it.changes) == ([[Moved(stored)]], 1060, 1)


async def test_what_is_dropped_is_gone_for_good_and_counted() -> None:
    it = Bench(entry(1), entry(2))
    assert await it.control.drop(["000001", "no such"]) == 1
    assert (list(it.store.rows), it.store.saves) == (["000002"], [[Removed("000001")]])
    assert (it.counts.all, it.changes) == ({"dropped operator": 1}, 1)


async def test_what_other_proxies_cannot_be_told_is_not_changed() -> None:
    it = Bench(entry(1), entry(2, state=EntryState.DEAD))
    it.store.claims = SharedState().store().claims
    it.store.fail("no connection")
    for change in (it.control.replay(["000002"]), it.control.drop(["000001"])):
        with pytest.raises(
            SharedError, match=r"^not changed: other proxies share .* cannot be reached now: no connection$"
        ):
            await change
    assert (it.control.totals, it.changes, it.store.saves) == (Totals(2, 200, 1, 0, 1), 0, [])
    it.store.heal()
    assert await it.control.drop(["000001"]) == 1


async def test_where_the_server_goes_away_during_a_change_it_is_said_that_others_may_not_know_it() -> None:
    it = Bench(entry(1))
    it.store.claims = SharedState().store().claims
    it.store.fail("no connection")
    it.store.healthy = True  # it is not known yet
    with pytest.raises(SharedError, match="another proxy may still send it: no connection"):
        await it.control.drop(["000001"])


async def test_an_operator_hears_that_a_change_is_not_durable_and_it_is_in_force() -> None:
    it = Bench(entry(1, state=EntryState.DEAD), entry(2, state=EntryState.DEAD))
    it.store.fail("disk full")
    for change in (it.control.replay(["000001"]), it.control.drop(["000002"])):
        with pytest.raises(StoreError, match="disk full"):
            await change
    assert (it.control.totals, it.changes) == (Totals(1, 100, 1, 0, 0), 2)
