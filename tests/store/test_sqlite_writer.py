"""What the thread of the SQLite store does with its file: commits, questions, files that moved or broke, the end."""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from statusproxy.status.model import Record
from statusproxy.store import database as database_module
from statusproxy.store import sqlite_file as sqlite_file_module
from statusproxy.store.backlog import Batch, Entry
from statusproxy.store.database import Database
from statusproxy.store.errors import NotAttachedError, StoreError
from statusproxy.store.spool_files import spool_folder
from statusproxy.store.spooled import Content, Removed
from statusproxy.store.sqlite_file import StateFile
from statusproxy.store.sqlite_writer import FilesMovedError, SqliteWriter
from statusproxy.store.upkeep import Upkeep, UpkeepTiming

from .damaged import PAGE, SESSIONS, damage_page, filled, noise, readable
from .samples import NOW, a_body, a_change, a_record, an_entry, kept

LOG = logging.getLogger("statusproxy.store")


def a_writer(path: Path, **timing: float) -> SqliteWriter:
    upkeep = Upkeep(path, 90, lambda: NOW, LOG, UpkeepTiming(**timing))
    file = StateFile(path, lock_wait=0, clock=lambda: NOW, log=LOG, upkeep=upkeep)
    return SqliteWriter(path, file, upkeep, LOG)


@pytest.fixture
def writer(path: Path) -> Iterator[SqliteWriter]:
    writer = a_writer(path)
    writer.open()
    yield writer
    writer.close(Batch())


def batch(*records: Record | str, changes: tuple[str, ...] = ()) -> Batch:
    """Records, sessions to forget, and changes of sessions."""
    states: dict[str, Record | None] = {
        **{each: None for each in records if isinstance(each, str)},
        **{each.session: each for each in records if isinstance(each, Record)},
    }
    return Batch(states, [Entry(a_change(session)) for session in changes])


