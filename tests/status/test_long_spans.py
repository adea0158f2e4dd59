"""What is found in a long document in short steps is what is found at once."""

import codecs
import json
from functools import partial
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from statusproxy.status import long_spans, long_values
from statusproxy.status.json_spans import after_space, after_value, as_text, elements, locate
from statusproxy.status.long_spans import elements_in_steps, locate_in_steps, member_at, take_long
from statusproxy.status.steps import at_once
from tests.status.test_channels import documents
from tests.status.test_long_values import LAYOUTS, VALUES, written

NAMES = st.sampled_from(["a", "ab", "é", '"', "channels", "data"])
OBJECTS = st.recursive(
    VALUES, lambda inner: st.lists(st.tuples(NAMES, inner), max_size=4).map(lambda pairs: ("object", pairs))
)


def repeated(value: object) -> str:
    """JSON of a value in which an object may have a member several times, some with escapes in the name."""
    if isinstance(value, tuple):
        members = (
            f"{json.dumps(name, ensure_ascii=number % 2 == 0)} : {repeated(inner)}"
            for number, (name, inner) in enumerate(value[1])
        )
        return "{ " + " , ".join(members) + " }"
    return json.dumps(value)


@given(OBJECTS, st.lists(NAMES, max_size=3), st.integers(2, 30))
@example(("object", [("é", 1)]), ["é"], 30)
@example(("object", [("a", ("object", [("ab", 1)]))]), ["a", "ab"], 30)
def test_a_place_is_found_as_at_once(value: object, path: list[str], window: int) -> None:
    document = f" {repeated(value)} ".encode()
    text = as_text(document)
    expected = locate(text, 1, tuple(path), partial(after_value, text))
    with mock.patch.object(long_spans, "WINDOW", window), mock.patch.object(long_values, "_SKIPPED", window):
        assert at_once(locate_in_steps(document, 1, tuple(path))) == expected


@given(documents, st.sampled_from([("channels",), ("data", "channels"), ()]))
def test_lists_are_found_as_at_once(document: bytes, path: tuple[str, ...]) -> None:
    document = document.removeprefix(codecs.BOM_UTF8)
    text = as_text(document)
    start = after_space(text, 0)
    expected = locate(text, start, path, partial(after_value, text))
    with mock.patch.object(long_spans, "WINDOW", 12), mock.patch.object(long_values, "_SKIPPED", 8):
        assert at_once(locate_in_steps(document, start, path)) == expected


@given(st.lists(VALUES, max_size=6), LAYOUTS)
def test_elements_are_found_as_at_once(values: list[object], layout: dict[str, object]) -> None:
    document = written(values, layout)
    with mock.patch.object(long_spans, "_ELEMENTS", 2):
        assert at_once(elements_in_steps(document, 0)) == list(elements(as_text(document), 0))


def test_thousands_of_members_or_elements_are_passed_some_at_a_time() -> None:
    members = b"{%b}" % b",".join([b'"x":1'] * 50_000)
    assert len(list(locate_in_steps(members, 0, ("y",)))) >= len(members) // (16 * 1024)
    assert len(list(elements_in_steps(b"[%b]" % b",".join([b"1"] * 2_560), 0))) == 10


def test_a_place_within_a_long_member_is_found_in_steps() -> None:
    long = b"x" * 20_000
    document = b'{"before":"%b","data":{"channels":["%b"]}}' % (long, long)
    steps = locate_in_steps(document, 0, ("data", "channels"))
    assert at_once(steps) == ((20_032, len(document) - 2), len(document))


def test_a_members_name_and_value_are_found() -> None:
    assert at_once(member_at(b'{"\\u0061 b" : [1]}', 1)) == ("a b", 14)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (b'{"picture":"%b"}' % (b"x" * 200_000), False),
        (b'{"picture":"%b"}' % (b"x" * 300_000), True),
        (b'"%b"' % (b'\\"' * 20_000), True),
        (b'"%b"' % (b"\\\\" * 10_000), True),
        (b"[%b]" % b",".join([b"{}"] * 5_000), True),
        (b"{%b}" % b",".join([b'"x":1'] * 5_000), True),
        (b"[%b]" % b",".join([b"[]"] * 10_000), True),
        (b"[%b]" % b",".join([b"[%b]" % (b" " * 50)] * 1_000), False),
    ],
    ids=["a picture", "a large picture", "quotes", "escapes", "objects", "members", "arrays", "few"],
)
def test_what_has_much_in_it_takes_long(document: bytes, expected: bool) -> None:
    assert take_long(document, [(0, len(document))]) is expected


def test_short_values_take_long_together() -> None:
    document = b"{%b}" % b",".join([b'"x":1'] * 500)
    assert not take_long(document, [(0, len(document))])
    assert take_long(document, [(0, len(document))] * 4)


def test_a_short_value_does_not_take_long_wherever_it_stands() -> None:
    document = b" " * 300_000 + b'{"x":1}'
    assert not take_long(document, [(300_000, len(document))])
