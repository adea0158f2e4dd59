"""Every finding has its words, in both languages, filled with the same facts."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import statusproxy.doctor
from statusproxy.doctor.findings import GROUPS, Finding, Level, ago, listed, note, ok, problem, took, warning, worst
from statusproxy.doctor.looks.gateway import _CAUSES
from statusproxy.doctor.report import EXIT_CODES, as_json, as_text, words
from statusproxy.doctor.words import en, pt_br

#: Why a sender is not trusted (`proxy.sender_auth`).
WHYS = ("network", "secret", "signature")

SOURCES = [file.read_text() for file in Path(statusproxy.doctor.__file__).parent.rglob("*.py")]


def fields(text: str | None) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text or "") if name}


def test_both_languages_have_the_same_codes_groups_and_levels() -> None:
    assert en.WORDS.keys() == pt_br.WORDS.keys()
    assert list(en.GROUPS) == list(pt_br.GROUPS) == list(GROUPS)
    assert en.LEVELS.keys() == pt_br.LEVELS.keys() == en.SUMMARY.keys() == {each.value for each in Level}


@pytest.mark.parametrize("code", en.WORDS)
def test_both_languages_are_filled_with_the_same_facts(code: str) -> None:
    (text, fix), (texto, conserto) = en.WORDS[code], pt_br.WORDS[code]
    assert fields(text) == fields(texto)
    assert fields(fix) == fields(conserto)
    assert text != texto or not re.search("[a-z]{3}", re.sub(r"\{.*?\}|https?\S*", "", text))


def test_every_code_used_has_words_and_every_code_with_words_is_used() -> None:
    checks = [source for source in SOURCES if "WORDS: Final" not in source]
    named = {code for source in checks for code in re.findall(r'"([a-z]+\.[a-z-]+)"', source)}
    named = {code for code in named if code.partition(".")[0] in GROUPS}
    assert named <= en.WORDS.keys()
    made = {f"webhooks.{doubted}-{why}" for doubted in ("doubted", "only-doubted") for why in WHYS}
    made |= {f"gateway.{cause}" for cause in (*_CAUSES.values(), "unreachable")}
    assert en.WORDS.keys() == named | made


def test_a_problem_or_a_warning_always_has_a_fix() -> None:
    for source in SOURCES:
        for level, code in re.findall(r'(problem|warning)\(\s*"([a-z.-]+)"', source):
            assert en.WORDS[code][1] or code.startswith("channels.more"), f"{level} {code}"


def test_the_gravest_finding_decides_the_exit_code() -> None:
    findings = [ok("disk.in-use"), note("disk.in-use")]
    assert EXIT_CODES[worst(findings)] == 0
    assert EXIT_CODES[worst([*findings, warning("disk.low")])] == 1
    assert EXIT_CODES[worst([problem("disk.full"), *findings])] == 2
    assert worst([]) is Level.OK


LOW = warning("disk.low", free="3 MiB", folder="/var/lib/statusproxy", path="/x")


def test_text_groups_what_belongs_together_with_arrows_to_the_fixes() -> None:
    text = as_text([LOW, ok("ports.free", address=":1"), ok("ports.free", address=":2")], "en")
    assert text.splitlines()[1:] == [
        "",
        "Ports",
        "  ok        :1 is free",
        "  ok        :2 is free",
        "",
        "Stored state",
        "  warning   only 3 MiB free at /var/lib/statusproxy",
        "            → free some space: while the disk is full, changes are kept in memory only",
        "",
        "It works, with 1 warning(s).",
    ]


def test_lines_are_wrapped_but_what_is_to_be_copied_is_not_broken() -> None:
    url = "http://" + "x" * 90
    text = as_text([ok("disk.in-use", path=f"{url} and some more words")], "en", width=60)
    assert any(url in line for line in text.splitlines())
    assert len(text.splitlines()) > 6


def test_colours_are_for_terminals() -> None:
    assert "\x1b[" not in as_text([LOW], "en")
    assert "\x1b[33m" in as_text([LOW], "en", colours=True)


def test_json_tells_code_words_and_facts() -> None:
    assert '"facts": {\n        "free": "3 MiB"' in as_json([LOW], "en")
    assert '"status": "warning"' in as_json([LOW], "en")


def test_no_secret_shows_whatever_repeats_it() -> None:
    finding = problem("gateway.unreachable", url="http://gateway.example/?key=hush-hush", why="hush-hush")
    secrets = ["hush-hush"]
    assert "hush" not in as_text([finding], "en", secrets=secrets) + as_json([finding], "pt-BR", secrets)


def test_what_others_wrote_cannot_steer_the_terminal() -> None:
    text, _ = words(Finding(Level.NOTE, "channels.unheard", {"channels": "a\x1b[31mb\u202ec"}), "en")
    assert text.startswith(r"no event about a\x1b[31mb\u202ec so far")


def test_spans_and_lists_read_the_same_in_both_languages() -> None:
    assert [ago(seconds) for seconds in (-5, 61, 600, 7300, 200_000)] == ["0 s", "61 s", "10 min", "2 h", "2 d"]
    assert [took(seconds) for seconds in (0.0123, 3.21)] == ["12 ms", "3.2 s"]
    assert listed(range(10)) == "0, 1, 2, 3, 4, 5, 6, 7, … (+2)"
