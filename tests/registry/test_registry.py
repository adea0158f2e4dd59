"""The registry: what is heard holds at once and is on disk before anyone is answered, and the memory never misleads."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from statusproxy.config.load import loads
from statusproxy.demo.events import iso_time, message, presence, status_find
from statusproxy.observe.exposition import Exposition
from statusproxy.observe.metrics import Metrics
from statusproxy.registry import corrections as corrections_module
from statusproxy.registry import intervals
from statusproxy.registry.corrections import learn_own
from statusproxy.registry.registry import SessionRegistry
from statusproxy.status import signals
from statusproxy.status.channel_list import ChannelList
from statusproxy.status.channels import ChannelRule, Correction, correct, correct_in_steps
from statusproxy.status.clocks import sender_of
from statusproxy.status.list_reader import ListReader
from statusproxy.status.model import Change, Evidence, Override, Record, Transient
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import SignalKind
from statusproxy.store.backlog import Dropped
from tests.pictures import PNG, PNG_URL
from tests.proxy.loop_clock import LoopClock
from tests.registry.disk import Disk
from tests.registry.known import records_of
from tests.waiting import until

NOW = 1_768_504_026.0  # 2026-01-15T19:07:06Z
SETTINGS = loads("gateway: http://127.0.0.1:3000")
LIST, ONE = (channels.rule() for channels in SETTINGS.channels[:2])


class Clock:
    """Stands still until it is told otherwise; the system's runs `ahead` of the even one."""

    def __init__(self) -> None:
        self.now = NOW
        self.ahead = 0.0

    def __call__(self) -> float:
        return self.now + self.ahead

    def even(self) -> float:
        return self.now


class Kept:
    """A registry with its disk, clock and numbers at hand."""

    def __init__(
        self, more: str = "", records: Sequence[Record] = (), clock: Clock | None = None, boot: str | None = None
    ) -> None:
        self.more = more
        self.settings = loads(f"gateway: http://127.0.0.1:3000\n{more}")
        self.clock, self.disk, self.metrics = clock or Clock(), Disk(records), Metrics()
        rules = self.settings.signal_rules(), self.settings.session_rules()
        self.registry = SessionRegistry(*rules, self.disk, self.metrics, self.clock, self.clock.even, boot)

    async def started_again(self, boot: str | None, away: float = 1.0, ahead: float | None = None) -> Kept:
        """Another process, `away` seconds later, with what this one left on disk."""
        await self.registry.close()
        self.clock.now += away
        if ahead is not None:
            self.clock.ahead = ahead
        records = {record.session: record for record in self.disk.records} | self.disk.saved
        again = Kept(self.more, list(records.values()), self.clock, boot)
        await again.registry.open()
        return again

    def shown(self) -> bool:
        """Whether the stale list reads disconnected."""
        return bool(self.look(channel_list(sales="connected")).corrected)

    async def hear(self, *events: dict[str, Any]) -> None:
        for event in events:
            self.clock.now += 1
            durable = self.registry.hear(body(event), "10.0.0.9")
            if durable is not None:
                await durable

    def look(self, document: object, rule: Any = LIST, session: str | None = None, age: float = 0.0) -> Any:
        self.clock.now += 1
        return self.registry.correct(body(document), rule, self.clock.now - age, session)[0]

    def counted(self, line: str) -> float:
        for each in Exposition(self.metrics).expose().decode().splitlines():
            if each.startswith(line):
                return float(each.rpartition(" ")[2])
        return 0.0


@asynccontextmanager
async def kept(more: str = "", records: Sequence[Record] = ()) -> Any:
    it = Kept(more, records)
    await it.registry.open()
    yield it
    if not it.disk.closed:
        await it.registry.close()


def body(document: object) -> bytes:
    """Bytes of their own each time: equal ones are not the same."""
    return bytes(bytearray(json.dumps(document).encode()))


def channel_list(**words: str) -> dict[str, Any]:
    return {"success": True, "channels": [{"id": session, "status": word} for session, word in words.items()]}


LOST = status_find("sales", "disconnectedMobile")
BACK = status_find("sales", "inChat")


# What is heard, and when it is durable


def visited_within(root: object) -> int:
    """How many objects a collection of garbage visits of all that `root` holds, directly or not."""
    found, todo, count = {id(root)}, [root], 0
    while todo:
        for each in gc.get_referents(todo.pop()):
            if id(each) not in found and not isinstance(each, type | ModuleType | FunctionType):
                found.add(id(each))
                todo.append(each)
                count += gc.is_tracked(each)
    return count


async def test_sessions_that_are_learned_are_nothing_that_a_collection_of_garbage_would_visit() -> None:
    async with kept() as it:

        async def learn(sessions: Sequence[str]) -> int:
            for state in ("disconnectedMobile", "inChat", "disconnectedMobile"):
                await it.hear(*(status_find(session, state) for session in sessions))
                it.look(channel_list(**dict.fromkeys(sessions, "connected")))
            it.disk.saved.clear()
            it.disk.changes.clear()
            return visited_within(it.registry)

        before = await learn([f"a{number}" for number in range(200)])
        assert await learn([f"b{number}" for number in range(200)]) - before < 100


async def test_what_is_heard_holds_at_once_and_is_awaited_until_it_is_on_disk() -> None:
    async with kept() as it:
        it.disk.free.clear()
        durable = it.registry.hear(body(LOST), "10.0.0.9")
        assert it.registry.has_overrides
        assert it.look(channel_list(sales="connected")).corrected == ("sales",)
        waiting = asyncio.ensure_future(durable)
        await asyncio.sleep(0)
        assert not waiting.done()
        assert it.disk.saved == {}
        it.disk.free.set()
        await waiting
        assert it.disk.saved["sales"].override is not None
        assert [change.what for change in it.disk.changes] == ["started"]


async def test_what_changes_nothing_is_waited_for_by_nobody() -> None:
    async with kept() as it:
        contact = presence("sales", "5500000001000@c.us", "unavailable", NOW)
        harmless: tuple[object, ...] = (contact, {"event": "onack"}, {}, [], "x")
        for event in harmless:
            assert it.registry.hear(body(event), "10.0.0.9") is None
        assert it.registry.hear(b"\xff not JSON", "10.0.0.9") is None
        assert not it.registry.has_overrides
        assert it.disk.saves == 0


async def test_what_cannot_be_read_is_counted_and_nothing_else_is() -> None:
    async with kept() as it:
        it.registry.hear(body(LOST), "10.0.0.9")
        assert it.metrics.unread == {}
        it.registry.hear(b"\xff not JSON", "10.0.0.9")
        assert it.metrics.unread == {("webhook", "not-json"): 1}
        it.registry.hear(b"[" * 3_000 + b"]" * 3_000, "10.0.0.9")
        assert it.metrics.unread == {("webhook", "not-json"): 1, ("webhook", "too-deep"): 1}


async def test_a_waiter_that_is_cancelled_takes_no_change_with_it() -> None:
    async with kept() as it:
        it.disk.free.clear()
        waiting = asyncio.ensure_future(it.registry.hear(body(LOST), "10.0.0.9"))
        waiting.cancel()
        await asyncio.wait([waiting])
        closing = asyncio.ensure_future(it.registry.close())
        await asyncio.sleep(0)
        it.disk.free.set()
        await closing
        assert it.disk.saved["sales"].override is not None


async def test_a_repeated_delivery_is_answered_no_sooner_than_the_first() -> None:
    async with kept() as it:
        it.disk.free.clear()
        twice = {**LOST, "event_id": "e-1"}
        first = it.registry.hear(body(twice), "10.0.0.9")
        again = it.registry.hear(body(twice), "10.0.0.9")
        assert again is not None
        waiting = asyncio.gather(first, again)
        await asyncio.sleep(0)
        assert not waiting.done()
        it.disk.free.set()
        await waiting
        assert [change.what for change in it.disk.changes] == ["started"]
        assert it.counted('statusproxy_signals_total{kind="disconnected",verdict="duplicate"}') == 1


async def test_a_late_event_is_ignored_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "statusproxy")
    async with kept() as it:
        await it.hear({**BACK, "timestamp": NOW}, {**LOST, "timestamp": NOW - 5})
        assert not it.registry.has_overrides
    assert "sales: status-find event ignored: late" in caplog.messages


class Follower:
    """A subscriber that notes what it is told."""

    def __init__(self, told: list[tuple[str, str]]) -> None:
        self.told = told

    def changed(self, changes: Sequence[Change], now: float) -> None:
        self.told += [(one.what, one.reason) for one in changes]


