"""The dashboard as data: its panels, and their queries as Grafana sends them."""

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.monitoring.programs import KIT

Panel = dict[str, Any]

#: What Grafana puts in for its variables: all proxies, the last hour, a scrape every 15 s.
_GRAFANA: Final = {"$__rate_interval": "1m", "$__range": "1h", "$__interval": "15s", "$job": ".+", "$instance": ".+"}


def read() -> dict[str, Any]:
    """The whole dashboard."""
    content: dict[str, Any] = json.loads((KIT / "dashboard.json").read_text())
    return content


def panels() -> list[Panel]:
    """All panels but the rows."""
    return [panel for panel in read()["panels"] if panel["type"] != "row"]


def queries(panel: Panel) -> Iterator[str]:
    """A panel's queries, with Grafana's variables filled in."""
    for target in panel["targets"]:
        yield filled(target["expr"])


def filled(query: str) -> str:
    """A query as Grafana sends it."""
    for variable, value in _GRAFANA.items():
        query = query.replace(variable, value)
    assert "$" not in query, query
    return query
