"""Reading what a gateway shows: a list, or the answers about single sessions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from statusproxy.demo.dialect import Dialect, Route, Seen, State, Watched, member, text

ROUTE = Route("GET", "/sessions/{session}", lambda seen: [one.word for one in seen])
CODE = Route("GET", "/code", ROUTE.answer, shows_code=True)
LIAR = Dialect(
    name="liar", title="Liar", stale="", loss="", watched=Watched(ROUTE, "state"), events={}, tap="/in", webhook="/in",
    shows={State.CONNECTED: "open", State.LOST: "open"}, truth="close", reconnect=(CODE,),
)  # fmt: skip


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


def test_a_gateway_is_stale_where_a_lost_session_reads_as_a_connected_one() -> None:
    assert LIAR.is_stale
    assert not replace(LIAR, shows={State.CONNECTED: "open", State.LOST: "close"}).is_stale


def test_the_requests_of_a_gateway_are_those_of_its_list_and_of_its_reconnect() -> None:
    assert LIAR.routes == (ROUTE, CODE)
    vain = Route("POST", "/start", ROUTE.answer)
    assert replace(LIAR, starts_in_vain=vain).routes == (ROUTE, vain, CODE)
    names = Route("GET", "/names", ROUTE.answer)
    assert replace(LIAR, names=names).routes == (ROUTE, names, CODE)
    live = Route("GET", "/live", ROUTE.answer)
    assert replace(LIAR, others=(live,)).routes == (ROUTE, live, CODE)


def test_the_empty_path_is_the_document_itself() -> None:
    assert member([1], "") == [1]


@pytest.mark.parametrize(("word", "read"), [("open", "open"), (True, "true"), (None, "null")])
def test_a_state_is_read_as_its_gateway_writes_it(word: object, read: str) -> None:
    assert text(word) == read
