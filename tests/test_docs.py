"""The documentation names tests as its proof: they must exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from statusproxy.admin.scrape import gauges
from tests.proxy.harness import running

ROOT = Path(__file__).parent.parent
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    missing = [
        f"{path}::{name}" for path, name in NAMED.findall(page.read_text()) if name not in functions(ROOT / path)
    ]
    assert missing == []


@cache
def functions(path: Path) -> set[str]:
    """The names of a file's functions."""
    if not path.is_file():
        return set()
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


async def test_every_metric_stands_in_its_page_and_no_other(tmp_path: Path) -> None:
    async with running(tmp_path, "http://127.0.0.1:1") as proxy:
        server = proxy.server
        text = server.exposition.expose(gauges(server.registry, server.proxy)).decode()
        exposed = set(re.findall(r"^# HELP (statusproxy_\w+)", text, re.MULTILINE))
    listed = re.findall(r"^\| `(statusproxy_\w+)`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(exposed)
