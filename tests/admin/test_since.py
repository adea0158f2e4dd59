"""A time in the past as people write it."""

from datetime import UTC, timedelta, timezone

import pytest

from statusproxy.admin.since import parse_since

NOW = 1_768_504_026.0  # 2026-01-15T19:07:06Z


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("7d", NOW - 7 * 86_400), ("1.5h", NOW - 5_400), (" 30m ", NOW - 1_800), ("60", NOW - 60),
        ("2026-01-01", 1_767_225_600.0), ("2026-01-01T12:00", 1_767_268_800.0),
        ("2026-01-01T12:00:00Z", 1_767_268_800.0), ("2026-01-01T12:00:00.500-03:00", 1_767_279_600.5),
    ],
)  # fmt: skip
def test_a_duration_counts_back_from_now_and_a_date_is_in_utc(text: str, moment: float) -> None:
    assert parse_since(text, NOW) == moment


def test_a_date_can_be_in_another_time_zone() -> None:
    assert parse_since("2026-01-01", NOW, timezone(timedelta(hours=-3))) == parse_since("2026-01-01T03:00", NOW, UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "7w", "-7d", "2026-13-01", "0001-01-01T00:00:00+23:59x"])
def test_what_is_neither_is_an_error_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="such as 30m, 12h or 7d"):
        parse_since(text, NOW)
