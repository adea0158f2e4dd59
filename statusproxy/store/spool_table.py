"""The table `spool` of the state file: a row for each entry, with what is known of it and what it is sent with.

Synchronous, as `database.py`, whose transaction the writing is part of. A body that is NULL is in a file
(`spool_files.py`). Memory stays flat: contents are read one at a time, and never for a list.
"""

import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from statusproxy.observe.counted import counted
from statusproxy.store.codec import RowError, decode_entry, encode
from statusproxy.store.damage import Damage, note
from statusproxy.store.spooled import Entry, Kept, Moved, Removed, SpoolOp
from statusproxy.store.transaction import Transaction

__all__ = ["SPOOL_TABLE", "SpoolRow", "SpoolRows", "SpoolTable", "read_entry"]

SPOOL_TABLE: Final = """
CREATE TABLE IF NOT EXISTS spool (
    id TEXT PRIMARY KEY NOT NULL, entry TEXT NOT NULL, head BLOB NOT NULL, body BLOB
);
"""

# An id names a file, too.
_ID: Final = re.compile(rb"[0-9A-Za-z_-]{1,100}")

_PUT: Final = "INSERT OR REPLACE INTO spool VALUES (?, ?, ?, ?)"


class SpoolRow(NamedTuple):
    """An entry with its content as the table has it."""

    entry: Entry
    head: bytes
    body: bytes | None
    """None: it is in a file."""


class SpoolRows(NamedTuple):
    """What the table holds."""

    entries: list[Entry]
    rejected: list[str]
    """The ids of rows that cannot be read, as text for a log."""


def read_entry(id_: bytes, payload: bytes) -> Entry:
    """The entry of a row; `RowError` where it is none."""
    if _ID.fullmatch(id_) is None:
        raise RowError("not the id of an entry")
    entry = decode_entry(payload)
    if entry.id.encode("utf-8", "surrogatepass") != id_:
        raise RowError("of another entry than its key says")
    return entry


