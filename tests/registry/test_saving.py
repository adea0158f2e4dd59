"""From the map to the store: at once, whoever waits; and what an error does to no one else."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from statusproxy.clock import OwnClock
from statusproxy.registry.saving import STALE_AT_ONCE, Saving
from statusproxy.registry.stored_ages import StoredAges
from statusproxy.status.clocks import Written
from statusproxy.status.model import Change, Record
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import Reading, Signal, SignalKind, Verdict
from statusproxy.store.backlog import Dropped
from statusproxy.store.damage import Damage
from statusproxy.store.proxies import Sharing
from tests.registry.disk import Disk

NOW = 1_000.0
LOST = Change("sales", "started", "close", NOW, NOW)


class Stage:
    """A map with its saving, a store and a clock."""

    def __init__(self, disk: Disk | None = None, boot: str | None = None) -> None:
        self.sessions = SessionMap()
        self.disk = disk or Disk()
        self.ahead = 0.0
        self.errors: list[str] = []
        clock = OwnClock(lambda: NOW + self.ahead, lambda: NOW)
        ages = StoredAges(clock, boot)
        self.saving = Saving(self.sessions, self.disk, clock, ages, lambda error: self.errors.append(str(error)))

    def lose(self, session: str = "sales") -> None:
        signal = Signal(SignalKind.DISCONNECTED, session, NOW, "close", None, None)
        self.sessions.hear(Reading(Verdict.SIGNAL, "close", session, signal), NOW)

    def mention(self, session: str = "support") -> None:
        self.sessions.hear(Reading(Verdict.UNMATCHED, "onack", session, None), NOW)


async def test_what_must_be_durable_is_written_at_once_and_awaited() -> None:
    stage = Stage()
    stage.lose()
    stage.mention()
    stage.disk.free.clear()
    durable = stage.saving.save([LOST])
    assert durable is not None
    waiting = asyncio.ensure_future(durable)
    await asyncio.sleep(0)
    assert not waiting.done()
    stage.disk.free.set()
    await waiting
    assert not stage.saving._under_way, "nothing of it is kept"
    assert set(stage.disk.saved) == {"sales"}, "what is only useful to know may wait"
    assert stage.disk.changes == [LOST]


async def test_where_nothing_must_be_durable_nobody_waits() -> None:
    stage = Stage()
    assert stage.saving.save() is None
    stage.mention()
    assert stage.saving.save() is None
    await asyncio.sleep(0)
    assert stage.disk.saves == 0


async def test_changes_and_forgotten_sessions_are_written_without_any_record() -> None:
    stage = Stage()
    durable = stage.saving.save([LOST])
    assert durable is not None
    await durable
    stage.lose()
    stage.sessions.forget("sales", NOW)
    durable = stage.saving.save()
    assert durable is not None
    await durable
    assert (stage.disk.changes, stage.disk.forgotten, stage.disk.saved) == ([LOST], ["sales"], {})


async def test_a_waiter_that_leaves_stops_no_write() -> None:
    stage = Stage()
    stage.lose()
    stage.disk.free.clear()
    waiting = asyncio.ensure_future(stage.saving.save() or asyncio.sleep(0))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    closing = asyncio.ensure_future(stage.saving.close())
    await asyncio.sleep(0)
    assert not stage.disk.closed, "it waits for what is under way"
    stage.disk.free.set()
    await closing
    assert "sales" in stage.disk.saved
    assert stage.disk.closed


async def test_earlier_is_over_no_sooner_than_what_was_saved_before() -> None:
    stage = Stage()
    stage.disk.free.clear()
    earlier = asyncio.ensure_future(stage.saving.earlier())
    await asyncio.sleep(0)
    assert not earlier.done()
    stage.disk.free.set()
    await earlier


async def test_a_flush_writes_what_may_wait_as_well() -> None:
    stage = Stage()
    await stage.saving.flush()
    assert stage.disk.saves == 0
    stage.mention()
    await stage.saving.flush()
    assert set(stage.disk.saved) == {"support"}
    stage.lose()
    stage.mention("other")
    await stage.saving.flush()
    assert set(stage.disk.saved) == {"sales", "support", "other"}
    stage.sessions.forget("other", NOW)
    await stage.saving.flush()
    assert stage.disk.forgotten == ["other"]


class Counting(Disk):
    """A store that notes how many records each save brings, and of which sessions."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[list[Record]] = []

    async def save(self, records: Sequence[Record], *rest: Any) -> None:
        self.given.append(list(records))
        await super().save(records, *rest)


async def test_ten_thousand_stale_sessions_are_saved_some_at_a_time() -> None:
    stage = Stage(disk := Counting())
    for number in range(10_000):
        stage.mention(f"s{number}")
    await stage.saving.flush()
    assert max(map(len, disk.given)) <= STALE_AT_ONCE
    await stage.saving.flush()
    assert (sum(map(len, disk.given)), len(disk.saved)) == (10_000, 10_000), "each once"


async def test_a_slow_store_is_given_all_stale_sessions_before_it_has_written_the_first() -> None:
    stage = Stage(disk := Counting())
    for number in range(3 * STALE_AT_ONCE):
        stage.mention(f"s{number}")
    disk.free.clear()
    flushing = asyncio.ensure_future(stage.saving.flush())
    for _ in range(10):
        await asyncio.sleep(0)
    assert (len(disk.given), disk.saved) == (3, {})
    disk.free.set()
    await flushing
    assert len(disk.saved) == 3 * STALE_AT_ONCE


