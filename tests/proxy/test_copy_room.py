"""The room on disk that copies of bodies share."""

from pathlib import Path

import pytest

from statusproxy.proxy.copy_room import NEEDED, CopyRoom, Place
from tests.proxy.fake_spool import FakeSpool


@pytest.fixture
def spool(tmp_path: Path) -> FakeSpool:
    """A spool with room for 100 bytes."""
    spool = FakeSpool(tmp_path)
    spool.room = 100
    return spool


def test_what_has_come_counts_and_what_was_only_announced_does_not(spool: FakeSpool) -> None:
    """Or a client that announces much and sends nothing would take all the room."""
    room = CopyRoom()
    announced, other = (Place(room, spool, needed=False) for _ in range(2))
    assert announced.take(10, 100)
    assert room.spooled == 10
    assert other.take(90, 90)


def test_a_body_begins_only_if_there_is_room_for_all_that_was_announced(spool: FakeSpool) -> None:
    room = CopyRoom()
    assert Place(room, spool, needed=False).take(1, 1)
    assert not Place(room, spool, needed=False).take(10, 100)
    assert room.spooled == 1


def test_bodies_sent_from_their_copies_have_a_room_of_their_own_first(spool: FakeSpool) -> None:
    room = CopyRoom()
    needed, beside, late, other = (Place(room, spool, needed=needed) for needed in (True, True, True, False))
    assert needed.take(NEEDED - 10, NEEDED - 10)
    assert beside.take(60, 60)
    assert (room.needed, room.spooled) == (NEEDED - 10, 60)
    assert not late.take(41, 41)
    assert not other.take(41, 41)
    assert other.take(40, 40)


def test_a_place_gives_back_what_it_took_once(spool: FakeSpool) -> None:
    room = CopyRoom()
    places = [Place(room, spool, needed=needed) for needed in (True, False)]
    for place in places:
        place.take(10, 20)
        place.take(10, 10)
    assert (room.needed, room.spooled) == (20, 20)
    for place in places * 2:
        place.give_back()
    assert (room.needed, room.spooled) == (0, 0)
