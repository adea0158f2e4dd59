"""An override of before a start whose clock may have run ahead gets the benefit of the doubt, and no other does."""

import pytest

from statusproxy.status.clocks import Stamp
from statusproxy.status.doubtful_age import NEVER, expires_at, outlived
from statusproxy.status.model import Override

OVERRIDE = Override(since=100.0, at=100.0, began=100.0, event="close")
START = 1_000.0


@pytest.mark.parametrize(
    ("alive", "doubted_at", "is_outlived"),
    [
        (160.0, NEVER, False),
        (160.1, NEVER, True),
        (160.1, 100.0, True),  # it began then
        (START + 60.0, START, False),
        (START + 60.1, START, True),
        (160.1, START, False),
    ],
)
def test_a_message_counts_once_the_grace_has_passed_for_sure(
    alive: float, doubted_at: float, is_outlived: bool
) -> None:
    assert outlived(OVERRIDE, Stamp(alive), 60.0, doubted_at) is is_outlived


def test_within_the_grace_of_a_late_disconnect_a_message_still_proves_nothing() -> None:
    of_then = Override(since=90.0, at=90.0, began=100.0, event="close")
    assert outlived(of_then, Stamp(155.0), 60.0, 100.0)
    assert not outlived(of_then, Stamp(155.0), 60.0, 100.1)
    late = Override(since=100.0, at=START + 30, began=100.0, event="close")
    assert not outlived(late, Stamp(START + 61), 60.0, START)


@pytest.mark.parametrize(
    ("max_age", "doubted_at", "at"),
    [
        (50.0, NEVER, 150.0),
        (50.0, 100.0, 150.0),
        (50.0, START, START + 3_600.0),
        (10_000.0, START, 10_100.0),
    ],
)
def test_what_is_in_doubt_expires_no_sooner_than_an_hour_after_the_start(
    max_age: float, doubted_at: float, at: float
) -> None:
    assert expires_at(OVERRIDE, max_age, doubted_at) == at
