"""What is printed: a line for each thing seen, and a verdict that counts."""

from __future__ import annotations

import io
import sys

import click
import pytest

from statusproxy.demo import stage as module
from statusproxy.demo.look import Look
from statusproxy.demo.stage import Stage, speak


def printed() -> tuple[Stage, list[str]]:
    lines: list[str] = []
    return Stage(lambda line: lines.append(click.unstyle(line))), lines


def test_scenes_are_numbered_and_checks_marked() -> None:
    stage, lines = printed()
    stage.title("title")
    stage.note("note")
    stage.scene("first")
    stage.check("fine", held=True)
    stage.scene("second")
    stage.check("broken", held=False)
    assert lines == ["title", "note", "", "1. first", "   ✓ fine", "", "2. second", "   ✗ broken"]
    assert not stage.held


@pytest.mark.parametrize(
    ("held", "said"), [([True, True], "✓ all 2 checks held (1.5 s)"), ([True, False], "✗ 1 of 2 checks failed (1.5 s)")]
)
def test_the_verdict_counts_the_checks(held: list[bool], said: str) -> None:
    stage, lines = printed()
    for each in held:
        stage.check("x", held=each)
    stage.verdict(1.5)
    assert lines[-1] == said


def test_two_lists_stand_side_by_side() -> None:
    stage, lines = printed()
    stage.compare(
        Look(200, None, b"", {"sales": "connected", "gone": "connected"}),
        Look(200, None, b"", {"sales": "disconnected", "new": "connected"}),
    )
    assert lines == [
        "     channel  gateway        proxy",
        "     sales    connected      disconnected",
        "     gone     connected      -",
        "     new      -              connected",
    ]


@pytest.mark.parametrize(("body", "mark"), [(b"{}", "✓"), (b"{ }", "✗")])
def test_two_lists_agree_where_they_are_the_same_bytes(body: bytes, mark: str) -> None:
    stage, lines = printed()
    stage.agree(Look(200, None, b"{}", {"sales": "open"}), Look(200, None, body, {"sales": "open"}))
    assert lines[1:] == ["     sales    open           open", f"   {mark} the same bytes"]
    assert stage.held is (mark == "✓")


def test_some_channels_stand_in_one_line() -> None:
    stage, lines = printed()
    stage.show({"sales": "connected"}, ("sales", "gone"))
    assert lines == ["     sales: connected · gone: -"]


@pytest.mark.parametrize(("encoding", "marks"), [("utf-8", ("✓", "✗")), ("ascii", ("ok  ", "FAIL"))])
def test_a_terminal_that_has_no_such_signs_gets_words(
    encoding: str, marks: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert module._marks() == marks


def test_a_line_is_printed_with_what_the_terminal_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    speak("a → b")
    sys.stdout.flush()
    assert written.getvalue() == b"a ? b\n"
