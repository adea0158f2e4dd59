"""Uptime by UTC days and calendar months."""

import gc
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status.uptime import DAY, DAYS, Figures, Outages, Share, figures, months, together, united

NOW = 1_768_504_026.0  # 2026-01-15T19:07:06Z
MIDNIGHT = NOW - NOW % DAY
LONG_AGO = NOW - 400 * DAY


def lost(*spans: tuple[float, float], now_since: float | None = None) -> Outages:
    outages = Outages()
    for since, until in spans:
        outages.add(since, until)
    outages.open_since = now_since
    return outages


def parts(outages: Outages) -> list[tuple[float, float]]:
    return list(outages)


def test_outages_that_overlap_are_one_and_those_that_touch_are_not() -> None:
    assert parts(lost((10.0, 20.0), (15.0, 30.0), (30.0, 40.0))) == [(10.0, 30.0), (30.0, 40.0)]
    assert parts(lost((10.0, 20.0), (30.0, 40.0), (5.0, 35.0))) == [(5.0, 40.0)]


def test_the_same_outage_told_again_counts_once_also_where_it_took_no_time() -> None:
    assert parts(lost((10.0, 20.0), (10.0, 20.0), (5.0, 5.0), (5.0, 5.0))) == [(5.0, 5.0), (10.0, 20.0)]
    assert parts(lost((5.0, 5.0), (5.0, 9.0))) == parts(lost((5.0, 9.0), (5.0, 5.0))) == [(5.0, 9.0)]


def test_an_outage_that_would_end_before_it_began_took_no_time() -> None:
    assert parts(lost((10.0, 9.0))) == [(10.0, 10.0)]


def test_a_collection_of_garbage_visits_none_of_it() -> None:
    outages = lost((10.0, 20.0), (30.0, 40.0), now_since=50.0)
    assert not any(map(gc.is_tracked, [outages, *gc.get_referents(outages)]))


def test_old_outages_can_be_dropped() -> None:
    outages = lost((10.0, 20.0), (30.0, 40.0), (50.0, 60.0))
    outages.drop_before(20.0)
    assert parts(outages) == [(30.0, 40.0), (50.0, 60.0)]
    assert outages.drop_oldest() == 40.0
    assert len(outages) == 1


def test_a_session_that_was_never_lost_was_connected_all_the_time_since_it_is_known() -> None:
    assert figures(None, LONG_AGO, LONG_AGO, NOW) == Figures(LONG_AGO, 0.0, 0, 1.0, "0" * DAYS)
    started = MIDNIGHT - 2 * DAY + 5
    assert figures(None, started, started, NOW) == Figures(started, 0.0, 0, 1.0, "-" * 87 + "000")


def test_nothing_is_said_of_a_time_that_is_not_known() -> None:
    assert figures(None, None, None, NOW) == Figures(days="-" * DAYS)
    assert figures(None, NOW + 5, NOW + 5, NOW) == Figures(NOW + 5, days="-" * DAYS)
    assert figures(None, NOW, NOW, NOW).uptime is None
    assert figures(lost(), NOW, NOW, NOW).uptime is None


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "1"), (1, "1"), (8_640, "1"), (8_641, "2"), (43_200, "5"), (69_120, "8"), (86_000, "9")]
)
def test_a_day_shows_the_tenths_of_it_that_were_lost_rounded_up(seconds: int, shown: str) -> None:
    begins = MIDNIGHT - DAY
    assert figures(lost((begins, begins + seconds)), LONG_AGO, None, NOW).days == "0" * 88 + shown + "0"


def test_an_outage_over_midnight_is_one_loss_and_shows_on_both_days() -> None:
    told = figures(lost((MIDNIGHT - 100, MIDNIGHT + 100)), LONG_AGO, LONG_AGO, NOW)
    assert (told.days[-2:], told.losses, told.lost_seconds) == ("11", 1, 200.0)


def test_an_outage_that_ends_at_midnight_does_not_show_on_the_next_day() -> None:
    assert figures(lost((MIDNIGHT - 100, MIDNIGHT)), LONG_AGO, LONG_AGO, NOW).days[-2:] == "10"


