"""What one commit to Redis writes of a batch: each record merged with its row, without what Redis already has."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from statusproxy.status.merge import is_told, unite
from statusproxy.status.model import Record
from statusproxy.status.stored_times import in_microseconds, moved_change
from statusproxy.store.backlog import Batch, Dropped, Entry
from statusproxy.store.redis_copy import ServerCopy
from statusproxy.store.redis_keys import member
from statusproxy.store.redis_names import field_of, session_of
from statusproxy.store.redis_rows import to_server, write_row
from statusproxy.store.redis_script import Proposal

__all__ = ["News", "Piece", "cut", "learn"]

# Some milliseconds of encoding, so that the event loop is not held.
_RECORDS_AT_ONCE: Final = 64
_CHANGES_AT_ONCE: Final = 150


@dataclass(slots=True)
class Piece:
    """A part of a batch, ready to be written."""

    records: dict[str, Record | None]
    """As they are in the batch."""
    changes: int
    """How many changes it takes off the batch's beginning."""
    rows: list[Proposal] = field(default_factory=list)
    history: list[tuple[float, bytes]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """The sessions of rows that could not be encoded."""
    revived: list[Record] = field(default_factory=list)
    """The server's records of sessions that were to be forgotten, but had an event since."""
    anew: dict[str, float] = field(default_factory=dict)
    """The sessions that it forgets although they have begun again, and when they were forgotten (the system's time).

    Their records follow in the next piece.
    """

    def remove_from(self, batch: Batch, forgotten_at: MutableMapping[str, float]) -> None:
        """The piece is written: take it out of the batch. Sessions that have begun again stay there.

        They are taken out of `forgotten_at` instead, so that the next piece writes them.
        """
        for session in self.records:
            if session not in self.anew:
                del batch.records[session]
            elif forgotten_at.get(session) == self.anew[session]:
                del forgotten_at[session]
        del batch.changes[: self.changes]


@dataclass(slots=True)
class News:
    """What a refused commit brought to light; in the server's time."""

    records: list[Record] = field(default_factory=list)
    forgotten: list[Dropped] = field(default_factory=list)
    vanished: bool = False
    """A row is not there any more, and no one says that the session was forgotten."""


def cut(batch: Batch, forgotten_at: Mapping[str, float], copy: ServerCopy, offset: float) -> Piece:
    """The next piece of a batch. `forgotten_at`: when sessions were forgotten, in the system's time.

    A record goes with the last of its changes, or after them: what stands there of it tells that they do.
    """
    changes = batch.changes[:_CHANGES_AT_ONCE]
    records: dict[str, Record | None] = {}
    if len(changes) == len(batch.changes):
        records = dict(islice(batch.records.items(), _RECORDS_AT_ONCE))
    piece = Piece(records, len(changes))
    for session, record in records.items():
        at = forgotten_at.get(session)
        if at is not None:
            if record is not None and record.heard_at > at:
                piece.anew[session] = at
            _forget(piece, session, at + offset, copy)
        elif record is not None:
            _put(piece, to_server(record, offset), copy)
    theirs: dict[str, Record | None] = {}
    for entry in changes:
        _note(piece, Entry(moved_change(entry.change, offset) if offset else entry.change, entry.number), copy, theirs)
    return piece


def learn(batch: Batch, found: Sequence[tuple[bytes, bytes, float | None]], copy: ServerCopy, offset: float) -> News:
    """Take in what stands there, where a commit was refused; what is of no use any more leaves the batch."""
    news = News()
    for field_, row, gone in found:
        session = session_of(field_)
        copy.put(session, row, copy.newest, foreign=True)
        theirs, record = copy.record(session), batch.records.get(session)
        ours = None if record is None else to_server(record, offset)
        if gone is not None:
            news.forgotten.append(Dropped(session, gone))
            if ours is not None and ours.heard_at <= gone:
                del batch.records[session]
            elif record is not None:  # it lives on, but no disconnect from before
                batch.records[session] = unite(record, Record(session, ended_at=gone - offset))
        elif ours is not None and theirs is None:
            news.vanished = True
        if theirs is not None and record is not None:
            news.records.append(theirs)
    return news


def _put(piece: Piece, ours: Record, copy: ServerCopy) -> None:
    session = ours.session
    row, theirs = copy.row(session), copy.record(session)
    before = b"" if row is None else row.payload
    merged = ours if theirs is None or theirs == ours else in_microseconds(unite(ours, theirs))
    try:
        payload = write_row(merged, before)
    except (TypeError, ValueError):
        piece.refused.append(session)
        return
    if payload != before:
        piece.rows.append(Proposal(field_of(session), before, payload, merged.heard_at))


def _forget(piece: Piece, session: str, at: float, copy: ServerCopy) -> None:
    row, theirs = copy.row(session), copy.record(session)
    if theirs is not None and theirs.heard_at > at:
        piece.revived.append(theirs)
    else:
        piece.rows.append(Proposal(field_of(session), b"" if row is None else row.payload, b"", at))


def _note(piece: Piece, entry: Entry, copy: ServerCopy, theirs: dict[str, Record | None]) -> None:
    """Add a line of the history, unless another proxy, which decided the same, has written it."""
    change = entry.change
    session = change.session
    if session not in theirs:
        row = copy.row(session)
        theirs[session] = copy.record(session) if row is not None and row.foreign else None
    known = theirs[session]
    try:
        if known is None or not is_told(change, known):
            piece.history.append((change.recorded_at, member(entry)))
    except (TypeError, ValueError):
        piece.refused.append(session)
