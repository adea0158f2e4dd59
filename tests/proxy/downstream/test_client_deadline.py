"""A client has its time for each thing that it may be waited for, by the limits of that moment."""

from typing import Any, cast

import pytest
from msgspec.structs import replace

from statusproxy.proxy.downstream.client_deadline import ClientDeadline
from statusproxy.proxy.downstream.limits import ClientLimits
from tests.proxy.downstream.stand_ins import StandInClock


class Case:
    """The deadline of a connection that was opened at 100."""

    def __init__(self, request_head: float | None = 30.0, keep_alive: float = 75.0) -> None:
        self.limits = ClientLimits(request_head=request_head, keep_alive=keep_alive)
        self.clock = StandInClock()
        self.passed: list[float] = []
        self.deadline = ClientDeadline(cast(Any, self.clock), lambda: self.passed.append(self.clock.now), self)
        self.deadline.opened()


@pytest.mark.parametrize(
    ("request_head", "keep_alive", "at"),
    [(30.0, 75.0, 130.0), (30.0, 5.0, 105.0), (None, 75.0, 175.0), (30.0, 0.0, 130.0), (None, 0.0, None)],
)
def test_who_says_nothing_has_the_shorter_of_both_times(
    request_head: float | None, keep_alive: float, at: float | None
) -> None:
    assert Case(request_head, keep_alive).deadline.at == at


def test_a_first_head_has_its_time_from_the_opening() -> None:
    case = Case(keep_alive=5.0)
    case.clock.move(4.0)
    case.deadline.head_begun()
    assert case.deadline.at == 130.0


def test_while_a_request_is_served_no_time_runs() -> None:
    case = Case()
    case.deadline.request_begun()
    assert case.deadline.at is None


def test_an_answered_client_has_the_time_of_an_idle_connection_and_then_that_of_a_head() -> None:
    case = Case()
    case.deadline.request_begun()
    case.clock.move(50.0)
    case.deadline.idle()
    assert case.deadline.at == 225.0
    case.clock.move(10.0)
    case.deadline.head_begun()
    assert case.deadline.at == 190.0
    case.clock.move(30.0)
    assert case.passed == [190.0]


@pytest.mark.parametrize("first", ["request_begun", "idle"])
def test_only_the_first_head_has_its_time_from_the_opening(first: str) -> None:
    """Whatever came first: a request, or a few empty lines."""
    case = Case()
    case.deadline.head_begun()
    case.clock.move(10.0)
    getattr(case.deadline, first)()
    case.clock.move(10.0)
    case.deadline.head_begun()
    assert case.deadline.at == 150.0


def test_without_a_limit_a_head_has_all_the_time() -> None:
    case = Case(request_head=None)
    case.deadline.head_begun()
    assert case.deadline.at is None


def test_other_limits_hold_from_the_next_thing_on() -> None:
    case = Case()
    case.limits = replace(case.limits, request_head=7.0, keep_alive=8.0)
    assert case.deadline.at == 130.0
    case.deadline.head_begun()
    assert case.deadline.at == 107.0
    case.deadline.request_begun()
    case.deadline.idle()
    assert case.deadline.at == 108.0