def failing(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("no")
    error.sqlite_errorcode = code
    return error


def stored(path: Path) -> dict[str, Record]:
    writer = a_writer(path)
    try:
        return {record.session: record for record in writer.open()}
    finally:
        writer.close(Batch())


def test_a_batch_is_one_commit_and_an_empty_one_none(writer: SqliteWriter, path: Path) -> None:
    writer.write(batch(a_record("a"), a_record("b"), changes=("a",)))
    writer.write(batch("b"))
    writer.write(batch())
    assert writer.commits == 2
    assert readable(path).sessions == {"a"}


def test_a_row_that_cannot_be_encoded_is_named_and_left_out(
    writer: SqliteWriter, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer.write(batch(a_record("bad", event=object()), a_record("good")))
    assert caplog.messages == ["state: a row of session 'bad' could not be encoded and is left out"]
    assert readable(path).sessions == {"good"}


@pytest.mark.parametrize(("code", "kept"), [
    (sqlite3.SQLITE_FULL, True), (sqlite3.SQLITE_BUSY, True), (sqlite3.SQLITE_LOCKED, True),
    (sqlite3.SQLITE_IOERR, False), (sqlite3.SQLITE_READONLY, False),
])  # fmt: skip
def test_after_an_error_that_passes_the_connection_is_kept_so_that_history_can_be_read(
    writer: SqliteWriter, code: int, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[str]:
        raise failing(code)

    steps: list[Callable[[], None]] = [lambda: writer.write(batch(a_record("a"))), lambda: writer.keep_up(None)]
    for step in steps:
        monkeypatch.setattr(Database, "write", fail)
        monkeypatch.setattr(StateFile, "keep_up", fail)
        with pytest.raises(sqlite3.OperationalError):
            step()
        assert (writer.file.database is not None) == kept
        monkeypatch.undo()
        writer.write(batch(a_record("b")))  # over a new connection where that is needed
        assert writer.file.database is not None


def test_a_connection_that_was_lost_is_made_anew_and_all_that_is_known_written(
    writer: SqliteWriter, path: Path
) -> None:
    writer.write(batch(a_record("a"), a_record("gone")))
    writer.write(batch("gone"))
    writer.file.close()
    path.unlink()
    writer.write(batch(a_record("b")))
    assert readable(path).sessions == {"a", "b"}
    commits = writer.commits
    writer.write(batch(a_record("c")))
    assert writer.commits == commits + 1


@pytest.mark.parametrize(("unknown", "told"), [
    (["y"], "1 session that is not known here; it is"), (["y", "z"], "2 sessions that are not known here; they are"),
])  # fmt: skip
def test_sessions_of_a_backup_that_was_put_there_are_told_and_stay(
    writer: SqliteWriter, path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, unknown: list[str], told: str
) -> None:
    filled(tmp_path / "backup.db", ["x", *unknown])
    writer.write(batch(a_record("x")))
    writer.file.close()
    (tmp_path / "backup.db").replace(path)
    writer.write(batch())
    assert caplog.messages == [f"state: {path} has {told} kept, and used after the next start"]
    assert readable(path).sessions == {"x", *unknown}


def test_files_that_move_with_every_commit_are_given_up_on_and_tried_anew_the_next_time(
    writer: SqliteWriter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, commits = Database.write, list[int]()

    def deleting(database: Database, *arguments: Any) -> list[str]:
        refused = write(database, *arguments)
        commits.append(1)
        Path(f"{path}-wal").unlink()
        return refused

    monkeypatch.setattr(Database, "write", deleting)
    with pytest.raises(FilesMovedError, match="-wal was deleted or replaced during a commit"):
        writer.write(batch(a_record("a")))
    assert len(commits) == 4
    with pytest.raises(FilesMovedError):
        writer.write(batch(a_record("a")))
    assert len(commits) == 5  # once, until it succeeded
    monkeypatch.undo()
    writer.write(batch(a_record("a")))
    monkeypatch.setattr(Database, "write", deleting)
    commits.clear()
    with pytest.raises(FilesMovedError):
        writer.write(batch(a_record("b")))
    assert len(commits) == 4


def test_what_was_rescued_is_counted_once_all_is_in_the_new_files(
    writer: SqliteWriter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.write(batch(a_record("a")))
    path.unlink()
    writer._look_at = 0.0
    monkeypatch.setattr(Database, "write", lambda *_: raise_(failing(sqlite3.SQLITE_FULL)))
    with pytest.raises(sqlite3.OperationalError):
        writer.write(batch(a_record("b")))
    assert writer.file.repairs == {"damaged": 0, "deleted": 0, "replaced": 0}
    monkeypatch.undo()
    writer.write(batch(a_record("b")))
    writer.write(batch(a_record("c")))
    assert writer.file.repairs == {"damaged": 0, "deleted": 1, "replaced": 0}
    assert readable(path).sessions == {"a", "b", "c"}


def raise_(error: Exception) -> None:
    raise error


def test_a_commit_puts_off_the_rest_and_a_look_that_found_nothing_does_not(
    writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed: list[int] = []
    monkeypatch.setattr(Upkeep, "committed", lambda _: committed.append(writer.commits))
    writer.write(batch(a_record("a")))
    writer.write(batch())
    writer.write(batch(changes=("a",)))
    assert (committed, writer.commits) == ([1, 2], 2)


def test_what_is_known_is_written_anew_once_after_a_new_opening(
    writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[list[str]] = []
    write = Database.write

    def noted(database: Database, records: dict[str, Record | None], *arguments: Any) -> list[str]:
        written.append(sorted(records))
        return write(database, records, *arguments)

    monkeypatch.setattr(Database, "write", noted)
    writer.write(batch(a_record("a"), a_record("b")))
    writer.write(batch("b"))
    writer.file.close()
    writer.write(batch(a_record("c")))
    writer.write(batch(a_record("d")))
    assert written == [["a", "b"], ["b"], ["a", "c"], ["d"]]


def test_a_file_that_was_opened_is_not_written_anew_and_its_sessions_are_known(path: Path) -> None:
    filled(path, ["x", "y"])
    writer = a_writer(path)
    writer.open()
    writer.write(batch())
    assert writer.commits == 0
    writer.file.close()
    path.unlink()
    writer.write(batch())
    assert stored_while_open(writer) == {"x", "y"}
    writer.close(Batch())


def with_a_row_that_cannot_be_read(path: Path) -> None:
    filled(path, ["x", "y"])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE records SET payload = '{' WHERE session = 'x'")


def refuse(*_: object) -> None:
    raise failing(sqlite3.SQLITE_FULL)


@pytest.mark.parametrize(("owner", "step"), [(database_module, "note"), (Database, "notices")])
def test_a_file_whose_opening_broke_off_late_is_opened_again_and_gets_all_that_is_known(
    writer: SqliteWriter, path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, step: str
) -> None:
    writer.write(batch(a_record("a")))
    writer.file.close()
    path.unlink()
    with_a_row_that_cannot_be_read(path)
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, refuse)
        with pytest.raises(sqlite3.OperationalError):
            writer.write(batch(a_record("b")))
    writer.write(batch(a_record("c")))
    assert stored_while_open(writer) == {"a", "c", "y"}


def test_an_event_of_the_spool_whose_body_is_gone_is_refused_and_all_else_written(
    writer: SqliteWriter, path: Path
) -> None:
    news = Batch(
        {"a": a_record("a")}, [], {"x": kept("x"), **{one: kept(one, path.parent / one) for one in ("y", "z")}}
    )
    with pytest.raises(StoreError, match=f"^the bodies of 2 events of the spool are gone from {spool_folder(path)}$"):
        writer.write(news)
    assert stored_while_open(writer) == {"a"}
    assert writer.spool_entries() == [an_entry("x")]


def test_the_files_are_looked_at_before_a_commit_unless_that_was_just_done(
    writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, looks = 1_000.0, list[int]()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(StateFile, "look_after", lambda _, sessions: looks.append(sessions))
    writer.write(batch(a_record("a")))
    writer.write(batch(a_record("b")))
    now += 0.09
    writer.write(batch(a_record("c")))
    assert looks == [0]
    now += 0.1
    writer.write(batch())
    assert looks == [0, 3]


# Questions -------------------------------------------------------------------------------------------------


def test_history_counts_a_change_that_is_on_its_way_once(writer: SqliteWriter) -> None:
    written, refused, new = (Entry(a_change(name, at=NOW + n)) for n, name in enumerate(("a", "b", "c")))
    writer.write(Batch({}, [Entry(a_change("old")), written]))
    refused.row = 99  # an attempt that failed had a row in mind
    waiting = [written, refused, new]
    assert [each.session for each in writer.history(None, 9, waiting)] == ["c", "b", "a", "old"]
    assert [each.session for each in writer.history(None, 1, waiting)] == ["c"]
    assert [each.session for each in writer.history(None, 2, waiting)] == ["c", "b"]
    assert [each.session for each in writer.history(None, 3, waiting)] == ["c", "b", "a"]
    assert [each.session for each in writer.history("a", 9, waiting)] == ["a"]
    assert [each.session for each in writer.history("b", 9, waiting)] == ["b"]


def test_a_page_of_history_begins_with_what_is_on_its_way_from_a_time_on(writer: SqliteWriter) -> None:
    written, new, other, late = (Entry(a_change(one, at=NOW + n)) for n, one in enumerate(("a", "a", "b", "a")))
    writer.write(Batch({}, [Entry(a_change("a", at=NOW - 1)), written]))
    waiting = [written, new, other, late]

    def moments(session: str | None, since: float) -> tuple[list[float], int | None]:
        page, following = writer.history_page(session, NOW + since, None, waiting)
        return [change.recorded_at - NOW for change in page], following

    assert moments(None, -9) == ([3, 2, 1, 0, -1], None)
    assert moments("a", -9) == ([3, 1, 0, -1], None)
    assert moments("a", 0) == ([3, 1, 0], None)
    assert moments(None, 2) == ([3, 2], None)


def test_no_question_is_answered_while_the_file_is_not_open(writer: SqliteWriter, path: Path) -> None:
    writer.file.close()
    for question in (lambda: writer.history(None, 9, []), writer.acknowledge):
        with pytest.raises(NotAttachedError, match=f"the state in {path} is not open"):
            question()


@pytest.mark.parametrize(("code", "asked"), [(sqlite3.SQLITE_CORRUPT, 2), (sqlite3.SQLITE_IOERR, 1)])
def test_a_question_that_meets_damage_is_asked_again_of_the_repaired_file(
    writer: SqliteWriter, path: Path, code: int, asked: int
) -> None:
    writer.write(batch(a_record("a")))
    questions: list[Database] = []

    def question(database: Database) -> int:
        questions.append(database)
        if len(questions) == 1:
            raise failing(code)
        return 7

    if asked == 1:
        with pytest.raises(sqlite3.OperationalError):
            writer.ask(question)
    else:
        assert writer.ask(question) == 7
        assert readable(path).sessions == {"a"}
    assert len(questions) == asked
    assert writer.file.repairs["damaged"] == asked - 1


def test_the_spool_s_entries_and_contents_are_read_of_an_open_file_and_of_one_that_cannot_be_written(
    writer: SqliteWriter, path: Path
) -> None:
    assert writer.spool_entries() == []
    part = a_body(spool_folder(path), b"large")
    writer.write(Batch({}, [], {"a": kept("a", b"body"), "b": kept("b", part)}))
    expected = (
        [an_entry("a"), an_entry("b", filed=True)],
        Content(b"POST /a HTTP/1.1\r\n", b"body"),
        Content(b"POST /b HTTP/1.1\r\n", spool_folder(path) / "b"),
    )

    def found() -> tuple[object, ...]:
        return writer.spool_entries(), writer.spool_content("a"), writer.spool_content("b")

    assert (found(), writer.spool_content("c")) == (expected, None)
    writer.file.close()
    assert (found(), writer.spool_content("c")) == (expected, None)
    assert writer.file.database is None


def test_a_body_of_the_spool_that_was_damaged_is_not_given_of_a_file_that_cannot_be_written(
    writer: SqliteWriter, caplog: pytest.LogCaptureFixture
) -> None:
    writer.write(Batch({}, [], {"a": kept("a", b"body", checksum=1)}))
    writer.file.close()
    writer.spool_entries()
    assert writer.spool_content("a") is None
    assert caplog.messages == ["state: the body of the spool's event a is damaged"]


def test_rows_of_the_spool_that_cannot_be_read_are_told_once_with_how_much_can(
    writer: SqliteWriter, caplog: pytest.LogCaptureFixture
) -> None:
    writer.write(Batch({"s": a_record("s")}, [], {one: kept(one) for one in ("a", "b", "c")}))
    assert len(writer.spool_entries()) == 3
    assert (writer.file.notices, caplog.messages) == ({}, [])
    with closing(sqlite3.connect(writer.file.path)) as other, other:
        other.execute("UPDATE spool SET entry = '{' WHERE id = 'b'")
    for _ in range(2):
        assert writer.spool_entries() == [an_entry("a"), an_entry("c")]
    (notice,) = writer.file.notices.values()
    assert (notice.sessions, notice.spooled, len(caplog.messages)) == (1, 2, 1)


@pytest.mark.parametrize("readable_only", [False, True])
def test_an_entry_of_the_spool_that_was_read_or_written_is_written_into_a_new_file_until_it_is_removed(
    writer: SqliteWriter, path: Path, readable_only: bool
) -> None:
    writer.write(Batch({}, [], {"a": kept("a")}))
    if readable_only:
        writer.file.close()
    writer.spool_entries()
    writer.write(Batch({}, [], {"b": kept("b"), "c": kept("c")}))
    writer.write(Batch({}, [], {"c": Removed("c")}))
    path.unlink()
    writer.keep_up(None)
    assert [entry.id for entry in writer.spool_entries()] == ["a", "b"]


def test_a_rebuilt_file_holds_the_entries_of_the_spool_that_were_written(writer: SqliteWriter) -> None:
    assert writer.spool_entries() == []
    writer.write(Batch({}, [], {"a": kept("a"), "b": kept("b")}))
    writer.write(Batch({}, [], {"b": Removed("b")}))
    writer.keep_up("a page is broken")
    assert [entry.id for entry in writer.spool_entries()] == ["a"]


def test_files_of_the_spool_that_belong_to_no_entry_are_removed_where_the_file_can_be_written(
    writer: SqliteWriter, path: Path
) -> None:
    database = writer.file.database
    writer.file.database = None
    assert writer.spool_entries() == []
    assert not spool_folder(path).exists()
    part = a_body(spool_folder(path), b"left by a crash")
    assert writer.spool_entries() == []
    assert part.exists()
    writer.file.database = database
    assert writer.spool_entries() == []
    assert not part.exists()


# While nobody waits ----------------------------------------------------------------------------------------


def test_damage_that_the_check_found_is_repaired_with_all_that_is_known(writer: SqliteWriter, path: Path) -> None:
    writer.write(batch(a_record("a")))
    writer.keep_up("a page is broken")
    assert writer.file.repairs["damaged"] == 1
    (notice,) = writer.file.notices.values()
    assert "corrupt (a page is broken)" in str(notice)
    assert stored_while_open(writer) == {"a"}


def test_a_file_of_which_nothing_can_be_read_is_rebuilt_with_all_that_is_known(
    writer: SqliteWriter, path: Path
) -> None:
    writer.write(batch(a_record("a"), a_record("b")))
    writer.file.close()
    path.write_bytes(noise(bytes(8 * PAGE)))
    writer.write(Batch())
    assert [notice.sessions for notice in writer.file.notices.values()] == [2]
    assert stored_while_open(writer) == {"a", "b"}


def stored_while_open(writer: SqliteWriter) -> set[str]:
    with closing(sqlite3.connect(writer.file.path)) as other:
        return {session for (session,) in other.execute("SELECT session FROM records")}


def test_a_file_that_may_be_set_aside_no_more_stays_in_use(writer: SqliteWriter) -> None:
    writer.write(batch(a_record("a")))
    for _ in range(6):
        writer.keep_up("a page is broken")
    assert writer.file.repairs["damaged"] == 5
    assert stored_while_open(writer) == {"a"}


def test_upkeep_that_meets_damage_repairs_it(writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    writer.write(batch(a_record("a")))

    def broken(_: StateFile) -> None:
        raise failing(sqlite3.SQLITE_CORRUPT)

    monkeypatch.setattr(StateFile, "keep_up", broken)
    writer.keep_up(None)
    assert writer.history(None, 9, []) == []  # answered at once, of the new file
    assert writer.file.repairs["damaged"] == 1
    assert stored_while_open(writer) == {"a"}


def test_files_that_vanished_are_written_anew_though_a_commit_was_just_made(writer: SqliteWriter, path: Path) -> None:
    writer.write(batch(a_record("a")))
    path.unlink()
    writer.keep_up(None)
    assert readable(path).sessions == {"a"}
    writer.file.close()
    writer.keep_up(None)
    assert stored_while_open(writer) == {"a"}


def test_a_lock_file_that_vanished_is_made_anew_though_a_commit_was_just_made(
    writer: SqliteWriter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1_000.0)
    writer.write(batch(a_record("a")))
    lock = Path(f"{path}.lock")
    lock.unlink()
    writer.keep_up(None)
    assert lock.exists()


# Beginning and end -----------------------------------------------------------------------------------------


def test_a_file_that_could_only_be_read_is_merged_with_what_comes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, ["x", "y"])
    writer = a_writer(path)

    def refuse(*_: object, **__: object) -> None:
        raise failing(sqlite3.SQLITE_READONLY)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "open", refuse)
        with pytest.raises(sqlite3.OperationalError):
            writer.open()
        assert sorted(record.session for record in writer.read()) == ["x", "y"]
    writer.write(batch(a_record("z"), "x"))
    assert stored_while_open(writer) == {"y", "z"}
    writer.close(Batch())


def test_a_damaged_file_that_could_not_be_read_at_the_start_is_rebuilt_with_what_can_be_read_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path)
    damage_page(path, 1, noise)
    writer = a_writer(path)

    def refuse(*_: object) -> None:
        raise OSError(5, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_file_module, "read_only", refuse)
        assert writer.read() == []
    writer.write(batch(a_record("new")))
    assert stored_while_open(writer) == {*SESSIONS, "new"}
    writer.close(Batch())


def test_what_is_left_is_written_at_the_end_and_the_locks_let_go_whatever_comes_of_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = a_writer(path)
    writer.open()
    writer.close(batch(a_record("a")))
    assert not writer.file.held
    assert {file.name for file in path.parent.iterdir()} == {"state.db", "state.db.lock"}
    assert set(stored(path)) == {"a"}
    writer = a_writer(path)
    writer.open()
    monkeypatch.setattr(Database, "write", lambda *_: 1 / 0)
    writer.close(batch(a_record("b")))
    assert not writer.file.held
    monkeypatch.undo()
    assert set(stored(path)) == {"a"}


def test_the_outbox_is_read_once_and_written_in_a_commit_of_its_own(writer: SqliteWriter, path: Path) -> None:
    assert writer.outbox() == (0, b"")
    before = writer.commits
    assert [writer.write_outbox(b"one", 1), writer.write_outbox(b"one", 0), writer.write_outbox(b"two", 1)] == [
        None,
        1,
        2,
    ]
    assert (writer.outbox(), writer.commits - before) == ((2, b"two"), 2)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT version, payload FROM outbox").fetchall() == [(2, b"two")]


def test_an_outbox_that_could_not_be_written_is_written_by_no_later_commit(
    writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.write_outbox(b"one", 0)
    with monkeypatch.context() as patch:
        patch.setattr(Database, "write", lambda *_: (_ for _ in ()).throw(failing(sqlite3.SQLITE_FULL)))
        with pytest.raises(sqlite3.OperationalError):
            writer.write_outbox(b"two", 1)
    writer.write(batch(a_record("a")))
    assert writer.outbox() == (1, b"one")
    assert writer.write_outbox(b"three", 1) == 2


def test_a_rebuilt_file_holds_the_outbox(writer: SqliteWriter, path: Path) -> None:
    writer.write_outbox(b"one", 0)
    writer.keep_up("torn page")
    assert writer.outbox() == (1, b"one")
    writer.close(Batch())
    again = a_writer(path)
    again.open()
    assert again.outbox() == (1, b"one")
    again.close(Batch())


def test_the_outbox_of_a_file_that_cannot_be_written_is_read(path: Path) -> None:
    first = a_writer(path)
    first.open()
    first.write_outbox(b"one", 0)
    first.close(Batch())
    second = a_writer(path)
    assert second.outbox() == (1, b"one")
    with pytest.raises(NotAttachedError):
        second.ask(Database.outbox)
