"""How late the event loop runs is measured, told for a minute, and costs next to nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
import uvloop
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from statusproxy.observe.loop_lag import BUCKETS, INTERVAL, LoopLag
from tests.hand_clock import HandClock

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


def exposed(lag: LoopLag) -> dict[str, float]:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(lag)
    lines = generate_latest(registry).decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def on(loop: Callable[[], asyncio.AbstractEventLoop], story: Callable[[], Awaitable[None]]) -> None:
    async def told() -> None:
        await story()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(told())


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
def test_a_callback_that_holds_the_loop_is_seen(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    clock = HandClock()

    class One(LoopLag):
        def note(self, lag: float) -> None:
            super().note(lag)
            noted.set()

    async def hold() -> None:
        lag.start()
        clock.now += 5 * INTERVAL  # what a callback takes that holds the loop for so long
        await noted.wait()
        lag.stop()

    lag, noted = One(clock), asyncio.Event()
    on(loop, hold)
    assert lag.longest == pytest.approx(4 * INTERVAL)  # the timer was due after one
    assert exposed(lag)["statusproxy_event_loop_lag_max_seconds"] == lag.longest
    assert exposed(lag)["statusproxy_event_loop_lag_seconds_sum"] == lag.longest


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
def test_it_goes_on_measuring_until_it_is_stopped(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    noted: list[float] = []

    class Three(LoopLag):
        def note(self, lag: float) -> None:
            noted.append(lag)
            if len(noted) == 3:
                self.stop()
                third.set()

    async def count() -> None:
        Three().start()
        await third.wait()

    third = asyncio.Event()

    on(loop, count)
    assert len(noted) == 3
    assert min(noted) >= 0


def test_each_timer_is_counted_in_the_buckets_that_it_is_below() -> None:
    lag = LoopLag(HandClock())
    for late in (0.0, 0.02, 0.3, 99.0):
        lag.note(late)
    told = exposed(lag)
    assert [told[f'statusproxy_event_loop_lag_seconds_bucket{{le="{bound}"}}'] for bound in BUCKETS] == [
        1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3
    ]  # fmt: skip
    assert told["statusproxy_event_loop_lag_seconds_count"] == 4
    assert told["statusproxy_event_loop_lag_seconds_sum"] == pytest.approx(99.32)


def test_the_longest_lag_is_told_for_a_minute_and_then_forgotten() -> None:
    clock = HandClock()
    lag = LoopLag(clock)
    assert lag.longest == 0
    lag.note(2.0)
    lag.note(0.1)
    for _ in steps(clock, 60):
        assert lag.longest == 2.0
        lag.note(0.3)
    clock.now += 10
    assert lag.longest == 0.3
    clock.now += 3600
    assert lag.longest == 0


def test_memory_is_bounded_by_the_window() -> None:
    clock = HandClock()
    lag = LoopLag(clock)
    for _ in steps(clock, 3600):
        lag.note(0.001)
    assert len(lag._longest) <= 7


def steps(clock: HandClock, seconds: int) -> Iterator[None]:
    for _ in range(seconds):
        yield
        clock.now += 1


def test_what_was_never_started_can_be_stopped() -> None:
    lag = LoopLag()
    lag.stop()
    assert lag.longest == 0
