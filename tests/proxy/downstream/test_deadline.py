"""A deadline passes once, when it says, however often it was moved; and it costs one timer."""

import weakref
from typing import Any, cast

import pytest

from statusproxy.proxy.downstream.deadline import Deadline
from tests.proxy.downstream.stand_ins import StandInClock


class Case:
    """A deadline on a clock, and when it passed."""

    def __init__(self) -> None:
        self.clock = StandInClock()
        self.passed: list[float] = []
        self.deadline = Deadline(cast(Any, self.clock), lambda: self.passed.append(self.clock.now))


@pytest.fixture
def case() -> Case:
    return Case()


def test_it_passes_once_at_its_time(case: Case) -> None:
    case.deadline.set(110.0)
    case.clock.move(9.0)
    assert (case.passed, case.deadline.at) == ([], 110.0)
    case.clock.move(50.0)
    assert (case.passed, case.deadline.at) == ([110.0], None)


def test_it_can_be_moved_to_a_later_time(case: Case) -> None:
    case.deadline.set(110.0)
    case.clock.move(5.0)
    case.deadline.set(130.0)
    case.clock.move(24.0)
    assert case.passed == []
    case.clock.move(2.0)
    assert case.passed == [130.0]


def test_it_can_be_moved_to_an_earlier_time(case: Case) -> None:
    case.deadline.set(130.0)
    case.deadline.set(110.0)
    assert len(case.clock.timers) == 1
    case.clock.move(50.0)
    assert case.passed == [110.0]


def test_a_deadline_that_is_cleared_does_not_pass(case: Case) -> None:
    case.deadline.set(110.0)
    case.deadline.clear()
    case.clock.move(50.0)
    assert case.passed == []


def test_it_can_be_set_again_after_it_passed_or_was_cleared(case: Case) -> None:
    case.deadline.set(110.0)
    case.clock.move(20.0)
    case.deadline.set(130.0)
    case.deadline.clear()
    case.deadline.set(125.0)
    case.clock.move(20.0)
    assert case.passed == [110.0, 125.0]


def test_moving_it_a_thousand_times_makes_no_more_than_one_timer_at_once(case: Case) -> None:
    for number in range(1000):
        case.deadline.set(110.0 + number)
        case.deadline.clear()
        case.deadline.set(110.0 + number)
        assert len(case.clock.timers) == 1


def test_a_closed_deadline_keeps_no_timer(case: Case) -> None:
    case.deadline.set(110.0)
    case.deadline.close()
    assert (case.clock.timers, case.deadline.at) == ([], None)
    case.deadline.close()


def test_a_closed_deadline_holds_its_owner_no_more(case: Case) -> None:
    class Owner:
        def passed(self) -> None:
            """The deadline has passed."""

    owner = Owner()
    deadline, held = Deadline(cast(Any, case.clock), owner.passed), weakref.ref(owner)
    del owner
    assert held() is not None
    deadline.close()
    assert held() is None
