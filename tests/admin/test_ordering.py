"""Long lists in short steps: counted between two turns that someone else has."""

import asyncio

import pytest

from statusproxy.admin import ordering as module
from statusproxy.admin.ordering import emptied, in_order, let_go
from statusproxy.pacing import Pacer


class Steps:
    """Counts what is done, and the most of it between two turns of someone else."""

    def __init__(self) -> None:
        self.done = 0
        self.most = 0

    async def look(self) -> None:
        while True:
            self.most, self.done = max(self.most, self.done), 0
            await asyncio.sleep(0)

    def key(self, number: int) -> int:
        self.done += 1
        return number // 2


@pytest.mark.parametrize("count", [0, 1, 10, 11, 95])
async def test_entries_are_given_in_the_order_of_their_keys_and_else_as_they_came(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 10)
    entries = [(number * 7919) % 101 for number in range(count)]
    assert await in_order(iter(entries), lambda one: one // 5, Pacer()) == sorted(entries, key=lambda one: one // 5)


async def test_a_long_list_is_sorted_in_short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 10)
    steps = Steps()
    other = asyncio.create_task(steps.look())
    await asyncio.sleep(0)
    await in_order(range(200, 0, -1), steps.key, Pacer())
    other.cancel()
    assert 0 < steps.most <= 10 + 20, "a piece, and the first of each piece"


def test_what_is_dealt_with_is_out_of_the_list() -> None:
    entries = [1, 2, 3]
    left = emptied(entries)
    assert (next(left), entries, list(left), entries) == (3, [], [2, 1], [])


async def test_a_long_list_is_let_go_in_short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 10)
    entries = list(range(25))
    going = asyncio.ensure_future(let_go(entries, Pacer()))
    await asyncio.sleep(0)
    assert len(entries) == 15
    await going
    assert entries == []