async def test_every_change_is_logged_counted_stored_and_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "statusproxy")
    told: list[tuple[str, str]] = []
    async with kept() as it:
        unsubscribe = it.registry.changes.subscribe(Follower(told))
        await it.hear(LOST, status_find("sales", "browserClose"), BACK)
        unsubscribe()
        await it.hear(LOST)
    seen = [("started", "status-find disconnectedMobile"), ("repeated", "status-find browserClose"),
            ("released", "connected-event")]  # fmt: skip
    assert told == seen
    assert [(change.what, change.reason) for change in it.disk.changes] == [*seen, seen[0]]
    assert it.counted("statusproxy_overrides_started_total") == 2
    assert it.counted('statusproxy_releases_total{reason="connected-event"}') == 1
    assert "sales: disconnected (status-find disconnectedMobile); will be shown as disconnected" in caplog.messages
    assert "sales: no longer shown as disconnected (connected-event)" in caplog.messages


async def test_a_change_is_logged_with_the_word_that_answers_will_read(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "statusproxy")
    rules = loads("gateway: http://127.0.0.1:3000\n")
    rule = ChannelRule(list=(("channels",),), id=(("id",),), set={"status": "CLOSED"}, keep=frozenset({"unpaired"}))
    async with kept() as it:
        it.registry.configure(rules.signal_rules(), rules.session_rules(), rule)
        await it.hear(LOST)
        it.registry.configure(rules.signal_rules(), rules.session_rules())
        await it.hear(BACK, LOST)
    lost = "sales: disconnected (status-find disconnectedMobile); will be shown as disconnected"
    assert [line for line in caplog.messages if line.startswith(lost)] == [f"{lost}: answers will read CLOSED", lost]


async def test_the_history_tells_what_the_gateway_claimed_meanwhile() -> None:
    async with kept() as it:
        it.look(channel_list(sales="CONNECTED", support="connected"))
        await it.hear(LOST)
        assert it.disk.changes[-1].gateway_said == "CONNECTED"
        assert it.registry.gateway_word("sales").said == "CONNECTED"
        it.look(channel_list(sales="qr_required"))
        assert it.registry.gateway_word("sales").said == "qr_required"


async def test_the_session_and_name_of_an_event_are_told_without_taking_it_in() -> None:
    async with kept() as it:
        identify, event = it.registry.identify, body(LOST)
        assert identify(event) == ("sales", "status-find")
        assert identify(b"[%b,%b]" % (event, event), "support") == (None, None)
        assert identify(b"no json", "support") == ("support", None)
        assert (records_of(it.registry), it.disk.saves) == ([], 0)


async def test_a_sender_not_trusted_is_counted_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with kept() as it:
        it.registry.doubt("203.0.113.7", "network")
        assert not it.registry.has_overrides
        assert it.registry.webhooks.last_heard is None
        assert it.counted('statusproxy_signals_total{kind="none",verdict="untrusted"}') == 1
    assert "event ignored: its sender 203.0.113.7 fails the network check" in caplog.messages


# The clock


async def test_the_time_never_stands_still_and_never_goes_back() -> None:
    async with kept() as it:
        moments = [it.registry.now() for _ in range(5)]
        it.clock.now -= 60
        moments += [it.registry.now() for _ in range(5)]
        it.clock.now += 7200
        moments.append(it.registry.now())
        assert moments == sorted(set(moments))
        assert moments[-1] == it.clock.now


async def test_a_clock_that_is_set_makes_no_gap_between_webhooks() -> None:
    async with kept() as it:
        await it.hear(LOST)
        it.clock.ahead = 7_200.0
        await it.hear(BACK)
        assert it.registry.webhooks.rhythm.gap < 10
        assert it.registry.webhooks.last_heard == pytest.approx(it.clock(), abs=1)


async def test_a_clock_set_back_makes_no_later_word_older() -> None:
    async with kept() as it:
        await it.hear(LOST)
        it.clock.now -= 3600
        await it.hear(BACK)
        assert not it.registry.has_overrides
        it.clock.now -= 3600
        await it.hear(LOST)
        assert it.registry.has_overrides


def update(status: str, at: float) -> dict[str, Any]:
    """The gateway's own event, with its time."""
    return {
        "event": "connection.update",
        "session": {"id": "sales"},
        "connection": {"status": status},
        "timestamp": iso_time(at),
    }


@pytest.mark.parametrize("error", [-10_800, -90, -10, 240, 10_800])
async def test_two_clocks_on_one_path_are_told_apart_by_their_addresses(error: int) -> None:
    async with kept() as it:
        turns = [("10.0.0.9", 0, "open"), ("10.0.0.8", error, "close"), ("10.0.0.9", 0, "open"),
                 ("10.0.0.8", error, "close"), ("10.0.0.8", error, "open"), ("10.0.0.9", 0, "close"),
                 ("10.0.0.8", error, "open"), ("10.0.0.8", error, "close"), ("10.0.0.9", 0, "open")]  # fmt: skip
        for address, off, word in turns:
            it.clock.now += 1.25
            it.registry.hear(body(update(word, it.clock() - 0.01 + off)), address, "/in")
            assert it.registry.has_overrides == (word == "close"), (address, word)


async def test_a_gateway_that_moved_to_a_host_with_a_slower_clock_is_heard_at_once() -> None:
    async with kept() as it:
        for number, off in enumerate([0.0, -300.0, 0.0, -90.0] * 5):
            for word in ("close", "open"):
                it.clock.now += 1.25
                it.registry.hear(body(update(word, it.clock() + off)), f"10.0.0.{number}", "/in")
                assert it.registry.has_overrides == (word == "close")


async def test_a_sender_dated_far_ahead_is_told_of_once_and_its_late_repeats_revive_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with kept() as it:
        moments = []
        for word in ("close", "open"):
            it.clock.now += 1.25
            moments.append(it.clock() + 10_800)
            it.registry.hear(body({**update(word, moments[-1]), "event_id": word}), "10.0.0.8", "/in")
        assert len([line for line in caplog.messages if "sends events on /in with times 10800 s ahead" in line]) == 1
        for number, at in enumerate((moments[0], moments[0] - 60)):
            it.clock.now += 1.25
            it.registry.hear(body({**update("close", at), "event_id": f"again {number}"}), "10.0.0.8", "/in")
            assert not it.registry.has_overrides
        it.registry.hear(body({**update("close", it.clock() + 10_800), "event_id": "new"}), "10.0.0.8", "/in")
        assert it.registry.has_overrides


