"""The drawings are those of the script; they have words, and nothing from elsewhere."""

import re
from itertools import product
from xml.etree import ElementTree

import pytest

from tests.illustrations.drawing import SCHEMES, WORDS, drawing, file

EACH = pytest.mark.parametrize(("language", "scheme"), list(product(WORDS, SCHEMES)))


@EACH
def test_the_drawing_that_is_kept_is_the_scripts(language: str, scheme: str) -> None:
    assert file(language, scheme).read_text() == drawing(language, scheme), "draw it again: make pictures"


@EACH
def test_the_drawing_is_described_in_words_and_loads_nothing(language: str, scheme: str) -> None:
    text = drawing(language, scheme)
    picture = ElementTree.fromstring(text)
    described = {part.get("id"): part.text for part in picture if part.tag.endswith(("title", "desc"))}
    assert (picture.get("aria-labelledby") or "").split() == list(described)
    assert list(described.values()) == [WORDS[language]["title"], WORDS[language]["text"]]
    assert re.findall(r"(?:href|src)=|@import|url\((?!#)", text) == []


def test_both_languages_have_the_same_words() -> None:
    assert WORDS["pt-BR"].keys() == WORDS["en"].keys()
