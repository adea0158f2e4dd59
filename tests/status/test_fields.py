"""Paths, lookups, folding, and JSON as JavaScript reads it."""

import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status.fields import (
    DEEPEST,
    LENIENT_AT_ONCE,
    LONGEST_TEXT,
    MISSING,
    Array,
    LongError,
    first_scalar,
    fold_id,
    fold_ids,
    fold_word,
    free_in_steps,
    lookup,
    parse,
    parse_members,
    parse_members_in_steps,
    parse_path,
    usable_text,
)
from tests.processor_time import takes_less
from tests.status.counting import counted

pytestmark = pytest.mark.divisible


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
    assert (usable_text(2**511 - 1), usable_text(2**511)) == (str(2**511 - 1), None)


def test_half_a_surrogate_pair_makes_text_unusable() -> None:
    assert usable_text("sales\ud800") is None
    assert usable_text("sales\uffff") is None  # what stands for it in a long document


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
        (b'["\\ud800","\xff"]', ["\ud800", "\ufffd"]),
        (b"[1e400]", [float("inf")]),
        (b"[1e400, 12]", [float("inf"), 12]),
        (b"[1e400, " + b"9" * 4000 + b"]", [float("inf"), 10**4000 - 1]),
        (b"[1e400, " + b"9" * 5000 + b"]", [float("inf"), float("inf")]),
    ],
)
def test_what_javascript_accepts_is_read(body: bytes, value: object) -> None:
    assert parse(body) == value


@pytest.mark.parametrize("body", [b"", b"NaN", b"[Infinity]", b"{'a':1}", b"{} {}", b"<html>", b"\xef\xbb\xbf"])
def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(body)


def test_what_only_the_slow_decoder_reads_may_be_too_long() -> None:
    for body in (b'"\\ud800"', b"[1e400]", b'"\xff"', b"[NaN]", b'"'):
        with pytest.raises(LongError):
            parse(body, len(body) - 1)
    assert parse(b'"\\ud800"', 8) == "\ud800"
    assert parse(b"[12]", 1) == [12]


def test_an_integer_of_thousands_of_digits_makes_a_document_long_sooner() -> None:
    body = b"[" + b"9" * 5000 + b"]"
    assert parse(body, 4 * len(body)) == [float("inf")]
    with pytest.raises(LongError):
        parse(body, 4 * len(body) - 1)


def test_a_number_costs_the_slow_decoder_no_call() -> None:
    body, calls = b"[1e400" + b",1" * 10_000 + b"]", 0

    def count(_frame: object, _event: str, _argument: object) -> None:
        nonlocal calls
        calls += 1

    previous = sys.getprofile()
    sys.setprofile(count)
    try:
        parse(body)
    finally:
        sys.setprofile(previous)
    assert calls < 100


