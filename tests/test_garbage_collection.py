"""The garbage collector visits young objects only while requests are under way, and all others when none is."""

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from statusproxy.garbage_collection import YOUNG, GarbageCollection
from tests.proxy.loop_clock import LoopClock


class Knot:
    """Something that only a collection frees: it holds itself."""

    def __init__(self) -> None:
        self.itself = self


def old_knot() -> Callable[[], Knot | None]:
    """One that has outlived its youth, and that nothing else holds any more."""
    knot = Knot()
    gc.collect(0)
    gc.collect(0)
    return weakref.ref(knot)


@contextmanager
def collecting(*, busy: bool = False) -> Iterator[GarbageCollection]:
    ours = GarbageCollection(lambda: busy)
    ours.start()
    try:
        yield ours
    finally:
        ours.stop()


def collect_young(times: int) -> None:
    for _ in range(times):
        gc.collect(0)


async def test_however_many_objects_come_to_stay_only_young_ones_are_visited() -> None:
    generations: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            generations.append(info["generation"])

    with collecting():
        gc.callbacks.append(note)
        try:
            kept: list[list[int]] = [[] for _ in range(YOUNG * 30)]
        finally:
            gc.callbacks.remove(note)
    assert len(generations) >= len(kept) // YOUNG - 1
    assert set(generations) <= {0}


async def test_what_lives_at_the_start_is_not_visited_again() -> None:
    here, knot = [gc], old_knot()
    with collecting():
        assert knot() is None, "collected once more, before"
        assert not any(each is here for each in gc.get_objects())


async def test_old_objects_are_collected_when_that_is_worth_it_and_no_request_is_under_way() -> None:
    with collecting() as ours:
        knot = old_knot()
        ours.look()
        assert knot() is not None, "not worth it yet"
        collect_young(10)
        ours.look()
        assert knot() is None


async def test_while_requests_are_under_way_they_wait_but_not_for_ever() -> None:
    with collecting(busy=True) as ours:
        knot = old_knot()
        collect_young(900)
        ours.look()
        assert knot() is not None
        collect_young(100)
        ours.look()
        assert knot() is None


async def test_after_a_collection_of_all_the_next_must_be_worth_it_again() -> None:
    with collecting() as ours:
        collect_young(10)
        ours.look()
        knot = old_knot()
        ours.look()
        assert knot() is not None


async def test_it_looks_once_a_minute_until_it_is_stopped(
    loop_clock: LoopClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[GarbageCollection] = []

    def note(ours: GarbageCollection) -> None:
        looks.append(ours)

    monkeypatch.setattr(GarbageCollection, "look", note)
    loop_clock.stand_still()
    with collecting():
        for minute in range(2):
            await loop_clock.move(59)
            assert len(looks) == minute
            await loop_clock.move(1)
            assert len(looks) == minute + 1
    await loop_clock.move(120)
    assert len(looks) == 2


async def test_stopped_or_stopped_twice_python_collects_as_before() -> None:
    before = gc.get_threshold()
    with collecting() as ours:
        assert gc.get_threshold()[0] == YOUNG
        ours.stop()
        assert gc.get_threshold() == before
    assert gc.get_threshold() == before
