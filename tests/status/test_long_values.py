"""Walking a long value in short steps ends where reading it at once does."""

import json
from collections.abc import Callable
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from statusproxy.status import long_values
from statusproxy.status.json_spans import after_value, as_text
from statusproxy.status.long_values import (
    after_blank,
    after_comma,
    container_end,
    members_end,
    prepare,
    string_end,
    value_end,
)
from tests.status.counting import counted

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
LAYOUTS = st.sampled_from([{"separators": (",", ":")}, {"indent": 1}, {"ensure_ascii": False}])


def written(value: object, layout: dict[str, object]) -> bytes:
    return json.dumps(value, **layout).encode()  # type: ignore[arg-type]


@given(VALUES, LAYOUTS, st.integers(2, 20))
@example({"a\\": '"', "b": [["]"], {"}": "\\"}]}, {}, 2)
@example("a b, c]}", {}, 2)
def test_a_value_ends_where_reading_it_does(value: object, layout: dict[str, object], window: int) -> None:
    document = b'[ "before" , %b , 1]' % written(value, layout)
    start = document.index(b",") + 2
    with mock.patch.object(long_values, "_SKIPPED", window):
        assert counted(value_end(document, start))[0] == after_value(as_text(document), start)


@pytest.mark.parametrize("value", ["x", '\\"\\\\', "é", ""])
def test_a_string_ends_at_its_own_quote(value: str) -> None:
    document = json.dumps([value, value]).encode()
    assert counted(string_end(document, 1))[0] == 1 + len(json.dumps(value))


LONG: dict[str, Callable[[], bytes]] = {
    "a string": lambda: b'"%b"' % (b"x" * 1_000_000),
    "escapes": lambda: b'"%b"' % (b'\\"' * 500_000),
    "a number": lambda: b"1" * 1_000_000,
    "numbers": lambda: b"[%b0]" % (b"1," * 500_000),
    "objects": lambda: b"{%b}" % b",".join([b'"n":{"a":{"b":1}}'] * 60_000),
    "deep": lambda: b"[" * 100_000 + b"]" * 100_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("make", LONG.values(), ids=LONG)
def test_a_long_value_takes_steps_of_a_window_at_most(make: Callable[[], bytes]) -> None:
    document = make()
    end, steps = counted(value_end(document, 0))
    assert end == len(document)
    assert steps >= len(document) // (64 * 1024) - 1


def test_the_end_of_what_a_position_is_in_is_found() -> None:
    document = b'{"a":{"b":[1,2]},"c":3} '
    assert counted(container_end(document, 1))[0] == 23
    assert counted(container_end(document, 11))[0] == 15


@pytest.mark.parametrize(
    ("window", "end"), [(5, 1), (6, 7), (11, 7), (30, 13), (10_000, 13)], ids=["none", "one", "short", "two", "all"]
)
def test_whole_members_are_passed_over(window: int, end: int) -> None:
    nested = b"[" * 30 + b"]" * 30
    document = b'{"a":1,"b":2,"c":%b}' % nested
    assert members_end(document, 1, window) == end


def test_the_patterns_are_compiled_in_steps_of_their_own() -> None:
    assert len(list(prepare())) == 2


def test_white_space_and_a_comma_are_passed_over_where_they_stand() -> None:
    document = b"1 \t\r\n, 2"
    assert [after_blank(document, position) for position in (0, 1, 6, 8)] == [0, 5, 7, 8]
    assert [after_comma(document, position) for position in (0, 1, 5, 6)] == [0, 6, 6, 7]
