"""Findings: the gravest counts, and figures in them read the same in both languages."""

from statusproxy.doctor.findings import GROUPS, Level, ago, listed, note, ok, problem, took, warning, worst


def test_the_gravest_finding_counts() -> None:
    findings = [ok("disk.in-use"), note("disk.in-use")]
    assert worst([]) is Level.OK
    assert worst(findings) is Level.NOTE
    assert worst([*findings, warning("disk.low")]) is Level.WARNING
    assert worst([problem("disk.full"), *findings]) is Level.PROBLEM


def test_a_findings_group_is_the_beginning_of_its_code() -> None:
    found = warning("disk.low", free="3 MiB")
    assert (found.group, found.facts["free"]) == ("disk", "3 MiB")
    assert found.group in GROUPS


def test_spans_and_lists_read_the_same_in_both_languages() -> None:
    assert [ago(seconds) for seconds in (-5, 61, 600, 7300, 200_000)] == ["0 s", "61 s", "10 min", "2 h", "2 d"]
    assert [took(seconds) for seconds in (0.0123, 3.21)] == ["12 ms", "3.2 s"]
    assert listed(range(10)) == "0, 1, 2, 3, 4, 5, 6, 7, … (+2)"
    assert listed(["a", "b"]) == "a, b"
    assert ago(90_000) == "25 h"
