"""Connections to the state's SQLite files: how they are opened, and the ways to end one."""

import sqlite3
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from statusproxy.store.files import file_size

__all__ = ["close_as_it_is", "close_whole", "connect"]

# A program that holds the write lock for longer than this is reported as an error; saves go on in memory.
_BUSY_SECONDS: Final = 2.0


def connect(uri: str) -> sqlite3.Connection:
    """Open a connection; texts come as bytes."""
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
    # Bytes, because one text that is not UTF-8 would otherwise end the reading of all rows after it.
    connection.text_factory = bytes
    # Memory-mapped reads would turn an I/O error into a dead process.
    connection.execute("PRAGMA mmap_size = 0").fetchall()
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def close_as_it_is(connection: sqlite3.Connection) -> None:
    """Close without changing the files, if Python can do that (3.12 or later)."""
    with suppress(sqlite3.Error):
        if sys.version_info >= (3, 12):  # before it, closing moves the WAL into the database
            connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
    with suppress(sqlite3.Error):
        connection.close()


def close_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Move the whole WAL into the database `path` and close: from then on the file is all there is of it.

    Raises `sqlite3.Error` where that cannot be done; it is closed all the same.
    """
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        with suppress(sqlite3.Error):
            connection.close()
    if busy or file_size(Path(f"{path}-wal")):
        error = sqlite3.OperationalError("its log could not be moved into the file")
        error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_BUSY, "SQLITE_BUSY"
        raise error
