"""Times and lengths of time, as they are shown."""

import pytest

from statusproxy.rehearsal.moments import length, moment, shown

NOW = 1_768_504_030.0


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
