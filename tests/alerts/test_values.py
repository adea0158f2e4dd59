"""The values of alerts."""

import pytest

from statusproxy.alerts.values import Outage, Topic


@pytest.mark.parametrize(
    ("outage", "key"),
    [
        (Outage(Topic.LOST, 1.0, "sales"), "lost:sales"),
        (Outage(Topic.LOST, 2.0, "store"), "lost:store"),
        (Outage(Topic.STORE, 1.0), "store"),
        (Outage(Topic.GATEWAY_DOWN, 1.0), "gateway-down"),
    ],
)
def test_an_outage_is_known_by_its_session_or_its_condition(outage: Outage, key: str) -> None:
    assert outage.key == key
