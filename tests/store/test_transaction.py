"""A transaction is done whole or not at all, and leaves none open."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from statusproxy.store.transaction import Transaction


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (n INTEGER UNIQUE)")
        yield connection


def rows(connection: sqlite3.Connection) -> list[int]:
    return [n for (n,) in connection.execute("SELECT n FROM t")]


def test_other_writers_are_kept_out_from_its_beginning_until_its_end(
    path: Path, connection: sqlite3.Connection
) -> None:
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        with Transaction(connection) as cursor:
            cursor.execute("INSERT INTO t VALUES (1)")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
        assert rows(other) == [1]


def test_after_an_error_nothing_of_it_is_done(connection: sqlite3.Connection) -> None:
    def write() -> None:
        with Transaction(connection) as cursor:
            cursor.execute("INSERT INTO t VALUES (1)")
            cursor.execute("INSERT INTO t VALUES (1)")

    with pytest.raises(sqlite3.IntegrityError):
        write()
    assert (rows(connection), connection.in_transaction) == ([], False)


def test_a_commit_that_fails_is_rolled_back(path: Path, connection: sqlite3.Connection) -> None:
    def write() -> None:
        with Transaction(connection) as cursor:
            cursor.execute("INSERT INTO t VALUES (1)")

    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as reader:
        cursor = reader.execute("SELECT 1 FROM sqlite_schema")  # a reader holds up the commit of a rollback journal
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            write()
        cursor.close()
    assert (rows(connection), connection.in_transaction) == ([], False)
