"""What is a time, in which form, and how far from our clock."""

import pytest

from statusproxy.learning.times import Times, read, span

NOW = 1_768_504_100.0


@pytest.mark.parametrize(
    ("value", "form", "lag"),
    [
        (1_768_504_026, "seconds", 74.0),
        (1_768_504_026.5, "seconds", 73.5),
        ("1768504026", "seconds", 74.0),
        (1_768_504_026_490, "milliseconds", 73.51),
        ("1768504026490", "milliseconds", 73.51),
        (1_768_504_026_490_000, "microseconds", 73.51),
        (1_768_504_026_490_000_000, "nanoseconds", 73.51),
        ("1768504026490000000", "nanoseconds", 73.51),
        ("2026-01-15T19:07:06.000Z", "ISO 8601", 74.0),
        ("2026-01-15 19:07:06+00:00", "ISO 8601", 74.0),
        ("2026-01-15T19:07:06", "ISO 8601 without a zone", None),
    ],
)
def test_times_in_all_forms(value: object, form: str, lag: float | None) -> None:
    time = read(value, NOW)
    assert time is not None
    assert (time.form, time.lag) == (form, pytest.approx(lag) if lag is not None else None)


def test_without_our_clock_nobody_knows_the_lag() -> None:
    for value in (1_768_504_026, "2026-01-15T19:07:06Z"):
        time = read(value, None)
        assert time is not None
        assert time.lag is None


@pytest.mark.parametrize(
    "value",
    [5_511_999_990_000, "5511999990000", 42, 2e12 + 1e12, True, None, "open", "2026-13-45T99:99", "2" * 50, 1e11, []],
)
def test_other_numbers_and_texts_are_no_times(value: object) -> None:
    assert read(value, NOW) is None


def test_the_nearest_and_the_furthest_are_remembered() -> None:
    times = Times()
    for value in (1_768_504_026, 1_768_504_099, "2026-01-15T19:07:06"):
        time = read(value, NOW)
        assert time is not None
        times.add(time)
    assert (times.count, times.lowest, times.highest) == (3, 1.0, 74.0)
    assert not times.usable


@pytest.mark.parametrize(
    ("lowest", "highest", "said"),
    [
        (None, None, "how far from our clock is not known"),
        (-1.0, 2.0, "within 5 s of our clock"),
        (10_800.0, 10_801.0, "3 h behind"),
        (-19_800.0, -19_795.0, "5.5 h ahead"),
        (0.0, 120.0, "equal to our clock to 2 min behind"),
        (-172_800.0, 7.0, "2 days ahead to 7 s behind"),
    ],
)
def test_the_distance_in_words(lowest: float | None, highest: float | None, said: str) -> None:
    assert span(lowest, highest) == said
