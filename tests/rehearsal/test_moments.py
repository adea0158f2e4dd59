"""Times and lengths of time, as they are read and shown."""

import pytest

from statusproxy.rehearsal.moments import epoch, length, moment, shown

NOW = 1_768_504_030.0


@pytest.mark.parametrize(
    ("said", "is_"),
    [
        ("2026-01-15T19:07:10Z", NOW),
        (" 2026-01-15T16:07:10.000-03:00 ", NOW),
        ("1768504030", NOW),
        (1_768_504_030, NOW),
        (1_768_504_030.5, NOW + 0.5),
        ("2026-01-15T19:07:10", None),
        ("soon", None),
        (True, None),
        (None, None),
        (0, None),
        (float("inf"), None),
        (1e12, None),
        (10**400, None),
    ],
)
def test_a_time_has_a_zone_or_is_a_number_of_seconds(said: object, is_: float | None) -> None:
    assert epoch(said) == is_


def test_a_moment_is_iso_in_utc_and_shown_to_the_second() -> None:
    assert moment(NOW + 0.25) == "2026-01-15T19:07:10.250Z"
    assert shown(moment(NOW)) == "2026-01-15 19:07:10 UTC"


def test_a_time_beyond_all_calendars_is_none() -> None:
    assert moment(1e15) is None
    assert shown(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (0.25, "0.2 s"),
        (3, "3 s"),
        (-11.04, "11 s"),
        (59.99, "1 min"),
        (60, "1 min"),
        (2280, "38 min"),
        (10_795, "2 h 59 min"),
        (7_200, "2 h"),
        (90_061, "1 d 1 h"),
    ],
)
def test_a_length_has_its_two_largest_units(seconds: float, says: str) -> None:
    assert length(seconds) == says
