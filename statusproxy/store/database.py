"""The SQLite file of the durable state: opening and checking it, its tables, reading and writing.

Synchronous, and used by one thread only (that of `sqlite.py`). Nothing here retries, logs, or keeps a file under
another name: opening a file with useless content raises `UnusableError`, any other failure is SQLite's own exception.
"""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

import msgspec

from statusproxy.observe.counted import counted
from statusproxy.status.model import Change, Record
from statusproxy.store.backlog import Entry
from statusproxy.store.codec import RowError, decode_change, decode_record, encode
from statusproxy.store.connection import close_as_it_is, close_whole, connect
from statusproxy.store.damage import Damage, note
from statusproxy.store.errors import check_words, is_unusable
from statusproxy.store.files import COMPANIONS, create_private, file_size
from statusproxy.store.outbox import OutboxDocument
from statusproxy.store.outbox_table import OUTBOX_TABLE, read_outbox, write_outbox
from statusproxy.store.session_key import key_text, row_key, session_bytes
from statusproxy.store.spool_table import SPOOL_TABLE, SpoolTable
from statusproxy.store.spooled import SpoolOp
from statusproxy.store.sqlite_wal import read_wal
from statusproxy.store.transaction import Transaction

__all__ = ["APPLICATION_ID", "SCHEMA", "Contents", "Database", "UnusableError", "read_notices", "read_only", "reading"]

SCHEMA: Final = 1
"""The number in `PRAGMA user_version`. A database with a higher one was written by a newer statusproxy."""

_ABOVE_ALL: Final = 2**63 - 1  # no row of a table has a higher number
_HIGHEST_SCHEMA: Final = 1000  # a higher number is damage, not a newer version

APPLICATION_ID: Final = 0x73747078  # "stpx": says whose database this is (https://www.sqlite.org/fileformat.html)

# `session` has no declared type on purpose: an id that is Unicode is stored as text, which an operator can
# read, one with a lone surrogate as a blob of its bytes; SQLite never takes the one for the other.
_TABLES: Final = f"""
CREATE TABLE IF NOT EXISTS records (
    session PRIMARY KEY NOT NULL, payload TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (
    id INTEGER PRIMARY KEY, session NOT NULL, recorded_at REAL NOT NULL, payload TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS history_session ON history (session);
CREATE TABLE IF NOT EXISTS rejected (
    id INTEGER PRIMARY KEY, session, payload, reason TEXT NOT NULL, rejected_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS damage (
    id INTEGER PRIMARY KEY, payload TEXT NOT NULL
);
{SPOOL_TABLE}{OUTBOX_TABLE}"""
# What a database must have to be one of ours; the others came later, and an older statusproxy does not mind them.
_TABLE_NAMES: Final = frozenset({b"records", b"history", b"rejected"})

# A whole check of 10 000 sessions with 100 000 changes (24 MB) took 0.03 s; a huge file on a slow disk must
# not delay the start, so the check is given up after this long. What it did not reach shows when the rows are read.
_CHECK_SECONDS: Final = 0.5
_CHECK_STEP: Final = 20_000  # virtual machine instructions between two looks at the clock

_WAL_LIMIT_BYTES: Final = 4 * 1024 * 1024  # the WAL is cut back to this after a checkpoint


class UnusableError(Exception):
    """The content of the database is of no use to this version; the message completes "it is …"."""

    def __init__(self, what: str, *, damaged: bool = True) -> None:
        """`damaged` is False where the file is whole, but not for this version."""
        super().__init__(what)
        self.damaged = damaged


class Contents(msgspec.Struct):
    """What an open found: the readable records, and the ids of rows that could not be read."""

    records: list[Record] = msgspec.field(default_factory=list)
    rejected: list[str] = msgspec.field(default_factory=list)


