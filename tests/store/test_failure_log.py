"""A store's errors in the log: told at once, once a minute, and never with a last word that does not hold."""

from __future__ import annotations

import pytest

from statusproxy.store.failure_log import FailureLog, times
from tests.hand_clock import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock(100.0)


@pytest.fixture
def log(clock: HandClock) -> FailureLog:
    return FailureLog(clock)


def test_an_error_is_told_when_it_comes_and_when_it_is_over(log: FailureLog) -> None:
    assert log.fails("full") == 0
    assert log.fails("full") is None
    assert log.works()
    assert not log.works()


def test_what_comes_and_goes_is_one_pair_of_lines_a_minute_with_a_count(log: FailureLog, clock: HandClock) -> None:
    lines = [log.fails("full"), log.works()]
    for _ in range(20):
        clock.now += 2.5
        lines += [log.fails("full"), log.works()]
    assert lines[:2] == [0, True]
    assert lines[2:] == [None, False] * 20
    clock.now += 60
    assert (log.fails("full"), log.works()) == (20, True)


def test_an_error_that_stays_is_told_as_soon_as_its_minute_is_over(log: FailureLog, clock: HandClock) -> None:
    log.fails("full")
    log.works()
    clock.now += 1
    assert log.fails("full") is None
    clock.now += 58
    assert log.fails("full") is None
    clock.now += 1
    assert log.fails("full") == 1
    assert log.works()


def test_another_error_is_news(log: FailureLog) -> None:
    assert log.fails("full") == 0
    assert log.fails("read-only") == 0
    assert log.fails("full") is None  # it was told within this minute


def test_errors_without_end_take_no_room_without_end(log: FailureLog) -> None:
    sizes = set()
    for number in range(100):
        for _ in range(2):
            log.fails(str(number))
            log.works()
        sizes.add((len(log._said_at), len(log._kept_back)))
    assert max(sizes) == (32, 32)
    assert min(sizes) == (1, 1)


def test_a_count_is_told_where_there_is_one() -> None:
    assert times(0) == ""
    assert times(3) == " (and 3 times since this was last logged)"
