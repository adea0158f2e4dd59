"""Flat is told from rising, whatever the beginning was like."""

from __future__ import annotations

import pytest

from tests.soak.flatness import flatness


def test_what_stays_where_it_is_is_flat_though_it_rose_at_first() -> None:
    values = [float(min(second, 10)) for second in range(60)]
    found = flatness(range(60), values)
    assert found.growth == 0
    assert found.slope == pytest.approx(0)


def test_what_rises_shows_its_slope() -> None:
    found = flatness(range(60), [2.0 * second for second in range(60)])
    assert found.slope == pytest.approx(2)
    assert found.growth > 50


def test_a_single_peak_is_no_growth() -> None:
    values = [10.0] * 60
    values[50] = 1000.0
    assert flatness(range(60), values).growth == 0


def test_too_few_values_tell_nothing() -> None:
    with pytest.raises(ValueError, match="too few"):
        flatness(range(5), [1.0] * 5)
