"""Messages as JSON answers: whole, refused, and with a list that was written entry by entry."""

import json

import msgspec
import pytest

from statusproxy.admin.json_answers import answer, answer_list, refuse


class Listed(msgspec.Struct):
    """A message that ends in a list."""

    now: str
    entries: list[dict[str, int]]


def test_a_message_is_an_answer_as_it_stands() -> None:
    made = answer(Listed("10:00", [{"a": 1}]), 503, {"Retry-After": "10"})
    assert (made.status, made.text) == (503, '{"now": "10:00", "entries": [{"a": 1}]}')
    assert (made.headers["Retry-After"], made.headers["Content-Type"]) == ("10", "application/json; charset=utf-8")


def test_what_is_refused_is_told_in_words() -> None:
    made = refuse(404, 'no session "a"', {"X-A": "b"})
    assert (made.status, made.text, made.headers["X-A"]) == (404, '{"error": "no session \\"a\\""}', "b")
    assert answer(Listed("", [])).status == 200


@pytest.mark.parametrize("entries", [[], ['{"a":1}'], ['{"a":1}', '{"b":2}']])
def test_entries_that_are_json_already_stand_in_the_list(entries: list[str]) -> None:
    made = answer_list(Listed("]}", []), iter(entries))
    assert made.text is not None
    assert json.loads(made.text) == {"now": "]}", "entries": [json.loads(each) for each in entries]}
    assert (made.status, made.content_type) == (200, "application/json")
