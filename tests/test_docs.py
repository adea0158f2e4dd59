"""What the documentation names exists: tests, files, metrics; and its tree of files is the real one."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from statusproxy.admin.scrape import gauges
from statusproxy.config.load import loads
from statusproxy.observe.catalogue import METRICS
from statusproxy.observe.gauges import SessionSeries
from statusproxy.store.batch_writer import BatchWriter
from statusproxy.store.proxies import Sharing
from tests import metrics_page, tree
from tests.proxy.harness import running

ROOT = Path(__file__).parent.parent
#: A file or a folder in backticks. NAME and WHAT stand for a name that the reader chooses.
PATH = re.compile(r"`((?:[\w.-]+/)*(?:[\w.-]+\.(?:py|md|yaml|jsonl|toml|txt|svg|sh)|[\w.-]+/))`")

#: The pages for people who change the program.
BUILDERS = ("CONTRIBUTING.md", *(f"docs/{name}.md" for name in ("architecture", "http", "performance", "reliability")))

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


@pytest.mark.parametrize("page", ["gateways.md", "pt-BR/gateways.md"])
def test_what_is_shown_for_each_gateway_needs_nothing_but_a_plain_install(page: str) -> None:
    blocks = re.findall(r"^```yaml\n(gateway: .*?)^```", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 9
    for block in blocks:
        secrets = dict.fromkeys(re.findall(r"\$\{(\w+)\}", block), "an-example-of-a-secret-of-some-length")
        assert [each.jwt for each in loads(block, environ=secrets).webhooks if each.jwt is not None] == []
        assert ("jwt:" in block) == (".[jwt]" in block), "it says which extra a token needs"


@pytest.mark.parametrize("page", BUILDERS)
def test_every_file_that_a_page_for_builders_names_exists(page: str) -> None:
    text = (ROOT / page).read_text().replace(tree.shown((ROOT / page).read_text()), "")
    named = {path for path in PATH.findall(text) if not exists(path)}
    assert named == set()


def exists(path: str) -> bool:
    """Whether a path leads somewhere from the top of the checkout, or from the package or its proxy."""
    if "NAME" in path:
        path = path.partition("NAME")[0].rpartition("/")[0].removesuffix("test_") or "."
    return any((ROOT / base / path).exists() for base in (".", "statusproxy", "statusproxy/proxy", "docs"))


@pytest.mark.slow
def test_the_tree_has_a_line_for_each_file_as_its_docstring_says() -> None:
    shown = tree.shown(tree.PAGE.read_text())
    assert shown == tree.tree(), "write it again: .venv/bin/python -m tests.tree"
    assert [line for line in shown.splitlines() if line.endswith(": ")] == []


def walks() -> list[list[tuple[str, str]]]:
    """The tables of the two data flows: of each row its file and what happens there."""
    page = (ROOT / "docs/architecture.md").read_text()
    part = page.partition("## Data flow: a webhook's body")[2].partition("## A request, from")[0]
    tables = part.split("| file | what happens there |\n| --- | --- |\n")[1:]
    return [re.findall(r"^\| `([\w/]+\.py)` \| (.*) \|$", table.partition("\n\n")[0], re.MULTILINE) for table in tables]


def test_the_walks_cross_as_many_files_as_they_say() -> None:
    to_gateway, copy, _, channels = map(len, walks())
    stored = [file for file, _ in walks()[3]].index("registry/gateway_view.py") + 1
    text = (ROOT / "docs/architecture.md").read_text()
    said = re.search(
        r"these (\d+) files.*ordinary event crosses (\d+) files.*"
        r"corrected list crosses (\d+) of these (\d+) files.*any list crosses only (\d+):",
        text,
        re.DOTALL,
    )
    assert said is not None
    # One of two files finds the channels; what is not parsed is a `ChannelList` and an answer after it was stored.
    counts = (to_gateway, to_gateway + copy, channels - 1, channels, stored + 2)
    assert tuple(map(int, said.groups())) == counts


def test_each_function_that_a_walk_names_is_in_its_file() -> None:
    named = [
        (file, name) for table in walks() for file, text in table for name in re.findall(r"`(\w+)\([\w, ]*\)`", text)
    ]
    assert len(named) > 10
    assert [f"{file}: {name}" for file, name in named if name not in functions(ROOT / "statusproxy" / file)] == []


def test_the_table_of_rooms_is_in_the_order_that_import_linter_checks() -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text().partition("## Packages")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`\w.*?) \|", section, re.MULTILINE)
    rows = [set(re.findall(r"`([\w.]+?)(?:\.py|/)`", cell)) for cell in cells]
    assert rows == layers()


def layers() -> list[set[str]]:
    """The rooms in the order that import-linter checks, those of one layer together."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return [set(layer.split(" | ")) for layer in contracts[0]["layers"]]


def test_the_picture_names_each_package() -> None:
    named = " ".join(re.findall(r'class="name"[^>]*>([^<]*)<', (ROOT / "docs/architecture.svg").read_text()))
    packages = {room for layer in layers() for room in layer if (ROOT / "statusproxy" / room).is_dir()}
    assert len(packages) > 10
    assert packages - set(re.findall(r"[a-z]+", named)) == set()


def test_the_page_for_builders_has_each_command_that_make_help_shows() -> None:
    shown = re.findall(r'@echo "make ([\w-]+)', (ROOT / "Makefile").read_text())
    section = (ROOT / "CONTRIBUTING.md").read_text().partition("## The commands")[2].partition("\n## ")[0]
    assert len(shown) > 20
    missing = set(shown) - set(re.findall(r"`make ([\w-]+)", section))
    assert not missing, f"CONTRIBUTING.md, The commands: add {sorted(missing)}"


def test_the_picture_has_words_both_themes_and_nothing_from_elsewhere() -> None:
    text = (ROOT / "docs/architecture.svg").read_text()
    picture = ElementTree.fromstring(text)
    described = {part.get("id"): part.text for part in picture if part.tag.endswith(("title", "desc"))}
    assert (picture.get("aria-labelledby") or "").split() == list(described)
    assert all(described.values())
    assert "prefers-color-scheme: dark" in text
    assert re.findall(r"(?:href|src)=|@import|url\((?!#)", text) == []


@pytest.fixture
async def exposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Metric]:
    """The families that a running proxy exposes, by the names of their series."""
    monkeypatch.setattr(BatchWriter, "sharing", Sharing("me"))  # as in a store that proxies share
    async with running(tmp_path, "http://127.0.0.1:1", state={"url": f"sqlite:///{tmp_path}/state.db"}) as proxy:
        server = proxy.server
        losses = await server.registry.losses()
        sessions = SessionSeries()
        now = gauges(
            server.registry, server.proxy, server.rooms.spool, 0, gateway_up=True, sessions=sessions, losses=losses
        )
        families = list(text_string_to_metric_families(server.exposition.expose(now).decode()))
    return {family.name + "_total" * (family.type == "counter"): family for family in families}


def test_the_catalogue_has_every_metric_with_its_type_and_words(exposed: dict[str, Metric]) -> None:
    told = {name: (family.type, family.documentation) for name, family in exposed.items()}
    assert told == {name: (metric.kind, metric.text) for name, metric in METRICS.items()}


def test_the_catalogue_has_every_label(exposed: dict[str, Metric]) -> None:
    for name, family in exposed.items():
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(METRICS[name].labels), name


def test_the_page_of_metrics_is_the_catalogue() -> None:
    shown = metrics_page.shown(metrics_page.PAGE.read_text())
    assert shown == metrics_page.tables(), "write it again: .venv/bin/python -m tests.metrics_page"
