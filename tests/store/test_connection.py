"""Connections to the state's files, and how they end."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from statusproxy.store import connection as connection_module
from statusproxy.store.connection import close_whole, connect
from statusproxy.store.errors import describe
from statusproxy.store.files import file_size


@pytest.fixture
def written(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """A connection that has written a row, which stands in the log."""
    monkeypatch.setattr(connection_module, "_BUSY_SECONDS", 0.0)
    connection = connect(f"file:{path}?mode=rwc")
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("CREATE TABLE t (x)")
    connection.execute("INSERT INTO t VALUES (1)")
    yield connection
    connection.close()


def alone(path: Path) -> list[tuple[int]]:
    """The rows of the file without its log."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        return connection.execute("SELECT x FROM t").fetchall()


def test_what_was_closed_whole_is_in_the_one_file(path: Path, written: sqlite3.Connection) -> None:
    close_whole(written, path)
    assert (alone(path), file_size(Path(f"{path}-wal"))) == ([(1,)], 0)


def test_where_a_reader_keeps_the_log_it_is_told_that_the_file_is_not_whole(
    path: Path, written: sqlite3.Connection
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT x FROM t").fetchall()
        written.execute("INSERT INTO t VALUES (2)")
        with pytest.raises(sqlite3.OperationalError, match="its log could not be moved into the file") as told:
            close_whole(written, path)
    assert describe(told.value, path).startswith(f"locked by another program: {path}: ")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        written.execute("SELECT 1")
