"""The dashboard: every panel says what it shows, and asks for metrics that exist."""

from itertools import combinations

import pytest

from statusproxy.observe.catalogue import METRICS
from tests.monitoring import dashboard
from tests.monitoring.dashboard import Panel, filled, queries
from tests.monitoring.queries import metrics_of, unknown_parts
from tests.monitoring.rules import ENGLISH, rules

PANELS = dashboard.panels()
each_panel = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])


@each_panel
def test_a_panel_asks_for_metrics_and_labels_that_exist(panel: Panel) -> None:
    assert [unknown for query in queries(panel) for unknown in unknown_parts(query)] == []


@each_panel
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: Panel) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]


@each_panel
def test_a_panel_asks_the_chosen_data_source_for_the_chosen_proxies(panel: Panel) -> None:
    for target in panel["targets"]:
        assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        if not target["expr"].startswith("ALERTS"):
            assert target["expr"].count('job=~"$job",instance=~"$instance"') == len(metrics_of(filled(target["expr"])))


@each_panel
def test_lines_of_one_panel_are_told_apart(panel: Panel) -> None:
    legends = [target["legendFormat"] for target in panel["targets"]]
    assert len(set(legends)) == len(legends)
    assert panel["type"] == "table" or all(legends)


def test_titles_ids_and_places_are_each_panels_own() -> None:
    every = dashboard.read()["panels"]
    assert len({panel["title"] for panel in every}) == len({panel["id"] for panel in every}) == len(every)
    for one, other in combinations((panel["gridPos"] for panel in every), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in every)


def test_the_rows_are_as_the_page_says() -> None:
    rows = [panel["title"] for panel in dashboard.read()["panels"] if panel["type"] == "row"]
    assert rows == ["Sessions", "Traffic", "Webhooks", "Store and spool", "Alerts", "Process"]


def test_data_source_job_and_instance_are_variables() -> None:
    variables = {each["name"]: each for each in dashboard.read()["templating"]["list"]}
    assert [each["type"] for each in variables.values()] == ["datasource", "query", "query"]
    assert list(variables) == ["datasource", "job", "instance"]
    assert all(
        each["definition"].startswith("label_values(statusproxy_build_info")
        for each in variables.values()
        if each["type"] == "query"
    )


def test_every_metric_is_looked_at_somewhere() -> None:
    asked = {metric for panel in PANELS for query in queries(panel) for metric in metrics_of(query)}
    asked |= {metric for rule in rules(ENGLISH).values() for metric in metrics_of(rule["expr"])}
    unseen = {"process_virtual_memory_bytes", "statusproxy_event_loop_lag_seconds"}  # the page says what for
    unseen |= {"statusproxy_spool_unknown", "statusproxy_spool_dead"} - asked
    assert set(METRICS) - asked == unseen