class SpoolTable:
    """The table in one open database. All methods raise `sqlite3.Error`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """`connection` gives texts as bytes."""
        self._connection = connection

    def write(self, cursor: sqlite3.Cursor, ops: Iterable[SpoolOp]) -> None:
        """Write ops, at most one an entry, inside the caller's transaction."""
        put: list[tuple[str, str, bytes, bytes | None]] = []
        moved: list[tuple[str, str]] = []
        removed: list[tuple[str]] = []
        for op in ops:
            match op:
                case Kept(entry, (head, body)):
                    put.append((entry.id, encode(entry), head, None if isinstance(body, Path) else body))
                case Moved(entry):
                    moved.append((encode(entry), entry.id))
                case Removed(id_):
                    removed.append((id_,))
        if removed:
            cursor.executemany("DELETE FROM spool WHERE id = ?", removed)
        if put:
            cursor.executemany(_PUT, put)
        if moved:
            cursor.executemany("UPDATE spool SET entry = ? WHERE id = ?", moved)

    def read(self) -> SpoolRows:
        """The entries in the order of their ids, without their contents; rows that cannot be read are left out."""
        return self._read()[0]

    def take(self, now: float, sessions: int) -> SpoolRows:
        """As `read`; rows that cannot be read are moved to the table `rejected`, with `now` (epoch seconds).

        That is noted as damage in the same transaction; `sessions` is how many can be read.
        """
        rows, broken = self._read()
        if broken:
            with Transaction(self._connection) as cursor:
                for row, reason in broken:
                    for column, what in (("entry", reason), ("head", "head of it"), ("body", "body of it")):
                        cursor.execute(
                            "INSERT INTO rejected (session, payload, reason, rejected_at) "  # noqa: S608 - a constant
                            f"SELECT id, {column}, ?, ? FROM spool WHERE rowid = ? AND {column} IS NOT NULL",
                            (f"spool: {what}", now, row),
                        )
                    cursor.execute("DELETE FROM spool WHERE rowid = ?", (row,))
                cause = f"damaged in {counted(len(broken), 'row')} of the spool (kept in the table `rejected`)"
                note(cursor, Damage(now, cause, None, sessions, spooled=len(rows.entries)))
        return rows

    def content(self, id_: str) -> tuple[bytes, bytes | None] | None:
        """The head and the body (None: it is in a file) of an entry; None where there is no such entry."""
        if not self._exists():
            return None
        row = self._connection.execute("SELECT head, body FROM spool WHERE id = ?", (id_,)).fetchone()
        return None if row is None else (row[0], row[1])

    def names(self) -> set[str]:
        """The ids of all rows, including those that were moved to the table `rejected`: what may have a file."""
        rows = self._connection.execute("SELECT id FROM spool UNION SELECT session FROM rejected")
        return {id_.decode("utf-8", "replace") for (id_,) in rows if isinstance(id_, bytes)}

    def filed(self) -> list[str]:
        """The ids of entries whose body is in a file."""
        if not self._exists():
            return []
        rows = self._connection.execute("SELECT id FROM spool WHERE body IS NULL")
        return [str(id_, "ascii") for (id_,) in rows if _ID.fullmatch(id_)]

    def count(self) -> int:
        """How many rows there are."""
        return int(self._connection.execute("SELECT count(*) FROM spool").fetchone()[0]) if self._exists() else 0

    def put(self, rows: Iterable[SpoolRow]) -> int:
        """Put rows that come from a damaged file into a table that is empty; the later of two of one entry stays.

        Gives how many there are.
        """
        with Transaction(self._connection) as cursor:
            cursor.executemany(_PUT, ((row.entry.id, encode(row.entry), row.head, row.body) for row in rows))
            return self.count()

    def adopt(self, source: Path, known: Mapping[str, Entry]) -> int:
        """Take over the entries that are `known` and not here from another, closed database; give how many."""
        here = {id_.decode() for (id_,) in self._connection.execute("SELECT id FROM spool")}
        missing = known.keys() - here
        if not missing:
            return 0
        with closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro&immutable=1", uri=True)) as other:
            other.text_factory = bytes
            with Transaction(self._connection) as cursor:
                before = self._connection.total_changes
                cursor.executemany(_PUT, _rows(other, missing, known))
                return self._connection.total_changes - before

    def drop(self, ids: Collection[str]) -> None:
        """Delete the rows of these entries."""
        with Transaction(self._connection) as cursor:
            self.write(cursor, [Removed(id_) for id_ in ids])

    def clear(self) -> None:
        """Delete all rows."""
        if self._exists():
            with Transaction(self._connection) as cursor:
                cursor.execute("DELETE FROM spool")

    def _read(self) -> tuple[SpoolRows, list[tuple[int, str]]]:
        rows, broken = SpoolRows([], []), []
        if not self._exists():
            return rows, []
        # The index is in the order of ids, and the columns before `head` need no page but the row's own.
        for number, id_, payload in self._connection.execute("SELECT rowid, id, entry FROM spool ORDER BY id"):
            try:
                rows.entries.append(read_entry(id_, payload))
            except RowError as error:
                rows.rejected.append(id_.decode("ascii", "replace"))
                broken.append((number, str(error)))
        return rows, broken

    def _exists(self) -> bool:
        """Whether there is a table: what an earlier statusproxy wrote has none until it is opened to be written."""
        found = self._connection.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'spool'")
        return bool(found.fetchone()[0])


def _rows(
    other: sqlite3.Connection, ids: Iterable[str], known: Mapping[str, Entry]
) -> Iterator[tuple[str, str, bytes, bytes | None]]:
    for id_ in ids:
        row = other.execute("SELECT head, body FROM spool WHERE id = ?", (id_,)).fetchone()
        if row is not None:
            yield (id_, encode(known[id_]), *row)
