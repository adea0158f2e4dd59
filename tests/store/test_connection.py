"""Connections to the state's files, and how they end."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from statusproxy.store import connection as connection_module
from statusproxy.store.connection import close_as_it_is, close_whole, connect
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


class Answering:
    """Stands in for a connection: it answers every question alike, and notes how it is set and closed."""

    def __init__(self, answer: tuple[int, int, int] = (0, 0, 0)) -> None:
        self.answer = answer
        self.steps: list[str] = []

    def execute(self, _: str) -> "Answering":
        return self

    def fetchone(self) -> tuple[int, int, int]:
        return self.answer

    def setconfig(self, option: int, value: bool) -> None:
        self.steps.append(f"{option} = {value}")

    def close(self) -> None:
        self.steps.append("close")


def test_a_connection_waits_two_seconds_for_a_lock_gives_texts_as_bytes_and_trusts_no_schema(path: Path) -> None:
    with closing(connect(f"file:{path}?mode=rwc")) as connection:
        found = [connection.execute(f"PRAGMA {name}").fetchone() for name in ("busy_timeout", "trusted_schema")]
        assert found == [(2_000,), (0,)]
        assert connection.execute("SELECT 'a'").fetchone() == (b"a",)


def test_a_file_is_named_by_its_uri_and_its_pages_are_read_not_mapped(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, names = sqlite3.connect, list[tuple[str, bool]]()

    def mapping(name: str, *, uri: bool, **options: Any) -> sqlite3.Connection:
        names.append((name, uri))
        connection: sqlite3.Connection = opened(name, uri=uri, **options)
        connection.execute("PRAGMA mmap_size = 1000000").fetchall()
        return connection

    monkeypatch.setattr(sqlite3, "connect", mapping)
    with closing(connect(f"file:{path}?mode=rwc")) as connection:
        assert connection.execute("PRAGMA mmap_size").fetchone() in ((0,), None)
    assert names == [(f"file:{path}?mode=rwc", True)]


def test_what_is_closed_as_it_is_keeps_its_log_where_python_can_do_that(
    path: Path, written: sqlite3.Connection
) -> None:
    close_as_it_is(written)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        written.execute("SELECT 1")
    assert (file_size(Path(f"{path}-wal")) > 0) == (sys.version_info >= (3, 12))


@pytest.mark.parametrize(("version", "steps"), [((3, 11, 9), ["close"]), ((3, 12, 0), ["1006 = True", "close"])])
def test_a_log_is_left_alone_from_python_3_12_on(
    version: tuple[int, ...], steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "sys", SimpleNamespace(version_info=version))
    monkeypatch.setattr(sqlite3, "SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE", 1006, raising=False)
    connection = Answering()
    close_as_it_is(cast("sqlite3.Connection", connection))
    assert connection.steps == steps


@pytest.mark.parametrize(("busy", "log"), [(1, b""), (0, b"x")])
def test_a_file_is_not_called_whole_where_the_log_is_in_use_or_something_is_left_in_it(
    path: Path, busy: int, log: bytes
) -> None:
    Path(f"{path}-wal").write_bytes(log)
    connection = Answering((busy, 0, 0))
    with pytest.raises(sqlite3.OperationalError, match="could not be moved"):
        close_whole(cast("sqlite3.Connection", connection), path)
    assert connection.steps == ["close"]


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
    assert describe(told.value, path) == (
        f"locked by another program: {path}: its log could not be moved into the file [SQLITE_BUSY]; "
        "close the program that has it open for writing"
    )
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        written.execute("SELECT 1")
