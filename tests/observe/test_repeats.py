"""Warnings that come again and again: one at a time, and none lost from the count."""

from statusproxy.observe.repeats import QUIET, TOLD_APART, Repeats


def test_what_a_flood_held_back_is_told_when_it_is_over() -> None:
    repeats = Repeats()
    assert repeats.more("it", "all", 0.0) == ("it", 0)
    assert repeats.more("once", "all", 0.0) == ("once", 0)
    assert repeats.more("it", "all", 1.0) is None
    assert repeats.overdue(30.0) == []
    assert repeats.overdue(61.0) == [("it", 1)]
    assert repeats.more("it", "all", 62.0) is None  # a line was just written
    assert repeats.overdue(122.0) == [("it", 1)]
    assert repeats.overdue(200.0) == []
    assert repeats.more("once", "all", 201.0) == ("once", 0)


def test_a_clock_set_back_silences_nothing() -> None:
    repeats = Repeats()
    repeats.more("it", "all", 1000.0)
    assert repeats.more("it", "all", 10.0) == ("it", 0)


def test_the_same_is_told_again_after_a_minute() -> None:
    repeats = Repeats()
    assert repeats.more("it", "all", 10.0) == ("it", 0)
    assert repeats.more("it", "all", 9.9 + QUIET) is None
    assert repeats.more("it", "all", 10.0 + QUIET) == ("it", 1)


def test_beyond_a_bound_all_others_are_one() -> None:
    repeats = Repeats()
    for number in range(TOLD_APART):
        assert repeats.more(number, "all", 1.0) == (number, 0)
    assert repeats.more("new", "all", 2.0) == ("all", 0)
    assert repeats.more("newer", "all", 3.0) is None
    assert repeats.more(0, "all", 3.0) is None, "known before"
    assert repeats.overdue(100.0) == [(0, 1), ("all", 1)]
    assert repeats.more("new", "all", 101.0) == ("new", 0), "there is room again"
