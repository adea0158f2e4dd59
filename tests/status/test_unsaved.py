"""What is to be written and what was not seen yet: each session once, whatever happened to it in between."""

import pytest
from msgspec.structs import replace

from statusproxy.status.model import Override, Record, Release
from statusproxy.status.signals import SignalKind
from statusproxy.status.unsaved import Unsaved, shows_alike


def test_what_decides_is_taken_apart_from_the_rest_and_each_once() -> None:
    unsaved = Unsaved()
    assert not unsaved
    unsaved.changed("a", decisive=False)
    assert not unsaved
    unsaved.changed("b", decisive=True)
    assert unsaved
    assert (unsaved.take_decisive(), unsaved.take_rest()) == ((["b"], []), ["a"])
    assert (unsaved.take_decisive(), unsaved.take_rest()) == (([], []), [])
    assert not unsaved


def test_what_has_waited_for_longest_is_taken_first_where_not_all_is() -> None:
    unsaved = Unsaved()
    for session in "abca":
        unsaved.changed(session, decisive=False)
    assert [unsaved.take_rest(2), unsaved.take_rest(2), unsaved.take_rest(2)] == [["a", "b"], ["c"], []]


def test_a_session_is_in_one_of_the_two_only() -> None:
    unsaved = Unsaved()
    for decisive in (False, True, False):
        unsaved.changed("a", decisive=decisive)
    assert (unsaved.take_rest(), unsaved.take_decisive()) == ([], (["a"], []))


def test_a_forgotten_session_is_only_to_be_removed() -> None:
    unsaved = Unsaved()
    unsaved.changed("a", decisive=True)
    unsaved.changed("b", decisive=False)
    unsaved.forgotten("a")
    unsaved.forgotten("b")
    assert unsaved
    assert (unsaved.take_decisive(), unsaved.take_rest()) == (([], ["a", "b"]), [])


def test_a_session_that_came_back_is_not_to_be_removed() -> None:
    unsaved = Unsaved()
    unsaved.forgotten("a")
    unsaved.added("a")
    unsaved.added("never-there")
    assert not unsaved


def test_what_was_loaded_is_saved() -> None:
    unsaved = Unsaved()
    unsaved.changed("a", decisive=True)
    unsaved.changed("b", decisive=False)
    unsaved.saved()
    assert (unsaved.take_decisive(), unsaved.take_rest()) == (([], []), [])


def test_each_watch_collects_for_itself_until_it_ends() -> None:
    unsaved = Unsaved()
    first, second = unsaved.watch(), unsaved.watch()
    unsaved.changed("a", decisive=True)
    assert first.take() == (["a"], [])
    unsaved.changed("b", decisive=False)
    unsaved.forgotten("a")
    unsaved.forgotten("b")
    assert first.take() == ([], ["a", "b"])
    assert first.take() == ([], [])
    unsaved.unwatch(first)
    unsaved.changed("c", decisive=True)
    assert first.take() == ([], [])
    assert second.take() == (["c"], ["a", "b"])


@pytest.mark.parametrize(
    ("record", "different"),
    [
        (Record("a", SignalKind.CONNECTED), True),
        (Record("a", known_at=1.0), True),
        (Record("a", override=Override(1.0, 1.0, 1.0, "ev")), True),
        (Record("a", released=Release.ALIVE), True),
        (Record("a", released_at=1.0), True),
        (Record("a", heard_at=1.0, event="ev", alive_at=1.0, channel="A", gateway_said="open", shown_at=1.0), False),
    ],
)
def test_what_is_shown_is_told_from_the_rest(record: Record, different: bool) -> None:
    assert shows_alike(record, Record("a")) is not different
    assert shows_alike(record, replace(record))
    assert shows_alike(record, replace(record, override=record.override and replace(record.override)))


def test_what_was_taken_is_not_given_again() -> None:
    unsaved = Unsaved()
    watch = unsaved.watch()
    unsaved.changed("a", decisive=True)
    unsaved.forgotten("b")
    assert (watch.take(), watch.take()) == ((["a"], ["b"]), ([], []))
    assert (unsaved.take_decisive(), unsaved.take_decisive()) == ((["a"], ["b"]), ([], []))
    assert not unsaved


def test_what_others_wrote_or_forgot_is_not_to_be_saved() -> None:
    unsaved = Unsaved()
    for session in ("a", "b"):
        unsaved.changed(session, decisive=session == "a")
        unsaved.taken_over(session)
    unsaved.forgotten("c")
    unsaved.taken_over("c")
    unsaved.taken_over("d")
    assert (unsaved.take_decisive(), unsaved.take_rest(), bool(unsaved)) == (([], []), [], False)