def test_what_is_nested_too_deep_is_a_recursion_error() -> None:
    with pytest.raises(RecursionError):
        parse(b"[" * 1_000_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


def without_elements(value: Any) -> Any:
    """The same document with the first element of each array only, which stays a list."""
    if isinstance(value, dict):
        return {key: without_elements(inner) for key, inner in value.items()}
    return [without_elements(inner) for inner in value[:1]] if isinstance(value, list) else value


def with_lists(value: Any) -> Any:
    """The same document with a list for each `Array`."""
    if isinstance(value, dict):
        return {key: with_lists(inner) for key, inner in value.items()}
    if isinstance(value, Array):
        return [] if value.first is MISSING else [with_lists(value.first)]
    return value


@given(document=JSON, ascii_only=st.booleans())
def test_members_are_read_alike_with_all_but_the_first_elements_left_out(document: Any, ascii_only: bool) -> None:
    body = json.dumps(document, ensure_ascii=ascii_only).encode()
    assert with_lists(parse_members(body)) in (without_elements(parse(body)), parse(body))


@pytest.mark.parametrize("body", [b"", b"NaN", b"{'a':1}", b"{} {}", b'{"a":[1,]}', b'{"a":[}', b'{"a":[1}'])
def test_what_is_no_json_has_no_members_either(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_members(body)


def test_an_array_is_no_value_that_can_be_used() -> None:
    document = parse_members(b'\xef\xbb\xbf{"a":["b"],"c":{"d":[]},"e":"\xff"}')
    assert usable_text(lookup(document, ("a",))) is None
    assert lookup(document, ("a", "0")) is MISSING
    assert lookup(document, ("a",)) not in (MISSING, None)
    assert lookup(document, ("e",)) == "\ufffd"


def test_members_are_found_as_deep_as_any_path_goes() -> None:
    keys = ["a"] * (DEEPEST - 1)
    body = b'{"a":' * (DEEPEST - 1) + b'"deep"' + b"}" * (DEEPEST - 1)
    assert lookup(parse_members(body), tuple(keys)) == "deep"
    assert isinstance(parse_members(b'{"a":' * 100 + b"1" + b"}" * 100), dict)
    with pytest.raises(RecursionError):
        parse_members(b'{"a":' * 1_000_000)


@pytest.mark.slow
@pytest.mark.parametrize("element", [b"[]", b"{}", b'""', b"1", b'{"a":[{}]}'])
def test_a_document_of_many_small_values_takes_little_longer_than_one_string(element: bytes) -> None:
    """Building 350 000 lists to throw them away took 70 times as long."""
    count = 1_000_000 // (len(element) + 1)
    many = b'{"event":"x","all":[' + (element + b",") * count + b"0]}"
    one = b'{"event":"x","all":"' + b"A" * len(many) + b'"}'
    assert takes_less(lambda: parse_members(many), 15, lambda: parse_members(one))


def test_many_ids_fold_as_each_does() -> None:
    for ids in ([], ["A b"], ["Sales Team", "ÄÖ\u2003x", ""], ["with\0separator", "X y"], ["\0"]):
        assert fold_ids(ids) == [fold_id(one) for one in ids]


def in_steps(body: bytes) -> tuple[Any, int]:
    """What a body read in steps holds, and how many steps there are before."""
    return counted(parse_members_in_steps(body))


def long(size: int, text: str = "\\ud83d") -> bytes:
    """A document of so many bytes, with a text in it."""
    return f'{{"a":[1,2],"b":"{text}","c":""}}'.encode()[:-2].ljust(size - 2, b"x") + b'"}'


def test_a_long_document_with_half_a_surrogate_pair_is_read_in_steps_only() -> None:
    at_once, body = long(LENIENT_AT_ONCE), long(LENIENT_AT_ONCE + 1)
    assert parse_members(at_once)["a"] == [1, 2]
    assert in_steps(at_once) == (parse_members(at_once), 0)
    with pytest.raises(LongError):
        parse_members(body)
    document, steps = in_steps(b"\xef\xbb\xbf" + body)
    assert (document["a"].first, document["b"], steps) == (1, "\uffff", 3)
    assert in_steps(long(300_000))[1] == 7


def test_a_long_document_that_is_not_utf_8_either_is_read_in_steps() -> None:
    document, _ = in_steps(long(LENIENT_AT_ONCE + 1).replace(b"xx", b"x\xff", 1))
    assert document["b"] == "\uffff"
    with pytest.raises(LongError):
        parse_members(long(LENIENT_AT_ONCE + 1, "").replace(b"xx", b"x\xff", 1))
    with pytest.raises(LongError):
        parse_members(long(LENIENT_AT_ONCE + 1, "").replace(b'"b":"', b'"b":"\xff', 1)[:-1])


@pytest.mark.parametrize("body", [long(LENIENT_AT_ONCE + 2)[:-1], b'{"a":1e400}'.ljust(LENIENT_AT_ONCE + 1)])
def test_what_is_no_json_or_beyond_a_double_is_an_error_in_steps_too(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        in_steps(body)


def test_a_long_document_that_needs_no_leniency_is_read_at_once() -> None:
    body = long(LENIENT_AT_ONCE + 1, "plain")
    assert in_steps(body) == (parse_members(body), 0)


def test_a_document_of_very_many_members_is_read_in_steps() -> None:
    members = ",".join(f'"m{number}":{number}' for number in range(30_000))
    body = f'\ufeff{{"event":"x",{members},"data":{{"list":[1,2],{members}}}}}'.encode()
    document, steps = in_steps(body)
    assert (document["event"], document["m29999"], document["data"]["list"].first) == ("x", 29_999, 1)
    assert len(document["data"]) == 30_001
    assert steps > 9


def test_half_a_surrogate_pair_among_very_many_members_is_read_too() -> None:
    members = ",".join(f'"m{number}":{number}' for number in range(30_000))
    document, _ = in_steps(f'{{{members},"cut":"\\ud83d"}}'.encode())
    assert (document["cut"], document["m29999"]) == ("\uffff", 29_999)


def test_very_many_members_that_are_no_json_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"."):
        in_steps(b'{"a":1,' * 30_000)


def test_a_boolean_is_a_word_only_where_that_is_asked_for() -> None:
    document = {"up": True, "down": False, "word": "x"}
    paths = (("up",), ("word",))
    assert first_scalar(document, paths) == "x"
    assert first_scalar(document, paths, booleans=True) == "true"
    assert first_scalar(document, (("down",),), booleans=True) == "false"
    assert first_scalar({"up": None, "word": 1}, paths, booleans=True) == "1"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_any_document_is_emptied_and_what_it_held_too(value: object) -> None:
    document = parse_members(json.dumps(value).encode())
    held = list(containers(document))
    for _ in free_in_steps(document):
        pass
    assert all(not one for one in held)


def containers(value: object) -> Iterator[Any]:
    """Every object and list in a value, itself included; of an array that was left out its first element's."""
    if isinstance(value, dict | list):
        yield value
        for one in value.values() if isinstance(value, dict) else value:
            yield from containers(one)
    elif isinstance(value, Array):
        yield from containers(value.first)


def test_lists_of_a_document_that_was_read_slowly_are_emptied_too() -> None:
    document = {"a": [[1, {"b": [2]}], {"c": 3}], "d": "e"}
    held = list(containers(document))
    assert list(free_in_steps(document)) == []
    assert [len(one) for one in held] == [0] * 6


@pytest.mark.parametrize("document", [dict.fromkeys(map(str, range(30_000))), [*range(30_000)], [[]] * 30_000])
def test_no_step_frees_more_than_some_thousand_objects(document: dict[str, None] | list[Any]) -> None:
    left = [len(document), *(len(document) for _ in free_in_steps(document)), len(document)]
    assert left[-1] == 0
    assert max(before - after for before, after in pairwise(left)) <= 2_048
