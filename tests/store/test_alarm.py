"""The bell that wakes the writer: when it is rung, and at a time; a timer is set only where none comes sooner."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from statusproxy.store.alarm import Alarm

from .still_clock import StillClock


class Timers:
    """The timers that were set, which ring when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.set: list[tuple[float, asyncio.TimerHandle]] = []
        loop = asyncio.get_running_loop()
        call_later = loop.call_later

        def noting(delay: float, *arguments: object) -> asyncio.TimerHandle:
            handle = call_later(3_600, *arguments)  # type: ignore[arg-type]
            self.set.append((delay, handle))
            return handle

        monkeypatch.setattr(loop, "call_later", noting)
        monkeypatch.setattr(time, "monotonic", lambda: 1_000.0)

    @property
    def standing(self) -> list[float]:
        return [delay for delay, handle in self.set if not handle.cancelled()]


@pytest.fixture
async def timers(monkeypatch: pytest.MonkeyPatch) -> Timers:
    return Timers(monkeypatch)


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    alarm = Alarm()
    yield alarm
    alarm.stop()


async def asleep(alarm: Alarm, due: float) -> "asyncio.Task[None]":
    task = asyncio.ensure_future(alarm.sleep(due))
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_it_wakes_when_it_is_rung(alarm: Alarm, timers: Timers) -> None:
    sleeper = await asleep(alarm, float("inf"))
    alarm.ring()
    await sleeper
    assert timers.set == []


async def test_it_wakes_at_the_time_and_at_the_next_one(alarm: Alarm, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StillClock(monkeypatch)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    for _ in range(2):
        sleeper = await asleep(alarm, clock.now + 100)
        await clock.move(99.5)
        assert not sleeper.done()
        await clock.move(0.5)
        await sleeper


async def test_a_ring_from_before_is_forgotten(alarm: Alarm) -> None:
    alarm.ring()
    sleeper = await asleep(alarm, float("inf"))
    alarm.ring()
    await sleeper


async def test_a_timer_that_comes_sooner_stays_and_a_later_one_is_brought_forward(alarm: Alarm, timers: Timers) -> None:
    for due in (1_100.0, 1_200.0, 1_100.0, 1_050.0, float("inf")):
        sleeper = await asleep(alarm, due)
        alarm.ring()
        await sleeper
    assert [delay for delay, _ in timers.set] == [100.0, 50.0]
    assert timers.standing == [50.0]
    alarm.stop()
    alarm.stop()
    assert timers.standing == []


async def test_after_a_stop_the_next_time_has_a_timer_of_its_own(alarm: Alarm, timers: Timers) -> None:
    for _ in range(2):
        sleeper = await asleep(alarm, 1_100.0)
        alarm.ring()
        await sleeper
        alarm.stop()
    assert [delay for delay, _ in timers.set] == [100.0, 100.0]
