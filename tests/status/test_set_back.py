"""A clock that was set back is noticed by its ticking; what is only late is not taken for that."""

import math
import random

import pytest

from statusproxy.status.set_back import EVEN, FORGOTTEN, TICKING, TICKS, SetBack

HOUR = 3600.0
TOLERATED = 900.0


def fed(one: SetBack, *lags: float, usual: float = 10.0, every: float = 10.0, start: float = 50_000.0) -> list[bool]:
    """Events that come in at these intervals with these lags."""
    arrivals = [start + number * every for number in range(len(lags))]
    return [one.take(lag, usual, TOLERATED, now - lag, now) for lag, now in zip(lags, arrivals, strict=True)]


def test_a_clock_that_goes_on_an_hour_behind_was_set_back() -> None:
    one = SetBack()
    assert fed(one, *[HOUR + 10] * TICKS) == [False] * (TICKS - 1) + [True]
    assert (one.before, one.now, one.until) == (10.0, HOUR + 10, 50_040.0 + TOLERATED)


def test_of_a_clock_that_was_not_set_back_there_is_no_time_before() -> None:
    one = SetBack()
    assert (one.before, one.now, one.until) == (-math.inf, -math.inf, -math.inf)


def test_what_was_noticed_once_is_not_noticed_with_every_event() -> None:
    one = SetBack()
    fed(one, *[HOUR + 10] * TICKS)
    assert fed(one, *[HOUR + 10] * TICKS, start=50_050.0) == [False] * (TICKS - 1) + [True]


def test_a_clock_that_was_set_back_twice_ticks_as_often_again() -> None:
    one = SetBack()
    fed(one, *[HOUR + 10] * TICKS)
    again = fed(one, *[2 * HOUR + 10] * TICKS, usual=HOUR + 10, start=60_000.0)
    assert again == [False] * (TICKS - 1) + [True]
    assert (one.before, one.now) == (HOUR + 10, 2 * HOUR + 10)


def ticking(*ticks: tuple[float, float]) -> bool:
    """Whether a clock that shows these times when these come in was set back by some hour."""
    one = SetBack()
    return [one.take(now - at, 0.0, TOLERATED, at, now) for at, now in ticks][-1]


EARLY = [(0.0, 3600.0), (10.0, 3610.0), (20.0, 3620.0)]


@pytest.mark.parametrize(
    ("rest", "shown"),
    [
        ([(25.0, 3625.0), (30.0, 3630.0)], True),  # thirty seconds are enough
        ([(25.0, 3625.0), (29.9, 3629.9)], False),
        ([(25.0, 3627.0), (30.0, 3630.0)], True),  # two seconds behind the others tick as they do
        ([(25.0, 3627.1), (30.0, 3630.0)], False),
        ([(25.0, 3623.0), (30.0, 3630.0)], True),  # and two before them
        ([(25.0, 3622.9), (30.0, 3630.0)], False),
        ([(20.0, 3621.0), (30.0, 3630.0)], False),  # the same time twice
        ([(19.0, 3620.5), (30.0, 3630.0)], False),
        ([(620.0, 4220.0), (630.0, 4230.0)], True),  # ten minutes without a tick
        ([(620.1, 4220.1), (630.0, 4230.0)], False),
    ],
)
def test_a_clock_ticks_where_times_go_on_as_they_come_in(rest: list[tuple[float, float]], shown: bool) -> None:
    assert ticking(*EARLY, *rest) is shown


@pytest.mark.parametrize("fewer", range(TICKS))
def test_fewer_ticks_show_nothing(fewer: int) -> None:
    assert not any(fed(SetBack(), *[HOUR + 10] * fewer))


def test_ticks_in_too_short_a_time_show_nothing() -> None:
    assert not any(fed(SetBack(), *[HOUR] * TICKS, every=TICKING / TICKS))


def test_what_is_sent_again_within_the_tolerance_shows_nothing() -> None:
    assert not any(fed(SetBack(), *[TOLERATED + 10] * 20))


def test_one_event_that_comes_again_and_again_does_not_tick() -> None:
    one = SetBack()
    assert not any(one.take(HOUR, 0.0, TOLERATED, 1000.0, 1000.0 + HOUR) for _ in range(20))


def test_a_clock_that_still_shows_the_time_as_before_was_not_set() -> None:
    one = SetBack()
    lags = [HOUR + 10] * (TICKS - 1) + [10.0 + EVEN] + [HOUR + 10] * (TICKS - 1)
    assert not any(fed(one, *lags))


def test_events_that_are_sent_again_meanwhile_do_not_hide_it() -> None:
    lags = [HOUR, HOUR + 300, 310.0, HOUR, HOUR + 40, HOUR, 200.0, HOUR, HOUR]
    assert fed(SetBack(), *lags, usual=0.0)[-1]


def test_a_first_event_that_was_late_does_not_hide_it() -> None:
    assert fed(SetBack(), HOUR + 300, *[HOUR] * TICKS)[-1]


def test_what_stopped_ticking_is_forgotten() -> None:
    one = SetBack()
    fed(one, *[HOUR] * (TICKS - 1))
    assert not any(fed(one, *[HOUR + 1.5] * (TICKS - 1), start=50_000.0 + FORGOTTEN + 100))


def test_old_events_in_any_order_do_not_tick() -> None:
    for seed in range(50):
        chance = random.Random(seed)
        one, least = SetBack(), 0.0
        for number in range(500):
            lag = number - chance.uniform(-86_400, 0)
            least = min(least, lag)
            assert not one.take(lag, least, TOLERATED, number - lag, float(number))


def test_what_was_dated_before_is_told_by_how_far_it_is_behind() -> None:
    one = SetBack()
    assert not one.is_of_before(10.0, TOLERATED, 0.0)
    fed(one, *[HOUR + 10] * TICKS)
    now = 50_000.0 + 10 * TICKS
    lags = (9.0, 10.0, 600.0, HOUR + 10 - TOLERATED, HOUR + 10)
    assert [one.is_of_before(lag, TOLERATED, now) for lag in lags] == [False, True, True, False, False]
    assert one.is_of_before(600.0, TOLERATED, one.until)
    assert not one.is_of_before(600.0, TOLERATED, now + TOLERATED)
