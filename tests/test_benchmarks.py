"""What `make bench` makes of its figures: ratios, verdicts, and several machines side by side."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

from benchmarks import changes, fleet, instructions, machines, other, profile, rates
from benchmarks.__main__ import chosen
from benchmarks.load import Sample
from benchmarks.results import Cost, Finding, Median, Results, Section
from tests.upgrade.version import TODAY


def sample(*, rate: float = 1_000.0, p50: float = 100.0, cpu: float = 50.0) -> Sample:
    return Sample(rate, p50, p50 * 3, cpu)


def of_point(what: str, samples: dict[str, list[Sample]]) -> tuple[Section, list[Finding]]:
    (point,) = (point for point in rates.points() if point.what == what)
    return rates.report(point, samples)


def test_processor_time_comes_first_and_each_goal_has_its_own_verdict() -> None:
    section, (finding,) = of_point(
        "passing on a small answer",
        {rates.OURS: [sample(rate=700.0, cpu=120.0)], rates.NGINX: [sample(rate=1_000.0, cpu=40.0)]},
    )
    assert section.columns[1:3] == ["CPU for each", "CPU, × nginx"]
    assert section.rows[0] == [rates.OURS, "120 µs", "3.00", "700", "100 µs", "300 µs", "0.70"]
    assert finding.figure == "CPU 120 µs; 700 /s"
    assert finding.against == "CPU 3.00 ×; rate 0.70 × nginx"
    assert (finding.goal, finding.verdict) == ("CPU ≤ 2.0 ×, rate ≥ 0.6 ×", "CPU **missed**, rate met")


def test_a_ratio_is_the_median_of_the_ratios_within_one_turn() -> None:
    # The machine was twice as slow in the second turn, for both.
    ours, peer = [sample(cpu=100.0), sample(cpu=200.0)], [sample(cpu=50.0), sample(cpu=100.0)]
    _, (finding,) = of_point("passing on a small answer", {rates.OURS: ours, rates.NGINX: peer})
    assert finding.cost == Cost(150.0, 2.0, "nginx")


def test_without_the_peer_a_goal_is_not_judged() -> None:
    _, (finding,) = of_point("passing on a small answer", {rates.OURS: [sample()]})
    assert (finding.against, finding.verdict) == ("", "CPU not measured, rate not measured")


@pytest.mark.parametrize("point", rates.points(), ids=lambda point: point.what)
def test_each_goal_is_for_a_proxy_of_ours_and_a_figure_that_is_compared(point: rates.Point) -> None:
    assert set(point.aims) <= {rates.OURS, rates.APART} & set(point.proxies)
    assert {aim.of for aims in point.aims.values() for aim in aims} <= {"cpu", point.measure}


def test_one_missed_goal_of_two_counts_as_missed() -> None:
    results = Results(quick=True, versions={})
    results.add(Section("x", "", []), [Finding("x", "1", "", "both", "CPU **missed**, rate met")])
    assert [finding.what for finding in results.missed] == ["x"]


def test_each_kind_of_machine_keeps_its_last_run_in_a_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "machines.json"
    for name, cpu in (("2 × A", 50.0), ("2 × B", 80.0), ("2 × A", 60.0)):
        monkeypatch.setattr(machines, "this_machine", lambda name=name: name)
        machines.keep([Finding("a list", "…", cost=Cost(cpu, 1.5, "nginx")), Finding("no processor time", "…")], file)
    section = machines.side_by_side(file)
    assert [column.partition(",")[0] for column in section.columns] == ["work", "2 × A", "2 × B"]
    assert section.rows == [["a list", "60 µs, 1.50 × nginx", "80 µs, 1.50 × nginx"]]


def test_work_that_one_machine_did_not_measure_is_empty_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "machines.json"
    monkeypatch.setattr(machines, "this_machine", lambda: "2 × A")
    machines.keep([Finding("a list", "…", cost=Cost(50.0))], file)
    monkeypatch.setattr(machines, "this_machine", lambda: "2 × B")
    machines.keep([Finding("a webhook", "…", cost=Cost(1_200.0))], file)
    rows = machines.side_by_side(file).rows
    assert sorted(map(tuple, rows)) == [("a list", "50 µs", ""), ("a webhook", "", "1 200 µs")]


def test_the_report_shows_the_machines_behind_the_overview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "machines.json"
    monkeypatch.setattr(machines, "this_machine", lambda: "2 × A")
    machines.keep([Finding("a list", "…", cost=Cost(50.0))], file)
    results = Results(quick=False, versions={}, missing={"haproxy": "it is not installed"})
    results.add(Section("A list", "…", ["a"], [["1"]]), [Finding("a list", "50 µs")])
    text = results.markdown(machines.side_by_side(file))
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert headings == ["Overview", "The same work on several machines", "Skipped", "A list", "Machine and versions"]


def test_a_median_is_shown_with_the_least_and_the_greatest() -> None:
    assert Median.of([1_500.0, 1_000.0, 3_000.0]).text("µs") == "1 500 (1 000 to 3 000) µs"


def test_a_look_counts_for_the_file_of_the_innermost_line(tmp_path: Path) -> None:
    response = tmp_path / "statusproxy/proxy/downstream/response.py"
    response.parent.mkdir(parents=True)
    response.write_text("def send(transport, data):\n    ready(data)\n    transport.write(data)\n")
    runner, served = "run (/usr/lib/python3.11/asyncio/runners.py:118)", "_serve (/x/statusproxy/proxy/exchange.py:9)"
    looks = profile.counted(
        [
            f"{runner} 5",
            f"{runner};{served} 4",
            f"{runner};{served};send ({response}:2) 3",
            f"{runner};{served};send ({response}:3) 2",
            f"{runner};{served};dumps (/usr/lib/python3.11/json/__init__.py:230) 1",
            "",
        ]
    )
    assert looks == {
        profile.LOOP: 5,
        profile.part_of("/x/statusproxy/proxy/actions/webhook.py", 1): 4,
        profile.part_of("/x/statusproxy/proxy/downstream/server.py", 1): 3,
        profile.TO_CLIENT: 2,
        profile.ELSEWHERE: 1,
    }


def test_every_part_of_the_profile_has_a_file() -> None:
    ours = Path(profile.__file__).parents[1] / "statusproxy"
    assert all((ours / file).exists() for files in profile.PARTS.values() for file in files)


def test_the_parts_of_a_column_make_up_all_of_it() -> None:
    rows = profile.rows({"list": {profile.LOOP: 30.0, profile.ELSEWHERE: 10.0}, "webhook": {profile.LOOP: 5.0}})
    assert rows == [
        [profile.LOOP, "30.0 (75%)", "5.0 (100%)"],
        [profile.ELSEWHERE, "10.0 (25%)", "–"],
        ["all of it", "40 µs", "5 µs"],
    ]


@pytest.mark.parametrize("said", ["==7== I refs:      1,234,567\n", "==7== I   refs:      1,234,567\n"])
def test_the_instructions_are_read_from_the_log_of_valgrind(said: str) -> None:
    assert instructions.counted("==7== Command: python -m statusproxy run\n==7== \n" + said) == 1_234_567
    assert instructions.counted("==7== Process terminating with default action of signal 9\n") is None


def test_without_valgrind_the_report_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instructions, "program", {}.get)
    running = fleet.Fleet(tmp_path)
    assert instructions.measure(running, TODAY) == []
    assert running.missing == {"valgrind": "valgrind is not installed: benchmarks/install-peers.sh"}


def test_a_version_that_is_not_there_ends_the_run_with_one_message(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="benchmarks: no-such-version is neither a folder nor a revision"):
        other.version("no-such-version", tmp_path)


def test_each_kind_that_is_counted_is_a_row_of_the_rates() -> None:
    targets = {point.what: point.target for point in rates.points()}
    counted = {what: target for what, (_, target, _, _) in instructions.kinds(differs=True).items()}
    assert len(counted) == 5
    assert counted.items() <= targets.items()
    assert instructions.kinds(differs=False).keys() == counted.keys() - {
        "10 channels, one corrected, answer differs each time"
    }


def test_the_report_names_the_commit_that_was_measured() -> None:
    report = Results(quick=False, versions={}).markdown()
    assert re.search(r"UTC, of (commit [0-9a-f]{7,}(, with changes)?|an unknown commit); a full run", report)


def no_step() -> list[tuple[Section, list[Finding]]]:
    return []


STEPS = [("units: steps", no_step), ("store: changes", no_step)]


@pytest.mark.parametrize(
    ("words", "titles"), [([], ["units: steps", "store: changes"]), (["store"], ["store: changes"]), (["s"], None)]
)
def test_the_steps_with_a_word_in_their_title_are_run(words: list[str], titles: list[str] | None) -> None:
    found = [title for title, _ in chosen(STEPS, words)]
    assert found == (titles or [title for title, _ in STEPS])


def test_a_word_that_no_step_has_is_an_error_that_names_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        chosen(STEPS, ["store", "nosuchword"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "--only nosuchword: no step" in told
    assert "units: steps" in told


@pytest.mark.parametrize("turns", [(3, 1, 1), (1, 3, 1), (1, 1, 3), (3,)], ids=["first", "middle", "last", "only"])
async def test_the_longest_turn_may_be_any(turns: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "thread_time", lambda: clock[0])

    async def work() -> None:
        for number, seconds in enumerate(turns):
            if number:
                await asyncio.sleep(0)
            clock[0] += seconds

    assert await changes._longest_turn(work()) == 3_000.0
