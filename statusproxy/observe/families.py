"""Prometheus metric families, made from plain numbers."""

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric


def counter(name: str, text: str, labels: list[str], values: Iterable[tuple[Iterable[str], float]]) -> Metric:
    """A counter with these labels: its values by the values of the labels."""
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in values:
        family.add_metric(list(key), value)
    return family


def total(name: str, text: str, value: float) -> Metric:
    """A counter without labels."""
    return counter(name, text, [], [((), value)])


def by_label(name: str, text: str, label: str, counts: Mapping[str, float]) -> Metric:
    """A counter with one label."""
    return counter(name, text, [label], [((key,), count) for key, count in counts.items()])


def gauge(name: str, text: str, value: float) -> Metric:
    """A gauge without labels."""
    return GaugeMetricFamily(name, text, value=value)
