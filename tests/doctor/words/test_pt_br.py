"""The Portuguese words: the same findings as in English, filled with the same facts."""

from __future__ import annotations

import re
import string
from types import ModuleType

import pytest

from statusproxy.doctor.words import en, pt_br


def fields(text: str | None) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text or "") if name}


def test_both_languages_have_the_same_codes_groups_and_levels() -> None:
    assert en.WORDS.keys() == pt_br.WORDS.keys()
    assert list(en.MEANINGS) == list(pt_br.MEANINGS)
    assert list(en.GROUPS) == list(pt_br.GROUPS)
    assert en.LEVELS.keys() == pt_br.LEVELS.keys()
    assert en.SUMMARY.keys() == pt_br.SUMMARY.keys() == pt_br.SUMMARY_IN_PART.keys()


@pytest.mark.parametrize("code", en.WORDS)
def test_both_languages_are_filled_with_the_same_facts(code: str) -> None:
    (text, fix), (texto, conserto) = en.WORDS[code], pt_br.WORDS[code]
    assert fields(text) == fields(texto)
    assert fields(fix) == fields(conserto)
    assert text != texto or not re.search("[a-z]{3}", re.sub(r"\{.*?\}|https?\S*", "", text))


@pytest.mark.parametrize("module", [en, pt_br])
def test_no_sentence_counts_one_of_many(module: ModuleType) -> None:
    """`{count} events` is wrong of one: `{count} {count:event|events}` is right of any number."""
    plural = re.compile(r"\{(?:count|all)\} (?:webhooks|events|eventos|channels|canais|sessions|sessões)\b")
    assert [code for code, (text, _) in module.WORDS.items() if plural.search(text)] == []
