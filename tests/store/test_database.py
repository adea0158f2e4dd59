"""What a database file is taken for, and what is read from and written to it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from statusproxy.store import database as database_module
from statusproxy.store.backlog import Entry
from statusproxy.store.codec import encode
from statusproxy.store.database import APPLICATION_ID, SCHEMA, Database, UnusableError, read_only

from .samples import NOW, a_change, a_record, overridden


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database, _ = Database.open(path, NOW)
    yield database
    database.close()


def reopened(path: Path) -> list[str]:
    database, contents = Database.open(path, NOW)
    database.close()
    return [record.session for record in contents.records]


def filled(path: Path, *sessions: str) -> None:
    database, _ = Database.open(path, NOW)
    database.write({session: a_record(session) for session in sessions}, [Entry(a_change(s)) for s in sessions])
    database.close()


def altered(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_commits_are_synced_and_the_log_is_ahead_of_the_file(database: Database) -> None:
    connection = database._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == (b"wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_the_database_and_its_companions_are_for_this_user_only(path: Path, database: Database) -> None:
    database.write({"sales": a_record("sales")}, [])
    assert {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {
        "state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600
    }  # fmt: skip


def test_it_carries_our_mark_and_the_number_of_its_schema(path: Path, database: Database) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA,)


@pytest.mark.parametrize("session", ["sales", "são paulo", "\ud800", "a\0b", "", "' OR 1=1 --"])
def test_any_id_is_written_found_and_forgotten(path: Path, session: str) -> None:
    database, _ = Database.open(path, NOW)
    database.write({session: overridden(session), "other": a_record("other")}, [Entry(a_change(session))])
    assert database.history(session, 9) == [a_change(session)]
    database.close()
    assert sorted(reopened(path)) == sorted([session, "other"])
    database, _ = Database.open(path, NOW)
    database.write({session: None}, [])
    database.close()
    assert reopened(path) == ["other"]


def test_a_change_that_had_reached_the_disk_is_not_written_again(database: Database) -> None:
    entry = Entry(a_change("sales"))
    database.write({}, [entry])
    database.write({}, [entry, Entry(a_change("support"))])  # a second attempt, after a false alarm
    assert [change.session for change in database.history(None, 9)] == ["support", "sales"]


def test_a_change_numbered_for_another_file_is_not_lost(path: Path, database: Database) -> None:
    entry = Entry(a_change("sales"), row=1)
    database.write({}, [Entry(a_change("support"))])  # number 1 here
    database.write({}, [entry])
    assert [change.session for change in database.history(None, 9)] == ["sales", "support"]


def test_a_transaction_that_fails_leaves_nothing_behind(database: Database) -> None:
    database._connection.execute("CREATE TRIGGER no BEFORE INSERT ON history BEGIN SELECT raise(ABORT, 'no'); END")
    with pytest.raises(sqlite3.Error):
        database.write({"sales": a_record("sales")}, [Entry(a_change("sales"))])
    assert database._connection.execute("SELECT count(*) FROM records").fetchone() == (0,)


def test_an_empty_file_is_a_new_database(path: Path) -> None:
    path.touch()
    assert reopened(path) == []


def test_garbage_is_unusable(path: Path) -> None:
    path.write_bytes(b"not a database at all, " * 500)
    with pytest.raises(UnusableError, match="corrupt"):
        Database.open(path, NOW)


def test_a_database_cut_short_is_unusable(path: Path) -> None:
    filled(path, *map(str, range(200)))
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(UnusableError, match="corrupt"):
        Database.open(path, NOW)


def test_pages_of_noise_are_unusable(path: Path) -> None:
    filled(path, *map(str, range(200)))
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xa5" * 8192)
    with pytest.raises(UnusableError, match="corrupt"):
        Database.open(path, NOW)


def test_noise_that_the_bounded_check_did_not_reach_shows_while_reading(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, *(f"{number:0200}" for number in range(200)))
    with path.open("r+b") as file:
        file.seek(-6 * 4096, os.SEEK_END)
        file.write(b"\xa5" * 6 * 4096)
    monkeypatch.setattr(Database, "_check", lambda self: None)
    with pytest.raises(UnusableError, match="corrupt"):
        Database.open(path, NOW)


def test_the_check_is_given_up_in_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, *map(str, range(200)))
    monkeypatch.setattr(database_module, "_CHECK_SECONDS", -1)
    monkeypatch.setattr(database_module, "_CHECK_STEP", 1)
    assert len(reopened(path)) == 200


def test_a_newer_schema_is_unusable_and_untouched(path: Path) -> None:
    filled(path, "sales")
    altered(path, f"PRAGMA user_version = {SCHEMA + 1}")
    before = path.read_bytes()
    with pytest.raises(UnusableError, match=f"newer statusproxy .schema {SCHEMA + 1}, this one knows {SCHEMA}"):
        Database.open(path, NOW)
    assert path.read_bytes() == before


def test_another_programs_database_is_unusable_and_untouched(path: Path) -> None:
    altered(path, "CREATE TABLE invoices (number)")
    before = path.read_bytes()
    with pytest.raises(UnusableError, match="not a database of statusproxy"):
        Database.open(path, NOW)
    assert path.read_bytes() == before


def test_a_database_without_a_table_is_unusable(path: Path) -> None:
    filled(path, "sales")
    altered(path, "DROP TABLE history")
    with pytest.raises(UnusableError, match="incomplete"):
        Database.open(path, NOW)


def test_a_directory_in_its_place_is_unusable(path: Path) -> None:
    path.mkdir()
    with pytest.raises(UnusableError, match="not a file"):
        Database.open(path, NOW)


def test_a_log_without_its_database_is_not_thrown_away(path: Path) -> None:
    Path(f"{path}-wal").write_bytes(b"perhaps the only copy")
    with pytest.raises(UnusableError, match="-wal"):
        Database.open(path, NOW)
    assert Path(f"{path}-wal").exists()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE records SET payload = '{' WHERE session = 'sales'",
        "UPDATE records SET payload = x'ff00' WHERE session = 'sales'",
        "UPDATE records SET payload = CAST(x'ff22' AS TEXT) WHERE session = 'sales'",
        "UPDATE records SET payload = 7 WHERE session = 'sales'",
        "UPDATE records SET payload = replace(payload, 'sales', 'billing') WHERE session = 'sales'",
    ],
)
def test_a_row_that_cannot_be_read_is_moved_and_the_others_stay(path: Path, damage: str) -> None:
    filled(path, "sales", "support")
    altered(path, damage)
    database, contents = Database.open(path, NOW)
    database.close()
    assert [record.session for record in contents.records] == ["support"]
    assert contents.rejected == ["sales"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT session, rejected_at FROM rejected").fetchall() == [("sales", NOW)]
    assert reopened(path) == ["support"]


def test_a_history_row_that_cannot_be_read_is_left_out(path: Path) -> None:
    filled(path, "sales", "support")
    altered(path, "UPDATE history SET payload = '?' WHERE session = 'sales'")
    database, _ = Database.open(path, NOW)
    assert database.history(None, 9) == [a_change("support")]
    database.close()


def test_a_row_that_cannot_be_encoded_does_not_hold_up_the_others(database: Database) -> None:
    bad = a_record("bad", event=object())
    assert database.write({"bad": bad, "good": a_record("good")}, [Entry(a_change("bad", what=object()))]) == [  # type: ignore[arg-type]
        "bad", "bad"
    ]  # fmt: skip
    rows = database._connection.execute("SELECT session, payload FROM records").fetchall()
    assert rows == [(b"good", encode(a_record("good")).encode())]


def test_pruning_goes_by_age_and_by_number_some_rows_at_a_time(database: Database) -> None:
    database.write({}, [Entry(a_change("sales", at=NOW + n)) for n in range(10)])
    assert database.prune(NOW + 4, keep=100, at_most=3)
    assert not database.prune(NOW + 4, keep=100, at_most=3)
    assert [change.at for change in database.history(None, 99)] == [NOW + n for n in range(9, 3, -1)]
    assert not database.prune(None, keep=2, at_most=99)
    assert [change.at for change in database.history(None, 99)] == [NOW + 9, NOW + 8]


def test_a_deleted_file_is_noticed(path: Path, database: Database) -> None:
    assert database.moved() is None
    path.unlink()
    assert database.moved() == "the database"


def test_a_closed_database_can_be_read_without_writing_anything(path: Path) -> None:
    filled(path, "sales")
    assert [record.session for record in read_only(path).records] == ["sales"]
    assert list(path.parent.iterdir()) == [path]


def test_what_a_crash_left_in_the_log_is_read_too(path: Path, database: Database, tmp_path: Path) -> None:
    database.write({"sales": a_record("sales")}, [])
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for ending in ("", "-wal", "-shm"):
        (crashed / f"state.db{ending}").write_bytes(Path(f"{path}{ending}").read_bytes())
    assert [record.session for record in read_only(crashed / "state.db").records] == ["sales"]
