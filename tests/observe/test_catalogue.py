"""The catalogue of metrics follows Prometheus' conventions for names and says all that the page shows."""

import re

import pytest

from statusproxy.observe.catalogue import METRICS, PARTS, Described, Kind
from statusproxy.observe.exchange_report import RouteKind

each_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


def test_each_metric_is_described_once() -> None:
    names = [metric.name for part in PARTS for metric in part.metrics]
    assert sorted(names) == sorted(METRICS)


@each_metric
def test_counters_and_only_they_are_called_total(metric: Described) -> None:
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)


@each_metric
def test_a_name_tells_a_unit_of_the_base_ones(metric: Described) -> None:
    assert re.fullmatch(r"(statusproxy|process)(_[a-z]+)+", metric.name)
    assert not re.search(r"_(ms|milliseconds|minutes|kb|mb|percent)(_|$)", metric.name)


@each_metric
def test_a_metric_says_what_it_is_and_when_to_look_at_it(metric: Described) -> None:
    assert metric.text.endswith(".")
    assert metric.when
    assert not metric.when.endswith(".")
    assert all(metric.labels.values())
    assert "|" not in f"{metric.text}{metric.when}{metric.labels}", "it would end a cell of the table"


def test_the_label_route_names_each_kind_of_route() -> None:
    told = METRICS["statusproxy_requests_total"].labels["route"].partition(": ")[2]
    assert told.split(", ") == [kind.name.lower() for kind in RouteKind]
