"""What one commit writes of a batch: merged with what stands there, without what is told already, in bounded pieces."""

import pytest
from msgspec.structs import replace

from statusproxy.status.model import Change, Record, Release
from statusproxy.status.signals import SignalKind
from statusproxy.store import redis_piece
from statusproxy.store.backlog import Batch, Dropped, Entry
from statusproxy.store.redis_copy import ServerCopy
from statusproxy.store.redis_keys import member
from statusproxy.store.redis_piece import News, cut, learn
from statusproxy.store.redis_rows import write_row
from statusproxy.store.redis_script import Proposal

from .samples import NOW, a_change, a_record


def row(record: Record) -> bytes:
    return write_row(record, b"")


def a_copy(*records: Record, foreign: bool = True) -> ServerCopy:
    copy = ServerCopy()
    for record in records:
        copy.put(record.session, row(record), (1, 0), foreign=foreign)
    return copy


def a_batch(*records: Record, forgotten: tuple[str, ...] = (), changes: tuple[Change, ...] = ()) -> Batch:
    entries = [Entry(change, number) for number, change in enumerate(changes, 1)]
    return Batch({**dict.fromkeys(forgotten), **{record.session: record for record in records}}, entries)


OLD, NEW = a_record("a"), a_record("a", heard_at=NOW + 1, event="new")


def test_a_record_is_put_in_place_of_what_is_known_to_stand_there() -> None:
    assert cut(a_batch(NEW, a_record("b")), {}, a_copy(OLD), 0.0).rows == [
        Proposal(b"a", row(OLD), row(NEW), NOW + 1), Proposal(b"b", b"", row(a_record("b")), NOW)
    ]  # fmt: skip


def test_it_is_merged_with_what_stands_there_and_not_written_where_that_says_it_all() -> None:
    alive = a_record("a", alive_at=NOW + 7)
    (merged,) = cut(a_batch(NEW), {}, a_copy(alive), 0.0).rows
    assert merged.row == row(replace(NEW, alive_at=NOW + 7))
    piece = cut(a_batch(OLD), {}, a_copy(NEW), 0.0)
    assert (piece.rows, piece.records) == ([], {"a": OLD})


def test_all_is_told_in_the_servers_time() -> None:
    piece = cut(a_batch(a_record("a"), changes=(a_change("a"),)), {}, ServerCopy(), 300.0)
    told = replace(a_record("a"), known_at=NOW + 300, heard_at=NOW + 300)
    assert piece.rows == [Proposal(b"a", b"", row(told), NOW + 300)]
    assert piece.history == [(NOW + 300, member(Entry(a_change("a", at=NOW + 300), 1)))]


def test_what_cannot_be_encoded_is_left_out_and_named() -> None:
    batch = a_batch(a_record("bad", event=object()), changes=(a_change("worse", what=object()),))  # type: ignore[arg-type]
    piece = cut(batch, {}, ServerCopy(), 0.0)
    assert (piece.refused, piece.rows, piece.history) == (["bad", "worse"], [], [])
    piece.remove_from(batch, {})
    assert not batch


def test_pieces_are_bounded_and_a_record_goes_with_the_last_of_the_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_piece, "_RECORDS_AT_ONCE", 2)
    monkeypatch.setattr(redis_piece, "_CHANGES_AT_ONCE", 3)
    batch = a_batch(*map(a_record, "abc"), changes=tuple(a_change("a", at=NOW + n) for n in range(5)))
    sizes = []
    while batch:
        piece = cut(batch, {}, ServerCopy(), 0.0)
        sizes.append((len(piece.rows), len(piece.history)))
        piece.remove_from(batch, {})
    assert sizes == [(0, 3), (2, 2), (1, 0)]


# Forgotten -------------------------------------------------------------------------------------------------


def test_a_session_is_forgotten_unless_it_was_heard_of_since() -> None:
    batch, at = a_batch(forgotten=("a", "b", "c")), {"a": NOW, "b": NOW - 1, "c": NOW}
    piece = cut(batch, at, a_copy(OLD, a_record("b")), 0.0)
    assert piece.rows == [Proposal(b"a", row(OLD), b"", NOW), Proposal(b"c", b"", b"", NOW)]
    assert piece.revived == [a_record("b")]
    piece.remove_from(batch, at)
    assert not batch


