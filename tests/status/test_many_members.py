"""Documents of very many members: read as any, in steps none of which takes long."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status.fields import Array
from statusproxy.status.long_values import between_brackets, whole_members
from statusproxy.status.many_members import MOST_AT_ONCE, decode_in_steps, has_many
from tests.processor_time import seconds
from tests.status.counting import counted

_plain = msgspec.json.Decoder().decode


def stepped(document: bytes, deepest: int = 16) -> tuple[Any, int]:
    """What a document holds, and the number of steps before its last."""
    return counted(decode_in_steps(document, _plain, Array, deepest))


def as_lists(value: Any) -> Any:
    """Arrays as lists of their first element at most, whoever read them."""
    if isinstance(value, Array):
        return [as_lists(value.first)] if not isinstance(value.first, type(Array().first)) else []
    if isinstance(value, list):
        return [as_lists(value[0])] if value else []
    return {name: as_lists(held) for name, held in value.items()} if isinstance(value, dict) else value


_texts = st.text(st.sampled_from('ab"\\{}[],:\n é😀'), max_size=6)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=40,
)


@pytest.mark.parametrize("arrays", [0, 1, 255, 256, 257, 20_000])
@pytest.mark.parametrize("pad", [(b"", b" " * 2 * MOST_AT_ONCE), (b" " * 2 * MOST_AT_ONCE, b"")])
def test_very_many_are_told_from_many_wherever_they_stand(arrays: int, pad: tuple[bytes, bytes]) -> None:
    many = b"[" * arrays + b":" * (MOST_AT_ONCE - arrays)
    assert not has_many(pad[0] + many + pad[1])
    assert has_many(pad[0] + many + b":" + pad[1])
    assert has_many(pad[0] + many + b"[" + pad[1])
    assert not has_many(b":" * MOST_AT_ONCE), "no document with so many is as short"


@given(_json, st.sampled_from([None, 1]), st.booleans())
def test_a_document_is_read_as_any_decoder_reads_it(value: Any, indent: int | None, ascii_only: bool) -> None:
    document = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert as_lists(stepped(document)[0]) == as_lists(_plain(document))


def test_of_a_repeated_member_the_last_counts_wherever_a_step_ends() -> None:
    pad = ",".join(f'"m{number}":{number}' for number in range(10_000))
    document = f'{{"event":"first",{pad},"event":{{"long":[{pad.replace(":", ",")}]}},{pad},"event":"last"}}'.encode()
    value, steps = stepped(document)
    assert value == _plain(document)
    assert steps > 4


@pytest.mark.parametrize(
    "value",
    [
        {"long": "x" * 200_000, "after": 1},
        {"long": ["first", "x" * 200_000], "after": 1},
        {"long": [1, *[{"a": "]}"}] * 20_000], "after": 1},
        {"long": {"inner": {"more": "x" * 200_000, "end": [[["]"]], 2]}}, "after": {}},
        [{"in": "x" * 200_000}, 2],
        "text", 12.5, None, [], {}, [[]],
    ],
)  # fmt: skip
def test_long_values_are_passed_over(value: Any) -> None:
    for indent in (None, 2):
        document = json.dumps(value, indent=indent).encode()
        assert as_lists(stepped(document)[0]) == as_lists(value)


def test_an_empty_array_ends_where_its_bracket_closes_however_far_that_is() -> None:
    document = b'{"none":[%b],"after":1}' % (b" " * 200_000)
    assert as_lists(stepped(document)[0]) == {"none": [], "after": 1}


def test_members_that_are_nested_deep_are_looked_into_some_at_a_time() -> None:
    count = 1_000
    deep = b"[" * 40 + b"1" + b"]" * 40
    document = b"{%b}" % b",".join(b'"m%d":{"a":%b}' % (number, deep) for number in range(count))
    value, steps = stepped(document)
    assert list(value) == [f"m{number}" for number in range(count)]
    assert count // 64 <= steps <= count // 8


def test_objects_are_left_out_from_some_depth_on() -> None:
    document = json.dumps({"a": {"b": {"c": {"pad": "x" * 70_000}}, "d": 1}}).encode()
    assert stepped(document, deepest=2)[0] == {"a": {"b": None, "d": 1}}


@pytest.mark.parametrize("document", [b"", b"{", b'{"a":1}}', b'{"a":1,}', b'{"a" 1}', b"[1", b'{"a":"\n"}', b"nul"])
def test_what_is_no_json_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        stepped(document)


def test_many_are_told_by_colons_and_brackets() -> None:
    assert has_many(b'{"a":[0],' * (MOST_AT_ONCE // 2 + 1))
    assert not has_many(b'{"a":[0],' * (MOST_AT_ONCE // 2))
    assert has_many(b"[" * (2 * MOST_AT_ONCE + 1))
    assert not has_many(b"[" * (2 * MOST_AT_ONCE))
    assert not has_many(b"x" * 10_000_000)


def test_the_patterns_are_compiled_in_steps_of_their_own() -> None:
    patterns = (between_brackets, whole_members)
    for pattern in patterns:
        pattern.cache_clear()
    reading = decode_in_steps(b'{"a":1}', _plain, Array, 16)
    compiled = [sum(pattern.cache_info().currsize for pattern in patterns) for _ in reading]
    assert compiled == [0, 1, 2]


COUNT = 100_000

#: Made where they are read: to collect the tests needs none of them.
MANY: dict[str, Callable[[], str]] = {
    "numbers": lambda: json.dumps({f"m{number}": number for number in range(COUNT)}),
    "objects": lambda: json.dumps({f"m{number}": {} for number in range(COUNT)}),
    "arrays": lambda: json.dumps({f"m{number}": [[]] for number in range(COUNT)}),
    "texts": lambda: json.dumps({"event": "x", "data": {f"m{number}": "a" for number in range(COUNT)}}),
    "objects in objects": lambda: json.dumps(
        {f"m{number}": {"a": {"b": {"c": {"d": 1}}}} for number in range(COUNT // 5)}
    ),
    "spaces": lambda: json.dumps({f"m{number}": number for number in range(COUNT // 10)}, indent=100),
    "a wide element": lambda: json.dumps([{f"m{number}": number for number in range(COUNT)}, 1]),
}


def longest_step(document: bytes) -> float:
    """The seconds of processor time of the longest step."""
    reading = decode_in_steps(document, _plain, Array, 16)
    longest = 0.0
    taken: list[object] = []
    while not taken or taken[-1] is not reading:
        longest = max(longest, seconds(lambda: taken.append(next(reading, reading))))
    return longest


@pytest.mark.parametrize("many", MANY.values(), ids=MANY)
@pytest.mark.slow
def test_no_step_takes_nearly_as_long_as_to_read_it_at_once(many: Callable[[], str]) -> None:
    """That took 20 to 50 ms. The last step also frees the document. A busy machine makes a round longer, never
    shorter; the garbage collector comes when it likes."""
    document = many().encode()
    gc.disable()
    try:
        # Compared within a round: a machine's speed may double from one round to the next.
        assert any(longest_step(document) < seconds(lambda: msgspec.json.decode(document)) * 2 / 3 for _ in range(12))
    finally:
        gc.enable()
