"""Durations and sizes read as people write them, and are shown so that they read back the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.config.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("60", 60), ("60s", 60), ("500ms", 0.5), ("2m", 120), ("1h", 3600), ("1d", 86400), ("1.5h", 5400), (" 5 S ", 5)],
)
def test_a_duration_is_a_number_and_a_unit_and_seconds_without_one(written: str, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    ("written", "count"),
    [("0", 0), ("1048576", 1048576), ("64k", 65536), ("1MiB", 1048576), ("10MB", 10_000_000), ("1.5KiB", 1536)],
)
def test_a_size_is_a_number_and_a_unit_and_bytes_without_one(written: str, count: int) -> None:
    assert parse_size(written) == count


@pytest.mark.parametrize("written", ["", "soon", "-1", "1e3", "inf", "nan", "1h30m", "60x", "9" * 5000, "٣s"])
def test_what_is_no_duration_is_refused_with_examples(written: str) -> None:
    with pytest.raises(ValueError, match="allowed: a duration such as 500ms, 60s"):
        parse_duration(written)


@pytest.mark.parametrize("written", ["", "big", "-1", "1s", "0.5", "1.00001k"])
def test_what_is_no_size_is_refused_with_examples(written: str) -> None:
    with pytest.raises(ValueError, match="allowed: a size such as 65536, 64k"):
        parse_size(written)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (0.5, "500ms"), (60, "1m"), (75, "75s"), (3600, "1h"), (86400, "1d"), (0.0001, "0.0001s")],
)
def test_a_duration_is_shown_in_the_largest_unit_that_holds_it_whole(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown


@given(st.integers(0, 10**11).map(lambda milliseconds: milliseconds / 1000))
def test_a_duration_shown_reads_back_the_same(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(0, 2**50))
def test_a_size_shown_reads_back_the_same(size: int) -> None:
    assert parse_size(format_size(size)) == size
