"""Types of objects of which some members are decoded."""

import gc

import msgspec
import pytest

from statusproxy.status.fields import Path
from statusproxy.status.member_types import (
    ARRAY,
    OBJECT,
    attribute,
    first_byte,
    follow_steps,
    object_type,
    steps_along,
    tree,
)


def test_the_members_of_some_paths_are_told_by_level() -> None:
    assert tree([("a",), ("a", "b"), ("c", "d"), ()]) == {"a": {"b": {}}, "c": {"d": {}}}


def test_only_the_named_members_are_decoded_whatever_their_names() -> None:
    kind = object_type({"a b": int, "ü": str, "absent": int})
    found = msgspec.json.decode('{"a b":1,"ü":"x","other":[1,{}]}'.encode(), type=kind)
    assert [getattr(found, attribute(name)) for name in ("a b", "ü", "absent")] == [1, "x", None]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((), b'{"a":{"b":[1],"c":2},"d":5}'),
        (("a", "b"), b"[1]"),
        (("a", "c"), b"2"),
        (("a", "x"), None),
        (("x", "y"), None),
        (("d", "b"), None),
    ],
)
def test_a_path_is_followed_without_decoding_what_it_leads_to(path: Path, expected: bytes | None) -> None:
    value = msgspec.Raw(b'{"a":{"b":[1],"c":2},"d":5}')
    found = follow_steps(value, steps_along(tree([path]), path))
    assert (None if found is None else bytes(found)) == expected


def test_an_object_is_nothing_for_the_garbage_collector_to_look_at() -> None:
    found = msgspec.json.decode(b'{"a":[[1]]}', type=object_type({"a": list[list[int]]}))
    assert getattr(found, attribute("a")) == [[1]]
    assert not gc.is_tracked(found)


def test_the_first_byte_tells_what_a_value_is() -> None:
    assert [first_byte(msgspec.Raw(written)) for written in (b"{}", b"[1]")] == [OBJECT, ARRAY]
    assert first_byte(msgspec.Raw(b'"x"')) not in (OBJECT, ARRAY)
