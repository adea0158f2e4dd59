"""The table of the outbox: one row, and nothing where there is none or what stands there is no document."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from zlib import crc32

import pytest

from statusproxy.store.outbox import OutboxDocument
from statusproxy.store.outbox_table import NOTHING, OUTBOX_TABLE, read_outbox, write_outbox


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def test_a_document_replaces_the_one_before(connection: sqlite3.Connection) -> None:
    connection.execute(OUTBOX_TABLE)
    assert read_outbox(connection) == NOTHING
    for document in (OutboxDocument(1, b"{}"), OutboxDocument(2, b"\xff\x00")):
        write_outbox(connection.cursor(), document)
        assert read_outbox(connection) == document


def test_a_file_of_an_older_version_has_no_document(connection: sqlite3.Connection) -> None:
    assert read_outbox(connection) == OutboxDocument(0, b"")


CHECKSUM = crc32(b"{}")


@pytest.mark.parametrize(
    "row",
    [
        ("x", CHECKSUM, b"{}"), (1, CHECKSUM, "text"), (1, CHECKSUM, 7), (0, CHECKSUM, b"{}"), (-1, CHECKSUM, b"{}"),
        (1, CHECKSUM, b"[]"), (1, None, b"{}"),
    ],
)  # fmt: skip
def test_what_is_no_document_is_read_as_none(connection: sqlite3.Connection, row: tuple[Any, Any, Any]) -> None:
    connection.execute("CREATE TABLE outbox (id INTEGER PRIMARY KEY, version, checksum, payload)")
    connection.execute("INSERT INTO outbox VALUES (1, ?, ?, ?)", row)
    assert read_outbox(connection) == NOTHING
