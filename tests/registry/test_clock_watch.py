"""The system's clock set: told once for each time, by how much, and not for the drift of a healthy clock."""

import pytest

from statusproxy.registry.clock_watch import ClockWatch


@pytest.mark.parametrize("shift", [0.0, 59.9, -59.9])
def test_a_clock_that_drifts_was_not_set(shift: float, caplog: pytest.LogCaptureFixture) -> None:
    assert not ClockWatch().was_set(shift)
    assert caplog.messages == []


@pytest.mark.parametrize(("shift", "told"), [(60.0, "+60 s"), (-60.0, "-60 s"), (7200.5, "+7200 s")])
def test_a_clock_that_jumps_was_set(shift: float, told: str, caplog: pytest.LogCaptureFixture) -> None:
    assert ClockWatch().was_set(shift)
    assert caplog.messages == [f"the system clock was moved by {told}; corrections do not depend on it"]
    assert caplog.records[0].__dict__["moved"] == shift


def test_each_jump_is_told_once_from_where_the_clock_was_before(caplog: pytest.LogCaptureFixture) -> None:
    watch = ClockWatch()
    seen = [watch.was_set(shift) for shift in (3600.0, 3600.0, 3630.0, 0.0, 0.0, -3600.0)]
    assert seen == [True, False, False, True, False, True]
    assert [record.__dict__["moved"] for record in caplog.records] == [3600.0, -3600.0, -3600.0]


def test_small_steps_that_add_up_to_a_minute_are_a_jump() -> None:
    watch = ClockWatch()
    assert [watch.was_set(shift) for shift in (-30.0, -59.0, -61.0, -62.0)] == [False, False, True, False]
