"""Text from elsewhere: what a terminal or a reader of logs would obey is shown, not sent."""

from __future__ import annotations

import json
import sys

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as some

from statusproxy.observe.visible import delimited, json_visible, quoted, visible


@pytest.mark.parametrize("text", ["sales", "Front Desk 2", "Ünit – 7 ✓", "销售", "مبيعات", "", r"C:\a", "👋"])
def test_what_prints_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", r"a\nb"), ("a\r\tb", r"a\r\tb"), ("\x1b[31m", r"\x1b[31m"), ("\x9b31m", r"\x9b31m"),
     ("\u202eselas", r"\u202eselas"), ("\u2066a\u2069", r"\u2066a\u2069"), ("a\u2028b\x85c", r"a\u2028b\x85c"),
     ("a\u200bb\ufeff", r"a\u200bb\ufeff"), ("a\xa0b", r"a\xa0b"), ("\U000e0041", r"\U000e0041"),
     ("\udc80", r"\udc80"), ("\x00\x7f", r"\x00\x7f")],
)  # fmt: skip
def test_what_does_not_print_is_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


@settings(deadline=None)
@given(some.text(some.characters(max_codepoint=sys.maxunicode)))
def test_whatever_comes_is_one_printable_line_that_every_encoding_takes(text: str) -> None:
    assert visible(text).isprintable()
    visible(text).encode("utf-8")


def test_between_quotes_no_quote_ends_the_field() -> None:
    assert quoted('a" 200 5 "b\\\n') == r"a\x22 200 5 \x22b\x5c\n"


@settings(deadline=None)
@given(some.text(some.characters(exclude_categories=["Cs"])))
def test_json_keeps_its_value_and_its_one_line(text: str) -> None:
    document = json_visible(json.dumps({"session": text}, ensure_ascii=False))
    assert document.isprintable()
    assert json.loads(document) == {"session": text}


def test_half_a_character_is_still_json() -> None:
    assert json_visible('"a\udc80"') == r'"a\udc80"'


@settings(deadline=None)
@given(some.text(some.characters(exclude_categories=["Cs"])))
def test_an_escape_is_one_of_yamls_as_well(text: str) -> None:
    inner = text.replace("\\", "\\\\").replace('"', '\\"')
    assert yaml.safe_load(f'"{visible(inner)}"') == text


@pytest.mark.parametrize(("name", "shown"), [("sales ", '"sales "'), ("\tsales", '"\tsales"'), (" ", '" "')])
def test_white_space_at_the_edge_of_a_name_shows_by_quotes(name: str, shown: str) -> None:
    assert delimited(name) == shown


@pytest.mark.parametrize("name", ["sales", "Front Desk", ""])
def test_other_names_stay_without_quotes(name: str) -> None:
    assert delimited(name) == name