@pytest.mark.parametrize(("ahead", "after"), [("open", "close"), ("close", "open")])
async def test_what_was_heard_while_the_clock_ran_hours_ahead_makes_nothing_late(
    ahead: str, after: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Proxy and sender are on one machine: its clock is wrong for both."""
    async with kept() as it:
        it.clock.ahead = 10_800
        await it.hear(update(ahead, it.clock() + 1))
        it.clock.ahead = 0
        await it.hear(update(after, it.clock() + 1.5))
        assert it.registry.has_overrides == (after == "close")
    assert "the system clock was moved by -10800 s; corrections do not depend on it" in caplog.messages


async def test_a_clock_that_runs_ahead_for_a_while_ends_no_override() -> None:
    async with kept("sessions: {max_age: 2h}") as it:
        await it.hear(LOST)
        it.clock.ahead = 10_800
        await it.hear(message("sales", "5500000001000@c.us", "under way", 0, 1))
        assert it.look(channel_list(sales="connected")).corrected == ("sales",)
        it.clock.ahead = 0
        assert it.look(channel_list(sales="connected")).corrected == ("sales",)
        it.clock.now += 7_200
        assert it.look(channel_list(sales="connected")).corrected == ()


COMING_IN = message("sales", "5500000001000@c.us", "under way", 0, 1)
DAYS_AHEAD = 81 * 86_400.0


async def test_a_start_while_the_clock_is_ahead_ends_nothing_by_a_message_under_way() -> None:
    it = Kept(boot="one")
    await it.hear(LOST)
    it = await it.started_again("one", ahead=90.0)
    await it.hear(COMING_IN)
    assert it.shown()
    it.clock.ahead = 0.0
    await it.hear(COMING_IN)
    assert it.shown()
    it.clock.now += 60
    await it.hear(COMING_IN)
    assert not it.shown()
    await it.registry.close()


async def test_a_start_while_the_clock_is_days_ahead_expires_nothing_and_dates_go_right_with_it() -> None:
    it = Kept("sessions: {max_age: 2h}", boot="one")
    await it.hear(LOST)
    since = records_of(it.registry)[0].override
    for ahead in (DAYS_AHEAD, DAYS_AHEAD, 0.0):
        it = await it.started_again("one", ahead=ahead)
        assert it.shown()
    assert records_of(it.registry)[0].override == since
    it.clock.now = NOW + 7_200
    assert not it.shown()
    await it.registry.close()


async def test_within_one_boot_a_disconnect_is_as_old_as_it_is_at_once() -> None:
    it = Kept("sessions: {max_age: 2h}", boot="one")
    await it.hear(LOST)
    it = await it.started_again("one", away=61)
    await it.hear(COMING_IN)
    assert not it.shown()
    await it.hear(LOST)
    it = await it.started_again("one", away=7_200)
    assert not it.shown()
    await it.registry.close()


async def test_what_was_learned_of_senders_clocks_is_void_where_the_systems_was_moved_meanwhile(
    caplog: pytest.LogCaptureFixture,
) -> None:
    it = Kept(boot="one")
    await it.hear(update("close", it.clock() - 89))
    it = await it.started_again("one", ahead=3_600.0)
    assert records_of(it.registry)[0].lags == ()
    assert "the system clock was moved by +3600 s; corrections do not depend on it" in caplog.messages
    await it.registry.close()


@pytest.mark.parametrize("boot", ["two", ""])
async def test_after_another_boot_a_message_counts_once_the_grace_has_passed_since_the_start(boot: str) -> None:
    it = Kept(boot="one")
    await it.hear(LOST)
    it = await it.started_again(boot, ahead=90.0)
    await it.hear(COMING_IN)
    assert it.shown()
    it.clock.now += 60
    await it.hear(COMING_IN)
    assert not it.shown()
    await it.hear(LOST)
    it.clock.now += 60
    await it.hear(COMING_IN)
    assert not it.shown()
    await it.registry.close()


async def test_after_another_boot_a_clock_has_an_hour_to_be_put_right() -> None:
    it = Kept("sessions: {max_age: 2h}", boot="one")
    await it.hear(LOST)
    since = records_of(it.registry)[0].override
    it = await it.started_again("two", ahead=DAYS_AHEAD)
    assert it.shown()
    await it.hear(COMING_IN)  # something changes, and is written
    it = await it.started_again("two")
    it.clock.now += 1_800
    assert it.shown()
    it.clock.ahead = 0.0
    await it.hear(message("support", "5500000001000@c.us", "hello", 0, 1))
    [record] = [one for one in records_of(it.registry) if one.session == "sales"]
    assert record.override is not None
    assert since is not None
    assert record.override.began == pytest.approx(since.began)
    it.clock.now = NOW + 7_190
    assert it.shown()
    it.clock.now = NOW + 7_210
    assert not it.shown()
    await it.registry.close()


async def test_a_clock_that_is_put_right_is_noticed_without_a_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Kept("sessions: {max_age: 2h}", boot="one")
    await it.hear(LOST)
    assert intervals.FLUSH_INTERVAL == 30.0
    monkeypatch.setattr(intervals, "FLUSH_INTERVAL", 0.001)
    it = await it.started_again("two", ahead=DAYS_AHEAD)
    it.clock.ahead = 0.0
    it.disk.saved.clear()
    async with it.disk.written:
        await it.disk.written.wait_for(lambda: "sales" in it.disk.saved)
    it.clock.now += 3_700
    assert it.shown()
    await it.registry.close()


async def test_after_an_hour_the_clock_is_trusted() -> None:
    it = Kept("sessions: {max_age: 2h}", [Record("sales", SignalKind.DISCONNECTED, NOW, override=_OLD)], boot="two")
    it.clock.ahead = DAYS_AHEAD
    it = await it.started_again("two", ahead=DAYS_AHEAD)
    it.clock.now += 3_590
    assert it.shown()
    it.clock.now += 20
    assert not it.shown()
    await it.registry.close()


_OLD = Override(since=NOW, at=NOW, began=NOW, event="status-find", word="browserClose")


async def test_what_is_fresh_does_not_hang_on_the_systems_clock() -> None:
    async with kept() as it:
        await it.hear(LOST)
        it.clock.ahead = 10_800
        connected = body(channel_list(sales="connected"))
        before = it.registry.now()
        it.clock.now += 1
        it.registry.watched.qr_answered("sales", body({"qr": PNG_URL}), False, it.registry.now())
        it.clock.ahead = 0
        assert it.registry.correct(connected, LIST, before, None)[0].corrected == ("sales",)
        it.clock.now += 1
        assert it.registry.correct(connected, LIST, it.registry.now(), None)[0].corrected == ()


async def test_what_is_stored_and_shown_is_in_the_systems_time() -> None:
    async with kept() as it:
        it.clock.ahead = 10_800
        await it.hear(LOST)
        it.look(channel_list(sales="connected"))
        [record] = records_of(it.registry)
        assert record.override is not None
        assert record.override.since == record.override.began == record.heard_at == NOW + 1 + 10_800
        assert record.shown_at == NOW + 2 + 10_800
        assert it.disk.saved["sales"].override == record.override
        assert [change.at for change in it.disk.changes] == [NOW + 1 + 10_800]
        (released,) = await it.registry.release("sales")
        assert released.at == pytest.approx(NOW + 2 + 10_800)
        assert it.registry.in_system_time(record) != record
        it.clock.ahead = 0
        assert it.registry.in_system_time(record) is record


async def test_shown_as_disconnected_is_said_once_an_answer_was_changed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "statusproxy")
    said = "sales: shown as disconnected from now on"
    async with kept() as it:
        await it.hear(LOST)
        it.look(channel_list(support="connected"))
        assert said not in caplog.messages
        assert [one.shown_at for one in records_of(it.registry)] == [None]
        for _ in range(3):
            it.look(channel_list(sales="connected"))
        assert caplog.messages.count(said) == 1
        assert [one.shown_at for one in records_of(it.registry)] == [it.clock.now - 2]
        await it.hear(BACK, LOST)
        assert [one.shown_at for one in records_of(it.registry)] == [None]
        it.look(channel_list(sales="connected"))
        assert caplog.messages.count(said) == 2


async def test_the_time_of_events_that_say_nothing_tells_of_the_senders_clock() -> None:
    """The gateway's presence events are most of what comes; its clock is known before its first word that counts."""
    async with kept() as it:
        for _ in range(3):
            contact = presence("sales", "5500000001000@c.us", "available", NOW)
            await it.hear({**contact, "timestamp": iso_time(it.clock.now + 1 - 90)})
        await it.hear(BACK)  # without a time
        await it.hear(update("close", it.clock.now + 1 - 90))
        assert it.registry.has_overrides


async def test_what_the_gateway_said_and_what_came_is_told_in_the_systems_time() -> None:
    async with kept() as it:
        it.look(channel_list(sales="connected"))
        unread = it.registry.list_seen_at
        assert unread is None
        await it.registry.rows.read()
        assert it.registry.list_seen_at == NOW + 1
        assert it.registry.gateway_word("sales") == ("connected", NOW + 1)
        it.clock.ahead = -3_600
        assert it.registry.gateway_word("sales") == ("connected", NOW + 1 - 3_600)
        assert it.registry.list_seen_at == NOW + 1 - 3_600
        assert it.registry.gateway_word("nobody") is None
        await it.hear(LOST)
        assert it.registry.webhooks.last_heard == NOW + 2 - 3_600
        assert it.registry.started_at == NOW
        (forgotten, *_) = await it.registry.forget("sales")
        assert forgotten.at == pytest.approx(NOW + 2 - 3_600)


async def test_with_the_systems_clock_what_was_learnt_of_a_senders_is_void(caplog: pytest.LogCaptureFixture) -> None:
    """Sender and proxy share a clock. Set back an hour, the sender's next words must not look an hour old."""
    async with kept() as it:
        for _ in range(3):
            await it.hear(update("open", it.clock.now + 1))
        it.clock.ahead = -3_600
        await it.hear(update("close", it.clock() + 1))
        assert it.registry.has_overrides
        (record,) = records_of(it.registry)
        assert record.override is not None
        assert record.override.since == it.clock()
        await it.hear(update("open", it.clock() + 1))
        assert not it.registry.has_overrides
    assert [line for line in caplog.messages if "clock" in line] == [
        "the system clock was moved by -3600 s; corrections do not depend on it"
    ]


async def test_a_clock_that_is_corrected_by_seconds_voids_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with kept() as it:
        await it.hear(update("open", it.clock() + 1))
        it.clock.ahead = -59
        it.clock.now += 59  # a sender's own times order its events
        await it.hear(update("close", it.clock() + 1))
        assert it.registry.has_overrides
    assert not any("clock" in line for line in caplog.messages)


# What the history says the gateway claimed


def claims(it: Kept) -> list[tuple[str, str | None]]:
    return [(change.what, change.gateway_said) for change in it.disk.changes]


async def test_each_change_has_what_the_gateway_claimed_at_that_time() -> None:
    async with kept() as it:
        await it.hear(LOST)
        it.look(channel_list(sales="connected"))
        await it.hear(status_find("sales", "browserClose"))
        it.look(channel_list(sales="qr_required"))
        await it.hear(BACK)
        it.look(channel_list(support="connected"))
        await it.hear(LOST)
        assert claims(it) == [
            ("started", None),
            ("repeated", "connected"),
            ("released", "qr_required"),
            ("started", "qr_required"),
        ]


async def test_a_claim_is_found_by_the_sessions_alias_and_by_the_rules_of_now() -> None:
    async with kept("sessions: {aliases: {wpp-01: sales}}") as it:
        it.look(channel_list(sales="connected", support="open"))
        await it.hear(status_find("wpp-01", "browserClose"))
        assert claims(it) == [("started", "connected")]
        assert it.registry.gateway_word("wpp-01").said == "connected"
        other = loads("gateway: http://127.0.0.1:3000\nsessions: {aliases: {wpp-01: support}}")
        it.registry.configure(other.signal_rules(), other.session_rules())
        assert it.registry.gateway_word("wpp-01").said == "open"


async def test_an_override_that_expires_as_a_list_comes_has_that_lists_claim() -> None:
    async with kept("sessions: {max_age: 1h}") as it:
        await it.hear(LOST)
        it.look(channel_list(sales="connected"))
        it.clock.now += 3_700
        it.look(channel_list(sales="open"))
        await it.registry.close()
        assert claims(it) == [("started", None), ("released", "open")]


async def test_a_release_that_a_list_brings_has_that_lists_claim() -> None:
    async with kept() as it:
        await it.hear(LOST)
        it.look(channel_list(sales="qr_required"))
        it.look(channel_list(sales="connected"))
        await it.registry.close()
        assert claims(it) == [("started", None), ("released", "connected")]
        assert it.disk.changes[-1].reason == "reconnected"


# Errors of the store


async def test_a_disk_that_refuses_costs_no_webhook(caplog: pytest.LogCaptureFixture) -> None:
    async with kept() as it:
        assert await it.registry.works()
        it.disk.broken = OSError("no space")
        await it.hear(LOST)
        assert it.look(channel_list(sales="connected")).corrected == ("sales",)
        assert not await it.registry.works()
        assert it.counted("statusproxy_store_failures_total") == 1
        await it.registry.release("sales")
        assert not it.registry.has_overrides
    assert "a change is not on disk yet: no space" in caplog.messages


async def test_a_disk_that_stays_full_is_one_line_a_minute_with_a_count(caplog: pytest.LogCaptureFixture) -> None:
    def lines() -> list[str]:
        return [line for line in caplog.messages if "no space" in line]

    async with kept() as it:
        it.disk.broken = OSError("no space")
        for number in range(20):
            await it.hear(status_find(f"s{number}", "browserClose"))
        assert lines() == ["a change is not on disk yet: no space"]
        it.clock.now += 60
        await it.hear(LOST)
        assert lines()[1:] == ["a change is not on disk yet: no space (and 19 times since this was last logged)"]
    assert {record.levelno for record in caplog.records if "no space" in record.message} == {logging.ERROR}


async def test_a_store_that_is_not_healthy_does_not_work_though_it_takes_calls() -> None:
    async with kept() as it:
        it.disk.__class__ = type("Sick", (Disk,), {"healthy": property(lambda self: False)})
        assert not await it.registry.works()
        assert it.registry.store is it.disk


# The start and the end


async def test_what_the_store_holds_is_in_force_from_the_start(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "statusproxy")
    override = Override(since=NOW - 9, at=NOW - 9, began=NOW - 9, event="status-find", word="browserClose")
    others = [Record(session, heard_at=NOW - 1) for session in ("support", "team")]
    async with kept(records=[Record("sales", SignalKind.DISCONNECTED, NOW - 9, override=override), *others]) as it:
        assert it.look(channel_list(sales="connected", support="connected")).corrected == ("sales",)
        assert {record.session for record in records_of(it.registry)} == {"sales", "support", "team"}
    assert "3 sessions known, 1 of them disconnected" in caplog.messages


CONNECTING = Transient(since=NOW - 9, at=NOW - 9, began=NOW - 9, due=NOW + 81, event="ev", word="connecting")


async def test_a_transient_state_that_the_store_holds_counts_though_nobody_looks(
    loop_clock: LoopClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intervals, "FLUSH_INTERVAL", 1e6)
    loop_clock.stand_still()
    async with kept(records=[Record("sales", transient=CONNECTING)]) as it:
        it.clock.now += 3_600
        await loop_clock.move(3_600)
        assert [change.what for change in it.disk.changes] == ["started"]


async def test_a_transient_state_that_comes_later_counts_though_nobody_looks(
    loop_clock: LoopClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intervals, "FLUSH_INTERVAL", 1e6)
    loop_clock.stand_still()
    async with kept() as it:
        it.disk.on_others([Record("sales", heard_at=NOW, transient=CONNECTING)], [])
        it.clock.now += 3_600
        await loop_clock.move(3_600)
        assert it.registry.has_overrides


async def test_times_stored_by_a_clock_that_ran_ahead_hold_nothing_up() -> None:
    ahead = NOW + 86_400
    override = Override(
        since=ahead, at=ahead, began=ahead, event="status-find", caught_up=Evidence.QR, caught_up_at=ahead
    )
    records = [Record("sales", SignalKind.DISCONNECTED, ahead, ahead, ahead, override=override)]
    async with kept(records=records) as it:
        it.clock.now += signals.FURTHEST_AHEAD + 1
        await it.hear(BACK)
        assert not it.registry.has_overrides


async def test_what_is_only_nice_to_know_is_written_at_intervals_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intervals, "FLUSH_INTERVAL", 0.001)
    async with kept() as it:
        await it.hear(presence("sales", "5500000001000@c.us", "available", NOW))
        async with asyncio.timeout(60), it.disk.written:
            await it.disk.written.wait_for(lambda: "sales" in it.disk.saved)
        assert it.disk.saved["sales"].heard_at == it.clock.now
    monkeypatch.setattr(intervals, "FLUSH_INTERVAL", 3600.0)
    async with kept() as it:
        await it.hear(presence("sales", "5500000001000@c.us", "available", NOW))
        assert it.disk.saved == {}
    assert it.disk.saved["sales"].heard_at == it.clock.now
    assert it.disk.closed


