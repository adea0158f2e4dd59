"""Answers with a list of sessions, and about one."""

import pytest

from statusproxy.learning import lists
from statusproxy.learning.lists import Answers, find_list, id_paths
from statusproxy.learning.shapes import Ids


def answers() -> Answers:
    return Answers(Ids())


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ([{"id": "a"}], ()),
        ({"data": [{"id": "a"}]}, ("data",)),
        ({"a": [{"x": 1}], "data": {"list": [{"id": "a"}, {"id": "b"}]}}, ("data", "list")),
    ],
)
def test_the_longest_list_of_objects_is_found(document: object, where: tuple[str, ...]) -> None:
    found = find_list(document, Ids())
    assert found is not None
    assert found[0] == where


@pytest.mark.parametrize("document", [[], [1], ["a"], {}, {"a": {"b": {"c": [{}]}}}, None, {"5511999990000": [{}]}])
def test_other_documents_have_none(document: object) -> None:
    assert find_list(document, Ids()) is None


def test_a_list_brings_the_ids() -> None:
    ids = Ids()
    assert Answers(ids).add("/api/sessions", [{"name": "sales", "zone": "x"}], written=True) == (True, set())
    assert ids.listed == {ids.hash("sales")}


def test_a_member_of_another_name_is_an_id_where_events_name_it() -> None:
    ids = Ids()
    seen = Answers(ids)
    ids.add("sales")
    seen.add("/api/sessions", [{"zone": "sales", "x": {"zone": "b"}}], written=True)
    assert ids.listed == {ids.hash("sales")}


def test_an_answer_about_one_session_is_told_by_its_route() -> None:
    ids = Ids()
    ids.add("sales/1")
    seen = Answers(ids)
    assert seen.add("/api/status/sales%2F1?full=1", {"status": "open"}, written=False)[0]
    assert [(route, shape.one) for route, shape in seen.routes.items()] == [("/api/status/{session}", True)]
    assert not seen.add("/api/status/other", {"status": "open"}, written=False)[0]


def test_segments_that_nobody_knows_are_not_kept() -> None:
    assert answers().template("/api/v1/sessions/hidden?x=1") == "/api/v1/sessions/{_}"


def test_a_route_that_answers_otherwise_now_is_learned_anew() -> None:
    seen = answers()
    seen.add("/a", [{"id": "a"}], written=True)
    seen.add("/a", {"data": [{"id": "a"}]}, written=True)
    assert seen.routes["/a"].path == ("data",)


def test_the_number_of_routes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_ROUTES", 1)
    seen = answers()
    assert seen.add("/a", [{"id": "a"}], written=True)[0]
    assert not seen.add("/b", [{"id": "a"}], written=True)[0]


def test_what_is_the_same_twice_tells_no_sessions_apart() -> None:
    seen = answers()
    seen.add("/a", [{"id": "a", "zone": "x"}, {"id": "b", "zone": "x"}, {"id": 3}], written=True)
    assert seen.routes["/a"].unique == {("id",): True, ("zone",): False}


def test_members_that_may_be_ids_are_two_deep_at_most() -> None:
    elements: list[object] = [{"id": "a", "in": {"name": "b", "x": {"y": "c"}}, "on": True, "a.b": "c"}]
    assert id_paths(elements, Ids()) == [("id",), ("in", "name")]
    assert id_paths([5], Ids()) == id_paths([], Ids()) == []


def test_ids_are_forgotten_where_they_stand_as_names() -> None:
    ids = Ids()
    seen = Answers(ids)
    seen.add("/a", {"pixel": [{"brush": {"id": "a"}}]}, written=True)
    seen.forget(ids.reveal({ids.hash("pixel"), ids.hash("brush")}))
    assert (seen.routes["/a"].path, set(seen.routes["/a"].unique)) == (("*",), {("*", "id")})


def test_a_segment_that_holds_an_id_beside_something_else_is_cut() -> None:
    seen = answers()
    seen.add("/a", [{"id": "pixel"}], written=True)
    assert seen.template("/api/pixel:s3cret/status") == "/api/{session}:{_}/status"
    assert seen.template("/api/s3cret@pixel/status") == "/api/{_}@{session}/status"


def test_a_path_that_is_too_long_is_not_kept() -> None:
    seen = answers()
    assert seen.add("/id" * 100, [{"id": "pixel"}], written=False) == (False, set())
    assert seen.routes == {}


@pytest.mark.parametrize(
    ("elements", "is_possible"),
    [
        ([{"h": "sales"}, {"h": "sup"}], True),
        ([{"in": {"h": "sales"}}, {"in": {"h": "sup"}}], True),
        ([{"label": "sales"}, {"label": "sup"}], True),
        ([{"h": 4711}, {"h": 4712}], True),
        ([{"h": "42"}, {"h": "43"}], True),
        ([{"h": "sales"}], False),
        ([{"h": "sales"}, {"h": "sales"}], False),  # not distinct
        ([{"h": "sales"}, {"g": "sup"}], False),  # not in each
        ([{"h": "ONLINE"}, {"h": "DROPPED"}], False),  # words
        ([{"state": "sales"}, {"state": "sup"}], False),
        ([{"h": 1}, {"h": 2}], False),  # counts
        ([{"h": "2026-01-15T19:07:06Z"}, {"h": "2026-01-15T19:07:07Z"}], False),  # a time
        ([{"phone": "5511999990000"}, {"phone": "5511999990001"}], False),
        ([{"tok": "qqq1"}, {"tok": "qqq2"}], False),
        ([{"h": "x" * 129}, {"h": "y" * 129}], False),
    ],
)
def test_values_that_may_be_ids_are_remembered_until_an_event_tells(elements: list[object], is_possible: bool) -> None:
    ids = Ids()
    Answers(ids).add("/a", elements, written=True)
    assert (bool(ids.possible), ids.listed) == (is_possible, set())


def test_of_a_list_with_many_members_only_some_may_be_ids() -> None:
    ids = Ids()
    Answers(ids).add(
        "/a", [{f"h{letter}": f"{name}{letter}" for letter in "abcdefghij"} for name in ("sales", "sup")], written=True
    )
    assert len(ids.possible) == 12
