"""What the spool takes in, in which order it gives it out, and what it writes."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from statusproxy.proxy.ports import Arrived, Attempt, NotKeptError
from statusproxy.spool.order import Totals
from statusproxy.spool.schedule import SpoolRules
from statusproxy.spool.spool import Spool
from statusproxy.store.spooled import Content, EntryState, Kept, Moved, Reason, Removed
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
from tests.spool.shared_state import SharedState

HOUR = 3600.0


class Bench:
    """A spool with what it stands on."""

    def __init__(self, store: FakeStore | None = None, clock: Clock | None = None, **rules: Any) -> None:
        self.store = store or FakeStore()
        self.clock = clock or Clock()
        self.counts = Counts()
        self.spool = Spool(self.store, self.clock.own, SpoolRules(**rules), self.counts, chance=lambda: 0.5)

    async def keep(self, attempt: Attempt = QUEUED, **what: Any) -> str:
        return await self.spool.keep(parcel(**what), attempt)

    async def end(self, attempt: Attempt, receiver: str = "gateway") -> str | None:
        """The entry that may go now has been tried; gives its id."""
        taken = self.spool.take(receiver)
        if taken is not None:
            await self.spool.tried(taken, attempt)
        return None if taken is None else taken.id

    async def again(self) -> "Bench":
        """The same after a crash and a new start."""
        self.clock.restart()
        other = Bench(self.store, self.clock)
        await other.spool.open()
        return other


async def bench(*entries: Any, clock: Clock | None = None, **rules: Any) -> Bench:
    """A spool that was opened with these entries in the store."""
    made = Bench(clock=clock, **rules)
    for each in entries:
        made.store.rows[each.id] = each, Content(b"head", b"body")
    assert await made.spool.open()
    return made


class Event:
    """An event that is neither answered nor kept."""

    def __init__(self, session: str | None = "sales") -> None:
        self.session = session


# ---- events that are not kept ----


async def test_an_event_whose_attempt_fails_late_goes_before_those_that_came_after_it() -> None:
    it = await bench()
    first = it.spool.arrived("gateway", Event())
    later = await it.keep()
    it.spool.changed.clear()
    assert (it.spool.take("gateway"), it.spool.next_at("gateway")) == (None, None), "the first may still be taken"
    it.clock.wait(5.0)
    assert await it.spool.keep(parcel(), refused(503), first) == first.id
    assert it.spool.changed.is_set()
    stored, _ = it.store.rows[first.id]
    assert stored.received_at == first.at
    assert stored.next_at == pytest.approx(1006.0)
    assert it.spool.take("gateway") is None
    it.clock.wait(1.1)
    assert [await it.end(TAKEN), await it.end(TAKEN)] == [first.id, later]


async def test_an_event_that_is_answered_lets_those_go_that_came_after_it() -> None:
    it = await bench()
    first = it.spool.arrived("gateway", Event())
    later = await it.keep()
    assert it.spool.take("gateway") is None
    it.spool.changed.clear()
    it.spool.left(first)
    assert it.spool.changed.is_set()
    assert await it.end(TAKEN) == later
    it.spool.changed.clear()
    it.spool.left(first)
    assert not it.spool.changed.is_set()


async def test_an_event_holds_back_none_of_other_sessions_or_receivers_and_none_that_came_before_it() -> None:
    it = await bench()
    before = await it.keep()
    it.spool.arrived("gateway", Event())
    support, hub = await it.keep(session="support"), await it.keep(receiver="hub")
    assert [await it.end(TAKEN), await it.end(TAKEN), await it.end(TAKEN)] == [before, support, None]
    assert await it.end(TAKEN, "hub") == hub


async def test_an_event_is_not_sent_before_one_that_came_earlier_and_is_being_tried() -> None:
    it = await bench(max_bytes=200)
    first = it.spool.arrived("gateway", Event(" SALES"))
    second, other = it.spool.arrived("gateway", Event()), it.spool.arrived("gateway", Event("support"))

    def admits(session: str, size: int, arrived: Arrived) -> bool:
        return it.spool.admit("gateway", session, size, arrived)

    assert (admits("sales", 100, first), admits("sales", 100, second), admits("support", 100, other)) == (
        True, False, True,
    )  # fmt: skip
    assert admits("sales", 201, second), "it could not be kept"
    it.spool.left(first)
    assert admits("sales", 100, second)


# ---- taking in ----


async def test_an_event_is_kept_as_it_came_and_its_id_is_given_once_it_is_on_disk() -> None:
    it = await bench()
    it.store.held = asyncio.Event()
    kept = asyncio.create_task(it.keep(NOT_SENT, session="Sales "))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (kept.done(), it.store.rows, it.spool.control.totals.waiting) == (False, {}, 1)
    it.store.held.set()
    id_ = await kept
    stored, content = it.store.rows[id_]
    assert content == Content(parcel().head, b"{}")
    assert stored == msgspec.structs.replace(
        entry(), id=id_, queue="sales", session="Sales ", event="message", reason=Reason.NOT_SENT,
        received_at=stored.received_at, next_at=stored.received_at, checksum=7, base="/wa",
    )  # fmt: skip
    assert int(stored.received_at) == 1000
    assert it.counts.all == {"kept not-sent": 1}


@pytest.mark.parametrize(
    ("attempt", "rules", "state", "reason", "attempts", "wait"),
    [
        (QUEUED, {}, EntryState.WAITING, Reason.QUEUED, 0, 0.0),
        (NOT_SENT, {}, EntryState.WAITING, Reason.NOT_SENT, 0, 0.0),
        (refused(503), {}, EntryState.WAITING, Reason.REFUSED, 1, 1.0),
        (refused(429, 20.0), {}, EntryState.WAITING, Reason.REFUSED, 1, 20.0),
        (NO_ANSWER, {}, EntryState.UNKNOWN, Reason.NO_ANSWER, 1, 1.0),
        (NO_ANSWER, {"resend": True}, EntryState.WAITING, Reason.NO_ANSWER, 1, 1.0),
    ],
)
async def test_what_became_of_the_direct_attempt_decides_what_an_entry_waits_for(
    attempt: Attempt, rules: dict[str, Any], state: EntryState, reason: Reason, attempts: int, wait: float
) -> None:
    it = await bench(**rules)
    stored, _ = it.store.rows[await it.keep(attempt)]
    assert (stored.state, stored.reason, stored.attempts, stored.status) == (state, reason, attempts, attempt.status)
    assert stored.next_at - stored.received_at == pytest.approx(wait)
    assert it.spool.resends is bool(rules)


async def test_a_large_body_is_handed_in_as_its_file() -> None:
    it = await bench()
    stored, content = it.store.rows[await it.keep(body=Path("/spool/part"))]
    assert (stored.filed, content.body) == (True, Path("/spool/part"))
    assert it.spool.folder == Path("/spool")


async def test_an_event_of_no_session_waits_in_the_queue_of_those() -> None:
    it = await bench()
    first, second = await it.keep(session=None), await it.keep(session=None)
    assert it.spool.control.get(first) == it.store.rows[first][0]
    assert [(each.id, each.queue) for each in it.spool.control.entries()] == [(first, ""), (second, "")]


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ({"max_entries": 1}, r"the spool is full: 1 event \(spool.max_entries\)"),
        ({"max_bytes": 199}, r"the spool is full: 100 bytes \(spool.max_bytes\)"),
    ],
)
async def test_where_it_is_full_the_new_event_is_not_kept_and_nothing_falls_off(rules: Any, why: str) -> None:
    it = await bench(**rules)
    assert it.spool.has_room(100)
    id_ = await it.keep()
    assert not it.spool.has_room(100)
    with pytest.raises(NotKeptError, match=why):
        await it.keep(session="other")
    assert list(it.store.rows) == [id_]
    assert it.counts.all == {"kept queued": 1, "not kept full": 1}


async def test_new_bounds_are_in_force_at_once_and_what_is_there_stays() -> None:
    it = await bench()
    await it.keep()
    it.spool.changed.clear()
    it.spool.configure(SpoolRules(max_entries=1, resend=True))
    assert (it.spool.has_room(0), it.spool.control.totals.entries, it.spool.resends) == (False, 1, True)
    assert it.spool.changed.is_set()


async def test_where_the_store_takes_no_writes_nothing_is_kept() -> None:
    it = await bench()
    it.store.fail("disk full")
    assert not it.spool.has_room(1)
    with pytest.raises(NotKeptError, match="the spool cannot be written: disk full"):
        await it.keep()
    assert (it.store.saves, it.counts.all) == ([], {"not kept store": 1})


async def test_an_event_whose_write_fails_is_no_entry_also_when_the_store_writes_it_later() -> None:
    it = await bench()
    it.store.held = asyncio.Event()
    kept = asyncio.create_task(it.keep())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    it.store.fail("disk full")
    it.store.held.set()
    with pytest.raises(NotKeptError, match="the spool cannot be written: disk full"):
        await kept
    it.store.heal()
    assert (it.store.rows, it.spool.control.totals.entries, it.counts.all) == ({}, 0, {"not kept store": 1})


async def test_an_event_is_kept_although_its_sender_has_gone_meanwhile() -> None:
    it = await bench()
    it.store.held = asyncio.Event()
    kept = asyncio.create_task(it.keep())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    kept.cancel()
    with pytest.raises(asyncio.CancelledError):
        await kept
    (waiting,) = it.spool.control.entries()
    it.store.held.set()
    assert await it.spool.content(waiting) is not None  # waits for the write
    assert list(it.store.rows) == [waiting.id]
    assert it.counts.all == {"kept queued": 1}


async def test_what_is_kept_while_the_clock_stands_still_or_goes_back_keeps_its_order() -> None:
    it = await bench()
    ids = [await it.keep() for _ in range(20)]
    it.clock.wall -= 500.0
    again = await it.again()
    ids += [await again.keep() for _ in range(2)]
    assert [await again.end(TAKEN) for _ in range(22)] == ids == sorted(ids)


# ---- who may be sent ----


async def test_it_is_quiet_until_something_waits_for_that_receiver() -> None:
    it = await bench()
    assert it.spool.quiet("gateway")
    assert it.spool.admit("gateway", "sales")
    await it.keep()
    assert (it.spool.quiet("gateway"), it.spool.quiet("hub")) == (False, True)
    assert it.spool.receivers == ["gateway"]


async def test_an_event_waits_behind_those_of_its_session_until_their_removal_is_on_disk() -> None:
    it = await bench()
    await it.keep(session="sales")
    assert (it.spool.admit("gateway", " SALES"), it.spool.admit("gateway", "support")) == (False, True)
    taken = it.spool.take("gateway")
    assert taken is not None
    it.store.held = asyncio.Event()
    ending = asyncio.create_task(it.spool.tried(taken, TAKEN))
    await asyncio.sleep(0)
    assert not it.spool.admit("gateway", "sales")
    behind = asyncio.create_task(it.keep())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert it.spool.take("gateway") is None
    it.store.held.set()
    await ending
    assert await it.end(TAKEN) == await behind
    assert it.spool.admit("gateway", "sales")
    assert it.spool.quiet("gateway")


async def test_unknown_and_dead_entries_hold_nobody_up() -> None:
    it = await bench(entry(1, state=EntryState.UNKNOWN), entry(2, state=EntryState.DEAD))
    assert (it.spool.quiet("gateway"), it.spool.admit("gateway", "sales"), await it.end(TAKEN)) == (True, True, None)


async def test_a_receiver_that_is_away_is_tried_by_one_direct_event_at_a_time() -> None:
    it = await bench()
    it.spool.attempted("gateway", "sales", NOT_SENT)
    assert (it.spool.quiet("gateway"), it.spool.admit("gateway", "sales")) == (False, False)
    assert list(it.spool.control.away) == ["gateway"]
    it.clock.wait(1.1)
    assert (it.spool.admit("gateway", "sales"), it.spool.admit("gateway", "support")) == (True, False)
    it.spool.attempted("gateway", "sales", TAKEN)
    assert (it.spool.quiet("gateway"), it.spool.admit("gateway", "support")) == (True, True)


async def test_while_others_wait_one_of_them_is_the_probe_unless_nothing_can_be_kept() -> None:
    it = await bench()
    await it.keep(NOT_SENT, session="sales")
    it.clock.wait(1.1)
    assert not it.spool.admit("gateway", "support")
    it.store.healthy = False
    assert [it.spool.admit("gateway", session) for session in ("sales", "support", "other")] == [False, True, True]
    it.spool.attempted("gateway", "support", TAKEN)
    assert [it.spool.admit("gateway", session) for session in ("sales", "support", "other")] == [False, True, True]


@pytest.mark.parametrize("rules", [{"max_entries": 1}, {"max_bytes": 199}])
async def test_what_a_full_spool_cannot_keep_is_sent_whatever_is_known_of_the_receiver(rules: Any) -> None:
    it = await bench(**rules)
    id_ = await it.keep(NOT_SENT, session="sales")
    assert [it.spool.admit("gateway", session, 100) for session in ("sales", "support", "other")] == [False, True, True]
    it.spool.attempted("gateway", "support", NOT_SENT)
    assert list(it.spool.control.away) == ["gateway"]
    assert await it.end(NOT_SENT) is None, "what was sent before its time moves no probe"
    it.spool.attempted("gateway", None, TAKEN)
    assert (it.spool.control.away, await it.end(TAKEN)) == ({}, id_)


async def test_what_there_is_room_for_waits_for_a_receiver_that_is_away() -> None:
    it = await bench(max_bytes=199)
    await it.keep(NOT_SENT, session="sales")
    assert (it.spool.admit("gateway", "other", 99), it.spool.admit("gateway", "other", 100)) == (False, True)


async def test_a_direct_probe_that_was_given_up_leaves_its_place_to_the_next() -> None:
    it = await bench()
    it.spool.attempted("gateway", "sales", NOT_SENT)
    it.clock.wait(1.1)
    assert it.spool.admit("gateway", "sales")
    it.spool.attempted("gateway", "sales", QUEUED)
    assert it.spool.admit("gateway", "support")


async def test_a_direct_probe_that_is_kept_ends_too() -> None:
    it = await bench()
    it.spool.attempted("gateway", "sales", NOT_SENT)
    it.clock.wait(1.1)
    assert it.spool.admit("gateway", "sales")
    id_ = await it.keep(NOT_SENT)
    it.clock.wait(4.9)
    assert it.spool.take("gateway") is None
    it.clock.wait(0.2)
    assert await it.end(TAKEN) == id_


async def test_while_events_wait_one_of_them_is_the_probe() -> None:
    it = await bench()
    it.spool.attempted("gateway", "sales", NOT_SENT)
    id_ = await it.keep(session="sales")
    await it.keep(session="support")
    assert it.spool.take("gateway") is None
    assert it.spool.next_at("gateway") == pytest.approx(1001.0, abs=0.01)
    it.clock.wait(1.1)
    assert not it.spool.admit("gateway", "third")
    taken = it.spool.take("gateway")
    assert taken is not None
    assert (taken.id, it.spool.take("gateway")) == (id_, None)
    await it.spool.tried(taken, TAKEN)
    assert it.spool.take("gateway") is not None  # the other session


async def test_a_session_that_its_receiver_refuses_holds_no_other_up_for_long() -> None:
    it = await bench()
    sales, support = await it.keep(NOT_SENT, session="sales"), await it.keep(session="support")
    it.clock.wait(1.1)
    assert await it.end(refused(503)) == sales
    it.clock.wait(1.1)
    assert await it.end(TAKEN) == support
    assert it.spool.control.away == {}


async def test_what_waits_is_tried_at_once_when_its_receiver_is_reached_again() -> None:
    it = await bench()
    id_ = await it.keep(NOT_SENT)
    it.spool.changed.clear()
    it.spool.reached("gateway")
    assert (it.spool.changed.is_set(), await it.end(TAKEN)) == (True, id_)


async def test_nothing_is_due_for_a_receiver_that_is_away_and_has_nothing_waiting() -> None:
    it = await bench()
    it.spool.attempted("gateway", "sales", NOT_SENT)
    assert it.spool.next_at("gateway") is None


async def test_the_delivery_learns_that_a_direct_probe_failed() -> None:
    it = await bench()
    it.spool.attempted("gateway", "sales", NOT_SENT)
    it.clock.wait(1.1)
    assert it.spool.admit("gateway", "sales")
    await it.keep(session="support")
    assert it.spool.next_at("gateway") == pytest.approx(1301.1, abs=0.01)
    it.spool.changed.clear()
    it.spool.attempted("gateway", "sales", NO_ANSWER)
    assert it.spool.changed.is_set()
    assert it.spool.next_at("gateway") == pytest.approx(1006.1, abs=0.01)


async def test_when_a_receiver_is_back_what_waited_for_it_is_due_at_once() -> None:
    it = await bench(entry(1, next_at=5000.0, status=503), entry(2, queue="b", next_at=5000.0, status=429))
    for session in ("x", "y", "z"):
        it.spool.attempted("gateway", session, refused(503))
    assert it.spool.take("gateway") is None
    it.spool.changed.clear()
    it.spool.attempted("gateway", "x", refused(404))
    assert it.spool.changed.is_set()
    assert [await it.end(TAKEN), await it.end(TAKEN)] == ["000001", None]


async def test_an_event_that_its_receiver_never_answers_is_not_the_probe_for_ever() -> None:
    it = await bench(entry(1, queue="poison"), entry(2, queue="good"))
    assert await it.end(NO_ANSWER) == "000001"
    it.clock.wait(1.05)  # as long as that one's own pause
    assert await it.end(TAKEN) == "000002"


async def test_what_the_proxy_itself_cannot_send_is_no_reason_to_try_without_a_pause() -> None:
    it = await bench(entry(1))
    it.spool.attempted("gateway", "other", NOT_SENT)
    it.clock.wait(1.1)
    assert await it.end(FAILED) == "000001"
    assert it.spool.take("gateway") is None
    due = it.spool.next_at("gateway")
    assert due is not None
    assert due > it.clock.own.now() + 0.9


# ---- what becomes of it ----


async def test_what_was_delivered_is_removed() -> None:
    it = await bench(entry(1))
    it.spool.changed.clear()
    assert await it.end(TAKEN) == "000001"
    assert (it.store.rows, it.spool.control.totals, it.counts.all) == ({}, Totals(0, 0, 0, 0, 0), {"delivered": 1})
    assert it.spool.changed.is_set()


async def test_what_was_refused_waits_for_its_next_time_and_that_is_stored() -> None:
    it = await bench(entry(1))
    await it.end(refused(500))
    stored, _ = it.store.rows["000001"]
    assert stored == it.spool.control.get("000001")
    assert (stored.attempts, stored.status, stored.reason) == (1, 500, Reason.REFUSED)
    assert stored.next_at == pytest.approx(1001.0, abs=0.01)
    assert it.spool.next_at("gateway") == stored.next_at
    assert await it.end(TAKEN) is None
    it.clock.wait(1.1)
    assert await it.end(TAKEN) == "000001"


async def test_what_was_not_sent_is_as_it_was_and_nothing_is_written() -> None:
    it = await bench(entry(1))
    await it.end(NOT_SENT)
    assert (it.spool.control.get("000001"), it.store.saves) == (entry(1), [])


async def test_what_its_receiver_refuses_for_good_is_dead_and_the_session_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    it = await bench(entry(1, rejected=5), entry(2))
    await it.end(refused(404))
    stored, _ = it.store.rows["000001"]
    assert (stored.state, stored.status, it.spool.control.totals.dead) == (EntryState.DEAD, 404, 1)
    assert "event 000001 of session sales is dead: its receiver answered 404" in caplog.text
    assert await it.end(TAKEN) == "000002"


@pytest.mark.parametrize("end", [TAKEN, refused(404)])
async def test_a_session_waits_until_it_is_on_disk_that_an_event_is_done_with(end: Attempt) -> None:
    it = await bench(entry(1, rejected=5), entry(2), entry(3, queue="support", session="support"))
    it.store.fail()
    assert [await it.end(end), await it.end(TAKEN), await it.end(TAKEN)] == ["000001", "000003", None]
    await it.spool.writing.settle()
    assert (await it.end(TAKEN), it.spool.writing.holds) == (None, True)
    # A crash now delivers the first again, and the second after it.
    assert [await (await it.again()).end(TAKEN)] == ["000001"]
    it.store.heal()
    await it.spool.writing.settle()
    assert (await it.end(TAKEN), it.spool.writing.holds) == ("000002", False)


async def test_a_session_of_which_nothing_waits_is_not_held_up_by_a_store_that_fails() -> None:
    it = await bench(entry(1))
    it.store.fail()
    assert await it.end(TAKEN) == "000001"
    assert it.spool.admit("gateway", "sales")


async def test_an_event_that_is_to_be_tried_again_holds_its_session_no_longer_than_its_pause() -> None:
    it = await bench(entry(1))
    it.store.fail()
    assert await it.end(refused(500)) == "000001"
    it.clock.wait(2.0)
    assert (await it.end(TAKEN), it.counts.all["delivered"]) == ("000001", 1)


async def test_a_lane_is_free_again_whatever_happens_while_its_event_is_written() -> None:
    it = await bench(entry(1), entry(2))
    taken = it.spool.take("gateway")
    assert taken is not None
    it.store.held = asyncio.Event()
    ending = asyncio.create_task(it.spool.tried(taken, TAKEN))
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    it.store.held = None
    assert await it.end(TAKEN) == "000002"


async def test_an_event_whose_content_is_gone_is_dropped_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    it = await bench(entry(1))
    it.store.rows.clear()
    taken = it.spool.take("gateway")
    assert taken is not None
    assert await it.spool.content(taken) is None
    await it.spool.lost(taken)
    await it.spool.lost(taken)
    await it.spool.tried(taken, QUEUED)
    assert (it.spool.control.totals.entries, it.counts.all) == (0, {"dropped lost": 1})
    assert it.store.saves == [[Removed("000001")]]
    assert "the content of event 000001 of session sales cannot be read; it is dropped" in caplog.text


async def test_the_content_of_what_could_not_be_written_is_not_asked_for() -> None:
    it = await bench()
    it.store.held = asyncio.Event()
    kept = asyncio.create_task(it.keep())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    taken = it.spool.take("gateway")
    assert taken is not None
    read = asyncio.create_task(it.spool.content(taken))
    it.store.fail()
    it.store.held.set()
    with pytest.raises(NotKeptError):
        await kept
    assert await read is None
    await it.spool.lost(taken)
    await it.spool.tried(taken, QUEUED)
    assert it.counts.all == {"not kept store": 1}


# ---- age ----


async def test_what_is_too_old_is_dropped_whatever_its_state(caplog: pytest.LogCaptureFixture) -> None:
    it = await bench(max_age=600.0)
    ids = [await it.keep(NO_ANSWER), await it.keep(session="b")]
    it.clock.wait(599.0)
    late = await it.keep(session="c")
    await it.spool.drop_old()
    assert it.spool.control.totals.entries == 3
    it.clock.wait(2.0)
    it.spool.changed.clear()
    await it.spool.drop_old()
    assert ([each.id for each in it.spool.control.entries()], list(it.store.rows)) == ([late], [late])
    assert it.store.saves[-1] == [Removed(id_) for id_ in ids]
    assert it.counts.all["dropped age"] == 2
    assert it.spool.changed.is_set()
    assert "2 events are older than max_age and were dropped; the first came for session sales" in caplog.text


async def test_within_the_first_hour_nothing_of_an_earlier_process_is_too_old() -> None:
    it = await bench(entry(1), clock=Clock(1_000_000.0))
    it.clock.wait(HOUR - 1)
    await it.spool.drop_old()
    assert it.spool.control.totals.entries == 1
    it.clock.wait(2.0)
    await it.spool.drop_old()
    assert it.spool.control.totals.entries == 0


async def test_a_system_clock_that_jumps_makes_nothing_old() -> None:
    it = await bench()
    await it.keep()
    it.clock.wait(2 * HOUR)
    it.clock.wall += 1_000_000.0
    await it.spool.drop_old()
    assert it.spool.control.totals.entries == 1


async def test_times_are_stored_by_the_systems_clock() -> None:
    it = await bench()
    it.clock.wall += 5000.0
    id_ = await it.keep(refused(503))
    assert int(it.store.rows[id_][0].received_at) == 6000
    it.clock.wait(2.0)
    await it.end(refused(500))
    assert int(it.store.rows[id_][0].next_at) == 6007
    await it.spool.control.replay([id_])
    assert int(it.store.rows[id_][0].next_at) == 6002
    kept = (await it.again()).spool.control.get(id_)
    assert kept is not None
    assert int(kept.received_at) == 6000


# ---- start ----


async def test_a_start_takes_over_what_is_stored(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        it = await bench(entry(1), entry(2, state=EntryState.UNKNOWN), entry(3, state=EntryState.DEAD), entry(4))
    assert it.spool.control.totals == Totals(4, 400, 2, 1, 1)
    assert it.spool.control.oldest_waiting == entry(1)
    assert "spool: 2 events wait, 1 unknown, 1 dead" in caplog.text
    assert it.spool.changed.is_set()
    assert await it.end(TAKEN) == "000001"


async def test_a_start_with_many_entries_lets_others_run_meanwhile() -> None:
    it = Bench()
    it.store.rows = {f"{number:06}": (entry(number), Content(b"", b"")) for number in range(1, 151)}
    opened = asyncio.create_task(it.spool.open())
    seen = set()
    while not opened.done():
        await asyncio.sleep(0)
        seen.add(it.spool.control.totals.entries)
    assert seen == {100, 150}


async def test_an_empty_spool_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        await bench()
    assert caplog.text == ""


async def test_until_the_store_can_be_read_nothing_is_kept_and_then_all_is_taken_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    it = Bench()
    it.store.rows["000001"] = entry(1), Content(b"head", b"body")
    with pytest.raises(NotKeptError, match="it has not been read yet"):
        await it.keep()
    it.store.unreadable = "no such disk"
    assert [await it.spool.open(), await it.spool.open()] == [False, False]
    await it.spool.drop_old()
    assert caplog.text.count("cannot be read yet, so nothing is delivered or stored: no such disk") == 1
    assert not it.spool.has_room(1)
    with pytest.raises(NotKeptError, match="no such disk"):
        await it.keep()
    it.store.unreadable = None
    assert [await it.spool.open(), await it.spool.open()] == [True, True]
    assert (it.spool.has_room(1), await it.end(TAKEN)) == (True, "000001")


# ---- operators ----


@pytest.mark.parametrize("state", list(EntryState))
async def test_a_replayed_event_is_delivered_now_in_the_place_of_its_arrival(state: EntryState) -> None:
    it = await bench(entry(1, state=state, rejected=5, next_at=9000.0), entry(2))
    assert await it.spool.control.replay(["000001", "no such"]) == 1
    stored, _ = it.store.rows["000001"]
    assert (stored.state, stored.rejected, stored.attempts) == (EntryState.WAITING, 0, 0)
    assert stored.next_at == pytest.approx(1000.0, abs=0.01)
    assert it.store.saves == [[Moved(stored)]]
    assert [await it.end(refused(404)), await it.end(TAKEN)] == ["000001", None]


async def test_a_replay_while_the_event_is_under_way_gives_it_its_attempts_back() -> None:
    it = await bench(entry(1, rejected=5))
    taken = it.spool.take("gateway")
    assert taken is not None
    await it.spool.control.replay(["000001"])
    await it.spool.tried(taken, refused(404))
    again = it.spool.control.get("000001")
    assert again is not None
    assert (again.state, again.rejected) == (EntryState.WAITING, 1)


@pytest.mark.parametrize("attempt", [TAKEN, refused(500), refused(404), NO_ANSWER, NOT_SENT, QUEUED])
async def test_an_event_dropped_while_it_is_under_way_does_not_come_back(attempt: Attempt) -> None:
    it = await bench(entry(1, rejected=5), entry(2))
    taken = it.spool.take("gateway")
    assert taken is not None
    await it.spool.control.drop(["000001"])
    assert it.spool.take("gateway") is None  # its lane is not free yet
    await it.spool.tried(taken, attempt)
    assert (list(it.store.rows), it.counts.all) == (["000002"], {"dropped operator": 1})


# ---- with other proxies ----


async def test_ids_are_in_order_by_the_clock_that_the_proxies_share() -> None:
    state = SharedState()
    ahead, behind = Bench(state.store(-300.0), Clock(1300.0)), Bench(state.store(300.0), Clock(700.0))
    for it in (ahead, behind):
        await it.spool.open()
    first = await ahead.keep()
    for it in (ahead, behind):
        it.clock.wait(1.0)
    assert await behind.keep(session="other") > first
    assert [int(row.received_at) for row, _ in state.rows.values()] == [1000, 1001]


async def test_a_system_clock_that_is_set_here_changes_no_order_among_proxies() -> None:
    state = SharedState()
    one, other = Bench(state.store()), Bench(state.store(), Clock(1000.5))
    for it in (one, other):
        await it.spool.open()
    one.clock.wall += 5000.0
    state.stores[0].ahead = -5000.0
    first = await one.keep()
    second = await other.keep(session="other")
    one.clock.wait(1.0)
    assert first < second < await one.keep(session="third")


async def test_an_event_waits_behind_those_that_another_proxy_keeps() -> None:
    state = SharedState()
    one, other = Bench(state.store()), Bench(state.store())
    for it in (one, other):
        await it.spool.open()
    first = await one.keep(NOT_SENT)
    assert other.spool.quiet("gateway")
    other.spool.changed.clear()
    state.stores[1].hear()
    assert (other.spool.quiet("gateway"), other.spool.admit("gateway", "sales")) == (False, False)
    assert (other.spool.admit("gateway", "support"), other.spool.changed.is_set()) == (True, True)
    second = await other.keep()
    assert [await other.end(TAKEN), await other.end(TAKEN)] == [first, second]
    state.stores[0].hear()
    assert one.spool.control.totals.entries == 0


async def test_what_others_keep_counts_for_the_bounds() -> None:
    state = SharedState()
    one, other = Bench(state.store()), Bench(state.store(), max_entries=1)
    for it in (one, other):
        await it.spool.open()
    await one.keep()
    state.stores[1].hear()
    with pytest.raises(NotKeptError, match="1 event"):
        await other.keep()


async def test_an_event_that_another_proxy_delivered_is_not_lost_here(caplog: pytest.LogCaptureFixture) -> None:
    state = SharedState()
    one, other = Bench(state.store()), Bench(state.store())
    for it in (one, other):
        await it.spool.open()
    id_ = await one.keep()
    state.stores[1].hear()
    taken = other.spool.take("gateway")
    assert taken is not None
    assert await one.end(TAKEN) == id_
    assert await other.spool.content(taken) is None
    await other.spool.lost(taken)
    await other.spool.tried(taken, QUEUED)
    assert (other.counts.all, other.spool.control.totals.entries, caplog.messages) == ({}, 0, [])


async def test_with_different_rules_each_proxy_goes_by_its_own() -> None:
    state = SharedState()
    one, other = Bench(state.store(), schedule=(5.0,)), Bench(state.store(), schedule=(60.0,))
    for it in (one, other):
        await it.spool.open()
    await one.keep(refused(500))
    state.stores[1].hear()
    assert [it.spool.next_at("gateway") for it in (one, other)] == [pytest.approx(1005.0, abs=0.1)] * 2
    other.clock.wait(5.1)
    await other.end(refused(500))
    assert other.spool.next_at("gateway") == pytest.approx(1065.1, abs=0.1)


async def test_a_content_is_given_back() -> None:
    it = await bench(entry(1))
    content = await it.spool.content(entry(1))
    assert content is not None
    it.spool.release(content)
    assert it.store.released == [content]


# ---- writing ----


async def test_an_op_is_never_written_twice() -> None:
    it = await bench()
    id_ = await it.keep(refused(503))
    it.clock.wait(1.1)
    await it.end(TAKEN)
    assert [[type(op) for op in ops] for ops in it.store.saves] == [[Kept], [Removed]]
    assert it.store.saves[1] == [Removed(id_)]


async def test_while_a_receiver_is_away_what_it_put_off_itself_is_no_probe() -> None:
    it = await bench(entry(1, status=429, next_at=2000.0))
    it.spool.attempted("gateway", "other", NOT_SENT)
    assert not it.spool.lets("gateway")
    it.clock.wait(1.5)
    assert it.spool.lets("gateway")
    assert (it.spool.take("gateway"), it.spool.next_at("gateway")) == (None, 2000.0)
