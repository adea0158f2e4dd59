"""When a wait is too long: by a ratio to the same client's own, and to what the machine itself can do."""

from __future__ import annotations

import pytest

from tests.faults.waits import FLOOR, Sample, Waits, allowed, between, quantile, summary


def waits(worst: float) -> Waits:
    return Waits(count=1, p50=worst, p99=worst, worst=worst)


@pytest.mark.parametrize(
    ("idle", "straight", "limit"),
    [
        (0.0, None, FLOOR),
        (FLOOR / 100, 0.0, FLOOR),
        (FLOOR, None, 10 * FLOOR),
        (0.0, FLOOR, 4 * FLOOR),
        (FLOOR, 100 * FLOOR, 400 * FLOOR),
    ],
)
def test_a_wait_is_judged_by_idle_and_by_the_machine(idle: float, straight: float | None, limit: float) -> None:
    found = allowed(waits(idle), None if straight is None else waits(straight))
    assert found == pytest.approx(limit)


def test_a_request_may_wait_for_those_that_came_just_before_it() -> None:
    assert allowed(waits(FLOOR / 100), behind=300) == pytest.approx(1.5 * FLOOR)
    assert allowed(waits(FLOOR / 100), behind=100) == FLOOR


def test_strictly_nothing_is_granted_for_what_the_machine_or_others_do() -> None:
    assert allowed(waits(FLOOR), waits(100 * FLOOR), floor=2 * FLOOR, behind=300, strict=True) == 2 * FLOOR


def test_what_was_not_served_is_counted_by_what_came_instead() -> None:
    samples = [Sample("pass", 0, 1, "ok"), Sample("pass", 1, 3, "503"), Sample("pass", 5, 2, "503")]
    assert summary(samples) == Waits(count=3, p50=2, p99=3, worst=3, failed={"503": 2})
    assert summary([]) == Waits(0, 0, 0, 0)


def test_a_request_counts_in_every_span_it_was_under_way_in() -> None:
    early, across, late = (Sample("pass", begun, 2, "ok") for begun in (0, 3, 9))
    assert between([early, across, late], 4, 8) == [across]


def test_a_quantile_is_one_of_the_values() -> None:
    ordered = [float(number) for number in range(100)]
    assert [quantile(ordered, share) for share in (0.0, 0.5, 0.99, 1.0)] == [0, 50, 99, 99]
