"""Where own messages are marked: in every known gateway's shape, quickly, and nowhere else."""

from typing import Any

import pytest

from statusproxy.status.dialect import OWN, OWN_IDS, Dialect, is_true
from statusproxy.status.fields import Path, parse_members

PLACES = Dialect()


def document(path: Path, value: object) -> Any:
    """A document in which this value stands under the path; `0` is an array's first element."""
    for step in reversed(path):
        value = [value] if step == "0" else {step: value}
    return value


@pytest.mark.parametrize("path", OWN, ids=".".join)
def test_each_mark_is_found_where_it_stands(path: Path) -> None:
    assert PLACES.marks_own(document(path, True))
    assert not PLACES.marks_own(document(path, False))
    assert not PLACES.marks_own(document((*path[:-1], "x", path[-1]), True))


@pytest.mark.parametrize("path", OWN_IDS, ids=".".join)
def test_the_id_of_a_sent_message_is_a_mark(path: Path) -> None:
    assert PLACES.marks_own(document(path, "true_5500000000000@c.us_AA"))
    assert not PLACES.marks_own(document(path, "false_5500000000000@c.us_AA"))


@pytest.mark.parametrize(("value", "own"), [(True, True), ("true", True), (" TRUE ", True), ("1", True), (1, True),
                                            (False, False), ("false", False), (0, False), (None, False), ("yes", False),
                                            ({}, False), (2, False)])  # fmt: skip
def test_a_mark_is_true_in_whatever_way_it_is_written(value: object, own: bool) -> None:
    assert is_true(value) is own


def test_only_the_first_of_several_messages_is_looked_at() -> None:
    for body, own in (
        (b'{"data":{"messages":[{"key":{"fromMe":true}},{"key":{"fromMe":false}}]}}', True),
        (b'{"data":{"messages":[{"key":{"fromMe":false}},{"key":{"fromMe":true}}]}}', False),
        (b'{"data":{"messages":[]}}', False),
    ):
        assert PLACES.marks_own(parse_members(body)) is own


@pytest.mark.parametrize("messages", [[], "true_x", 1, None])
def test_where_an_array_of_messages_could_stand_nothing_else_is_a_message(messages: object) -> None:
    assert not PLACES.marks_own({"messages": messages})
    assert PLACES.marks_own({"messages": messages, "key": {"fromMe": True}})


def test_a_gateway_can_have_its_own_places() -> None:
    assert Dialect(own=(*OWN, ("meta", "outgoing"))).marks_own({"meta": {"outgoing": True}})
    assert not Dialect(own=(), own_ids=()).marks_own({"fromMe": True, "id": "true_x"})
