"""The table `outbox` of the state file: one row with the document of alerts and its version.

Synchronous, as `database.py`, whose transaction the writing is part of. The checksum tells a payload that is whole from
one made of pages of different versions, where a damaged file is salvaged.
"""

import sqlite3
from typing import Final
from zlib import crc32

from statusproxy.store.outbox import OutboxDocument

__all__ = ["NOTHING", "OUTBOX_TABLE", "document_of", "read_outbox", "write_outbox"]

OUTBOX_TABLE: Final = """
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL, checksum INTEGER NOT NULL, payload BLOB NOT NULL
);
"""

NOTHING: Final = OutboxDocument(0, b"")
"""What is read where nothing was ever written."""


def read_outbox(connection: sqlite3.Connection) -> OutboxDocument:
    """The document; `NOTHING` if there is no row, or the row holds no document. Raises `sqlite3.Error`.

    A file of an older statusproxy has no such table.
    """
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'outbox'").fetchone() is None:
        return NOTHING
    row = connection.execute("SELECT version, checksum, payload FROM outbox WHERE id = 1").fetchone()
    return NOTHING if row is None else document_of(*row)


def document_of(version: object, checksum: object, payload: object) -> OutboxDocument:
    """The document of a row; `NOTHING` where it is none, or not whole."""
    if not isinstance(version, int) or version < 1 or not isinstance(payload, bytes) or crc32(payload) != checksum:
        return NOTHING
    return OutboxDocument(version, payload)


def write_outbox(cursor: sqlite3.Cursor, document: OutboxDocument) -> None:
    """Put the document in place of the one before, inside the caller's transaction."""
    row = (document.version, crc32(document.payload), document.payload)
    cursor.execute("INSERT OR REPLACE INTO outbox VALUES (1, ?, ?, ?)", row)