async def test_what_is_owed_from_a_minute_that_is_over_is_said_at_intervals(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(intervals, "FLUSH_INTERVAL", 0.001)
    async with kept("sessions: {max_sessions: 2}") as it:
        flush, flushed = it.registry.saving.flush, asyncio.Event()

        async def noting() -> None:
            flushed.set()
            await flush()

        monkeypatch.setattr(it.registry.saving, "flush", noting)
        for _ in range(2):
            it.registry.doubt("203.0.113.7", "network")
        lose(it, 4)
        it.clock.now += 3_700
        caplog.clear()
        for _ in range(2):  # the first of them may have begun before
            flushed.clear()
            await asyncio.wait_for(flushed.wait(), 10)
        assert caplog.messages == [
            "no webhook for 61 min; the 4 before were at most 0 s apart; statusproxy doctor says what to look at",
            "event ignored: its sender 203.0.113.7 fails the network check (1 more time in the last minutes)",
            (
                "1 session forgotten: there is room for 2 (sessions.max_sessions); "
                "those in the gateway's list are forgotten last"
            ),
        ]


async def test_a_body_of_many_events_that_came_before_the_end_is_on_disk_after_it() -> None:
    async with kept() as it:
        many = [status_find(f"s{number}", "disconnectedMobile") for number in range(500)]
        it.registry.hear(body(many), "10.0.0.9")
        await it.registry.close()
        assert len(it.disk.saved) == 500


async def test_nothing_goes_on_behind_the_end() -> None:
    async with kept("sessions: {max_sessions: 40}") as it:
        it.registry.correct(long_list(4_000), LIST, it.registry.now(), None)
        lose(it, 40)  # which of them are real is looked up in the list, step by step
        await it.registry.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_writing_at_intervals_goes_on_after_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(intervals, "FLUSH_INTERVAL", 0.001)
    async with kept("sessions: {max_age: 1h}") as it:
        await it.hear(LOST)
        failing = monkeypatch.context()
        with failing as patch:
            patch.setattr(it.registry.sessions, "expire", lambda now: 1 / 0)
            await until(lambda: "writing the state at intervals failed" in caplog.messages)
        it.clock.now += 3601
        async with asyncio.timeout(60), it.disk.written:
            await it.disk.written.wait_for(lambda: it.disk.changes[-1].reason == "expired")


async def test_an_error_at_the_end_still_closes_the_store(caplog: pytest.LogCaptureFixture) -> None:
    async with kept() as it:
        await it.hear(LOST)
        it.registry.sessions.take_stale = lambda at_most: 1 / 0
        await it.registry.close()
        assert it.disk.closed
    assert "the last changes could not be written" in caplog.messages


# What passing answers show


async def test_an_answer_in_which_nothing_is_to_correct_comes_back_as_the_very_object_each_time() -> None:
    async with kept() as it:
        for lost in (False, True):
            for words in ({"sales": "connected"}, {"support": "connected"}):
                if lost and "sales" in words:
                    continue
                for _ in range(5):
                    answer = body(channel_list(**words))
                    it.clock.now += 1
                    correction, _ = it.registry.correct(answer, LIST, it.clock.now, None)
                    assert correction.body is answer
            await it.hear(LOST)


async def test_the_same_answer_is_corrected_once_and_counted_each_time() -> None:
    async with kept() as it:
        await it.hear(LOST)
        answers = [it.look(channel_list(sales="connected")).body for _ in range(5)]
        assert len({id(answer) for answer in answers[2:]}) == 1
        assert it.counted("statusproxy_channels_corrected_total") == 5
        assert it.counted("statusproxy_answers_corrected_total") == 5


async def test_what_the_gateway_said_last_is_known_though_its_answer_came_from_memory() -> None:
    async with kept() as it:
        await it.hear(LOST)
        for _ in range(5):
            it.look(channel_list(sales="connected"))
        assert it.registry.gateway_word("sales") == ("connected", it.clock.now)


async def test_the_record_of_what_the_gateway_said_is_never_older_than_two_minutes() -> None:
    async with kept() as it:
        await it.hear(LOST)
        for _ in range(4):
            it.clock.now += 40
            it.look(channel_list(sales="connected"))
            (record,) = records_of(it.registry)
            assert record.gateway_said == "connected"
            assert it.clock.now - record.gateway_said_at < 120


async def test_what_a_list_showed_is_durable_when_awaited_though_it_changed_nothing_that_is_shown() -> None:
    async with kept() as it:
        await it.hear(LOST)
        it.clock.now += 1
        correction, durable = it.registry.correct(body(channel_list(sales="qr_required")), LIST, it.clock.now, None)
        assert correction.changes == ()
        assert durable is not None
        await durable
        assert it.disk.saved["sales"].override.caught_up is Evidence.LIST


@pytest.mark.parametrize("evidence", ["list", "code", "picture", "created"])
async def test_connected_is_trusted_once_the_gateway_was_seen_to_know(evidence: str) -> None:
    async with kept() as it:
        await it.hear(LOST)
        it.clock.now += 1
        at = it.clock.now
        if evidence == "list":
            it.look(channel_list(sales="qr_required"))
        elif evidence == "code":
            it.registry.watched.qr_answered("sales", body({"qr": PNG_URL}), False, at)
        elif evidence == "picture":
            it.registry.watched.qr_answered("sales", PNG, True, at)
        else:
            it.registry.watched.created("sales", at)
        assert it.look(channel_list(sales="connected"), age=3).corrected == ("sales",), "asked for before"
        assert it.look(channel_list(sales="connected")).corrected == ()
        assert not it.registry.has_overrides


async def test_a_qr_answer_that_cannot_be_read_is_counted_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with kept() as it:
        await it.hear(LOST)
        for answer, image in ((b"<html>", False), (PNG, False), (b"<html>", True)):
            assert it.registry.watched.qr_answered("sales", answer, image, it.registry.now()) is None
        assert it.counted('statusproxy_unread_total{reason="not-json",what="qr"}') == 3
        assert it.registry.watched.qr_answered("sales", b"[" * 3_000 + b"]" * 3_000, False, it.registry.now()) is None
        assert it.counted('statusproxy_unread_total{reason="too-deep",what="qr"}') == 1
        assert it.disk.saved["sales"].override.caught_up is None
    assert "qr passed untouched: not-json" in caplog.messages


async def test_what_a_proxy_in_front_leaves_out_is_noted() -> None:
    async with kept() as it:
        it.registry.left_out("client", "10.0.0.2", webhook=True)
        (absence,) = it.registry.absences.report()
        assert (absence.missing, absence.peer, absence.webhooks, absence.last) == ("client", "10.0.0.2", 1, NOW)


async def test_versions_tell_when_what_is_shown_and_what_the_gateway_said_may_differ() -> None:
    async with kept() as it:
        version, (news, noted) = it.registry.version, it.registry.gateway_versions
        it.look(channel_list(sales="connected"))
        it.look(channel_list(sales="connected"))
        assert it.registry.gateway_versions == (news + 1, noted + 2)
        assert it.registry.version == version
        await it.hear(LOST)
        assert it.registry.version != version


async def test_what_nobody_awaits_may_be_cut_off_by_the_end_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    async with kept("sessions: {max_age: 1h}") as it:
        await it.hear(LOST)
        it.clock.now += 3_700
        it.disk.free.clear()
        records_of(it.registry)  # ends it, and waits for no disk
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        for _ in range(3):
            await asyncio.sleep(0)
        it.disk.free.set()
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_registry_that_was_never_opened_is_closed_all_the_same() -> None:
    it = Kept()
    await it.registry.close()
    assert it.disk.closed


async def test_a_deleted_session_is_forgotten_for_good() -> None:
    async with kept() as it:
        await it.hear(LOST)
        it.clock.now += 1
        durable = it.registry.watched.deleted("sales", it.clock.now)
        assert durable is not None
        await durable
        assert it.look(channel_list(sales="connected")).corrected == ()
        assert it.disk.changes[-1].reason == "deleted"


async def test_what_cannot_be_read_is_counted_and_said(caplog: pytest.LogCaptureFixture) -> None:
    async with kept() as it:
        it.registry.unreadable("channels", "not-json")
        assert it.counted('statusproxy_correction_failures_total{reason="not-json"}') == 1
    assert "channels passed untouched: not-json" in caplog.messages


async def test_closing_ends_the_reading_of_lists_and_of_the_history() -> None:
    it = Kept()
    it.disk.unreadable = [OSError("away")]
    await it.registry.open()
    await until(lambda: not it.disk.unreadable)
    it.registry.correct(long_list(10_000), LIST, it.registry.now(), None)
    await it.registry.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_closing_ends_the_taking_over_of_what_other_proxies_wrote() -> None:
    async with kept() as it:
        assert it.disk.on_others is not None
        it.disk.on_others([Record(f"s{number}", heard_at=NOW) for number in range(2_000)], [])
        await it.registry.close()
        known = len(records_of(it.registry))
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(records_of(it.registry)) == known < 2_000


async def test_nothing_comes_due_behind_the_end(loop_clock: LoopClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "FLUSH_INTERVAL", 1e6)
    loop_clock.stand_still()
    async with kept(records=[Record("sales", transient=CONNECTING)]) as it:
        await it.registry.close()
        it.clock.now += 3_600
        await loop_clock.move(3_600)
        assert not it.registry.has_overrides


# Long lists


def long_list(count: int, word: str = "connected") -> bytes:
    return body(channel_list(**{f"s{number}": word for number in range(count)}))


def lose(it: Kept, count: int) -> None:
    """That many sessions fall, and no one waits for the disk."""
    for number in range(count):
        it.clock.now += 0.001
        it.registry.hear(body(status_find(f"s{number}", "disconnectedMobile")), "10.0.0.9")


async def turns_while(work: Awaitable[Any]) -> tuple[Any, int]:
    """What `work` gives, and how many turns others had meanwhile."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    try:
        return await work, turns
    finally:
        task.cancel()


@pytest.mark.slow
async def test_a_long_list_is_corrected_alike_while_others_have_their_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections_module, "SLICE", 0.0)
    async with kept() as it:
        lose(it, 2_000)
        answer = long_list(4_000)
        (correction, durable), turns = await turns_while(
            it.registry.correct_in_steps(answer, LIST, it.registry.now(), None)
        )
        assert turns > 15
        assert len(correction.corrected) == 2_000
        again = it.registry.correct(answer, LIST, it.registry.now(), None)[0]
        assert (again.body, again.corrected) == (correction.body, correction.corrected)
        assert durable is None
        assert it.counted("statusproxy_channels_corrected_total") == 4_000


async def test_that_a_session_is_shown_as_disconnected_is_said_of_a_long_list_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "statusproxy")
    async with kept() as it:
        lose(it, 2)
        for _ in range(2):
            await it.registry.correct_in_steps(long_list(3), LIST, it.registry.now(), None)
    assert [line for line in caplog.messages if line.endswith("shown as disconnected from now on")] == [
        "s0: shown as disconnected from now on", "s1: shown as disconnected from now on",
    ]  # fmt: skip


@pytest.mark.slow
async def test_what_is_heard_while_a_long_list_is_corrected_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections_module, "SLICE", 0.0)
    async with kept() as it:
        lose(it, 1_000)
        asking = asyncio.create_task(it.registry.correct_in_steps(long_list(2_000), LIST, it.registry.now(), None))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not asking.done()
        await it.hear(status_find("s0", "inChat"), status_find("s1999", "disconnectedMobile"))
        correction = (await asking)[0]
        assert set(correction.corrected) == {f"s{number}" for number in (*range(1, 1_000), 1_999)}


async def test_with_nothing_to_correct_a_long_list_is_the_very_bytes_that_came() -> None:
    async with kept() as it:
        for _ in range(2):
            answer = long_list(1_000)
            assert (await it.registry.correct_in_steps(answer, LIST, it.registry.now(), None))[0].body is answer
        await it.hear(LOST)
        for _ in range(2):
            answer = long_list(1_000)
            it.clock.now += 1
            assert (await it.registry.correct_in_steps(answer, LIST, it.registry.now(), None))[0].body is answer
            it.clock.now += 1
            assert it.registry.correct(long_list(1_000), LIST, it.registry.now(), None)[0].corrected == ()


async def test_what_a_long_list_changes_to_its_end_is_durable_when_awaited() -> None:
    async with kept() as it:
        lose(it, 3)
        for number in range(3):
            it.registry.watched.created(f"s{number}", it.registry.now())
        correction, durable = await it.registry.correct_in_steps(long_list(3), LIST, it.registry.now(), None)
        await durable
        assert correction.corrected == ()
        assert [change.session for change in it.disk.changes if change.reason == "reconnected"] == ["s0", "s1", "s2"]


async def test_all_that_a_long_list_brought_is_durable_when_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    saves: list[asyncio.Future[None]] = []

    async def save(*_: object) -> None:
        saves.append(asyncio.get_running_loop().create_future())
        await saves[-1]

    async with kept("sessions: {max_age: 1h}") as it:
        lose(it, 1)
        it.clock.now += 3_500
        await it.hear(status_find("s1", "disconnectedMobile"))
        await it.registry.watched.created("s1", it.registry.now())
        it.clock.now += 200
        with monkeypatch.context() as patch:
            patch.setattr(it.disk, "save", save)
            _, durable = await it.registry.correct_in_steps(long_list(2), LIST, it.registry.now(), None)
            await asyncio.sleep(0)
            expired, returned = saves
            expired.set_result(None)
            for _ in range(5):
                await asyncio.sleep(0)
            assert not durable.done()
            returned.set_result(None)
            await durable


@pytest.mark.slow
async def test_many_who_ask_for_the_same_long_list_have_it_corrected_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(*given: Any) -> Any:
        made.append(given)
        return correct_in_steps(*given)

    monkeypatch.setattr(corrections_module, "correct_in_steps", counted)
    monkeypatch.setattr(corrections_module, "SLICE", 0.0)
    async with kept() as it:
        lose(it, 500)
        it.look(channel_list(**{f"s{number}": "connected" for number in range(500)}))  # channels are learned
        it.clock.now += 1
        asked_at = it.registry.now()
        many = (it.registry.correct_in_steps(long_list(1_000), LIST, asked_at, None) for _ in range(8))
        answers = {id(correction.body) for correction, _ in await asyncio.gather(*many)}
        assert (len(answers), len(made)) == (1, 1)


@pytest.mark.slow
async def test_what_a_long_list_changed_is_stored_though_its_client_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections_module, "SLICE", 0.0)
    async with kept() as it:
        lose(it, 1_000)
        for number in range(1_000):
            it.registry.watched.created(f"s{number}", it.registry.now())
        advance = corrections_module._advance

        def leaves_when_some_have_returned(*given: Any) -> Correction | None:
            done = advance(*given)
            if it.registry.sessions.overrides < 1_000:
                asking.cancel()
            return done

        monkeypatch.setattr(corrections_module, "_advance", leaves_when_some_have_returned)
        asking = asyncio.create_task(it.registry.correct_in_steps(long_list(1_000), LIST, it.registry.now(), None))
        await asyncio.wait([asking])
        monkeypatch.setattr(corrections_module, "_advance", advance)
        returned = 1_000 - it.registry.sessions.overrides
        assert 0 < returned < 1_000
        assert it.counted('statusproxy_releases_total{reason="reconnected"}') == returned
        await it.registry.close()
        assert sum(change.reason == "reconnected" for change in it.disk.changes) == returned
        it.disk.closed = False
        assert (await it.registry.correct_in_steps(long_list(1_000), LIST, it.registry.now(), None))[0].corrected == ()


async def test_overrides_that_expire_by_the_thousand_do_so_some_at_a_time() -> None:
    async with kept("sessions: {max_age: 1h}") as it:
        lose(it, 300)
        it.clock.now += 7_200
        records_of(it.registry)
        assert it.registry.sessions.overrides == 300 - 128
        for _ in range(4):
            await asyncio.sleep(0)
        assert not it.registry.has_overrides
        assert it.counted('statusproxy_releases_total{reason="expired"}') == 300


# What a change, a scrape and a look cost


@pytest.fixture
def lists_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the answers that were parsed."""
    read: list[int] = []
    find = ListReader.find

    def counted(reader: ListReader, answer: bytes, *, one: bool) -> Any:
        read.append(len(answer))
        return find(reader, answer, one=one)

    monkeypatch.setattr(ListReader, "find", counted)
    return read


@pytest.mark.slow
async def test_sessions_that_fall_at_once_have_each_kept_answer_read_once(lists_read: list[int]) -> None:
    async with kept() as it:
        it.registry.correct(long_list(1_000), LIST, it.registry.now(), None)
        for number in range(10):
            it.look({"channel": {"status": "connected"}}, ONE, f"s{number}")
        assert lists_read == [], "with nothing to correct no answer is read"
        lose(it, 300)
        assert len(lists_read) == 11
        await it.registry.close()
        assert [change.gateway_said for change in it.disk.changes] == ["connected"] * 300


async def test_the_first_loss_finds_a_long_list_read_and_has_its_word(lists_read: list[int]) -> None:
    async with kept() as it:
        answer = body(channel_list(**{f"s{number}": "connected " + "x" * 40 for number in range(10_000)}))
        await it.registry.correct_in_steps(answer, LIST, it.registry.now(), None)
        task = it.registry._reading_ahead._task
        assert task is not None
        await task
        assert lists_read == [len(answer)]
        lose(it, 1)
        assert len(lists_read) == 1, "nothing is read on the webhook's way"
        await it.registry.close()
        assert [change.gateway_said for change in it.disk.changes] == ["connected " + "x" * 40]


async def test_a_scrape_and_a_look_read_nothing_again(lists_read: list[int]) -> None:
    async with kept() as it:
        lose(it, 100)
        for _ in range(2):
            it.registry.correct(long_list(1_000), LIST, it.registry.now(), None)
            it.look({"channel": {"status": "connected"}}, ONE, "s1")
        lists_read.clear()
        for _ in range(5):
            records_of(it.registry)
            assert it.registry.gateway_word("s1") is not None
            assert it.registry.gateway_word("s99") is not None
        assert lists_read == []


@pytest.mark.slow
async def test_what_a_fall_costs_does_not_grow_with_the_lists_kept() -> None:
    """Ratios of processor time within one run: with lists of 4 000 kept it was forty times as much."""

    async def falls(channels: int) -> float:
        async with kept() as it:
            it.registry.correct(long_list(channels), LIST, it.registry.now(), None)
            lose(it, 1)  # the list is read now
            begun = time.thread_time()
            lose(it, 300)
            return time.thread_time() - begun

    none, many, rounds = float("inf"), float("inf"), 0
    while rounds < 3 or (many >= 3 * none and rounds < 12):  # a busy machine makes a round longer, never shorter
        none, many, rounds = min(none, await falls(1)), min(many, await falls(4_000)), rounds + 1
    assert many < 3 * none


# A flood of made-up sessions


@pytest.mark.slow
async def test_a_flood_of_made_up_sessions_ends_no_correction_of_one_that_the_list_names() -> None:
    async with kept("sessions: {max_sessions: 40}") as it:
        lose(it, 10)
        it.look(channel_list(**{f"s{number}": "connected" for number in range(10)}))
        for number in range(500):
            it.registry.hear(body(status_find(f"made-up-{number}", "disconnectedMobile")), "10.0.0.9")
            await asyncio.sleep(0)
        assert len(it.look(channel_list(**{f"s{number}": "connected" for number in range(10)})).corrected) == 10


async def test_before_the_map_is_full_it_learns_from_the_kept_list_which_sessions_are_real() -> None:
    async with kept("sessions: {max_sessions: 40}") as it:
        it.look(channel_list(**{f"s{number}": "connected" for number in range(10)}))
        for number in range(10):
            await it.hear(status_find(f"s{number}", "inChat"))
        for number in range(500):
            it.registry.hear(body(status_find(f"made-up-{number}", "inChat")), "10.0.0.9")
            await asyncio.sleep(0)
        known = {record.session for record in records_of(it.registry)}
        assert known >= {f"s{number}" for number in range(10)}


@pytest.mark.slow
async def test_a_flood_of_made_up_sessions_pushes_nothing_out_of_the_history() -> None:
    async with kept("sessions: {max_sessions: 40}") as it:
        lose(it, 10)
        it.look(channel_list(**{f"s{number}": "connected" for number in range(10)}))
        for number in range(500):
            it.registry.hear(body(status_find(f"made-up-{number}", "disconnectedMobile")), "10.0.0.9")
            await asyncio.sleep(0)
        await it.hear(status_find("s1", "inChat"))
        await it.registry.close()
        told = [change.session for change in it.disk.changes]
        assert len(told) < 60
        assert told[-1] == "s1"


async def test_forgotten_sessions_are_counted_and_said(caplog: pytest.LogCaptureFixture) -> None:
    async with kept("sessions: {max_sessions: 4}") as it:
        lose(it, 10)
        assert it.counted("statusproxy_sessions_evicted_total") == 6
    assert "1 session forgotten: there is room for 4 (sessions.max_sessions)" in caplog.text


async def test_a_new_bound_of_sessions_is_named_where_one_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    async with kept("sessions: {max_sessions: 4}") as it:
        fewer = loads("gateway: http://127.0.0.1:3000\nsessions: {max_sessions: 3}")
        it.registry.configure(fewer.signal_rules(), fewer.session_rules())
        lose(it, 4)
    assert "1 session forgotten: there is room for 3 (sessions.max_sessions)" in caplog.text


async def test_an_evicted_correction_is_released_counted_and_forgotten_by_the_store() -> None:
    async with kept("sessions: {max_sessions: 2}") as it:
        for session in ("first", "second", "third"):
            await it.hear(status_find(session, "browserClose"))
        assert {record.session for record in records_of(it.registry)} == {"second", "third"}
        assert it.look(channel_list(first="connected", third="connected")).corrected == ("third",)
        assert it.counted('statusproxy_releases_total{reason="evicted"}') == 1
        assert it.counted("statusproxy_sessions_evicted_total") == 1
        assert it.disk.forgotten == ["first"]
        await it.hear(status_find("fourth", "browserClose"), status_find("fourth", "browserClose"))
        assert it.counted("statusproxy_sessions_evicted_total") == 2
        assert it.disk.forgotten == ["first", "second"]


async def test_what_is_in_the_list_outlives_what_is_not_when_the_store_gives_too_much() -> None:
    records = [Record(f"s{number}", heard_at=NOW - number, confirmed=number == 4) for number in range(5)]
    async with kept("sessions: {max_sessions: 2}", records) as it:
        assert {record.session for record in records_of(it.registry)} == {"s0", "s4"}


# Aliases and spellings


async def test_an_aliased_session_is_corrected_and_released_by_its_channels_name() -> None:
    async with kept("sessions: {aliases: {wpp-01: Sales Team}}") as it:
        await it.hear(status_find("wpp-01", "browserClose"))
        listed = channel_list(**{"Sales Team": "connected", "support": "connected"})
        assert it.look(listed).corrected == ("Sales Team",)
        (change,) = await it.registry.release("Sales Team")
        assert (change.session, change.reason) == ("wpp-01", "operator")
        assert it.look(listed).corrected == ()


async def test_what_is_done_to_a_channel_is_done_to_its_aliased_session() -> None:
    async with kept("sessions: {aliases: {wpp-01: sales}}") as it:
        await it.hear(status_find("wpp-01", "browserClose"))
        it.clock.now += 1
        it.registry.watched.created("sales", it.registry.now())
        assert it.look(channel_list(sales="connected")).corrected == ()
        assert it.disk.changes[-1].reason != "deleted"
        await it.hear(status_find("wpp-01", "browserClose"))
        it.clock.now += 1
        durable = it.registry.watched.deleted("sales", it.registry.now())
        assert durable is not None
        await durable
        assert it.disk.changes[-1].reason == "deleted"
        changes = await it.registry.forget("sales")
        assert [(change.session, change.what) for change in changes] == [("wpp-01", "forgotten")]
        assert it.disk.forgotten == ["wpp-01"]


async def test_a_return_under_another_spelling_ends_the_correction_as_the_list_comes() -> None:
    async with kept() as it:
        await it.hear(status_find("Sales Team", "browserClose"))
        assert it.look(channel_list(salesteam="connected")).corrected == ("salesteam",)
        await it.hear(status_find("salesteam", "inChat"))
        assert it.look(channel_list(salesteam="connected")).corrected == ()
        await it.registry.close()
        assert [(change.session, change.reason) for change in it.disk.changes[-1:]] == [
            ("Sales Team", "connected-event")
        ]


# The operator and the rules


async def test_the_operators_word_is_stored_before_it_is_confirmed() -> None:
    async with kept() as it:
        await it.hear(LOST)
        (change,) = await it.registry.release("sales")
        assert (change.what, change.reason) == ("released", "operator")
        assert it.disk.saved["sales"].override is None
        assert list(await it.registry.release("sales")) == []
        with pytest.raises(LookupError, match="nobody"):
            await it.registry.release("nobody")


async def test_an_override_expires_where_that_is_wanted() -> None:
    async with kept("sessions: {max_age: 1h}") as it:
        await it.hear(LOST)
        it.clock.now += 3601
        assert it.look(channel_list(sales="connected")).corrected == ()
        await it.hear(LOST)
        it.clock.now += 3601
        assert [record.override for record in records_of(it.registry)] == [None]
        await asyncio.sleep(0)
        assert [change.reason for change in it.disk.changes if change.what == "released"] == ["expired", "expired"]


async def test_new_rules_hold_from_the_next_word_on() -> None:
    async with kept() as it:
        await it.hear(status_find("wpp-01", "browserClose"))
        for _ in range(3):
            assert it.look(channel_list(sales="connected")).corrected == ()
        other = loads("gateway: http://127.0.0.1:3000\npresence: trust\nsessions: {aliases: {wpp-01: sales}}")
        it.registry.configure(other.signal_rules(), other.session_rules())
        assert it.look(channel_list(sales="connected")).corrected == ("sales",), "no memory of the old rules"
        await it.hear({"event": "connection.update", "session": "support", "state": "unavailable", "isOnline": False})
        assert it.look(channel_list(support="connected")).corrected == ("support",)


# The memory of corrections against none

_SESSIONS = ("sales", "Sales Team", "salesteam", "support")
_WORDS = ("connected", "disconnected", "qr_required", "unknown")

_step = st.one_of(
    st.tuples(
        st.just("hear"),
        st.sampled_from(_SESSIONS),
        st.sampled_from(["disconnectedMobile", "browserClose", "inChat", "isLogged"]),
        st.none() | st.integers(0, 90),
    ),
    st.tuples(st.just("alive"), st.sampled_from(_SESSIONS), st.none() | st.integers(0, 90)),
    st.tuples(st.just("list"), st.integers(0, 3), st.integers(0, 6)),
    st.tuples(st.just("list"), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("one"), st.sampled_from(_SESSIONS), st.sampled_from(_WORDS), st.integers(0, 6)),
    st.tuples(st.sampled_from(["code", "said", "created", "deleted"]), st.sampled_from(_SESSIONS), st.integers(0, 6)),
    st.tuples(st.just("release"), st.sampled_from(_SESSIONS)),
    st.tuples(st.sampled_from(["records", "rules", "others"])),
    st.tuples(st.just("wait"), st.integers(30, 4000)),
)

_LISTS = (
    channel_list(**{"sales": "connected", "support": "connected", "Sales Team": "connected"}),
    channel_list(**{"sales": "qr_required", "support": "connected", "Sales Team": "disconnected"}),
    channel_list(**{"sales": "connected", "Sales Team": "unknown", "salesteam": "connected"}),
    {"success": False},
)

_RULES = [
    loads(f"gateway: http://127.0.0.1:3000\nsessions: {{max_age: 1h, aliases: {aliases}}}")
    for aliases in ("{}", "{support: sales}")
]
_CODE, _SAID = {"qr": PNG_URL}, {"qr": None, "status": "CONNECTED"}


class Bare:
    """What the registry does, with the domain alone: no memory, no store."""

    def __init__(self) -> None:
        self.sessions = SessionMap(_RULES[0].session_rules())
        self.signal_rules = _RULES[0].signal_rules()

    def correct(self, answer: bytes, rule: Any, asked_at: float, now: float, session: str | None) -> Any:
        if session is not None:
            learn_own(ChannelList(answer, rule, session), self.sessions.answers)
        self.sessions.expire(now)
        return correct(answer, rule, self.sessions, asked_at, now, session)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(_step, max_size=40))
