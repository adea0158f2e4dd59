"""Paths, lookups, folding, and JSON as JavaScript reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status.fields import (
    LONGEST_TEXT,
    MISSING,
    first_scalar,
    fold_id,
    fold_ids,
    fold_word,
    lookup,
    parse,
    parse_path,
    usable_text,
)


def test_a_dotted_path_names_one_key_per_part() -> None:
    assert parse_path("raw.payload.state") == ("raw", "payload", "state")


def test_the_empty_path_is_the_document_itself() -> None:
    assert parse_path("") == ()
    assert lookup({"a": 1}, ()) == {"a": 1}


def test_a_lookup_follows_objects_only() -> None:
    document = {"a": {"b": None}, "list": [{"b": 1}]}
    assert lookup(document, ("a", "b")) is None
    assert lookup(document, ("a", "c")) is MISSING
    assert lookup(document, ("list", "0")) is MISSING
    assert lookup("text", ("a",)) is MISSING


def test_missing_shows_itself_by_name() -> None:
    assert repr(MISSING) == "MISSING"


@pytest.mark.parametrize("value", [None, True, False, "", " \t\n", {}, [], {"id": "x"}, float("nan"), float("inf")])
def test_what_is_no_text_falls_through(value: object) -> None:
    assert usable_text(value) is None
    assert first_scalar({"a": value, "b": "next"}, (("a",), ("b",))) == "next"


@pytest.mark.parametrize(
    ("value", "text"),
    [(" Sales ", " Sales "), (0, "0"), (12, "12"), (5.0, "5"), (1.5, "1.5"), (-3, "-3"), (1e21, "1e+21"), ("é", "é")],
)
def test_text_is_given_as_it_came_and_numbers_as_javascript_writes_them(value: object, text: str) -> None:
    assert usable_text(value) == text


def test_text_too_long_to_be_an_id_is_none() -> None:
    assert usable_text("x" * LONGEST_TEXT) is not None
    assert usable_text("x" * (LONGEST_TEXT + 1)) is None


def test_an_integer_too_long_to_be_an_id_is_none() -> None:
    assert usable_text(10**5000) is None


def test_half_a_surrogate_pair_makes_text_unusable() -> None:
    assert usable_text("sales\ud800") is None


def test_nothing_present_gives_nothing() -> None:
    assert first_scalar({"a": {}}, (("a",), ("b",))) is None


def test_a_word_is_folded_by_trimming_and_case() -> None:
    assert fold_word("  InChat\n") == "inchat"
    assert fold_word("in chat") == "in chat"


def test_an_id_loses_case_and_all_white_space_but_no_dash_and_no_underscore() -> None:
    assert fold_id(" Sales \tTeam\u00a0") == "salesteam"
    assert fold_id("Sales-Team_1") == "sales-team_1"


@given(st.lists(st.text(max_size=8), max_size=6))
def test_folding_many_ids_gives_what_folding_each_gives(ids: list[str]) -> None:
    assert fold_ids(ids) == [fold_id(text) for text in ids]


def test_ids_that_hold_the_separator_fold_like_any() -> None:
    assert fold_ids(["A\0B", "C d"]) == ["a\0b", "cd"]


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'"\\ud800"', "\ud800"),
        (b'"\xff"', "\ufffd"),
        (b"[1e400]", [float("inf")]),
        (b"[1e400, 12]", [float("inf"), 12]),
        (b"[1e400, " + b"9" * 5000 + b"]", [float("inf"), float("inf")]),
    ],
)
def test_what_javascript_accepts_is_read(body: bytes, value: object) -> None:
    assert parse(body) == value


@pytest.mark.parametrize("body", [b"", b"NaN", b"[Infinity]", b"{'a':1}", b"{} {}", b"<html>", b"\xef\xbb\xbf"])
def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(body)


def test_what_is_nested_too_deep_is_a_recursion_error() -> None:
    with pytest.raises(RecursionError):
        parse(b"[" * 200_000)
