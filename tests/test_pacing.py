"""Long work in steps: others have their turns, and of all such work one step is done in some turns. And in a thread."""

import asyncio
import sys
import threading
from itertools import pairwise

import pytest

from statusproxy.pacing import TURNS, Pacer, apart, in_thread


async def turns(done: list[list[str]]) -> None:
    """Begin another list of what was done in each turn of the event loop."""
    while True:
        done.append([])
        await asyncio.sleep(0)


async def work(name: str, pacer: Pacer, done: list[list[str]]) -> None:
    for _ in range(20):
        await pacer.step()
        done[-1].append(name)


async def test_one_step_is_done_in_a_turn_and_all_come_in_their_order() -> None:
    done: list[list[str]] = []
    others, pacer = asyncio.create_task(turns(done)), Pacer()
    await asyncio.gather(*(work(name, pacer, done) for name in "abc"))
    others.cancel()
    assert [turn for turn in done if turn] == [[name] for name in "abc" * 20]


async def test_between_two_steps_others_have_a_few_turns() -> None:
    done: list[list[str]] = []
    others = asyncio.create_task(turns(done))
    await work("a", Pacer(), done)
    others.cancel()
    steps = [number for number, turn in enumerate(done) if turn]
    assert {later - earlier for earlier, later in pairwise(steps)} == {TURNS}


async def test_work_that_is_ended_while_it_waits_holds_no_other_up() -> None:
    done: list[list[str]] = [[]]
    pacer = Pacer()
    first, second, third = (asyncio.create_task(work(name, pacer, done)) for name in "abc")
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await third
    assert done[0].count("c") == 20


async def test_work_in_a_thread_lets_the_loop_go_on_and_yields_to_it_quickly() -> None:
    usual, go_on = sys.getswitchinterval(), threading.Event()
    working = asyncio.create_task(in_thread(lambda: go_on.wait() and threading.current_thread()))
    await asyncio.sleep(0)
    assert sys.getswitchinterval() <= usual / 10
    go_on.set()
    assert await working is not threading.current_thread()
    assert sys.getswitchinterval() == usual


async def test_work_in_a_thread_that_raises_does_so_to_who_waits_and_leaves_nothing_changed() -> None:
    usual = sys.getswitchinterval()
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)
    assert sys.getswitchinterval() == usual


async def test_work_is_done_in_a_thread_only_where_there_is_much_to_do() -> None:
    here = threading.current_thread()
    assert await apart(threading.current_thread, many=False) is here
    assert await apart(threading.current_thread, many=True) is not here