def test_with_its_memory_the_registry_answers_as_the_bare_domain_does(steps: list[tuple[Any, ...]]) -> None:
    asyncio.run(_side_by_side(steps))


async def _side_by_side(steps: list[tuple[Any, ...]]) -> None:
    bare, clock = Bare(), Clock()
    registry = SessionRegistry(_RULES[0].signal_rules(), _RULES[0].session_rules(), Disk(), Metrics(), clock)
    pending: list[Awaitable[None] | None] = []
    for kind, *given_ in steps:
        clock.now += 1
        now = clock.now
        match kind, given_:
            case "hear", [session, word, age]:
                event = status_find(session, word) | ({} if age is None else {"timestamp": now - age})
                pending.append(registry.hear(body(event), "10.0.0.9"))
                bare.sessions.hear(signals.read(body(event), bare.signal_rules, now), now, sender_of("", "10.0.0.9"))
            case "alive", [session, age]:
                event = message(session, "5500000001000@c.us", "hello", now, 1)
                if age is None:
                    del event["timestamp"], event["t"]
                else:
                    event["timestamp"] = now - age
                pending.append(registry.hear(body(event), "10.0.0.9"))
                bare.sessions.hear(signals.read(body(event), bare.signal_rules, now), now, sender_of("", "10.0.0.9"))
            case "list", [which, age]:
                correction, durable = registry.correct(body(_LISTS[which]), LIST, now - age, None)
                pending.append(durable)
                plain = bare.correct(body(_LISTS[which]), LIST, now - age, now, None)
                assert (correction.body, correction.corrected) == (plain.body, plain.corrected)
            case "one", [session, word, age]:
                answer = {"success": True, "channel": {"id": session, "status": word}}
                correction, durable = registry.correct(body(answer), ONE, now - age, session)
                pending.append(durable)
                plain = bare.correct(body(answer), ONE, now - age, now, session)
                assert (correction.body, correction.corrected) == (plain.body, plain.corrected)
            case "code", [session, age]:
                pending.append(registry.watched.qr_answered(session, body(_CODE), False, now - age))
                bare.sessions.watched.qr_seen(session, now - age, now)
            case "said", [session, age]:
                pending.append(registry.watched.qr_answered(session, body(_SAID), False, now - age))
                bare.sessions.watched.said_connected(session, now - age, now)
            case "created", [session, age]:
                pending.append(registry.watched.created(session, now - age))
                bare.sessions.watched.created(session, now - age, now)
            case "deleted", [session, age]:
                pending.append(registry.watched.deleted(session, now - age))
                bare.sessions.watched.deleted(session, now - age, now)
            case "release", [session]:
                outcomes = []
                for release in (registry.release(session), _bare_release(bare, session, now)):
                    try:
                        outcomes.append(len(await release))
                    except LookupError:
                        outcomes.append(-1)
                assert outcomes[0] == outcomes[1]
            case "records", _:
                records_of(registry)
                bare.sessions.expire(now)
            case "rules" | "others", _:
                rules = _RULES[kind == "others"]
                registry.configure(rules.signal_rules(), rules.session_rules())
                bare.sessions.configure(rules.session_rules())
            case "wait", [seconds]:
                clock.now += seconds
            case _:
                raise AssertionError(kind)
        assert registry.has_overrides == bare.sessions.has_overrides
    clock.now += 1
    bare.sessions.expire(clock.now)
    assert {_essence(one) for one in records_of(registry)} == {_essence(one) for one in bare.sessions.records()}
    await asyncio.gather(*(one for one in pending if one is not None))


