"""The content of Redis as it was last seen from here: the rows of all sessions, and who wrote them."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from statusproxy.status.merge import unite
from statusproxy.status.model import Record
from statusproxy.status.stored_times import in_microseconds
from statusproxy.store.codec import RowError
from statusproxy.store.redis_follow import BEGINNING, Position, Told
from statusproxy.store.redis_names import field_of, session_of
from statusproxy.store.redis_rows import read_row

__all__ = ["Row", "ServerCopy"]


#: Rows compared between two yields: some milliseconds where each is new.
_AT_ONCE: Final = 100


class Row(NamedTuple):
    """One row."""

    payload: bytes
    position: Position
    """Where the stream of changes was when this stood there: what it tells from before is outdated."""
    foreign: bool
    """Whether another proxy wrote it."""


class ServerCopy:
    """The rows that stand on the server. Moments in them are in the server's time."""

    def __init__(self) -> None:
        self.newest = BEGINNING
        """The last place in the stream that is known to exist."""
        self._rows: dict[str, Row] = {}
        self._gone: dict[str, Position] = {}  # until the stream is past the place

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def row(self, session: str) -> Row | None:
        """A session's row; None if the server has none."""
        return self._rows.get(session)

    def record(self, session: str) -> Record | None:
        """The record of a session's row; None if the server has no row, or one that cannot be read."""
        row = self._rows.get(session)
        try:
            return None if row is None else read_row(field_of(session), row.payload)
        except RowError:
            return None

    def put(self, session: str, payload: bytes, position: Position, *, foreign: bool) -> bool:
        """Note that a row stands there (an empty one: none) since `position`. False where that is outdated."""
        self.newest = max(self.newest, position)
        known = self._rows.get(session)
        if position < (self._gone.get(session, BEGINNING) if known is None else known.position):
            return False
        if payload:
            self._rows[session] = Row(payload, position, foreign)
            self._gone.pop(session, None)
        else:
            self._rows.pop(session, None)
            self._gone[session] = position
        return True

    def follow(self, told: Iterable[Told], me: bytes) -> tuple[list[Record], list[tuple[str, float]]]:
        """Take in what the stream tells; the records, and the sessions forgotten when, that others wrote."""
        records: list[Record] = []
        forgotten: list[tuple[str, float]] = []
        for one in told:
            foreign, record = one.writer != me, None
            try:
                session = session_of(one.session)
                known = self._rows.get(session)
                if foreign and one.row and (known is None or known.payload != one.row):
                    record = read_row(one.session, one.row)
            except (RowError, UnicodeDecodeError):
                continue
            if not self.put(session, one.row, one.position, foreign=foreign) or not foreign:
                continue
            if record is not None:
                records.append(record)
            elif not one.row:
                assert one.forgotten_at is not None
                forgotten.append((session, one.forgotten_at))
        for session in [session for session, position in self._gone.items() if position < self.newest]:
            del self._gone[session]
        return records, forgotten

    async def compare(
        self,
        found: Mapping[str, tuple[bytes, Record]],
        forgotten: Mapping[str, float],
        position: Position,
        *,
        tell_all: bool = False,
    ) -> tuple[list[Record], list[Record]]:
        """Take in all rows as they stand on the server, read when the stream was at `position` or later.

        Returns two lists. The first has the records that were not known (with `tell_all`, also those that were). The
        second has the records that the server lost or has less of, merged with what it has: they must be written
        again. `forgotten`: which sessions the server says were forgotten, and when. Lets other tasks run now and then;
        nothing else may use the copy meanwhile, and it changes at the end only.
        """
        new: list[Record] = []
        missing: list[Record] = []
        for number, session in enumerate(self._rows.keys() - found.keys(), 1):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            record = self.record(session)
            at = forgotten.get(session)
            if record is not None and (at is None or record.heard_at > at):
                missing.append(record if at is None else unite(record, Record(session, ended_at=at)))
        rows: dict[str, Row] = {}
        for number, (session, (payload, record)) in enumerate(found.items(), 1):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            known = self._rows.get(session)
            same = known is not None and known.payload == payload
            if not same:
                ours = self.record(session)
                merged = record if ours is None else in_microseconds(unite(record, ours))
                if merged != record:
                    missing.append(merged)
            if tell_all or not same:
                new.append(record)
            rows[session] = Row(payload, position, known is None or not same or known.foreign)
        self._rows = rows
        self._gone.clear()
        self.newest = position
        return new, missing
