"""The SQLite store's thread: it writes, reads, repairs and does upkeep. All calls block; one at a time.

What happens to the files themselves (deleted, replaced, damaged) is for `sqlite_file.py`; this looks around each
commit, and now and then, and writes all that is known again where the files are new.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from statusproxy.observe.counted import counted
from statusproxy.status.model import Change, Record
from statusproxy.store.backlog import Batch, Entry
from statusproxy.store.base import PAGE
from statusproxy.store.codec import encode
from statusproxy.store.database import Database, reading
from statusproxy.store.errors import NotAttachedError, StoreError, primary_code, shown
from statusproxy.store.outbox import OutboxDocument
from statusproxy.store.spool_files import SpoolFiles, spool_folder
from statusproxy.store.spooled import Content
from statusproxy.store.spooled import Entry as SpoolEntry
from statusproxy.store.sqlite_file import StateFile
from statusproxy.store.sqlite_outbox import KnownOutbox
from statusproxy.store.sqlite_spool import KnownSpool
from statusproxy.store.upkeep import Upkeep

__all__ = ["FilesMovedError", "SqliteWriter"]

# How often in a row the files may be deleted under a batch before it waits for better times.
_RESCUES: Final = 3

# For so long after a commit the files need no second look before the next one: each is followed by one anyway.
_LOOK_SECONDS: Final = 0.1

# After these the connection itself is sound: it is kept, so that the history can still be read meanwhile.
_PASSING: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

_T = TypeVar("_T")


class FilesMovedError(Exception):
    """The files were deleted or replaced; the message says which. What was just written may be lost."""


class SqliteWriter:
    """The content of the file, as this process knows it, and the way there."""

    def __init__(
        self, path: Path, file: StateFile, upkeep: Upkeep, log: logging.Logger, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives epoch seconds."""
        self.commits = 0
        """Commits that wrote something so far: far fewer than saves when saves come in bursts."""
        self.file = file
        self._path = path
        self._upkeep = upkeep
        self._log = log
        self._clock = clock
        self._spool = KnownSpool(SpoolFiles(spool_folder(path)), log)
        self._outbox = KnownOutbox()
        self._on_disk: dict[str, Record] = {}
        self._knows_all = False
        self._rewrite = False
        self._rescues = 0
        self._look_at = 0.0

    def open(self) -> list[Record]:
        """Take the locks and open the file. Raises as `StateFile.open`."""
        records = self.file.open(None).records
        self._knows_all = True
        return self._take(records)

    def read(self) -> list[Record]:
        """The sessions of a file that could not be opened for writing."""
        return self._take(self.file.read().records)

    def write(self, batch: Batch) -> None:
        """Write a batch, into repaired or new files where these were damaged or moved. Raises what remains.

        `StoreError`: all but those events of the spool is written whose bodies are gone; they are removed in the batch.
        """
        gone = self._spool.keep_files(batch.spooled) if batch.spooled else ()
        self._write(batch)
        if gone:
            lost = counted(len(gone), "event")
            raise StoreError(f"the bodies of {lost} of the spool are gone from {self._spool.files.folder}")

    def _write(self, batch: Batch) -> None:
        while True:
            try:
                self._commit(batch)
            except Exception as error:
                moved = isinstance(error, FilesMovedError) and self._rescues < _RESCUES
                if not moved and not self._spoilt(error):
                    self._detach(error)
                    raise
                # The next turn writes into a new file. Rescues and rebuilds are limited, so the loop ends.
                self._rescues += moved
            else:
                self._rescues = 0
                return

    def ask(self, question: Callable[[Database], _T]) -> _T:
        """The answer to a question; damage that it meets is repaired before it is answered."""
        try:
            return question(self._database())
        except sqlite3.DatabaseError as error:
            if not self._spoilt(error):
                raise
            self.write(Batch())
            return question(self._database())

    def history(self, session: str | None, limit: int, waiting: Sequence[Entry]) -> list[Change]:
        """As `Backend.history`."""

        def look_up(database: Database) -> list[Change]:
            found: list[Change] = []
            for entry in reversed(waiting):
                if len(found) == limit:
                    break
                if session in (None, entry.change.session) and not _has(database, entry):
                    found.append(entry.change)
            return found + database.history(session, limit - len(found))

        return self.ask(look_up)

    def history_page(
        self, session: str | None, since: float, before: int | None, waiting: Sequence[Entry]
    ) -> tuple[list[Change], int | None]:
        """A page of `Backend.history_pages`, and where the next one begins (`Database.history_page`)."""

        def look_up(database: Database) -> tuple[list[Change], int | None]:
            found = [
                entry.change
                for entry in reversed(waiting)
                if session in (None, entry.change.session)
                and entry.change.recorded_at >= since
                and not _has(database, entry)
            ]
            changes, before_next = database.history_page(session, since, before, PAGE)
            return found + changes, before_next

        return self.ask(look_up)

    def acknowledge(self) -> int:
        """As `Backend.acknowledge`."""
        return self.ask(lambda _: self.file.acknowledge())

    def outbox(self) -> OutboxDocument:
        """As `Outbox.read`; of a file that cannot be written now, what can be read."""
        if self._outbox.document is None:
            if self.file.database is None:
                with reading(self._path) as database:
                    return database.outbox()
            self._outbox.document = self.ask(Database.outbox)
        return self._outbox.document

    def write_outbox(self, payload: bytes, after: int) -> int | None:
        """As `Outbox.write`."""
        if self.outbox().version != after:
            return None
        self._outbox.pending = OutboxDocument(after + 1, payload)
        try:
            self.write(Batch())
        finally:
            self._outbox.pending = None  # where it failed, the caller decides what comes next
        return after + 1

    def spool_entries(self) -> list[SpoolEntry]:
        """As `SpoolReader.entries`; of a file that cannot be written now, what can be read."""
        if self.file.database is None:
            with reading(self._path) as database:
                entries = database.spool.read().entries
            self._spool.learned(entries)
            return entries

        def read(database: Database) -> list[SpoolEntry]:
            entries, rejected = database.spool.take(self._clock(), len(self._on_disk))
            if rejected:
                self.file.tell_of_rejected_entries(rejected)
            self._spool.loaded(database, entries)
            return entries

        return self.ask(read)

    def spool_content(self, id_: str) -> Content | None:
        """As `SpoolReader.content`."""
        if self.file.database is None:
            with reading(self._path) as database:
                return self._spool.content(database, id_)
        return self.ask(lambda database: self._spool.content(database, id_))

    def keep_up(self, damage: str | None) -> None:
        """Do one step of upkeep; `damage` is what the check of the whole file found."""
        if self.file.database is None or self.file.vanished():
            self._look_at = 0.0
            self.write(Batch())
            return
        if damage is not None:
            if self._spoilt(_corrupt(damage)):
                self.write(Batch())
            return
        try:
            self.file.keep_up()
        except sqlite3.Error as error:
            if not self._spoilt(error):
                self._detach(error)
                raise
            self.write(Batch())

    def close(self, left: Batch) -> None:
        """Write what is left in one last attempt, and close."""
        if left:
            with suppress(Exception):
                self.write(left)
        self.file.close()
        self.file.release()

    def _commit(self, batch: Batch) -> None:
        if time.monotonic() >= self._look_at:
            self.file.look_after(len(self._on_disk))
        if self.file.database is None:
            self._reopen()
        database = self._database()
        # After a reopening the file may be another one, so all that is known goes in, not the news alone.
        records, spooled = batch.records, batch.spooled
        if self._rewrite:
            records = {**self._on_disk, **records}
            spooled = {**self._spool.anew(database, self.file.rescued), **spooled}
        outbox = self._outbox.due(anew=self._rewrite)
        if records or batch.changes or spooled or outbox is not None:
            for session in database.write(records, batch.changes, spooled, outbox):
                self._log.error("state: a row of session %s could not be encoded and is left out", shown(session))
            self.commits += 1
            self._upkeep.committed()
        # No one is answered for what went into files that are gone. The next attempt finds it in the rescued ones.
        moved = database.moved()
        self._look_at = time.monotonic() + _LOOK_SECONDS
        if moved is not None:
            self._look_at = 0.0
            raise FilesMovedError(f"{moved} was deleted or replaced during a commit")
        self._rewrite = False
        self.file.written()
        self._outbox.committed()
        for session, record in batch.records.items():
            if record is None:
                self._on_disk.pop(session, None)
            else:
                self._on_disk[session] = record
        if batch.spooled:
            self._spool.committed(batch.spooled)

    def _reopen(self) -> None:
        found = self.file.open(self._known(), self._spool.entries).records
        self._rewrite = True
        unknown = sum(record.session not in self._on_disk for record in found)
        if unknown:  # it could not be read at the start, or someone put a backup there
            self._log.warning(
                "state: %s has %s kept, and used after the next start",
                self._path,
                counted(unknown, "session that is not known here; it is", "sessions that are not known here; they are"),
            )  # fmt: skip

    def _take(self, records: list[Record]) -> list[Record]:
        self._on_disk = {record.session: record for record in records}
        return records

    def _detach(self, error: Exception) -> None:
        """Begin the next attempt with a new connection, unless this one is sound."""
        if primary_code(error) not in _PASSING:
            self.file.close()

    def _spoilt(self, error: Exception) -> bool:
        """Whether the content broke, and was rebuilt."""
        return self.file.spoilt(error, self._known(), self._spool.entries)

    def _known(self) -> dict[str, Record] | None:
        """All sessions; None where the start could not read them, and the file may hold more."""
        return self._on_disk if self._knows_all else None

    def _database(self) -> Database:
        if self.file.database is None:
            raise NotAttachedError(f"the state in {self._path} is not open")
        return self.file.database


def _has(database: Database, entry: Entry) -> bool:
    return entry.row is not None and database.holds(entry.row, encode(entry.change))


def _corrupt(words: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(words)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error