async def _bare_release(bare: Bare, session: str, now: float) -> Sequence[Change]:
    return bare.sessions.release(session, now)


def _essence(record: Record) -> tuple[object, ...]:
    """All of a record but when it was heard of and what the gateway said, which is noted later with a memory."""
    return (record.session, record.verdict, record.known_at, record.alive_at, record.override, record.channel,
            record.released, record.released_at)  # fmt: skip


class Told(Disk):
    """A store that tells what another proxy has written since its records were read, before it gives them."""

    async def open(self) -> list[Record]:
        assert self.on_others is not None
        lost = Override(since=1.0, at=1.0, began=1.0, event="close")
        self.on_others([Record("sales", known_at=1.0, heard_at=1.0, override=lost)], [])
        self.on_others([], [Dropped("support", 1e12)])
        await asyncio.sleep(0)
        return await super().open()


async def test_what_another_proxy_writes_while_the_store_is_being_read_is_not_replaced_by_what_was_read() -> None:
    disk = Told([Record("sales", known_at=0.5, heard_at=0.5), Record("support", known_at=0.5, heard_at=0.5)])
    registry = SessionRegistry(SETTINGS.signal_rules(), SETTINGS.session_rules(), disk, Metrics(), Clock())
    await registry.open()
    assert [(record.session, record.override is not None) for record in records_of(registry)] == [("sales", True)]
    await registry.close()


