"""What a database file is taken for, and what is read from and written to it."""

import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from statusproxy.store import database as database_module
from statusproxy.store.backlog import Entry
from statusproxy.store.codec import encode
from statusproxy.store.connection import connect
from statusproxy.store.damage import Damage
from statusproxy.store.database import (
    APPLICATION_ID,
    SCHEMA,
    Contents,
    Database,
    UnusableError,
    read_notices,
    read_only,
)
from statusproxy.store.outbox import OutboxDocument
from statusproxy.store.spooled import Removed

from .samples import NOW, Connections, a_change, a_record, kept, overridden

# Read before a fixture gives each check all the time in the world.
CHECK_SECONDS = database_module._CHECK_SECONDS


@pytest.fixture
def database(path: Path, connections: Connections) -> Iterator[Database]:
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


def rows(path: Path, statement: str) -> list[Any]:
    """What another program reads in the file, in bytes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        return connection.execute(statement).fetchall()


def altered(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.usefixtures("database")
def test_commits_are_synced_and_the_log_is_ahead_of_the_file(connections: Connections) -> None:
    (connection,) = connections
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


def test_a_session_that_is_forgotten_leaves_no_row(path: Path, database: Database) -> None:
    database.write({"sales": a_record("sales")}, [])
    assert database.write({"sales": None}, []) == []
    assert rows(path, "SELECT session FROM records") == []


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


def test_a_transaction_that_fails_leaves_nothing_behind(path: Path, database: Database) -> None:
    altered(path, "CREATE TRIGGER no BEFORE INSERT ON history BEGIN SELECT raise(ABORT, 'no'); END")
    with pytest.raises(sqlite3.Error):
        database.write({"sales": a_record("sales")}, [Entry(a_change("sales"))])
    assert rows(path, "SELECT * FROM records") == []


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
    with path.open("r+b") as file:  # in the last page's rows: no page is read so far when the check is given up
        file.seek(-1000, 2)
        file.write(b"\xff" * 500)
    monkeypatch.setattr(Database, "_read", lambda *_: Contents())
    database, _ = Database.open(path, NOW)
    database.close()
    monkeypatch.setattr(database_module, "_CHECK_SECONDS", 60)
    with pytest.raises(UnusableError, match="corrupt"):
        Database.open(path, NOW)


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


def test_a_database_with_no_more_than_the_first_tables_is_taken(path: Path) -> None:
    filled(path, "sales")
    altered(path, "DROP INDEX history_session", *(f"DROP TABLE {name}" for name in ("damage", "spool", "outbox")))
    assert reopened(path) == ["sales"]


def test_a_directory_in_its_place_is_unusable(path: Path) -> None:
    path.mkdir()
    with pytest.raises(UnusableError, match="not a file"):
        Database.open(path, NOW)


def test_a_log_without_its_database_is_not_thrown_away(path: Path) -> None:
    Path(f"{path}-wal").write_bytes(b"perhaps the only copy")
    with pytest.raises(UnusableError, match="-wal"):
        Database.open(path, NOW)
    assert Path(f"{path}-wal").exists()


@pytest.mark.parametrize("there", [False, True])
def test_a_sound_log_whose_database_is_gone_or_empty_is_not_thrown_away(
    path: Path, database: Database, tmp_path: Path, there: bool
) -> None:
    database.write({"sales": a_record("sales")}, [])
    left = tmp_path / "left.db"
    log = Path(f"{path}-wal").read_bytes()
    Path(f"{left}-wal").write_bytes(log)
    if there:
        left.touch()
    with pytest.raises(UnusableError, match="only the -wal of a database that is gone"):
        Database.open(left, NOW)
    assert Path(f"{left}-wal").read_bytes() == log
    assert left.exists() == there


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


def test_a_row_that_cannot_be_encoded_does_not_hold_up_the_others(path: Path, database: Database) -> None:
    bad = a_record("bad", event=object())
    assert database.write({"bad": bad, "good": a_record("good")}, [Entry(a_change("bad", what=object()))]) == [  # type: ignore[arg-type]
        "bad", "bad"
    ]  # fmt: skip
    assert rows(path, "SELECT session, payload FROM records") == [(b"good", encode(a_record("good")).encode())]


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


def test_content_that_is_of_no_use_is_told_from_damage(path: Path) -> None:
    assert (str(UnusableError("x")), UnusableError("x").damaged) == ("x", True)
    path.mkdir()
    with pytest.raises(UnusableError) as useless:
        Database.open(path, NOW)
    assert not useless.value.damaged
    path.rmdir()
    filled(path, "sales")
    for version, words, damaged in (
        (2, "of a newer statusproxy (schema 2, this one knows 1)", False), (1000, "of a newer statusproxy", False),
        (1001, "incomplete (schema 1001)", True), (0, "incomplete (schema 0)", True), (-1, "incomplete", True),
    ):  # fmt: skip
        altered(path, f"PRAGMA user_version = {version}")
        with pytest.raises(UnusableError) as useless:
            Database.open(path, NOW)
        assert str(useless.value).startswith(words)
        assert useless.value.damaged == damaged


def test_an_empty_file_of_another_program_or_version_is_not_taken(path: Path) -> None:
    for statement in ("PRAGMA application_id = 7", f"PRAGMA application_id = {APPLICATION_ID}"):
        altered(path, statement, "PRAGMA user_version = 1")
        if statement[-1] == "7":
            with pytest.raises(UnusableError, match="not a database of statusproxy"):
                Database.open(path, NOW)
    assert reopened(path) == []
    altered(path, "DROP TABLE damage")  # as an earlier version left it
    assert reopened(path) == []


def test_the_tables_are_as_an_operator_finds_them_described(path: Path, database: Database) -> None:
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute(
            "SELECT type, name FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
        ).fetchall()
        assert names == [
            ("table", "damage"), ("table", "history"), ("index", "history_session"), ("table", "outbox"),
            ("table", "records"), ("table", "rejected"), ("table", "spool"),
        ]  # fmt: skip
        plan = connection.execute("EXPLAIN QUERY PLAN SELECT payload FROM history WHERE session = 'x'").fetchall()
        assert "history_session" in str(plan)


@pytest.mark.usefixtures("database")
def test_the_connection_is_bounded_in_what_it_waits_for_maps_and_keeps(connections: Connections) -> None:
    (connection,) = connections
    names = ("busy_timeout", "trusted_schema", "journal_size_limit", "secure_delete", "mmap_size")
    assert {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names} == {
        "busy_timeout": 2000, "trusted_schema": 0, "journal_size_limit": 4 * 1024 * 1024, "secure_delete": 1,
        "mmap_size": 0,
    }  # fmt: skip
    assert (CHECK_SECONDS, SCHEMA) == (0.5, 1)


def test_commits_are_synced_and_deleted_rows_overwritten_whatever_sqlite_does_by_itself(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lax(uri: str) -> sqlite3.Connection:
        connection = connect(uri)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA secure_delete = OFF").fetchall()
        return connection

    monkeypatch.setattr(database_module, "connect", lax)
    database, _ = Database.open(path, NOW)
    asked = ("synchronous", "secure_delete")
    assert [database._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in asked] == [2, 1]
    database.close()


def test_what_was_deleted_cannot_be_read_in_the_file_any_more(path: Path) -> None:
    filled(path, "a very special name")
    database, _ = Database.open(path, NOW)
    database.write({"a very special name": None}, [])
    database.prune(None, 0, 99)
    database.close()
    assert b"a very special name" not in path.read_bytes()


def test_the_spool_is_written_in_the_same_file(database: Database) -> None:
    database.write({}, [], {"a": kept("a")})
    assert [entry.id for entry in database.spool.read().entries] == ["a"]
    database.write({}, [], {"a": Removed("a")})
    assert database.spool.read().entries == []


def test_after_a_transaction_that_failed_the_next_one_works(path: Path, database: Database) -> None:
    altered(path, "CREATE TRIGGER no BEFORE INSERT ON history BEGIN SELECT raise(ABORT, 'no'); END")
    entry = Entry(a_change("sales"))
    with pytest.raises(sqlite3.Error):
        database.write({"sales": a_record("sales")}, [entry])
    altered(path, "DROP TRIGGER no")
    database.write({}, [entry])
    assert database.history(None, 9) == [a_change("sales")]


def test_history_is_numbered_on_above_all_that_is_or_may_still_come(path: Path) -> None:
    filled(path, "a", "b")
    database, _ = Database.open(path, NOW)
    entry = Entry(a_change("c"))
    database.write({}, [entry])
    assert entry.row == 3
    database.note(Damage(NOW, "x", None, 1, numbers_from=50))
    database.note(Damage(NOW, "x", None, 1, numbers_from=2))
    database.close()
    database, _ = Database.open(path, NOW)
    entries = [Entry(a_change("d")), Entry(a_change("e"))]
    database.write({}, entries)
    database.close()
    assert [entry.row for entry in entries] == [50, 51]


def test_the_first_change_has_the_first_number(database: Database) -> None:
    entry = Entry(a_change("a"))
    database.write({}, [entry])
    assert entry.row == 1


def test_history_is_given_up_to_a_limit_of_one_session_or_of_all(database: Database) -> None:
    database.write({}, [Entry(a_change(name, at=NOW + n)) for n, name in enumerate("abab")])
    assert [change.at - NOW for change in database.history(None, 3)] == [3, 2, 1]
    assert [change.at - NOW for change in database.history("a", 1)] == [2]
    assert [change.at - NOW for change in database.history("a", 9)] == [2, 0]


def test_history_comes_in_pages_until_there_is_no_more_or_all_of_one_is_older(database: Database) -> None:
    database.write({}, [Entry(a_change(name, at=NOW + n)) for n, name in enumerate("ababa")])

    def page(session: str | None, since: float, before: int | None, limit: int) -> tuple[list[float], int | None]:
        changes, following = database.history_page(session, NOW + since, before, limit)
        return [change.at - NOW for change in changes], following

    assert page(None, 0, None, 2) == ([4, 3], 4)
    assert page(None, 0, 4, 2) == ([2, 1], 2)
    assert page(None, 0, 2, 2) == ([0], None)
    assert page("a", 0, None, 2) == ([4, 2], 3)
    assert page("a", 0, 3, 2) == ([0], None)
    assert page(None, 3, None, 3) == ([4, 3], 3)
    assert page(None, 3, 3, 2) == ([], None)
    assert page(None, 9, None, 2) == ([], None)


def test_the_outbox_is_kept_until_a_newer_one_comes(path: Path, database: Database) -> None:
    assert database.outbox() == (0, b"")
    database.write({}, [], outbox=OutboxDocument(1, b"first"))
    database.write({"sales": a_record("sales")}, [])
    assert database.outbox() == (1, b"first")
    database.write({}, [], outbox=OutboxDocument(2, b"second"))
    database.close()
    database, _ = Database.open(path, NOW)
    assert database.outbox() == (2, b"second")
    database.close()


def test_rejected_rows_go_when_they_are_past_their_days_too(path: Path) -> None:
    filled(path, "sales", "support")
    altered(path, "UPDATE records SET payload = x'ff00'")
    database, contents = Database.open(path, NOW)
    assert sorted(contents.rejected) == ["sales", "support"]
    for before, left in ((NOW, 2), (None, 2), (NOW + 1, 0)):
        database.prune(before, 99, 99)
        assert len(rows(path, "SELECT * FROM rejected")) == left
    database.close()


def test_a_rejected_row_is_kept_as_it_was_with_the_reason(path: Path) -> None:
    filled(path, "a", "b")
    altered(path, "UPDATE records SET payload = '{' WHERE session = 'a'")
    altered(path, "UPDATE records SET payload = x'ff' WHERE session = 'b'")
    altered(path, "INSERT INTO records VALUES (x'ff', 7)")
    database, contents = Database.open(path, NOW)
    database.close()
    rejected = rows(path, "SELECT session, payload, reason, typeof(payload) FROM rejected ORDER BY session")
    assert sorted(contents.rejected) == ["a", "b", "\N{REPLACEMENT CHARACTER}"]
    assert [row[3] for row in rejected] == [b"text", b"blob", b"text"]  # text that is readable stays so
    assert [row[:2] for row in rejected] == [(b"a", b"{"), (b"b", b"\xff"), (b"\xff", b"7")]
    assert [row[2].partition(b":")[0] for row in rejected] == [b"not JSON", b"not JSON", b"not a JSON object"]
    assert reopened(path) == []


def test_a_row_is_rejected_only_where_that_is_noted_and_with_it(path: Path) -> None:
    filled(path, "sales", "support")
    altered(path, "UPDATE records SET payload = '{' WHERE session = 'sales'")
    altered(path, "CREATE TRIGGER no BEFORE INSERT ON damage BEGIN SELECT raise(ABORT, 'no'); END")
    with pytest.raises(sqlite3.Error):
        Database.open(path, NOW)
    assert (len(rows(path, "SELECT * FROM records")), rows(path, "SELECT * FROM rejected")) == (2, [])
    altered(path, "DROP TRIGGER no")
    database, contents = Database.open(path, NOW)
    assert contents.rejected == ["sales"]
    assert [*database.notices().values()] == [Damage(NOW, "damaged in 1 row (kept in the table `rejected`)", None, 1)]
    database.close()


def test_a_row_is_rejected_once(path: Path) -> None:
    filled(path, "sales", "support")
    altered(path, "UPDATE records SET payload = '{' WHERE session = 'sales'")
    for rejected in (["sales"], []):
        database, contents = Database.open(path, NOW)
        database.close()
        assert contents.rejected == rejected
        assert rows(path, "SELECT session FROM rejected") == [(b"sales",)]


def test_a_change_is_found_where_it_was_put_and_nowhere_else(database: Database) -> None:
    database.write({}, [Entry(a_change("a"))])
    assert database.holds(1, encode(a_change("a")))
    assert not database.holds(1, encode(a_change("b")))
    assert not database.holds(2, encode(a_change("a")))


def test_pruning_goes_on_where_as_many_went_as_may_go_at_once(database: Database) -> None:
    database.write({}, [Entry(a_change("sales", at=NOW + n)) for n in range(4)])
    assert database.prune(NOW + 2, keep=100, at_most=2)
    assert not database.prune(NOW + 2, keep=100, at_most=2)
    assert not database.prune(NOW + 2, keep=1, at_most=2)
    assert [change.at - NOW for change in database.history(None, 9)] == [3]


def test_a_checkpoint_moves_the_log_into_the_file_unless_a_reader_needs_it(path: Path, database: Database) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM records").fetchall()
        database.write({"sales": a_record("sales")}, [])
        assert not database.checkpoint()
        reader.execute("ROLLBACK")
    assert database.checkpoint()
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    assert reopened(copy) == ["sales"]


def test_what_a_crash_left_in_the_log_is_in_the_file_once_it_is_open(
    path: Path, database: Database, tmp_path: Path
) -> None:
    database.write({"sales": a_record("sales")}, [])
    crashed = tmp_path / "crashed.db"
    for ending in ("", "-wal"):
        Path(f"{crashed}{ending}").write_bytes(Path(f"{path}{ending}").read_bytes())
    after, contents = Database.open(crashed, NOW)
    assert [record.session for record in contents.records] == ["sales"]
    copy = tmp_path / "copy.db"
    copy.write_bytes(crashed.read_bytes())
    assert reopened(copy) == ["sales"]
    after.close()


def test_what_is_closed_is_whole_in_its_file_though_another_program_has_it_open(path: Path, tmp_path: Path) -> None:
    database, _ = Database.open(path, NOW)
    with closing(sqlite3.connect(path)) as other:
        other.execute("SELECT count(*) FROM records").fetchall()
        database.write({"sales": a_record("sales")}, [])
        database.close()
        copy = tmp_path / "copy.db"
        copy.write_bytes(path.read_bytes())
    assert reopened(copy) == ["sales"]


def test_what_is_finished_is_closed_and_all_in_its_file(path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    database, _ = Database.open(path, NOW)
    database.write({"sales": a_record("sales")}, [])
    database.finish()
    assert list(path.parent.iterdir()) == [path]
    assert os.listdir("/proc/self/fd") == before
    assert reopened(path) == ["sales"]


def test_a_file_whose_log_another_program_still_needs_is_not_finished(path: Path) -> None:
    database, _ = Database.open(path, NOW)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM records").fetchall()
        database.write({"sales": a_record("sales")}, [])
        database._connection.execute("PRAGMA busy_timeout = 0").fetchall()
        with pytest.raises(sqlite3.OperationalError):
            database.finish()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        database.outbox()


def test_a_log_that_could_not_be_moved_goes_once_it_is_of_no_use_and_no_other_does(path: Path) -> None:
    log, away = Path(f"{path}-wal"), path.with_name("away")
    database, _ = Database.open(path, NOW)
    database.write({"sales": a_record("sales")}, [])
    log.rename(away)
    log.write_bytes(b"of another database")
    database.drop_log()
    assert log.read_bytes() == b"of another database"
    away.replace(log)
    database.drop_log()
    assert not log.exists()
    database.drop_log()
    database.abandon()


def test_what_is_abandoned_is_closed_and_whole(path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    database, _ = Database.open(path, NOW)
    database.write({"sales": a_record("sales")}, [])
    database.abandon()
    database.abandon()
    assert os.listdir("/proc/self/fd") == before
    assert reopened(path) == ["sales"]


def test_a_copy_holds_all_and_is_for_this_user_only(path: Path, database: Database) -> None:
    database.write({"sales": a_record("sales")}, [])
    copy = path.with_name("copy.db")
    database.copy_to(copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert reopened(copy) == ["sales"]


def test_a_copy_for_which_there_is_no_room_is_not_left_half_made(path: Path, database: Database) -> None:
    database.write({f"s{number}": a_record(f"s{number}") for number in range(200)}, [])
    copy = path.with_name("copy.db")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(sqlite3.Error):
            database.copy_to(copy)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(path.parent.glob("copy.db*"))


def test_a_copy_that_fails_leaves_no_journal_that_would_be_taken_for_that_of_the_next(
    path: Path, database: Database
) -> None:
    database.close()
    Path(f"{path.with_name('copy.db')}-journal").touch()
    with pytest.raises(sqlite3.ProgrammingError):
        database.copy_to(path.with_name("copy.db"))
    assert not list(path.parent.glob("copy.db*"))


def test_history_taken_over_counts_what_was_not_there(database: Database) -> None:
    database.write({}, [Entry(a_change("a"))])
    database.write({"x": a_record("x")}, [])
    assert database.adopt([(1, a_change("other")), (7, a_change("b")), (9, a_change("\ud800"))]) == 2
    assert database.history(None, 9) == [a_change("\ud800"), a_change("b"), a_change("a")]
    assert database.history("\ud800", 9) == [a_change("\ud800")]


def test_notices_are_kept_in_order_and_replaced_by_their_number(path: Path, database: Database) -> None:
    first, second, done = (Damage(NOW + n, "x", None, n) for n in range(3))
    database.note(first)
    database.note(second)
    database.note(done, 1)
    altered(path, "INSERT INTO damage VALUES (9, '?')")
    assert list(database.notices().items()) == [(1, done), (2, second)]


def test_damage_that_is_not_acknowledged_is_read_from_a_file_that_is_closed(path: Path) -> None:
    assert read_notices(path) == []
    path.mkdir()
    assert read_notices(path) == []
    path.rmdir()
    known, new = Damage(NOW, "x", None, 1, acknowledged=True), Damage(NOW, "y", None, 2)
    database, _ = Database.open(path, NOW)
    database.note(known)
    database.note(new)
    database.close()
    assert read_notices(path) == [new]
    assert list(path.parent.iterdir()) == [path]
    path.write_bytes(b"no database, " * 500)
    assert read_notices(path) == []


def test_what_cannot_be_opened_leaves_no_file_open(path: Path) -> None:
    filled(path, "sales")
    before = os.listdir("/proc/self/fd")
    altered(path, f"PRAGMA user_version = {SCHEMA + 1}")
    for opening in (lambda: Database.open(path, NOW), lambda: read_only(path)):
        with pytest.raises(UnusableError):
            opening()
        assert os.listdir("/proc/self/fd") == before


def test_damage_that_the_check_finds_is_told_in_sqlites_words(path: Path) -> None:
    filled(path, *map(str, range(200)))
    altered(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET rootpage = 9999 WHERE name = 'history_session'",
    )
    with pytest.raises(UnusableError, match=r"^corrupt \((?!\*\*\*)"):
        Database.open(path, NOW)


@pytest.mark.parametrize("read", [lambda path: Database.open(path, NOW), read_only])
def test_an_error_while_checking_that_may_pass_is_not_taken_for_damage(
    path: Path, read: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, "sales")
    connect = sqlite3.connect

    class Busy(sqlite3.Connection):
        def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
            if "quick_check" in statement:
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error
            return super().execute(statement, *arguments)

    monkeypatch.setattr(sqlite3, "connect", lambda *of, **options: connect(*of, **options, factory=Busy))
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        read(path)


@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
def test_what_was_replaced_is_named(path: Path, database: Database, ending: str) -> None:
    file = Path(f"{path}{ending}")
    file.rename(path.with_name("away"))
    file.touch()
    assert database.moved() == (ending or "the database")


def test_a_file_that_may_only_be_read_is_read_with_what_waits_in_its_log(path: Path, tmp_path: Path) -> None:
    filled(path, "a")
    database, _ = Database.open(path, NOW)
    database.write({"b": a_record("b")}, [])
    crashed = tmp_path / "crashed.db"
    for ending in ("", "-wal"):
        Path(f"{crashed}{ending}").write_bytes(Path(f"{path}{ending}").read_bytes())
    database.close()
    assert sorted(record.session for record in read_only(crashed).records) == ["a", "b"]
    wal = bytearray(Path(f"{crashed}-wal").read_bytes())
    wal[32 + 24 + 100] ^= 1
    Path(f"{crashed}-wal").write_bytes(wal + wal[32:])
    with pytest.raises(UnusableError, match="its -wal is damaged from frame 1 on"):
        read_only(crashed)


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
