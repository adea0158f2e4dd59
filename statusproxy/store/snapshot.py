"""A whole copy of a state file, and the check that it is one: for backups, and for what is restored from them."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from statusproxy.store.codec import RowError, decode_record
from statusproxy.store.database import APPLICATION_ID
from statusproxy.store.errors import StoreError, check_words
from statusproxy.store.files import create_private
from statusproxy.store.spool_table import SpoolTable

__all__ = ["Holdings", "checked", "copy_database"]

# A proxy that starts or stops while its files are looked at makes a copy fail once, not for ever.
_ATTEMPTS: Final = 3


class Holdings(NamedTuple):
    """What a copy holds."""

    sessions: int
    changes: int
    size: int
    """Bytes."""
    spooled: int = 0
    """Entries of the spool."""


def copy_database(database: Path, part: Path) -> None:
    """Copy a state file, with what only its log has, to a new file; the state may be written meanwhile.

    Raises `sqlite3.Error`, `OSError` or `StoreError`.
    """
    for attempt in range(_ATTEMPTS):
        create_private(part)
        before = _state(database)
        # Without a log no one has it open, and `immutable` needs no companions, which we may not be able to make.
        still = not os.path.exists(f"{database}-wal")
        uri = f"file:{quote(str(database))}?mode=ro" + ("&immutable=1" if still else "")
        try:
            with closing(sqlite3.connect(uri, uri=True)) as source, closing(sqlite3.connect(part)) as copy:
                source.backup(copy)
                # One file that can be read anywhere: in WAL mode reading needs a directory that can be written.
                copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        except sqlite3.Error:
            if attempt + 1 == _ATTEMPTS or not still:
                raise
        else:
            if not still or (_state(database) == before and not os.path.exists(f"{database}-wal")):
                return
        part.unlink(missing_ok=True)
    raise StoreError(f"{database} kept changing while it was copied; try again")


def _state(path: Path) -> tuple[int, int, int]:
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


def checked(part: Path) -> Holdings:
    """Read a copy whole, and say what it holds. Raises `sqlite3.Error` where it is no sound state of ours."""
    with closing(sqlite3.connect(f"file:{quote(str(part))}?mode=ro&immutable=1", uri=True)) as copy:
        copy.text_factory = bytes
        answer = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if answer != b"ok":
            raise sqlite3.DatabaseError(check_words(answer))
        if copy.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise sqlite3.DatabaseError("it is not a database of statusproxy")
        sessions = 0
        for (payload,) in copy.execute("SELECT payload FROM records"):
            try:
                decode_record(payload)
            except RowError as error:
                raise sqlite3.DatabaseError("the row of a session cannot be read") from error
            sessions += 1
        changes = int(copy.execute("SELECT count(*) FROM history").fetchone()[0])
        spooled = SpoolTable(copy).count()
    return Holdings(sessions, changes, part.stat().st_size, spooled)