def test_an_outage_that_lasts_counts_up_to_now() -> None:
    told = figures(lost(now_since=NOW - DAY), NOW - 2 * DAY, None, NOW)
    assert (told.lost_seconds, told.losses, told.uptime) == (DAY, 1, 0.5)


def test_an_outage_that_began_before_the_time_counts_from_there_on_and_is_no_loss_of_it() -> None:
    told = figures(lost((NOW - 95 * DAY, MIDNIGHT - 88 * DAY)), LONG_AGO, LONG_AGO, NOW)
    assert (told.lost_seconds, told.losses, told.days[:2]) == (DAY, 0, "90")


def test_what_was_lost_before_the_time_that_is_known_does_not_count() -> None:
    told = figures(lost((NOW - 100, NOW - 50)), NOW - 75, NOW - 200, NOW)
    assert (told.first_heard, told.lost_seconds) == (NOW - 200, 25.0)
    assert told.uptime == pytest.approx(1 - 25 / 75)


def test_months_are_calendar_months_in_utc_this_one_first() -> None:
    assert [(name, (end - begin) / DAY) for name, begin, end in months(4, NOW)] == [
        ("2026-01", 31), ("2025-12", 31), ("2025-11", 30), ("2025-10", 31),
    ]  # fmt: skip
    assert months(1, 1_796_083_200.0)[0][0] == "2026-12"


def test_a_share_of_no_time_has_no_uptime() -> None:
    assert lost((10.0, 20.0)).share(30.0, 30.0, 100.0) == Share(0.0, 0.0, 0)
    assert Share(0.0, 0.0, 0).uptime is None


def test_shares_of_several_sessions_add_up() -> None:
    whole = together([Share(100.0, 50.0, 1), Share(100.0, 0.0, 0)])
    assert (whole, whole.uptime) == (Share(200.0, 50.0, 1), 0.75)


def test_a_session_known_by_several_ids_was_lost_while_it_was_by_any_of_them() -> None:
    whole = united([lost((10.0, 20.0)), lost((15.0, 30.0), now_since=50.0), lost(now_since=40.0), lost((60.0, 61.0))])
    assert (list(whole), whole.open_since) == ([(10.0, 30.0), (60.0, 61.0)], 40.0)
    assert whole.share(0.0, 100.0, 70.0).lost_seconds == 20.0 + 30.0
    assert len(united([])) == 0


def test_an_outage_of_one_spelling_that_lasts_takes_in_those_of_another_which_it_overlaps() -> None:
    whole = united([lost((30.0, 45.0), (60.0, 61.0)), lost(now_since=40.0)])
    assert whole.open_since == 30.0
    assert whole.share(0.0, 100.0, 70.0) == Share(70.0, 40.0, 1)


_SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda one: (float(one[0]), float(sum(one)))))


@given(_SPANS, st.none() | st.integers(10, 90).map(float))
def test_time_lost_is_what_a_count_second_by_second_finds(spans: list[tuple[float, float]], now: float | None) -> None:
    outages = lost(*spans, now_since=now)
    told = parts(outages)
    assert told == sorted(told)
    assert outages.share(0.0, 100.0, 100.0).lost_seconds == sum(
        any(since <= second < until for since, until in spans) or (now is not None and second >= now)
        for second in range(100)
    )


@given(_SPANS)
def test_what_is_told_twice_changes_nothing(spans: list[tuple[float, float]]) -> None:
    assert parts(lost(*spans, *spans)) == parts(lost(*spans))


@given(st.lists(st.tuples(st.floats(0, 95 * DAY), st.floats(0, 3 * DAY)), max_size=8), st.floats(0, 95 * DAY))
def test_days_and_total_say_the_same(spans: list[tuple[float, float]], known: float) -> None:
    outages = lost(*((NOW - ago, min(NOW, NOW - ago + took)) for ago, took in spans))
    told = figures(outages, NOW - known, None, NOW)
    assert len(told.days) == DAYS
    shown = [int(day) for day in told.days if day != "-"]
    assert (told.lost_seconds > 0) <= any(shown)
    assert told.lost_seconds <= sum(DAY / 10 * day if day < 9 else DAY for day in shown) + 1e-3