class Database:
    """An open database file, with the exclusive right to write to it."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self.spool = SpoolTable(connection)
        """The table of what the spool keeps."""
        self._next_number = 1
        self._files = {str(path): _identity(path)}  # text: each commit looks at them

    @classmethod
    def open(cls, path: Path, now: float) -> tuple["Database", Contents]:
        """Open the database, creating it if need be, prove that it can be written, and read its records.

        `now` (epoch seconds) dates the rows that are rejected, which is noted as damage. Raises `UnusableError` for
        content of no use, `sqlite3.Error` or `OSError` for everything that may pass (full disk, rights, locks).
        Whatever is raised, no row that was there before has changed.
        """
        if os.path.lexists(path) and not path.is_file():
            raise UnusableError("not a file", damaged=False)
        if file_size(path) == 0 and file_size(Path(f"{path}-wal")) > 0:
            raise UnusableError("only the -wal of a database that is gone")  # SQLite would delete it
        logged = _check_log(path)
        create_private(path)
        connection = connect(f"file:{quote(str(path))}?mode=rw")
        try:
            database = cls(path, connection)
            database.judge()
            database._prepare()
            contents = database._read(now)
            if logged:
                # A log that a crash left is emptied before it grows on: what follows a torn transaction in it would
                # else look like part of the next one.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            for ending in COMPANIONS:
                companion = Path(f"{path}{ending}")
                database._files[str(companion)] = _identity(companion)
        except BaseException as error:
            close_as_it_is(connection)
            if isinstance(error, sqlite3.Error) and is_unusable(error):
                raise UnusableError(f"corrupt ({error})") from error
            raise
        return database, contents

    def moved(self) -> str | None:
        """The file that was deleted or replaced under us, "the database" or an ending such as "-wal"; None if none was.

        What is written afterwards would be lost with the process.
        """
        for path, identity in self._files.items():
            if _identity(path) != identity:
                return path.removeprefix(str(self._path)) or "the database"
        return None

    def write(
        self,
        records: Mapping[str, Record | None],
        entries: Sequence[Entry],
        spooled: Mapping[str, SpoolOp] = MappingProxyType({}),
        outbox: OutboxDocument | None = None,
    ) -> list[str]:
        """Put records (None: forget the session), changes and what is for spool and outbox on disk in one transaction.

        On return all of it is durable: COMMIT has synced the WAL. Returns the sessions whose row could not
        be encoded; raises `sqlite3.Error` with nothing written.
        """
        put: list[tuple[str | bytes, str]] = []
        drop: list[tuple[str | bytes]] = []
        history: list[tuple[int, str | bytes, float, str]] = []
        refused: list[str] = []
        for session, record in records.items():
            if record is None:
                drop.append((row_key(session),))
                continue
            try:
                put.append((row_key(session), encode(record)))
            except (TypeError, ValueError):
                refused.append(session)
        for entry in entries:
            change = entry.change
            try:
                payload = encode(change)
            except (TypeError, ValueError):
                refused.append(change.session)
                continue
            if entry.row is not None and self.holds(entry.row, payload):
                continue
            entry.row = self._next_number
            self._next_number += 1
            history.append((entry.row, row_key(change.session), change.recorded_at, payload))
        with Transaction(self._connection) as cursor:
            if drop:
                cursor.executemany("DELETE FROM records WHERE session = ?", drop)
            if put:
                cursor.executemany("INSERT OR REPLACE INTO records VALUES (?, ?)", put)
            if history:
                cursor.executemany("INSERT INTO history VALUES (?, ?, ?, ?)", history)
            if spooled:
                self.spool.write(cursor, spooled.values())
            if outbox is not None:
                write_outbox(cursor, outbox)
        return refused

    def outbox(self) -> OutboxDocument:
        """The document of alerts."""
        return read_outbox(self._connection)

    def holds(self, row: int, payload: str) -> bool:
        """Whether the history has this change in this row."""
        found = self._connection.execute("SELECT payload FROM history WHERE id = ?", (row,)).fetchone()
        return bool(found == (payload.encode("ascii"),))

    def history(self, session: str | None, limit: int) -> list[Change]:
        """The newest changes first, of one session or of all; rows that cannot be read are left out."""
        return self.history_page(session, float("-inf"), None, limit)[0]

    def history_page(
        self, session: str | None, since: float, before: int | None, limit: int
    ) -> tuple[list[Change], int | None]:
        """The changes from `since` on among the newest `limit` rows below number `before`; and where the next begin.

        None for that where there are no more, or all of these are older: rows may be out of order by a little.
        """
        where, named = ("", ()) if session is None else ("session = ? AND ", (row_key(session),))
        rows = self._connection.execute(
            f"SELECT id, recorded_at >= ?, payload FROM history WHERE {where}id < ? ORDER BY id DESC LIMIT ?",  # noqa: S608
            (since, *named, _ABOVE_ALL if before is None else before, limit),
        ).fetchall()
        newer = [payload for _, is_newer, payload in rows if is_newer]
        changes = []
        for payload in newer:
            with suppress(RowError):
                changes.append(decode_change(payload))
        return changes, rows[-1][0] if newer and len(rows) == limit else None

    def prune(self, before: float | None, keep: int, at_most: int) -> bool:
        """Delete history from before a time (epoch seconds) and beyond a number of rows, `at_most` at once.

        True if there is more to delete: the caller lets waiting saves pass in between.
        """
        with Transaction(self._connection) as cursor:
            cursor.execute(
                "DELETE FROM history WHERE id IN (SELECT id FROM history WHERE id <= "
                "(SELECT max(id) FROM history) - ? OR recorded_at < ? ORDER BY id LIMIT ?)",
                (keep, before if before is not None else float("-inf"), at_most),
            )
            more = cursor.rowcount >= at_most
            if before is not None:
                cursor.execute("DELETE FROM rejected WHERE rejected_at < ?", (before,))
        return more

    def checkpoint(self) -> bool:
        """Copy the WAL into the database file, as far as no reader needs it; True if the file is whole then.

        Waits for no one. Raises `sqlite3.Error`.
        """
        _, logged, copied = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return bool(logged == copied)

    def copy_to(self, target: Path) -> None:
        """Write all that is in the database into a new file, also where its own files have been deleted.

        Raises `sqlite3.Error` or `OSError`.
        """
        create_private(target)
        try:
            with closing(sqlite3.connect(target)) as copy:
                self._connection.backup(copy)
        except BaseException:  # half a copy must not pass for one
            for ending in ("", "-journal"):
                Path(f"{target}{ending}").unlink(missing_ok=True)
            raise

    def adopt(self, rows: Iterable[tuple[int, Change]]) -> int:
        """Take history rows over from another file, with their numbers; give how many were not there yet."""
        with Transaction(self._connection) as cursor:
            before = self._connection.total_changes
            cursor.executemany(
                "INSERT OR IGNORE INTO history VALUES (?, ?, ?, ?)",
                ((number, row_key(change.session), change.recorded_at, encode(change)) for number, change in rows),
            )
            return self._connection.total_changes - before

    def notices(self) -> dict[int, Damage]:
        """The notices of damage by number, oldest first."""
        rows = self._connection.execute("SELECT id, payload FROM damage ORDER BY id")
        return {number: damage for number, payload in rows if (damage := Damage.decode(payload)) is not None}

    def note(self, damage: Damage, number: int | None = None) -> None:
        """Note damage, in the place of an earlier note where `number` is given."""
        with Transaction(self._connection) as cursor:
            note(cursor, damage, number)

    def finish(self) -> None:
        """Move the whole WAL into the database file and close it: from then on the file is all there is of it.

        For a file that is handed over under another name. Raises `sqlite3.Error` where that cannot be done; it is
        closed all the same.
        """
        close_whole(self._connection, self._path)

    def drop_log(self) -> None:
        """Remove what `close` could not move into the file, where another file stands in its place by now.

        SQLite would take it for the log of that one.
        """
        log = f"{self._path}-wal"
        if self._files.get(log) == _identity(log) and file_size(Path(log)):
            os.unlink(log)

    def close(self) -> None:
        """Move the WAL into the database file and close it.

        Does not raise: beside its file the WAL is as durable. `finish` is for a file that leaves its WAL behind.
        """
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        with suppress(sqlite3.Error):
            self._connection.close()

    def abandon(self) -> None:
        """Close without changing the files, if Python can do that (3.12 or later): they are about to be replaced."""
        close_as_it_is(self._connection)

    def judge(self) -> None:
        """Raise `UnusableError` unless the file is empty or a sound database of ours that we understand."""
        version = self._number("PRAGMA user_version")
        owner = self._number("PRAGMA application_id")
        tables = {name for (name,) in self._connection.execute("SELECT name FROM sqlite_schema")}
        if not tables and owner in (0, APPLICATION_ID) and version in (0, SCHEMA):
            return
        if owner != APPLICATION_ID:
            raise UnusableError("not a database of statusproxy")
        if SCHEMA < version <= _HIGHEST_SCHEMA:
            raise UnusableError(
                f"of a newer statusproxy (schema {version}, this one knows {SCHEMA}); "
                "to use it, install that version and move the file back",
                damaged=False,
            )
        if not 1 <= version <= SCHEMA or not tables >= _TABLE_NAMES:
            raise UnusableError(f"incomplete (schema {version})")
        self._check()

    def _check(self) -> None:
        deadline = time.monotonic() + _CHECK_SECONDS
        self._connection.set_progress_handler(lambda: time.monotonic() > deadline, _CHECK_STEP)
        try:
            answer = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
        else:
            if answer != (b"ok",):
                raise UnusableError(f"corrupt ({check_words(answer[0])})")
        finally:
            self._connection.set_progress_handler(None, 0)

    def _prepare(self) -> None:
        # In WAL mode NORMAL would sync at checkpoints only, and a power cut could take back commits that
        # were answered for; FULL syncs the WAL at each COMMIT (https://www.sqlite.org/pragma.html#pragma_synchronous).
        # Where the file system cannot do WAL, SQLite stays with a rollback journal, and FULL is as durable.
        self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
        self._connection.execute("PRAGMA synchronous = FULL")
        # Deleted rows are overwritten: else those of a freed page could come back when a damaged file is salvaged.
        self._connection.execute("PRAGMA secure_delete = ON").fetchall()
        self._connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}").fetchall()
        with Transaction(self._connection) as cursor:
            for statement in _TABLES.split(";"):
                cursor.execute(statement)
            # Written each time: this proves that the file can be written before anyone relies on it.
            cursor.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            cursor.execute(f"PRAGMA user_version = {SCHEMA}")
        highest = self._number("SELECT coalesce(max(id), 0) FROM history")
        self._next_number = max(highest + 1, *(each.numbers_from for each in self.notices().values()), 1)

    def _read(self, now: float) -> Contents:
        contents, broken = _records(self._connection)
        with Transaction(self._connection) as cursor:
            for key, payload, reason in broken:
                cursor.execute(
                    "INSERT INTO rejected (session, payload, reason, rejected_at) VALUES (?, ?, ?, ?)",
                    (key_text(key), key_text(payload) if isinstance(payload, bytes) else payload, reason, now),
                )
                cursor.execute("DELETE FROM records WHERE CAST(session AS BLOB) = ?", (key,))
            if broken:
                cause = f"damaged in {counted(len(broken), 'row')} (kept in the table `rejected`)"
                note(cursor, Damage(now, cause, None, len(contents.records)))
        return contents

    def readable(self) -> Contents:
        """What can be read of the records; nothing is written."""
        return _records(self._connection)[0]

    def _number(self, statement: str) -> int:
        value = self._connection.execute(statement).fetchone()[0]
        return int(value)


def read_only(path: Path) -> Contents:
    """The records of a database that cannot be written now (full disk, read-only file system).

    A restart in that state must not forget what is on disk. Raises `sqlite3.Error` or `OSError` where even
    reading is not possible, `UnusableError` where there is nothing of ours to read.
    """
    with reading(path) as database:
        return database.readable()


@contextmanager
def reading(path: Path) -> Iterator[Database]:
    """A database that cannot be written now, open to be read. Raises as `read_only`."""
    # Without a WAL nothing can change under us, and `immutable` spares SQLite the `-shm` it could not create.
    settled = file_size(Path(f"{path}-wal")) == 0
    _check_log(path)
    connection = connect(f"file:{quote(str(path))}?mode=ro" + ("&immutable=1" if settled else ""))
    try:
        database = Database(path, connection)
        database.judge()
        yield database
    finally:
        close_as_it_is(connection)


def read_notices(path: Path) -> list[Damage]:
    """The damage that is not acknowledged, from a file that no proxy has open; nothing where it cannot be read.

    Leaves no files behind: a log that a crash left is not looked at.
    """
    try:
        if not path.is_file():
            return []
        with closing(connect(f"file:{quote(str(path))}?mode=ro&immutable=1")) as connection:
            return [each for each in Database(path, connection).notices().values() if not each.acknowledged]
    except (sqlite3.Error, OSError):
        return []


def _records(connection: sqlite3.Connection) -> tuple[Contents, list[tuple[bytes, object, str]]]:
    contents = Contents()
    broken: list[tuple[bytes, object, str]] = []
    for key, payload in connection.execute("SELECT CAST(session AS BLOB), payload FROM records"):
        try:
            record = decode_record(payload)
            if session_bytes(record.session) != key:
                raise RowError("of another session than its key says")
        except RowError as error:
            broken.append((key, payload, str(error)))
            contents.rejected.append(key.decode("utf-8", "replace"))
        else:
            contents.records.append(record)
    return contents, broken


def _check_log(path: Path) -> bool:
    """Whether a crash left a log of use. `UnusableError` where it is damaged: SQLite would forget what follows."""
    wal = read_wal(Path(f"{path}-wal"))
    if wal is not None and wal.broken is not None:
        raise UnusableError(f"corrupt (its -wal is damaged from frame {wal.broken} on)")
    return wal is not None


def _identity(path: Path | str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
