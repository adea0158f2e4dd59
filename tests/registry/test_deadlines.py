"""What is due is judged some at a time, and all in the end; a timer wakes for transient states."""

import asyncio
from typing import Any

import pytest

from statusproxy.registry.deadlines import AT_ONCE, Deadlines
from statusproxy.status.model import Override, Record, SessionRules
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import Reading, Signal, SignalKind, Verdict
from tests.proxy.loop_clock import LoopClock


def lost(count: int) -> SessionMap:
    sessions = SessionMap(SessionRules(max_age=60.0))
    override = Override(since=100.0, at=100.0, began=100.0, event="close")
    sessions.load([Record(f"s{number}", override=override) for number in range(count)])
    return sessions


async def looked(count: int, now: float) -> tuple[list[int], int]:
    """How many ended at each look, and how many stand then; a look follows whenever one is asked for."""
    sessions, ended = lost(count), []

    def look() -> None:
        ended.append(len(deadlines.look(now)))

    deadlines = Deadlines(sessions, look)
    look()
    for _ in range(5):
        await asyncio.sleep(0)
    return ended, sessions.overrides


def connecting(count: int, lasting: float = 90.0) -> SessionMap:
    sessions = SessionMap()
    for number in range(count):
        connect(sessions, f"s{number}", lasting)
    return sessions


def connect(sessions: SessionMap, session: str, lasting: float) -> None:
    """Hear of a transient state at 100, which counts once it has lasted for so many seconds."""
    signal = Signal(SignalKind.TRANSIENT, session, None, "ev", "connecting", None, None, lasting)
    sessions.hear(Reading(Verdict.SIGNAL, "ev", session, signal), 100.0)


class Awake:
    """Deadlines of a map, with what their looks found; `now` is our own clock, which goes as the loop's does."""

    def __init__(self, sessions: SessionMap) -> None:
        self.found: list[int] = []
        self.deadlines = Deadlines(sessions, self.look)
        self.begun = asyncio.get_running_loop().time()

    def now(self) -> float:
        return 100.0 + asyncio.get_running_loop().time() - self.begun

    def look(self) -> None:
        now = self.now()
        self.found.append(len(self.deadlines.look(now)))
        self.deadlines.watch(now)


async def test_a_timer_wakes_when_a_transient_state_counts(loop_clock: LoopClock) -> None:
    sessions = connecting(1)
    awake = Awake(sessions)
    awake.deadlines.watch(awake.now())
    await loop_clock.move(89.9)
    assert (awake.found, sessions.overrides) == ([], 0)
    await loop_clock.move(0.2)
    assert (awake.found, sessions.overrides) == ([1], 1)


async def test_a_transient_state_counts_from_its_very_time_on_and_then_wakes_nobody(loop_clock: LoopClock) -> None:
    loop_clock.stand_still()
    awake = Awake(connecting(1))
    awake.deadlines.watch(100.0)
    assert len(awake.deadlines.look(189.99)) == 0
    assert len(awake.deadlines.look(190.0)) == 1
    awake.deadlines.watch(190.0)
    await loop_clock.move(10_000.0)
    assert awake.found == []


async def test_a_state_that_is_due_sooner_moves_the_timer_forward(loop_clock: LoopClock) -> None:
    loop_clock.stand_still()
    sessions = connecting(1)
    awake = Awake(sessions)
    awake.deadlines.watch(awake.now())
    connect(sessions, "sooner", 30.0)
    awake.deadlines.watch(awake.now())
    await loop_clock.move(30.5)
    assert awake.found == [1]
    await loop_clock.move(1_000)
    assert awake.found == [1, 1]  # one look for each: no timer is left of before


async def test_what_is_due_already_is_looked_at_at_once(loop_clock: LoopClock) -> None:
    loop_clock.stand_still()
    awake = Awake(connecting(1, lasting=0.0))
    awake.deadlines.watch(100.5)
    await loop_clock.move(0.0)
    assert awake.found == [1]


async def test_a_timer_looks_again_each_hour_and_is_set_anew_only_where_that_is_needed(
    loop_clock: LoopClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop_clock.stand_still()
    loop, delays = asyncio.get_running_loop(), list[float]()
    call_later = loop.call_later

    def noting(delay: float, *arguments: Any) -> asyncio.TimerHandle:
        delays.append(round(delay, 3))
        return call_later(delay, *arguments)

    monkeypatch.setattr(loop, "call_later", noting)
    sessions = connecting(1, lasting=5_000.0)
    awake = Awake(sessions)
    for _ in range(3):
        awake.deadlines.watch(awake.now())
    assert delays == [3_600]
    await loop_clock.move(3_600.5)
    assert (awake.found, delays) == ([0], [3_600, 1_399.5])
    await loop_clock.move(1_400)
    assert (awake.found, sessions.overrides, len(delays)) == ([0, 1], 1, 2)  # nothing else is due


async def test_many_count_in_turns(loop_clock: LoopClock) -> None:
    sessions = connecting(2 * AT_ONCE + 5)
    awake = Awake(sessions)
    awake.deadlines.watch(awake.now())
    await loop_clock.move(90.1)
    assert (sum(awake.found), max(awake.found), sessions.overrides) == (2 * AT_ONCE + 5, AT_ONCE, 2 * AT_ONCE + 5)


async def test_what_ended_wakes_nobody_and_neither_does_what_is_closed(loop_clock: LoopClock) -> None:
    sessions = connecting(1)
    awake = Awake(sessions)
    awake.deadlines.watch(awake.now())
    awake.deadlines.close()
    awake.deadlines.close()
    await loop_clock.move(1_000.0)
    assert awake.found == []


async def test_what_is_not_too_old_stands() -> None:
    assert await looked(3, 159.9) == ([0], 3)


async def test_a_few_end_in_one_go() -> None:
    assert await looked(AT_ONCE - 1, 160.0) == ([AT_ONCE - 1], 0)


async def test_many_end_in_turns_until_none_is_left() -> None:
    assert await looked(AT_ONCE, 160.0) == ([AT_ONCE, 0], 0)
    assert await looked(2 * AT_ONCE + 5, 160.0) == ([AT_ONCE, AT_ONCE, 5], 0)
