"""A heap without anything outdated."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from statusproxy.spool.heap import Heap

STEPS = st.lists(st.tuples(st.sampled_from("abcdefghijkl"), st.none() | st.integers(0, 9).map(float)), max_size=60)


@given(STEPS)
def test_the_first_is_the_earliest_of_those_that_are_there_whatever_was_put_and_removed(
    steps: list[tuple[str, float | None]],
) -> None:
    heap, there = Heap(), dict[str, tuple[float, str, str]]()
    for key, at in steps:
        if at is None:
            heap.remove(key)
            there.pop(key, None)
        else:
            heap.put(key, at, f"id of {key}")
            there[key] = (at, f"id of {key}", key)
        assert (heap.first, len(heap)) == (min(there.values(), default=None), len(there))
    in_order = []
    while heap.first is not None:
        in_order.append(heap.first)
        heap.remove(heap.first[2])
    assert in_order == sorted(there.values())


@pytest.mark.parametrize("number", [0, 7_000, 19_999])
def test_of_twenty_thousand_one_is_taken_out_in_a_few_steps(number: int) -> None:
    steps = 0

    class Noted(float):
        def __lt__(self, other: float) -> bool:
            nonlocal steps
            steps += 1
            return float(self) < float(other)

    heap = Heap()
    for each in range(20_000):
        heap.put(str(each), Noted(each), str(each))
    steps = 0
    heap.remove(str(number))
    assert steps < 50
