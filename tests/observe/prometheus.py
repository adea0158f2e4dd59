"""Reads what is told to Prometheus, for tests."""

from collections.abc import Iterable
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from statusproxy.observe.exchange_report import Report, RouteKind
from statusproxy.observe.exposition import Exposition
from statusproxy.observe.metrics import Metrics

Sample = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(metrics: Metrics, gauges: Iterable[Metric] = ()) -> Sample:
    """Every sample by its name and labels, as Prometheus scrapes it."""
    return parsed(Exposition(metrics).expose(gauges).decode())


def parsed(text: str) -> Sample:
    """Every sample by its name and labels, read by Prometheus' own parser."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Sample, name: str, **labels: str) -> float:
    """One sample's value, 0 where it is not there."""
    return found.get((f"statusproxy_{name}", frozenset(labels.items())), 0.0)


def report(**more: Any) -> Report:
    """One finished exchange."""
    values: dict[str, Any] = {
        "kind": RouteKind.PASS, "method": "GET", "status": 200, "seconds": 0.003, "upstream_seconds": 0.002,
        "received": 10, "sent": 100, "request_id": "r-1", "client": "127.0.0.1", "target": b"/x?secret=1",
        "problem": None, "corrected": 0,
    }  # fmt: skip
    return Report(**(values | more))
