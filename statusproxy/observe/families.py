"""Prometheus metric families, made from plain numbers. Their text and labels are those of the catalogue."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from statusproxy.observe.catalogue import METRICS, Kind


def labelled(name: str, values: Iterable[tuple[Sequence[str], float]]) -> Metric:
    """The counter or gauge of this name: its values by the values of the labels."""
    described = METRICS[name]
    kind = CounterMetricFamily if described.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(name, described.text, labels=list(described.labels))
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def single(name: str, value: float | None) -> Metric:
    """The counter or gauge of this name, which has no labels; None where there is no value now."""
    return labelled(name, () if value is None else [((), value)])


def by_label(name: str, counts: Mapping[str, float]) -> Metric:
    """The counter or gauge of this name, which has one label."""
    return labelled(name, (((key,), count) for key, count in counts.items()))


def histogram(name: str, values: Iterable[tuple[Sequence[str], Sequence[tuple[str, float]], float]]) -> Metric:
    """The histogram of this name: buckets (cumulated) and sum by the values of the labels."""
    described = METRICS[name]
    family = HistogramMetricFamily(name, described.text, labels=list(described.labels))
    for labels, buckets, total in values:
        family.add_metric(labels, buckets, total)
    return family
