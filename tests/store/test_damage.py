"""What an operator is told of a state that was damaged."""

import pytest

from statusproxy.store.damage import Damage

from .samples import NOW


def test_it_says_when_what_was_saved_and_where_the_damaged_file_lies() -> None:
    damage = Damage(NOW, "corrupt (x)", "/srv/example/state.db.unreadable-1", 118, changes=30)
    assert str(damage) == (
        "2026-01-15T19:07:06Z: the state was corrupt (x); 118 sessions and 30 changes of the history were saved; "
        "the damaged file is kept as /srv/example/state.db.unreadable-1"
    )
    assert "more history is being read" in str(Damage(NOW, "corrupt", None, 1, pending=True))
    assert "kept as" not in str(Damage(NOW, "corrupt", None, 1))


@pytest.mark.parametrize("place", ["/srv/example/x", "/srv/exa\udce9mple", None])
def test_it_is_read_again_as_it_was_written(place: str | None) -> None:
    damage = Damage(NOW, "corrupt", place, 1, 2, pending=True, numbers_from=3, acknowledged=True)
    assert Damage.decode(damage.encode().encode("ascii")) == damage


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"{}", b'{"at":"x"}', b"\xff", b"[" * 100_000])
def test_anything_else_is_none(payload: bytes) -> None:
    assert Damage.decode(payload) is None


def test_a_field_that_an_earlier_version_did_not_have_takes_its_default() -> None:
    found = Damage.decode(b'{"at":1,"cause":"x","set_aside":null,"sessions":2}')
    assert found is not None
    assert (found.changes, found.pending, found.numbers_from, found.acknowledged) == (0, False, 1, False)


def test_a_field_of_a_later_version_is_ignored() -> None:
    assert Damage.decode(b'{"at":1,"cause":"x","set_aside":null,"sessions":2,"more":3}') == Damage(1, "x", None, 2)


def test_events_of_the_spool_are_told_of_where_some_were_saved() -> None:
    assert "30 changes of the history were saved, and 5 events of the spool; " in str(
        Damage(NOW, "corrupt (x)", "/srv/example/aside", 118, 30, spooled=5)
    )
