"""Templates of paths: which paths they take, and where a session and a secret stand in one."""

import pytest

from statusproxy.config.templates import (
    SECRET,
    SESSION,
    Template,
    begins,
    common_cut,
    cut_of,
    parse_template,
    source_of,
)
from statusproxy.status.session_cut import Cut


def test_a_template_is_taken_apart() -> None:
    assert parse_template("/API/caf%C3%A9/{session}/") == Template(("api", "café", SESSION))
    assert parse_template("/") == Template(())
    assert parse_template("/a/{_}/**") == Template(("a", SECRET), below=True)
    assert parse_template("/{session}%3A{_}/x") == Template((Cut(":", session_first=True), "x"))


@pytest.mark.parametrize("segment", ["{session}", "{_}", "a", "{session}{_}", "{session}:{session}", "x{session}:{_}"])
def test_a_segment_is_cut_between_a_session_and_a_secret_only(segment: str) -> None:
    assert cut_of(segment) is None


@pytest.mark.parametrize(
    ("segment", "session"),
    [
        ("pixel:key", "pixel"),
        ("pixel:$2b$10$a:b", "pixel"),
        ("pixel", None),
        ("pixel:", None),
        (":key", None),
        ("..:key", None),
    ],
)
def test_the_session_ends_at_the_first_separator(segment: str, session: str | None) -> None:
    assert Cut(":", session_first=True).session(segment) == session


@pytest.mark.parametrize(("segment", "session"), [("key:pixel", "pixel"), ("k:e:y:pixel", "pixel"), ("key:", None)])
def test_the_session_begins_after_the_last_separator(segment: str, session: str | None) -> None:
    assert Cut(":", session_first=False).session(segment) == session


@pytest.mark.parametrize(
    ("path", "below", "taken"),
    [
        ((), "/a/**", False),
        (("A",), "/a/**", True),
        (("a", "b", "c"), "/a/**", True),
        (("a", "b", ".."), "/a/**", False),
        (("a", "", "b"), "/a/**", False),
        (("a", "b"), "/a", False),
        (("b",), "/a", False),
        (("x",), "/{_}", True),
        (("..",), "/{_}", False),
        (("a", "b:c"), "/a/{session}:{_}", True),
        (("a", "b"), "/a/{session}:{_}", False),
    ],
)
def test_a_path_fits_or_it_does_not(path: tuple[str, ...], below: str, taken: bool) -> None:
    assert parse_template(below).takes(path) is taken


def test_the_session_is_what_stands_in_its_place() -> None:
    assert parse_template("/a/{session}").session(("a", "Sales")) == "Sales"
    assert parse_template("/{_}/{session}:{_}/x").session(("k", "Sales:key", "x")) == "Sales"
    assert parse_template("/a/{_}").session(("a", "k")) is None


def test_the_steps_up_to_a_secret_tell_which_paths_may_hold_one() -> None:
    assert parse_template("/a/{session}/b").up_to_secret == ()
    steps = parse_template("/a/{session}:{_}/b/{_}").up_to_secret
    assert steps == ("a", Cut(":", session_first=True))
    assert begins(("a", "b:c", "..", ""), steps)
    assert not begins(("a", "b"), steps)
    assert not begins(("a",), steps)


def test_a_source_is_the_same_with_and_without_a_secret_cut_off() -> None:
    assert source_of("/api/{session}:{_}/status") == source_of("/api/{session}/status") == "/api/{session}/status"
    assert source_of("/api/{_}/status") == "/api/{_}/status"


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        ("/a/{session}", "/a/b", True),
        ("/a/b", "/a/{session}", False),
        ("/a/B", "/A/b", True),
        ("/a/**", "/a/b/c", True),
        ("/a/**", "/a/**", True),
        ("/a/**", "/a", True),
        ("/a/b/**", "/a", False),
        ("/a", "/a/**", False),
        ("/a/**", "/b/c", False),
        ("/{session}:{_}", "/{_}:{session}", True),
        ("/{session}:{_}", "/{session}-{_}", False),
        ("/{session}:{_}", "/{session}", False),
        ("/{session}:{_}", "/pixel:key", True),
        ("/{session}:{_}", "/pixel", False),
        ("/{session}", "/{session}:{_}", True),
    ],
)
def test_a_template_covers_another_whose_paths_it_takes(wide: str, narrow: str, covers: bool) -> None:
    assert parse_template(wide).covers(parse_template(narrow)) is covers


@pytest.mark.parametrize(
    ("paths", "cut"),
    [
        (["/a/{session}", "GET /a/{session}:{_}/x", "/b/{session}%3A{_}"], Cut(":", session_first=True)),
        (["/a/{_}-{session}"], Cut("-", session_first=False)),
        (["/a/{session}", "/{_}/x"], None),
        (["/a/{session}:{_}", "/b/{session}-{_}"], None),
        ([], None),
    ],
)
def test_paths_cut_an_id_in_one_way_or_say_nothing(paths: list[str], cut: Cut | None) -> None:
    assert common_cut(paths) == cut
