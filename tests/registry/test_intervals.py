"""At intervals what is owed is said, what time brings is taken in and the rest is saved, also after an error."""

import asyncio
from collections.abc import AsyncIterator, Awaitable

import pytest

from statusproxy.clock import OwnClock
from statusproxy.observe.webhook_stats import WebhookStats
from statusproxy.registry import intervals
from statusproxy.registry.clock_watch import ClockWatch
from statusproxy.registry.intervals import Intervals
from statusproxy.registry.saving import Saving
from statusproxy.registry.stored_ages import StoredAges
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import Reading, Verdict
from tests.registry.disk import Disk
from tests.waiting import until

NOW = 1_768_504_026.0  # 2026-01-15T19:07:06Z


class Stage:
    """The intervals of a map, all of a millisecond, with the order in which things were done."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.done: list[str] = []
        self.owed_at: list[float] = []
        self.fails = False
        self.sessions, self.disk, self.webhooks = SessionMap(), Disk(), WebhookStats()
        clock = OwnClock(lambda: NOW + self.ahead, lambda: NOW)
        ages = StoredAges(clock, None)
        self.saving = Saving(self.sessions, self.disk, clock, ages, lambda _: None)
        watch = ClockWatch(self.sessions, ages)
        self.intervals = Intervals(clock, watch, self.webhooks, (self, self), self.judge, self.saving)

    def overdue(self, now: float) -> None:
        self.owed_at.append(now)

    def judge(self) -> Awaitable[None] | None:
        if self.fails:
            raise ZeroDivisionError
        self.done.append("judged")
        return None if len(self.done) == 1 else self.durable()

    async def durable(self) -> None:
        self.done.append("durable")

    def mention(self, session: str) -> None:
        self.sessions.hear(Reading(Verdict.UNMATCHED, "onack", session, None), NOW)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(intervals, "FLUSH_INTERVAL", 0.001)
    stage = Stage()
    yield stage
    await stage.intervals.close()


def test_the_intervals_are_of_half_a_minute() -> None:
    assert intervals.FLUSH_INTERVAL == 30.0


async def test_what_is_only_nice_to_know_is_saved(stage: Stage) -> None:
    stage.mention("sales")
    stage.intervals.begin()
    await until(lambda: "sales" in stage.disk.saved)


async def test_what_time_brings_is_taken_in_and_awaited_first(stage: Stage) -> None:
    stage.intervals.begin()
    await until(lambda: len(stage.done) > 4)
    assert stage.done[:5] == ["judged", "judged", "durable", "judged", "durable"]


async def test_each_who_owes_a_line_is_asked_for_it(stage: Stage) -> None:
    stage.intervals.begin()
    await until(lambda: len(stage.owed_at) >= 2)
    assert stage.owed_at[:2] == pytest.approx([NOW, NOW])


async def test_a_clock_that_was_moved_and_webhooks_that_stopped_are_noticed(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.webhooks.rhythm.came(NOW - 3_700.0)
    stage.ahead = 3_700.0
    stage.intervals.begin()
    await until(lambda: bool(stage.done))
    assert [message.partition(";")[0] for message in caplog.messages] == [
        "the system clock was moved by +3700 s", "no webhook for 61 min",
    ]  # fmt: skip


async def test_they_go_on_after_an_error(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.fails = True
    stage.intervals.begin()
    await until(lambda: "writing the state at intervals failed" in caplog.messages)
    stage.fails = False
    await until(lambda: bool(stage.done))


async def test_nothing_is_done_after_the_end(stage: Stage) -> None:
    await stage.intervals.close()  # that never began
    stage.intervals.begin()
    await until(lambda: bool(stage.done))
    await stage.intervals.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
