"""A real Prometheus with the scripted hour in its store."""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.monitoring.programs import promtool
from tests.monitoring.rules import ENGLISH
from tests.monitoring.scripted_hour import END, INTERVAL, START, open_metrics
from tests.ports import free_port
from tests.waiting import wait_until

_CONFIG = {"rule_files": [str(ENGLISH)]}


class Prometheus:
    """Asks a running server."""

    def __init__(self, address: str) -> None:
        self._address = address

    def at_the_end(self, query: str) -> list[dict[str, Any]]:
        """What a query gives at the end of the hour."""
        return self._result("query", query=query, time=END)

    def over_the_hour(self, query: str) -> list[dict[str, Any]]:
        """What a query gives over the hour."""
        return self._result("query_range", query=query, start=START, end=END, step=INTERVAL)

    def rules(self) -> list[str]:
        """The alerts that the server has loaded."""
        groups = self._ask("rules")["groups"]
        return [rule["name"] for group in groups for rule in group["rules"]]

    def is_ready(self) -> bool:
        """Whether it answers queries."""
        try:
            with urllib.request.urlopen(f"{self._address}/-/ready", timeout=60) as answer:
                return bool(answer.status == 200)
        except urllib.error.URLError:
            return False

    def _result(self, what: str, **parameters: Any) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = self._ask(what, **parameters)["result"]
        return result

    def _ask(self, what: str, **parameters: Any) -> dict[str, Any]:
        body = urllib.parse.urlencode(parameters).encode() if parameters else None
        with urllib.request.urlopen(f"{self._address}/api/v1/{what}", body, timeout=60) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
        return data


@contextmanager
def prometheus(folder: Path) -> Iterator[Prometheus]:
    """A server that holds the scripted hour, while the context lasts."""
    hour, store, config = folder / "hour.txt", folder / "store", folder / "prometheus.json"
    hour.write_text(open_metrics())
    config.write_text(json.dumps(_CONFIG))  # JSON is YAML
    code, said = promtool("tsdb", "create-blocks-from", "openmetrics", "--quiet", hour, store)
    assert code == 0, said
    port = free_port()
    log = (folder / "log").open("wb")
    options = {
        "config.file": config,
        "storage.tsdb.path": store,
        "storage.tsdb.retention.time": "100y",
        "web.listen-address": f"127.0.0.1:{port}",
        "log.level": "warn",
    }
    process = subprocess.Popen(
        ["prometheus", *(f"--{name}={value}" for name, value in options.items())], stdout=log, stderr=log
    )
    try:
        server = Prometheus(f"http://127.0.0.1:{port}")
        wait_until(lambda: process.poll() is not None or server.is_ready(), "Prometheus is ready")
        assert process.poll() is None, (folder / "log").read_text()
        yield server
    finally:
        process.kill()
        process.wait()
        log.close()
