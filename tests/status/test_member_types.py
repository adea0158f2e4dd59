"""Types of objects of which some members are decoded."""

import msgspec

from statusproxy.status.member_types import attribute, object_type, tree


def test_the_members_of_some_paths_are_told_by_level() -> None:
    assert tree([("a",), ("a", "b"), ("c", "d"), ()]) == {"a": {"b": {}}, "c": {"d": {}}}


def test_only_the_named_members_are_decoded_whatever_their_names() -> None:
    kind = object_type({"a b": int, "ü": str, "absent": int})
    found = msgspec.json.decode('{"a b":1,"ü":"x","other":[1,{}]}'.encode(), type=kind)
    assert [getattr(found, attribute(name)) for name in ("a b", "ü", "absent")] == [1, "x", None]