async def test_what_another_proxy_heard_is_corrected_here_and_what_follows_is_told_and_saved() -> None:
    disk = Disk()
    registry = SessionRegistry(SETTINGS.signal_rules(), SETTINGS.session_rules(), disk, Metrics(), Clock())
    await registry.open()
    assert disk.on_others is not None
    theirs = Record("sales", known_at=1.0, heard_at=1.0, override=Override(since=1.0, at=1.0, began=1.0, event="close"))
    disk.on_others([theirs], [])
    assert registry.sessions.overrides == 1
    await registry.saving.flush()
    assert (disk.saved, disk.changes) == ({}, [])
    disk.on_others([Record("sales", alive_at=900.0, heard_at=900.0)], [])
    assert registry.sessions.overrides == 0
    await registry.saving.earlier()
    assert [change.reason for change in disk.changes] == ["alive"]
    assert disk.saved["sales"].alive_at == 900.0
    disk.on_others([], [Dropped("sales", 1e12)])
    assert records_of(registry) == []
    await registry.close()
    assert disk.forgotten == []


async def test_what_another_proxy_heard_counts_as_a_loss_here_too_and_ends_when_that_one_hears_it() -> None:
    disk, clock = Disk(), Clock()
    registry = SessionRegistry(SETTINGS.signal_rules(), SETTINGS.session_rules(), disk, Metrics(), clock)
    await registry.open()
    assert disk.on_others is not None
    at = clock.now
    theirs = Record("sales", known_at=at, heard_at=at, override=Override(since=at, at=at, began=at, event="close"))
    disk.on_others([theirs], [])
    clock.now += 100
    assert round((await registry.losses()).seconds("sales")) == 100
    disk.on_others([Record("sales", alive_at=clock.now, heard_at=clock.now)], [])
    clock.now += 100
    losses = await registry.losses()
    assert (losses.of("sales").losses, round(losses.seconds("sales"))) == (1, 100)
    await registry.close()


