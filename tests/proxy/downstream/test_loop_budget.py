"""Shares of the loop's turns: everyone's work goes on, nobody's all at once."""

import asyncio
from unittest import mock

from statusproxy.proxy.downstream.loop_budget import LoopBudget

#: Pieces of work of one turn.
SHARE = 100


async def test_a_new_turn_brings_a_new_share() -> None:
    budget = LoopBudget(asyncio.get_running_loop(), SHARE)
    budget.spend(SHARE)
    assert budget.left == 0
    await asyncio.sleep(0)
    assert budget.left == SHARE


async def test_work_is_counted_until_the_turn_ends() -> None:
    budget = LoopBudget(asyncio.get_running_loop(), SHARE)
    budget.spend(1)
    budget.spend(2)
    assert budget.left == SHARE - 3
    await asyncio.sleep(0)
    assert budget.left == SHARE


async def test_while_anyone_waits_nothing_is_left_for_others() -> None:
    budget = LoopBudget(asyncio.get_running_loop(), SHARE)
    left: list[int] = []
    budget.spend(SHARE)
    for _ in range(3):
        budget.wait(lambda: budget.spend(SHARE // 2))
    for _ in range(3):
        left.append(budget.left)
        await asyncio.sleep(0)
    assert left == [0, 0, SHARE // 2]


async def test_who_waits_is_served_in_order_as_long_as_the_share_lasts() -> None:
    budget = LoopBudget(asyncio.get_running_loop(), SHARE)
    served: list[int] = []

    def work(number: int) -> None:
        served.append(number)
        budget.spend(SHARE // 2)

    for number in range(5):
        budget.wait(lambda number=number: work(number))  # type: ignore[misc]
    await asyncio.sleep(0)
    assert served == [0, 1]
    await asyncio.sleep(0)
    assert served == [0, 1, 2, 3]
    await asyncio.sleep(0)
    assert served == [0, 1, 2, 3, 4]


async def test_who_comes_back_in_its_turn_waits_for_the_next() -> None:
    budget = LoopBudget(asyncio.get_running_loop(), SHARE)
    served: list[str] = []

    def again() -> None:
        served.append("again")
        if len(served) < 6:
            budget.wait(again)

    budget.wait(again)
    budget.wait(lambda: served.append("other"))
    await asyncio.sleep(0)
    assert served == ["again", "other"]
    await asyncio.sleep(0)
    assert served == ["again", "other", "again"]


async def test_an_error_of_one_who_waits_does_not_keep_the_others_waiting() -> None:
    loop, errors, served = asyncio.get_running_loop(), list[object](), list[str]()
    loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
    budget, error = LoopBudget(loop, SHARE), KeyError("of our own")
    budget.wait(mock.Mock(side_effect=error))
    for name in ("second", "third"):
        budget.wait(lambda name=name: served.append(name))  # type: ignore[misc]
    for _ in range(2):
        await asyncio.sleep(0)
    assert (served, errors) == (["second", "third"], [error])


async def test_with_nobody_waiting_nothing_runs() -> None:
    budget = LoopBudget(asyncio.get_running_loop(), SHARE)
    budget.spend(SHARE)
    await asyncio.sleep(0)
    assert not budget._scheduled
