"""Settings shown as YAML that a person can read and the loader reads back."""

from typing import Any
from unittest import mock

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from statusproxy.config import dump
from statusproxy.config.dump import Plain, from_yaml, to_yaml
from statusproxy.config.yaml_tree import Entries, Items, Kind, Node, Scalar, parse


def value(node: Node) -> object:
    """A node as the plain value that it was shown from."""
    match node:
        case Scalar(text=text, kind=kind):
            constants: dict[tuple[Kind, str], object] = {(Kind.NULL, text): None, (Kind.BOOL, text): text == "true"}
            return constants.get(
                (kind, text), int(text) if kind is Kind.INT else float(text) if kind is Kind.FLOAT else text
            )
        case Items(nodes=nodes):
            return [value(each) for _, each in nodes]
        case Entries(nodes=entries):
            return {name: value(each) for name, (_, each) in entries.items()}


def test_words_stand_in_one_line_and_blocks_below_one_another() -> None:
    words = ["a", "b"]
    assert to_yaml({"z": words, "y": {"x": 1, "w": [{"v": None}]}, "u": words, "t": {}, "s": []}) == (
        "z: [a, b]\ny:\n  x: 1\n  w:\n  - v: null\nu: [a, b]\nt: {}\ns: []\n"
    )


@pytest.mark.parametrize(
    "text", ["null", "true", "12", "08", "1e3", "on", "~", "", "a: b", "{x}", "<<", "2026-01-15", "@x"]
)
def test_a_text_that_looks_like_something_else_stays_text(text: str) -> None:
    shown = {"key": text, "list": [text]}
    assert value(parse(to_yaml(shown), "c.yaml", {})[1]) == shown


def test_a_dollar_is_doubled_so_that_it_never_begins_a_variable() -> None:
    assert to_yaml({"a": "${B} $", "$c": "d"}) == "a: $${B} $$\n$c: d\n"


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\uf8d0\uf8d1"), max_size=20)


@settings(deadline=None)
@given(st.dictionaries(TEXT, TEXT | st.booleans() | st.none() | st.integers() | st.lists(TEXT)))
@pytest.mark.slow
def test_whatever_is_shown_reads_back_the_same(values: dict[str, object]) -> None:
    shown = to_yaml(values)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert value(parse(shown, "c.yaml", {})[1]) == values


@settings(deadline=None)
@given(st.dictionaries(TEXT.filter(bool), TEXT | st.booleans() | st.none() | st.integers() | st.lists(TEXT)))
def test_it_is_written_quickly_and_reads_as_if_written_slowly(values: dict[str, Any]) -> None:
    shown = to_yaml(values, variables=True)
    with mock.patch.object(dump, "_QuickDumper", dump._Dumper):
        assert to_yaml(values, variables=True) == shown
    assert from_yaml(shown) == yaml.safe_load(shown)


def test_emoji_stand_as_they_are() -> None:
    assert to_yaml({"a": "Loja 🛒", "b": [1]}) == "a: Loja 🛒\nb: [1]\n"


def test_a_plain_scalar_is_written_as_it_stands() -> None:
    assert to_yaml({"mode": Plain("0660"), "on": Plain("true"), "list": [Plain("1e3")]}, variables=True) == (
        "mode: 0660\n'on': true\nlist: [1e3]\n"
    )


def test_variables_stay_where_they_are_wanted() -> None:
    assert to_yaml({"a": "${B}", "c": "$$"}, variables=True) == "a: ${B}\nc: $$\n"