async def test_a_session_that_was_lost_before_the_start_counts_from_the_start() -> None:
    clock = Clock()
    disk = Disk([Record("sales", known_at=1.0, override=Override(since=1.0, at=1.0, began=1.0, event="close"))])
    registry = SessionRegistry(SETTINGS.signal_rules(), SETTINGS.session_rules(), disk, Metrics(), clock)
    await registry.open()
    clock.now += 30
    losses = await registry.losses()
    assert (losses.of("sales").losses, round(losses.seconds("sales"))) == (0, 30)
    await registry.close()


class AwayDisk(Disk):
    """A store that was away when it was opened."""

    on_others: Callable[[list[Record], list[Dropped]], None] | None = None


async def test_what_the_store_gives_late_is_shown_unless_something_newer_is_known() -> None:
    disk = AwayDisk()
    registry = SessionRegistry(SETTINGS.signal_rules(), SETTINGS.session_rules(), disk, Metrics(), Clock())
    await registry.open()
    assert disk.on_others is not None
    disk.on_others([Record("sales", known_at=1.0, override=Override(since=1.0, at=1.0, began=1.0, event="close"))], [])
    assert registry.has_overrides
    disk.on_others([Record("sales", known_at=0.5)], [])
    assert registry.has_overrides
    await registry.close()


async def test_a_state_that_the_store_gives_only_after_the_start_does_not_count_at_once() -> None:
    """Its end may have been sent while the proxy was down."""
    state = Transient(NOW - 600, NOW - 600, NOW - 600, NOW - 510, "session.status", "STARTING")
    async with kept() as it:
        it.clock.now += 1
        it.disk.on_others([Record("sales", heard_at=NOW - 600, first_heard=NOW - 5_000, transient=state)], [])
        assert not it.shown()
        it.clock.now += 30
        it.registry.judge()
        assert it.shown()


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_alias_that_was_removed_marks_no_channel_and_hides_no_session(restarted: bool) -> None:
    one = {"success": True, "channel": {"id": "support", "status": "connected"}}
    it = Kept("sessions: {aliases: {sales: support}}")
    await it.registry.open()
    await it.hear(LOST)
    assert it.look(channel_list(support="connected", other="connected")).corrected == ("support",)
    await it.registry.saving.flush()
    if restarted:
        it.more = ""
        it = await it.started_again(None)
    else:
        it.registry.configure(SETTINGS.signal_rules(), SETTINGS.session_rules(), LIST)
    assert it.look(one, ONE, "support").corrected == ()
    it.look(channel_list(support="connected", other="connected"))
    rows = {row.session: (row.channel, row.state.value) for row in await it.registry.rows.all()}
    assert rows["sales"] == (None, "lost")
    assert rows["support"] == ("support", "connected")
    await it.registry.close()


async def test_a_session_whose_id_differs_in_case_is_not_marked_where_a_hub_asks_for_one_at_a_time() -> None:
    one = {"success": True, "channel": {"status": "connected"}}
    async with kept() as it:
        await it.hear(BACK, status_find("Sales", "inChat"))
        for session in ("Sales", "sales"):
            it.look(one, ONE, session)
        await it.hear(LOST)
        assert [len(it.look(one, ONE, session).corrected) for session in ("sales", "Sales")] == [1, 0]


async def test_a_long_list_is_read_ahead_of_the_first_look_up() -> None:
    async with kept() as it:
        rule = replace(LIST)
        it.look(channel_list(sales="connected"), rule)
        (first,) = it.registry._gateway_view.lists()
        await until(lambda: first.is_read)
        it.look(channel_list(**{f"session-{number}": "x" * 60 for number in range(5_000)}), rule)
        (long,) = it.registry._gateway_view.lists()
        assert not long.is_read
        await until(lambda: long.is_read)


async def test_outages_are_taken_over_from_the_history_at_the_start() -> None:
    async with kept() as it:
        await until(lambda: it.registry.ledger.filled)
