"""When history is past its days: never because a clock ran ahead."""

import time

import pytest

from statusproxy.store import age as age_module
from statusproxy.store.age import HistoryAge

DAY = 86_400.0
SETTLING = 3_600.0


class Clocks:
    def __init__(self) -> None:
        self.wall, self.even = 1_768_504_026.0, 77.0


def made(clocks: Clocks, days: float | None = 90) -> HistoryAge:
    return HistoryAge(days, lambda: clocks.wall, lambda: clocks.even)


def test_nothing_is_deleted_before_a_wrong_clock_could_be_put_right() -> None:
    clocks = Clocks()
    age = made(clocks)
    assert (age.before(), age.wait) == (None, SETTLING)
    clocks.even += SETTLING
    clocks.wall += SETTLING
    assert (age.before(), age.wait) == (clocks.wall - 90 * DAY, 0.0)


def test_a_clock_that_runs_ahead_deletes_nothing() -> None:
    clocks = Clocks()
    age = made(clocks)
    clocks.even += SETTLING
    clocks.wall += SETTLING + 3650 * DAY
    assert age.before() == clocks.wall - 3650 * DAY - 90 * DAY


def test_a_clock_that_ran_ahead_at_the_start_and_was_put_right_deletes_nothing() -> None:
    clocks = Clocks()
    right = clocks.wall
    clocks.wall += 3650 * DAY
    age = made(clocks)
    clocks.even += SETTLING
    clocks.wall = right + SETTLING
    assert age.before() == right + SETTLING - 90 * DAY


def test_without_days_all_is_kept_and_nothing_is_waited_for() -> None:
    age = made(Clocks(), None)
    assert (age.before(), age.wait) == (None, 0.0)


def test_a_made_up_clock_needs_no_time_to_settle_and_is_followed() -> None:
    now = 100 * DAY
    age = HistoryAge(1, lambda: now)
    assert (age.before(), age.wait) == (99 * DAY, 0.0)
    now += 5 * DAY
    assert age.before() == 104 * DAY


def test_the_systems_clock_is_given_time_to_settle_by_one_that_nobody_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(age_module, "boot_time", lambda: 77.0)
    age = HistoryAge(1, time.time)
    assert (age.before(), age.wait) == (None, SETTLING)