async def test_a_flush_that_is_cut_off_between_two_pieces_leaves_the_rest_to_the_end() -> None:
    stage = Stage(disk := Counting())
    for number in range(4 * STALE_AT_ONCE):
        stage.mention(f"s{number}")
    disk.free.clear()
    flushing = asyncio.ensure_future(stage.saving.flush())
    await disk.asked.wait()
    flushing.cancel()
    await asyncio.wait([flushing])
    assert len(disk.given) < 4
    disk.free.set()
    await stage.saving.close()
    assert len(disk.saved) == 4 * STALE_AT_ONCE


async def test_a_change_between_two_pieces_is_given_after_what_was_stale_before_it() -> None:
    stage = Stage(disk := Counting())
    for number in range(2 * STALE_AT_ONCE):
        stage.mention(f"s{number}")
    flushing = asyncio.ensure_future(stage.saving.flush())
    await asyncio.sleep(0)
    stage.lose("s0")
    stage.lose(f"s{STALE_AT_ONCE}")
    await (stage.saving.save() or asyncio.sleep(0))
    await flushing
    for session in ("s0", f"s{STALE_AT_ONCE}"):
        given = [record for piece in disk.given for record in piece if record.session == session]
        assert given[-1].override is not None
        assert disk.saved[session].override is not None


async def test_an_error_of_many_pieces_is_told_once() -> None:
    stage = Stage()
    for number in range(2 * STALE_AT_ONCE):
        stage.mention(f"s{number}")
    stage.disk.broken = OSError("disk full")
    await stage.saving.flush()
    assert stage.errors == ["disk full"]


async def test_what_is_stored_is_in_the_systems_time() -> None:
    stage = Stage(boot="one")
    stage.lose()
    stage.ahead = 3600.0
    durable = stage.saving.save([LOST])
    assert durable is not None
    await durable
    assert stage.disk.saved["sales"].heard_at == NOW + 3600
    assert stage.disk.saved["sales"].written == Written("one", 0.0, 3600.0), "by what clock its times are told"
    assert [change.at for change in stage.disk.changes] == [NOW + 3600]


async def test_an_error_is_told_and_raised_to_nobody() -> None:
    stage = Stage()
    stage.lose()
    stage.disk.broken = OSError("disk full")
    durable = stage.saving.save()
    assert durable is not None
    await durable
    await stage.saving.earlier()
    assert stage.errors == ["disk full", "disk full"]
    assert not await stage.saving.works()
    stage.disk.broken = None
    assert await stage.saving.works()


async def test_a_store_that_is_not_healthy_does_not_work_though_it_takes_writes() -> None:
    class Sick(Disk):
        healthy = property(lambda self: False)

    assert not await Stage(Sick()).saving.works()


async def test_a_store_that_refuses_a_write_does_not_work_though_it_seems_healthy() -> None:
    class Full(Disk):
        healthy = property(lambda self: True)

    stage = Stage(Full())
    assert await stage.saving.works()
    stage.disk.broken = OSError("disk full")
    assert not await stage.saving.works()


async def test_an_end_with_an_error_still_closes_the_store(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage()
    monkeypatch.setattr(stage.sessions, "take_stale", lambda at_most: 1 / 0)
    await stage.saving.close()
    assert stage.disk.closed
    assert caplog.messages == ["the last changes could not be written"]


async def test_what_others_write_and_a_store_can_give_only_later_is_passed_on() -> None:
    class Away(Disk):
        on_others: Callable[[list[Record], list[Dropped]], None] | None = None

    disk = Away([Record("now")])
    others: list[tuple[list[Record], list[Dropped]]] = []

    def take(records: list[Record], forgotten: list[Dropped]) -> None:
        others.append((records, forgotten))

    assert [record.session for record in await Stage(disk).saving.open(take)] == ["now"]
    assert disk.on_others is not None
    disk.on_others([Record("theirs")], [Dropped("gone", 1.0)])
    assert others == [([Record("theirs")], [Dropped("gone", 1.0)])]
    assert await Stage().saving.open(take) == [], "most have all of it at once"


async def test_damage_is_told_by_stores_that_notice_it() -> None:
    class Damaged(Disk):
        damage: Any = (Damage(1.0, "unreadable", None, 1),)
        repairs: Any = {"damaged": 1}  # noqa: RUF012

        async def acknowledge(self) -> int:
            return len(self.damage)

    plain, damaged = Stage().saving, Stage(Damaged()).saving
    assert (plain.damage, plain.repairs, await plain.acknowledge_damage()) == ((), {}, 0)
    assert (len(damaged.damage), damaged.repairs, await damaged.acknowledge_damage()) == (1, {"damaged": 1}, 1)


async def test_a_store_that_proxies_share_is_told_when_a_session_was_forgotten() -> None:
    stage = Stage()
    stage.sessions.load([Record("sales", heard_at=1.0)])
    stage.sessions.forget("sales", 5.0)
    stage.disk.sharing = Sharing("me")
    await stage.saving.flush()
    assert stage.disk.forgotten == [Dropped("sales", 5.0)]
