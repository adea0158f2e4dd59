"""A histogram's numbers in Prometheus' form."""

import pytest

from statusproxy.observe.latencies import BUCKETS, Latencies
from statusproxy.observe.metrics import Metrics
from tests.observe.prometheus import report, samples, value


@pytest.mark.parametrize(
    ("seconds", "below"), [(0.0, "0.0005"), (0.0005, "0.0005"), (0.0006, "0.001"), (500.0, "+Inf")]
)
def test_a_bucket_holds_all_up_to_its_bound(seconds: float, below: str) -> None:
    metrics = Metrics()
    metrics.report(report(seconds=seconds, upstream_seconds=None))
    found = samples(metrics)
    bounds = [*map(str, BUCKETS), "+Inf"]
    counts = {bound: value(found, "request_seconds_bucket", route="pass", le=bound) for bound in bounds}
    assert {bound for bound, count in counts.items() if count} == set(bounds[bounds.index(below) :])
    assert value(found, "request_seconds_count", route="pass") == 1


def test_each_bucket_holds_those_below_it_as_well() -> None:
    latencies = Latencies()
    latencies.counts[0] += 2
    latencies.counts[3] += 1
    latencies.counts[-1] += 1
    cumulated = dict(latencies.buckets())
    assert (cumulated["0.0005"], cumulated["0.0025"], cumulated["0.005"], cumulated["120.0"]) == (2, 2, 3, 3)
    assert cumulated["+Inf"] == 4
