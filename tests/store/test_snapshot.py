"""A whole copy of a state file, and what it holds."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from statusproxy.store import snapshot as snapshot_module
from statusproxy.store.backlog import Entry
from statusproxy.store.database import Database
from statusproxy.store.errors import StoreError
from statusproxy.store.snapshot import Holdings, checked, copy_database

from .damaged import damage_page, filled, noise
from .samples import NOW, a_change, a_record, kept


def test_a_copy_holds_what_lies_in_the_log_alone_and_is_one_file_for_this_user(path: Path, tmp_path: Path) -> None:
    database, _ = Database.open(path, NOW)
    database.write({"sales": a_record("sales")}, [Entry(a_change("sales"))], {"e": kept("e")})
    copy = tmp_path / "copy.db"
    copy_database(path, copy)
    database.close()
    assert checked(copy) == Holdings(1, 1, copy.stat().st_size, 1)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["copy.db", "state.db"]


def test_a_copy_is_read_where_nothing_can_be_written(path: Path, tmp_path: Path) -> None:
    filled(path, ["sales"])
    copy_database(path, tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_copy_that_began_while_a_proxy_started_is_made_again(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, ["sales"])
    looks = iter([1, 2, 3, 3])
    monkeypatch.setattr(snapshot_module, "_state", lambda _: next(looks))
    copy_database(path, tmp_path / "copy.db")
    assert checked(tmp_path / "copy.db").sessions == 1
    assert list(looks) == []


@pytest.mark.parametrize("what", ["written", "replaced"])
def test_a_copy_of_a_state_that_changed_meanwhile_is_made_again(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    filled(path, ["sales"])
    found, content = path.stat(), path.read_bytes()
    connect, copies = sqlite3.connect, list[object]()

    def meanwhile(name: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(name, **options)
        if "mode=ro" in str(name):
            copies.append(name)
            if len(copies) == 1 and what == "written":
                os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
            elif len(copies) == 1:
                other = path.with_name("other.db")
                other.write_bytes(content)
                os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
                other.replace(path)
        return connection

    monkeypatch.setattr(sqlite3, "connect", meanwhile)
    copy_database(path, tmp_path / "copy.db")
    assert len(copies) == 2


def test_a_name_is_told_to_be_a_uri_where_it_is_one(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, ["sales"])
    connect = sqlite3.connect

    def strict(name: Any, **options: Any) -> sqlite3.Connection:  # most builds of SQLite take a name for a file's
        assert str(name).startswith("file:") == options.get("uri", False)
        connection: sqlite3.Connection = connect(name, **options)
        return connection

    monkeypatch.setattr(sqlite3, "connect", strict)
    copy_database(path, tmp_path / "copy.db")
    assert checked(tmp_path / "copy.db").sessions == 1


def test_a_state_that_changes_hands_again_and_again_is_not_copied(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, ["sales"])
    looks = iter(range(99))
    monkeypatch.setattr(snapshot_module, "_state", lambda _: next(looks))
    with pytest.raises(StoreError, match="kept changing while it was copied"):
        copy_database(path, tmp_path / "copy.db")
    assert next(looks) == 2 * 3
    assert os.listdir(tmp_path) == ["state.db"]


def test_an_error_counts_once_it_comes_back(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, ["sales"])
    connect, failures = sqlite3.connect, [2]

    def failing(name: Any, **options: Any) -> sqlite3.Connection:
        if "mode=ro" in str(name) and failures[0]:
            failures[0] -= 1
            raise sqlite3.OperationalError("unable to open database file")
        connection: sqlite3.Connection = connect(name, **options)
        return connection

    monkeypatch.setattr(sqlite3, "connect", failing)
    copy_database(path, tmp_path / "copy.db")
    failures[0] = 3
    with pytest.raises(sqlite3.OperationalError):
        copy_database(path, tmp_path / "other.db")
    failures[0] = 1
    Path(f"{path}-wal").touch()  # it is in use, and what fails has another reason
    with pytest.raises(sqlite3.OperationalError):
        copy_database(path, tmp_path / "third.db")


def test_a_damaged_page_is_found(path: Path, tmp_path: Path) -> None:
    filled(path)
    damage_page(path, 5, noise)
    copy_database(path, tmp_path / "copy.db")
    with pytest.raises(sqlite3.DatabaseError):
        checked(tmp_path / "copy.db")


def test_damage_that_only_a_whole_check_finds_is_told(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'session)', 'payload)') WHERE type = 'index'")
    with pytest.raises(sqlite3.DatabaseError, match="missing from index"):
        checked(path)


def test_without_a_spool_none_of_its_entries_are_counted() -> None:
    assert Holdings(1, 2, 3) == (1, 2, 3, 0)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("PRAGMA application_id = 7", "it is not a database of statusproxy"),
        ("UPDATE records SET payload = '{}'", "the row of a session cannot be read"),
    ],
)
def test_what_is_no_sound_state_is_told(path: Path, statement: str, says: str) -> None:
    filled(path, ["sales"])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    with pytest.raises(sqlite3.DatabaseError, match=f"^{says}$"):
        checked(path)
