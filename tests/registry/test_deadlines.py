"""What is due is judged some at a time, and all in the end; a timer wakes for transient states."""

import asyncio

from statusproxy.registry.deadlines import AT_ONCE, Deadlines
from statusproxy.status.model import Override, Record, SessionRules
from statusproxy.status.sessions import SessionMap


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


async def test_what_is_not_too_old_stands() -> None:
    assert await looked(3, 159.9) == ([0], 3)


async def test_a_few_end_in_one_go() -> None:
    assert await looked(AT_ONCE - 1, 160.0) == ([AT_ONCE - 1], 0)


async def test_many_end_in_turns_until_none_is_left() -> None:
    assert await looked(AT_ONCE, 160.0) == ([AT_ONCE, 0], 0)
    assert await looked(2 * AT_ONCE + 5, 160.0) == ([AT_ONCE, AT_ONCE, 5], 0)
