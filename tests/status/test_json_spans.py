"""Byte spans of members, elements and paths in a JSON document."""

import json
from functools import partial

import pytest
from hypothesis import given

from statusproxy.status.fields import parse_path
from statusproxy.status.json_spans import after_value, as_text, elements, locate, member_name, walk
from tests.status.test_channels import values


@given(values)
def test_every_element_and_member_is_where_it_is_said_to_be(value: str) -> None:
    text = as_text(value.encode())
    document = json.loads(value)
    if isinstance(document, list):
        found = [json.loads(value.encode()[first:end]) for first, end in elements(text, 0)]
        assert json.dumps(found) == json.dumps(document)
    if isinstance(document, dict):
        members: dict[str, object] = {}

        def member(name: str, position: int) -> int:
            end = after_value(text, position)
            members[name] = json.loads(value.encode()[position:end])
            return end

        assert walk(text, 0, member) == len(text)
        assert json.dumps(members) == json.dumps(document)


@pytest.mark.parametrize(
    ("path", "found"), [("a.b", "[1]"), ("a", '{"b":[1]}'), ("", None), ("a.x", None), ("z", "2"), ("a.b.c", None)]
)
def test_a_path_leads_to_the_last_member_of_each_name(path: str, found: str | None) -> None:
    text = '{"a":{"b":0},"z":2,"a":{"b":[1]}}'
    span, end = locate(text, 0, parse_path(path), partial(after_value, text))
    assert end == len(text)
    assert (span and text[slice(*span)]) == (text if path == "" else found)


@pytest.mark.parametrize("empty", ["{}", "{ \n}"])
def test_an_object_without_members_ends_where_it_is_said_to_end(empty: str) -> None:
    text = f'{{"a":{empty},"z":2}}'
    assert locate(text, 0, ("a", "b"), partial(after_value, text)) == (None, len(text))
    assert locate(text, 0, ("z",), partial(after_value, text)) == ((len(text) - 2, len(text) - 1), len(text))


@pytest.mark.parametrize(("written", "name"), [("id", "id"), ("\\u0069d", "id"), ("st\\\\", "st\\"), ("Ã©", "é")])
def test_a_name_is_read_whatever_its_spelling(written: str, name: str) -> None:
    assert member_name(written) == name


def test_each_element_of_an_array_is_given_with_its_place() -> None:
    text = '[ 1 ,{"a":[2]}, "x" ]'
    assert [text[first:end] for first, end in elements(text, 0)] == ["1", '{"a":[2]}', '"x"']
    assert list(elements("[ ]", 0)) == []


def test_an_object_is_walked_to_its_end() -> None:
    text = '{ "a" : 1 , "b":{"c":2} , "\\u0061":3 } '
    seen: list[tuple[str, str]] = []

    def member(name: str, position: int) -> int:
        end = after_value(text, position)
        seen.append((name, text[position:end]))
        return end

    assert walk(text, 0, member) == len(text) - 1
    assert seen == [("a", "1"), ("b", '{"c":2}'), ("a", "3")]
    assert walk("{ }", 0, member) == 3


@pytest.mark.parametrize(
    ("text", "path", "found"),
    [
        ('{"a":{"b":1}}', "a.b", "1"),
        ('{"a":{"b":1},"a":{"b":2}}', "a.b", "2"),
        ('{"a":{"b":1},"a":3}', "a.b", None),
        ("[1]", "a", None),
        ('{"a":[1]}', "", '{"a":[1]}'),
    ],
)
def test_the_value_under_a_path_is_located_by_its_last_key(text: str, path: str, found: str | None) -> None:
    span, end = locate(text, 0, parse_path(path), partial(after_value, text))
    assert (None if span is None else text[span[0] : span[1]], end) == (found, len(text))


def test_positions_in_the_text_are_those_of_the_bytes() -> None:
    assert as_text(b'"\xc3\xa4\xff"') == '"\xc3\xa4\xff"'
