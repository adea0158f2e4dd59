"""Reading what a gateway shows: a list, or the answers about single sessions."""

from __future__ import annotations

import pytest

from statusproxy.demo.dialect import Route, Seen, Watched, member, text

ROUTE = Route("GET", "/sessions/{session}", lambda seen: [one.word for one in seen])


@pytest.mark.parametrize(
    ("watched", "document", "words"),
    [
        (Watched(ROUTE, "state"), [{"name": "sales", "state": "open"}], {"sales": "open"}),
        (Watched(ROUTE, "i.up", "data", "i.id"), {"data": [{"i": {"id": "a", "up": False}}]}, {"a": "false"}),
        (Watched(ROUTE, "state", None), {"state": None}, {"sales": "null"}),
    ],
)
def test_states_are_read_by_name(watched: Watched, document: object, words: dict[str, str]) -> None:
    assert watched.read(document, "sales") == words


@pytest.mark.parametrize("document", [{}, [], [{"name": "sales"}], 1])
def test_an_answer_of_another_shape_is_no_empty_list(document: object) -> None:
    with pytest.raises((LookupError, TypeError)):
        Watched(ROUTE, "state", "data").read(document, "sales")


def test_a_path_is_made_for_a_session() -> None:
    assert ROUTE.path_of(Seen("s1", "sales", "", "open")) == "/sessions/s1"


def test_the_empty_path_is_the_document_itself() -> None:
    assert member([1], "") == [1]


@pytest.mark.parametrize(("word", "read"), [("open", "open"), (True, "true"), (None, "null")])
def test_a_state_is_read_as_its_gateway_writes_it(word: object, read: str) -> None:
    assert text(word) == read
