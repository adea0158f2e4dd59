"""What other proxies wrote is taken over in its order, some at a time, and what follows from it is told."""

import asyncio
from collections.abc import Sequence

import pytest

from statusproxy.clock import OwnClock
from statusproxy.registry.others import AT_ONCE, Others
from statusproxy.status.model import Change, Override, Record
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import SignalKind
from statusproxy.store.backlog import Dropped
from tests.waiting import until

NOW = 1_768_504_026.0
LOST = Override(NOW - 500, NOW - 500, NOW - 500, "close")


class Stage:
    """A map that another proxy's records come to; the system's clock was set an hour ahead."""

    def __init__(self) -> None:
        self.sessions = SessionMap()
        self.wall = NOW
        clock = OwnClock(lambda: self.wall, lambda: 0.0)
        self.wall += 3_600.0
        self.told: list[Sequence[Change]] = []
        self.others = Others(self.sessions, clock, self.told.append)


async def begun() -> Stage:
    """A stage whose map holds what the store held: nothing."""
    stage = Stage()
    await stage.others.begin()
    return stage


def lost(session: str) -> Record:
    return Record(session, SignalKind.DISCONNECTED, NOW + 3_100, heard_at=NOW + 3_100, override=LOST)


async def test_few_are_taken_over_at_once_in_our_own_time_and_what_follows_is_told() -> None:
    stage = await begun()
    stage.sessions.load([Record("sales", alive_at=NOW - 100)])
    lasting = [lost("sales"), *(Record(f"s{number}", heard_at=NOW + 3_600) for number in range(AT_ONCE - 2))]
    stage.others.take(lasting, [Dropped("gone", NOW)])
    known = stage.sessions.get("sales")
    assert known is not None
    assert known.known_at == NOW - 500
    assert [[change.reason for change in changes] for changes in stage.told] == [["alive"]]


async def test_many_are_taken_over_in_slices_that_let_others_run_and_in_their_order() -> None:
    stage = await begun()
    many = [Record(f"s{number}", heard_at=NOW + 3_600) for number in range(AT_ONCE * 2 + 1)]
    stage.others.take(many, [])
    stage.others.take([], [Dropped("s0", NOW + 3_600)])
    assert stage.sessions.records() == []
    counts = []
    for _ in range(6):
        await asyncio.sleep(0)
        counts.append(len(stage.sessions.records()))
    assert counts == [AT_ONCE, AT_ONCE * 2, AT_ONCE * 2 + 1, AT_ONCE * 2, AT_ONCE * 2, AT_ONCE * 2]
    stage.others.take([lost("last")], [])
    assert stage.sessions.has_overrides


@pytest.mark.parametrize("count", [1, AT_ONCE * 2])
async def test_what_is_told_before_the_map_is_loaded_waits_for_it_and_keeps_its_order(count: int) -> None:
    stage = Stage()
    stage.others.take([lost(f"s{number}") for number in range(count)], [])
    stage.others.take([Record("gone", heard_at=NOW)], [])
    stage.others.take([], [Dropped("gone", NOW + 3_600)])
    await asyncio.sleep(0)
    assert stage.sessions.records() == []
    stage.sessions.load(
        [Record(f"s{number}", SignalKind.CONNECTED, NOW - 900, heard_at=NOW - 900) for number in range(count)]
    )
    await stage.others.begin()
    assert {record.session for record in stage.sessions.records() if record.override} == {
        f"s{number}" for number in range(count)
    }
    assert stage.sessions.get("gone") is None


async def test_what_waits_at_the_end_is_left_in_the_store() -> None:
    stage = await begun()
    stage.others.close()
    stage.others.take([Record(f"s{number}", heard_at=NOW) for number in range(AT_ONCE * 3)], [])
    await asyncio.sleep(0)
    stage.others.close()
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(stage.sessions.records()) == AT_ONCE


async def test_an_error_is_logged_and_the_rest_is_taken_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage = await begun()
    with monkeypatch.context() as broken:
        broken.setattr(stage.sessions, "adopt", lambda *_: 1 / 0)
        stage.others.take([Record(f"s{number}", heard_at=NOW) for number in range(AT_ONCE + 1)], [])
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [record.session for record in stage.sessions.records()] == [f"s{AT_ONCE}"]
    assert caplog.messages == [f"what other proxies wrote of {AT_ONCE} sessions could not be applied"]
    assert caplog.records[0].exc_info is not None


async def test_each_session_taken_over_is_told_with_what_is_known_of_it_now() -> None:
    stage = await begun()
    told: list[tuple[str, bool]] = []
    clock = OwnClock(lambda: NOW, lambda: 0.0)
    others = Others(
        stage.sessions, clock, stage.told.append, lambda session, record, _: told.append((session, record is not None))
    )
    await others.begin()
    others.take([lost("sales")], [Dropped("gone", NOW)])
    assert told == [("gone", False), ("sales", True)]


async def test_records_and_forgotten_sessions_count_together_in_what_is_few_and_in_what_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage = await begun()
    records = [Record(f"s{number}", heard_at=NOW) for number in range(AT_ONCE)]
    stage.others.take(records, [Dropped("gone", NOW)])
    assert stage.sessions.records() == [], "too many for one go"
    await until(lambda: stage.others._working is None)
    monkeypatch.setattr(stage.sessions, "adopt", lambda *_: 1 / 0)
    stage.others.take(records[:2], [Dropped("gone", NOW)])
    assert caplog.messages == ["what other proxies wrote of 3 sessions could not be applied"]
