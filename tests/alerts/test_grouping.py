"""When what falls together becomes one message."""

import pytest

from statusproxy.alerts.grouping import ready_at


@pytest.mark.parametrize(
    ("times", "last", "ready"),
    [
        ([100.0], None, 105.0),
        ([100.0, 104.0, 109.0], None, 114.0),
        ([100.0, 106.0], None, 105.0),  # quiet before the second
        ([100.0 + 4 * number for number in range(20)], None, 130.0),
        ([100.0], 90.0, 120.0),
        ([100.0], 10.0, 105.0),
        ([100.0], 1e9, 105.0),  # of a clock that was set back
    ],
)
def test_a_message_waits_for_quiet_for_a_while_and_for_the_rate(
    times: list[float], last: float | None, ready: float
) -> None:
    assert ready_at(times, 30.0, last, 200.0) == ready