def test_one_that_has_begun_anew_is_forgotten_first_and_then_written() -> None:
    batch, at = a_batch(NEW), {"a": NOW}
    first = cut(batch, at, a_copy(OLD), 0.0)
    assert first.rows == [Proposal(b"a", row(OLD), b"", NOW)]
    first.remove_from(batch, at)
    assert at == {}
    assert cut(batch, at, ServerCopy(), 0.0).rows == [Proposal(b"a", b"", row(NEW), NOW + 1)]


def test_that_it_was_forgotten_is_told_in_the_servers_time() -> None:
    piece = cut(a_batch(forgotten=("a",)), {"a": NOW}, a_copy(OLD), 300.0)
    assert piece.rows == [Proposal(b"a", row(OLD), b"", NOW + 300)]


def test_one_that_was_forgotten_again_meanwhile_stays_to_be_forgotten() -> None:
    batch = a_batch(NEW)
    piece = cut(batch, {"a": NOW}, ServerCopy(), 0.0)
    later = {"a": NOW + 5}
    piece.remove_from(batch, later)
    assert later == {"a": NOW + 5}


def test_a_record_from_before_it_was_forgotten_does_not_come_back() -> None:
    batch, at = a_batch(OLD), {"a": NOW}
    piece = cut(batch, at, ServerCopy(), 0.0)
    assert piece.rows == [Proposal(b"a", b"", b"", NOW)]
    piece.remove_from(batch, at)
    assert not batch


# History ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("foreign", "lines"), [(True, 0), (False, 1)])
def test_a_decision_that_another_proxy_has_written_down_is_not_written_again(foreign: bool, lines: int) -> None:
    theirs = a_record("a", verdict=SignalKind.CONNECTED, released=Release.EXPIRED, released_at=NOW)
    same = Change("a", "released", "expired", NOW, NOW)
    other = a_change("a", what="started")
    piece = cut(a_batch(changes=(same, other, a_change("b"))), {}, a_copy(theirs, foreign=foreign), 0.0)
    assert (len(piece.history), piece.changes) == (2 + lines, 3)
    told = {line for _, line in piece.history}
    assert told >= {member(Entry(other, 2)), member(Entry(a_change("b"), 3))}


def test_a_decision_that_a_refused_commit_brought_to_light_is_not_written_again() -> None:
    theirs = a_record("a", verdict=SignalKind.CONNECTED, released=Release.EXPIRED, released_at=NOW)
    copy, batch = ServerCopy(), a_batch(a_record("a"), changes=(Change("a", "released", "expired", NOW, NOW),))
    learn(batch, [(b"a", row(theirs), None)], copy, 0.0)
    assert cut(batch, {}, copy, 0.0).history == []


# Refused ---------------------------------------------------------------------------------------------------


def test_what_stands_there_is_learned_and_handed_on() -> None:
    copy, batch = a_copy(OLD), a_batch(a_record("a", alive_at=NOW + 3))
    assert learn(batch, [(b"a", row(NEW), None)], copy, 0.0) == News([NEW])
    assert copy.record("a") == NEW
    assert cut(batch, {}, copy, 0.0).rows[0].row == row(replace(NEW, alive_at=NOW + 3))


def test_what_was_forgotten_there_is_forgotten_here_unless_it_was_heard_of_since() -> None:
    batch = a_batch(a_record("a"), a_record("b", heard_at=NOW + 9), a_record("c"))
    there = a_record("c", heard_at=NOW + 9)
    news = learn(batch, [(b"a", b"", NOW), (b"b", b"", NOW), (b"c", row(there), NOW)], ServerCopy(), 0.0)
    assert news == News([there], [Dropped("a", NOW), Dropped("b", NOW), Dropped("c", NOW)])
    assert batch.records == {"b": a_record("b", heard_at=NOW + 9, ended_at=NOW)}


def test_what_was_forgotten_there_has_its_end_in_the_systems_time_here() -> None:
    batch = a_batch(a_record("b", heard_at=NOW + 9))
    learn(batch, [(b"b", b"", NOW + 300)], ServerCopy(), 300.0)
    assert batch.records == {"b": a_record("b", heard_at=NOW + 9, ended_at=NOW)}


def test_a_row_that_vanished_is_told_apart_from_one_that_was_forgotten() -> None:
    assert learn(a_batch(OLD), [(b"a", b"", None)], a_copy(OLD), 0.0).vanished
    assert not learn(a_batch(forgotten=("a",)), [(b"a", b"", None)], a_copy(OLD), 0.0).vanished
