"""The words of messages in Portuguese: all that there are in English, with the same facts."""

import re
from collections.abc import Mapping

import pytest

from statusproxy.alerts.words import en, pt_br


def facts(words: object) -> list[set[str]]:
    """What stands in braces, in each text of a table or tuple."""
    if isinstance(words, str):
        return [set(re.findall(r"\{(\w+)\}", words))]
    if isinstance(words, Mapping):
        return [fact for value in words.values() for fact in facts(value)]
    assert isinstance(words, tuple)
    return [fact for value in words for fact in facts(value)]


@pytest.mark.parametrize("name", en.__all__)
def test_each_name_has_the_same_keys_and_facts_as_in_english(name: str) -> None:
    english, portuguese = getattr(en, name), getattr(pt_br, name)
    if isinstance(english, Mapping):
        assert list(english) == list(portuguese)
    assert facts(english) == facts(portuguese)


def test_no_text_was_left_in_english() -> None:
    assert en.__all__ == pt_br.__all__
    same = [kind for kind in en.TITLES if en.TITLES[kind] == pt_br.TITLES[kind] or en.TELLS[kind] == pt_br.TELLS[kind]]
    assert same == []
