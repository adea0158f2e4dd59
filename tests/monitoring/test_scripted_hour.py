"""A real Prometheus over a scripted hour: what is exposed is clean, and every panel of the dashboard gives data."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_aiohttp import AiohttpClient

from statusproxy.observe.catalogue import METRICS
from tests.admin.harness import running_admin
from tests.monitoring import dashboard
from tests.monitoring.dashboard import Panel, filled, queries
from tests.monitoring.programs import needs_prometheus, promtool
from tests.monitoring.rules import ENGLISH, rules
from tests.monitoring.scripted_hour import Story
from tests.monitoring.server import Prometheus, prometheus

pytestmark = [pytest.mark.slow, needs_prometheus]

PANELS = {panel["title"]: panel for panel in dashboard.panels()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A server with the hour in its store."""
    with prometheus(tmp_path_factory.mktemp("prometheus")) as server:
        yield server


def shown(server: Prometheus, panel: Panel, query: str) -> list[dict[str, Any]]:
    """What Grafana would draw."""
    return server.at_the_end(query) if panel["targets"][0]["instant"] else server.over_the_hour(query)


def values(server: Prometheus, title: str) -> dict[str, float]:
    """The values of a panel's first query at the end, by the label that its legend shows."""
    query, legend = next(queries(PANELS[title])), PANELS[title]["targets"][0]["legendFormat"].strip("{}")
    return {each["metric"].get(legend, legend): float(each["value"][1]) for each in server.at_the_end(query)}


@pytest.mark.parametrize("title", PANELS)
def test_every_query_of_every_panel_gives_data(server: Prometheus, title: str) -> None:
    for query in queries(PANELS[title]):
        numbers = [value for series in shown(server, PANELS[title], query) for value in numbers_of(series)]
        assert [number for number in numbers if number == number], f"nothing but NaN, or nothing: {query}"


def numbers_of(series: dict[str, Any]) -> list[float]:
    """The values of a series, of one moment or of many."""
    return [float(value) for _, value in series.get("values") or [series["value"]]]


def test_the_numbers_are_those_of_the_story(server: Prometheus) -> None:
    assert values(server, "Lost now") == {"lost": 1}
    states = {"lost": 1, "reported_down": 1, "needs_qr": 1, "connected": 1, "unknown": 1}
    assert values(server, "Sessions by state") == states
    assert values(server, "Time lost by session") == pytest.approx({"sales": 30 + 600 + 300}, rel=0.02)
    assert values(server, "Last webhook") == {"ago": 20}
    assert values(server, "Longest silence: messages") == {"sales": 90}
    assert values(server, "Gateway") == {"a": 1}


@pytest.mark.parametrize("variable", ["job", "instance"])
def test_the_variables_find_the_proxy(server: Prometheus, variable: str) -> None:
    (asked,) = [each for each in dashboard.read()["templating"]["list"] if each["name"] == variable]
    selector = asked["definition"].removeprefix("label_values(").rpartition(",")[0]
    assert {each["metric"][variable] for each in server.at_the_end(filled(selector))} == {
        {"job": "statusproxy", "instance": "a"}[variable]
    }


def test_the_server_loads_the_rules(server: Prometheus) -> None:
    assert sorted(server.rules()) == sorted(rules(ENGLISH))


def test_promtool_finds_nothing_to_complain_of_in_what_is_exposed() -> None:
    *_, (_, text) = Story().scrapes()
    assert all(f"# TYPE {name} " in text for name in METRICS), "the story has every metric"
    assert promtool("check", "metrics", given=text) == (0, "")


async def test_promtool_finds_nothing_in_what_a_running_proxy_exposes(
    tmp_path: Path, aiohttp_client: AiohttpClient
) -> None:
    async with running_admin(tmp_path, aiohttp_client) as admin:
        await admin.list_channels(sales="connected", support="connected")
        await admin.lose("sales")
        await admin.list_channels(sales="connected", support="connected")
        text = (await admin.ask("/metrics")).body.decode()
    assert 'statusproxy_session_state{session="sales",state="lost"} 1.0' in text
    assert 'statusproxy_session_state{session="support",state="connected"} 1.0' in text
    assert "statusproxy_gateway_up 1.0" in text
    assert promtool("check", "metrics", given=text) == (0, "")
