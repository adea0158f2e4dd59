"""When the first entries of a receiver's lanes may go."""

import pytest

from statusproxy.spool import heap as heap_module
from statusproxy.spool.agenda import Agenda


def agenda(*planned: tuple[float, str], own: tuple[tuple[float, str], ...] = ()) -> Agenda:
    """An agenda of entries, each of a queue that is named as itself."""
    made = Agenda()
    for due, id_ in planned:
        made.plan(id_, due, id_, own=False)
    for due, id_ in own:
        made.plan(id_, due, id_, own=True)
    return made


def test_the_one_due_longest_goes_first_and_none_before_its_time() -> None:
    it = agenda((3.0, "c"), (1.0, "a"), own=((2.0, "b"),))
    assert (it.next_due(), it.take(0.9)) == (1.0, None)
    assert [it.take(3.0) for _ in range(4)] == ["a", "b", "c", None]
    assert it.next_due() is None


def test_a_probe_goes_before_its_time_unless_its_pause_is_its_own() -> None:
    it = agenda((9.0, "a"), own=((5.0, "b"),))
    assert [it.take_probe(1.0), it.take_probe(1.0), it.take_probe(5.0)] == ["a", None, "b"]


def test_a_queue_has_one_plan_the_newest() -> None:
    it = agenda((1.0, "a"), own=((2.0, "b"),))
    it.plan("a", 5.0, "later", own=True)
    it.plan("b", 3.0, "b", own=False)
    it.drop("unknown")
    assert (it.next_due(), it.take(4.0), it.take(4.0)) == (3.0, "b", None)
    it.drop("a")
    assert it.next_due() is None


def test_what_waits_for_the_receiver_goes_at_once_when_that_is_back_and_what_comes_later_at_its_time() -> None:
    it = agenda((9.0, "a"), (8.0, "b"), (7.0, "x"), own=((6.0, "c"),))
    it.hasten()
    it.drop("x")
    it.plan("d", 5.0, "d", own=False)
    assert it.take(1.0) == "b"
    it.hasten()  # it was away once more
    assert [it.take(1.0) for _ in range(3)] == ["a", "d", None]
    assert (it.take(6.0), it.next_due()) == ("c", None)


def test_what_was_hastened_and_taken_out_holds_up_nothing() -> None:
    it = agenda((9.0, "a"))
    it.hasten()
    it.plan("b", 8.0, "b", own=False)
    it.hasten()
    it.drop("a")
    it.hasten()  # nothing waits
    assert (it.take(1.0), it.next_due()) == ("b", None)


def test_a_hundred_thousand_are_hastened_without_a_step_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    it, steps = Agenda(), 0
    for number in range(100_000):
        it.plan(str(number), 100.0 + number, str(number), own=False)
    settle = heap_module.Heap._settle

    def noted(heap: heap_module.Heap, item: heap_module.Item, place: int) -> None:
        nonlocal steps
        steps += 1
        settle(heap, item, place)

    monkeypatch.setattr(heap_module.Heap, "_settle", noted)
    it.hasten()
    assert (it.take(0.0), it.take_probe(0.0)) == ("0", "1")
    assert steps == 2
