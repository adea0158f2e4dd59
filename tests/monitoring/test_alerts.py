"""The alert rules: promtool accepts them, each fires when it should and not before, and both languages are the same."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import blocks
from tests.monitoring.programs import ROOT, needs_prometheus, promtool
from tests.monitoring.queries import unknown_parts
from tests.monitoring.rules import ENGLISH, PORTUGUESE, Rule, read, rules
from tests.monitoring.timelines import INTERVAL, LINES, Line

LANGUAGES = [ENGLISH, PORTUGUESE]

_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def rendered(text: str, line: Line) -> str:
    """An annotation with its templates filled as the time line says."""
    for template, shown in line.words.items():
        text = text.replace(template, shown)
    return text


def expected(line: Line, rule: Rule) -> dict[str, Any]:
    """The alert as promtool is to find it."""
    return {
        "exp_labels": {**line.labels, **rule["labels"]},
        "exp_annotations": {name: rendered(text, line) for name, text in rule["annotations"].items()},
    }


def unit_tests(file: Path) -> dict[str, Any]:
    """promtool's input: every time line, against the rules of this file."""
    of = rules(file)
    return {
        "rule_files": [str(file)],
        "evaluation_interval": f"{INTERVAL}s",
        "tests": [
            {
                "name": f"{line.alert}: {line.what}",
                "interval": f"{INTERVAL}s",
                "input_series": [{"series": name, "values": values} for name, values in line.series.items()],
                "alert_rule_test": [
                    {
                        "eval_time": time,
                        "alertname": line.alert,
                        "exp_alerts": [expected(line, of[line.alert])] if fires else [],
                    }
                    for time, fires in line.fires.items()
                ],
            }
            for line in LINES
        ],
    }


@pytest.mark.slow
@needs_prometheus
@pytest.mark.parametrize("file", LANGUAGES, ids=lambda file: file.name)
def test_promtool_accepts_the_rules(file: Path) -> None:
    code, said = promtool("check", "rules", "--lint=all", "--lint-fatal", file)
    assert code == 0, said
    assert f"{len(rules(file))} rules found" in said


@pytest.mark.slow
@needs_prometheus
@pytest.mark.parametrize("file", LANGUAGES, ids=lambda file: file.name)
def test_each_alert_fires_when_it_should_and_not_before(file: Path, tmp_path: Path) -> None:
    written = tmp_path / "tests.json"  # JSON is YAML
    written.write_text(json.dumps(unit_tests(file)))
    code, said = promtool("test", "rules", written)
    assert code == 0, said


def test_each_alert_has_a_time_line_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    assert {line.alert for line in LINES} == set(rules(ENGLISH))
    for alert in rules(ENGLISH):
        fires = {fired for line in LINES if line.alert == alert for fired in line.fires.values()}
        assert fires == {False, True}, alert


def test_both_languages_have_the_same_rules_and_differ_in_words_alone() -> None:
    english, portuguese = read(ENGLISH), read(PORTUGUESE)
    words = [rule["annotations"] for one in (english, portuguese) for group in one["groups"] for rule in group["rules"]]
    for one in words:
        assert set(one) == {"summary", "description", "runbook_url"}
        assert all(one.values())
        one.clear()
    assert english == portuguese


@pytest.mark.parametrize("part", ["summary", "description"])
def test_both_languages_tell_the_same_values_in_words_of_their_own(part: str) -> None:
    portuguese = rules(PORTUGUESE)
    for name, rule in rules(ENGLISH).items():
        ours, theirs = rule["annotations"][part], portuguese[name]["annotations"][part]
        assert ours != theirs
        assert sorted(re.findall(r"{{.*?}}", ours)) == sorted(re.findall(r"{{.*?}}", theirs))


@pytest.mark.parametrize("file", LANGUAGES, ids=lambda file: file.name)
def test_names_and_severities_are_as_mixins_have_them(file: Path) -> None:
    for name, rule in rules(file).items():
        assert re.fullmatch(r"Statusproxy([A-Z][a-z]+)+", name)
        assert rule["labels"]["severity"] in {"critical", "warning"}


@pytest.mark.parametrize(
    ("file", "page"), [(ENGLISH, "when-an-alert-fires.md"), (PORTUGUESE, "pt-BR/when-an-alert-fires.md")]
)
def test_each_alert_leads_to_its_section_of_what_to_do_in_its_language(file: Path, page: str) -> None:
    headings = _HEADING.findall((ROOT / "docs" / page).read_text())
    for name, rule in rules(file).items():
        assert name in headings
        address, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert address == f"https://statusproxy.example/docs/{page}"
        assert anchor == name.lower()
    assert [each for each in headings if each.startswith("Statusproxy")] == list(rules(file)), "in the rules' order"


@pytest.mark.parametrize("page", ["monitoring.md", "pt-BR/monitoring.md"])
def test_the_page_of_monitoring_lists_each_alert_with_its_severity(page: str) -> None:
    listed = re.findall(r"^\| `(Statusproxy\w+)` \| (\w+) \|", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    assert listed == [(name, rule["labels"]["severity"]) for name, rule in rules(ENGLISH).items()]


def test_both_pages_of_monitoring_show_the_same_configuration() -> None:
    english, portuguese = (
        blocks((ROOT / "docs" / page).read_text()) for page in ("monitoring.md", "pt-BR/monitoring.md")
    )
    assert len(english) >= 4
    assert [block.text for block in portuguese] == [block.text for block in english]


def test_each_rule_asks_for_metrics_and_labels_that_exist() -> None:
    found = {name: unknown_parts(rule["expr"]) for name, rule in rules(ENGLISH).items()}
    assert {name: unknown for name, unknown in found.items() if unknown} == {}
