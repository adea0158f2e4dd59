"""Families made from plain numbers, with the words of the catalogue."""

import pytest
from prometheus_client.metrics_core import Metric

from statusproxy.observe.catalogue import METRICS
from statusproxy.observe.families import by_label, histogram, labelled, single


def told(family: Metric) -> list[tuple[str, dict[str, str], float]]:
    return [(sample.name, sample.labels, sample.value) for sample in family.samples]


def test_a_counter_and_a_gauge_tell_their_values() -> None:
    assert told(single("statusproxy_store_healthy", 1)) == [("statusproxy_store_healthy", {}, 1)]
    assert told(single("statusproxy_store_failures_total", 3)) == [("statusproxy_store_failures_total", {}, 3)]
    assert told(by_label("statusproxy_releases_total", {"alive": 1, "operator": 2})) == [
        ("statusproxy_releases_total", {"reason": "alive"}, 1),
        ("statusproxy_releases_total", {"reason": "operator"}, 2),
    ]
    assert told(labelled("statusproxy_upstream_connections", [(("hub", "idle"), 1)])) == [
        ("statusproxy_upstream_connections", {"to": "hub", "state": "idle"}, 1)
    ]


def test_a_value_that_is_not_there_is_no_sample() -> None:
    assert told(single("statusproxy_spool_oldest_timestamp_seconds", None)) == []


def test_a_histogram_tells_its_buckets_their_count_and_the_sum() -> None:
    assert told(histogram("statusproxy_own_seconds", [(("qr",), [("1.0", 2), ("+Inf", 3)], 4.5)])) == [
        ("statusproxy_own_seconds_bucket", {"route": "qr", "le": "1.0"}, 2),
        ("statusproxy_own_seconds_bucket", {"route": "qr", "le": "+Inf"}, 3),
        ("statusproxy_own_seconds_count", {"route": "qr"}, 3),
        ("statusproxy_own_seconds_sum", {"route": "qr"}, 4.5),
    ]


def test_the_help_line_is_the_catalogues() -> None:
    name = "statusproxy_bytes_total"
    assert by_label(name, {"answer": 1}).documentation == METRICS[name].text


def test_a_metric_that_nobody_described_cannot_be_made() -> None:
    with pytest.raises(KeyError):
        single("statusproxy_made_up", 1)
