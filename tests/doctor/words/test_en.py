"""Every finding that a look can make has its words, and no others are kept."""

from __future__ import annotations

import re
from pathlib import Path

import statusproxy.doctor
from statusproxy.config.layers import STATES
from statusproxy.doctor.findings import GROUPS, Level
from statusproxy.doctor.looks.gateway import _CAUSES
from statusproxy.doctor.words import en

WHYS = ("network", "secret", "jwt", "signature", "token")

SOURCES = [file.read_text() for file in Path(statusproxy.doctor.__file__).parent.rglob("*.py")]


def test_every_group_and_level_has_its_name() -> None:
    assert list(en.GROUPS) == list(GROUPS)
    assert en.LEVELS.keys() == en.SUMMARY.keys() == en.SUMMARY_IN_PART.keys() == {each.value for each in Level}


def test_every_code_used_has_words_and_every_code_with_words_is_used() -> None:
    checks = [source for source in SOURCES if "WORDS: Final" not in source]
    named = {code for source in checks for code in re.findall(r'"([a-z]+\.[a-z-]+)"', source)}
    named = {code for code in named if code.partition(".")[0] in GROUPS}
    assert named <= en.WORDS.keys()
    made = {f"webhooks.{doubted}-{why}" for doubted in ("doubted", "only-doubted") for why in WHYS}
    made |= {f"gateway.{cause}" for cause in (*_CAUSES.values(), "unreachable")}
    assert en.WORDS.keys() == named | made


def test_every_meaning_that_a_preset_can_name_has_its_words() -> None:
    assert tuple(en.MEANINGS) == STATES


def test_a_problem_or_a_warning_always_has_a_fix() -> None:
    for source in SOURCES:
        for level, code in re.findall(r'(problem|warning)\(\s*"([a-z.-]+)"', source):
            assert en.WORDS[code][1] or code.startswith("channels.more"), f"{level} {code}"


def test_the_words_are_those_of_the_field() -> None:
    said = " ".join(f"{text} {fix}" for text, fix in en.WORDS.values()).casefold()
    for word in ("mend", "believe", "trouble", "whoever", "riddle"):
        assert word not in said
