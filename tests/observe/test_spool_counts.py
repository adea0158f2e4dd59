"""Counts of the spool's entries."""

import pytest

from statusproxy.observe.metrics import Metrics
from statusproxy.observe.spool_counts import SpoolCounts
from tests.observe.prometheus import samples, value

LABELS = [
    *[("kept", reason) for reason in ("queued", "not-sent", "refused", "no-answer")],
    *[("dropped", reason) for reason in ("age", "operator", "lost")],
    *[("not_kept", reason) for reason in ("full", "store")],
]


@pytest.mark.parametrize(("what", "reason"), LABELS)
def test_each_reason_is_known_from_the_start_and_counted(what: str, reason: str) -> None:
    metrics = Metrics()
    assert value(samples(metrics), f"spool_{what}_total", reason=reason) == 0
    for _ in range(2):
        getattr(metrics.spool, what)(reason)
    found = samples(metrics)
    told = {(a, b): value(found, f"spool_{a}_total", reason=b) for a, b in LABELS}
    assert told == {**dict.fromkeys(LABELS, 0.0), (what, reason): 2.0}


def test_deliveries_are_counted() -> None:
    metrics = Metrics()
    metrics.spool.delivered()
    assert value(samples(metrics), "spool_delivered_total") == 1


def test_two_processes_share_no_numbers() -> None:
    SpoolCounts().kept("queued")
    assert value(samples(Metrics()), "spool_kept_total", reason="queued") == 0