def calls(work: Callable[[], object]) -> int:
    """How many functions of Python and of C are called, and generators resumed."""
    count = 0

    def counted(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def flapping(count: int) -> Outages:
    """So many outages in the last 80 days."""
    step = 80 * DAY / count
    return lost(*((NOW - 80 * DAY + n * step, NOW - 80 * DAY + (n + 0.5) * step) for n in range(count)))


def test_sessions_with_thousands_of_outages_are_reported_in_short_steps() -> None:
    some, many = flapping(200), flapping(2_000)
    assert figures(many, LONG_AGO, None, NOW).losses == 2_000
    for work in (
        lambda outages: figures(outages, LONG_AGO, None, NOW),
        lambda outages: [outages.share(begin, end, NOW) for _, begin, end in months(12, NOW)],
    ):
        assert calls(lambda: work(many)) < 1.5 * calls(lambda: work(some)), "what takes time are days, not outages"  # noqa: B023


@given(st.lists(_SPANS, max_size=4))
def test_several_ids_together_are_what_they_would_be_one_after_the_other(
    several: list[list[tuple[float, float]]],
) -> None:
    in_one = sorted(span for spans in several for span in spans)
    assert list(united(lost(*spans) for spans in several)) == list(lost(*in_one))


def test_an_outage_that_lasts_shows_on_each_of_its_days() -> None:
    told = figures(lost(now_since=MIDNIGHT - 1.5 * DAY), LONG_AGO, None, NOW)
    assert told.days == "0" * 87 + "598", "half of the day, a whole day, and most of today"


def test_an_outage_that_has_just_begun_shows_and_one_of_before_that_took_no_time_does_not() -> None:
    assert figures(lost(now_since=NOW - 1e-6), LONG_AGO, None, NOW).days[-2:] == "01"
    assert figures(lost(now_since=NOW - 10.0), NOW - 1e-6, None, NOW).days[-1] == "0"


def test_an_outage_of_days_shows_on_each_of_them_by_what_was_lost_of_it() -> None:
    told = figures(lost((MIDNIGHT - 2.6 * DAY, MIDNIGHT - 0.5 * DAY)), LONG_AGO, None, NOW)
    assert told.days[-4:] == "6950"


def test_all_outages_of_a_day_show_on_it_together() -> None:
    begins = MIDNIGHT - DAY
    spans = [(begins - DAY, begins - DAY + 1)] + [(begins + at, begins + at + 4_320) for at in (0, 20_000, 40_000)]
    assert figures(lost(*spans), LONG_AGO, None, NOW).days[-3:] == "120"


def test_an_outage_that_begins_as_the_known_time_does_is_a_loss_of_it() -> None:
    told = figures(lost((NOW - 50, NOW - 50)), NOW - 50, None, NOW)
    assert (told.losses, told.days[-1]) == (1, "1")


def test_an_outage_that_begins_as_the_time_ends_is_no_loss_of_it() -> None:
    assert lost(now_since=50.0).share(0.0, 50.0, 100.0) == Share(50.0, 0.0, 0)


def test_an_outage_that_lasts_and_begins_as_another_spellings_ends_is_another_one() -> None:
    whole = united([lost((30.0, 40.0)), lost(now_since=40.0)])
    assert (list(whole), whole.open_since) == ([(30.0, 40.0)], 40.0)


def test_of_a_session_that_is_known_since_now_today_is_known() -> None:
    assert figures(None, NOW, NOW, NOW).days == "-" * 89 + "0"


def test_months_begin_on_their_first_day_and_december_ends_with_the_year() -> None:
    assert months(1, NOW) == [("2026-01", 1_767_225_600.0, 1_769_904_000.0)]
    assert months(1, 1_767_225_599.0) == [("2025-12", 1_764_547_200.0, 1_767_225_600.0)]
