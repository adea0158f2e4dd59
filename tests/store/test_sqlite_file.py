"""The state in its files: taken, opened, and made good again."""

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from statusproxy.store import replace as replace_module
from statusproxy.store import sqlite_file as sqlite_file_module
from statusproxy.store.backlog import Entry
from statusproxy.store.damage import Damage
from statusproxy.store.database import Database, UnusableError
from statusproxy.store.errors import StoreInUseError
from statusproxy.store.lease import Lease
from statusproxy.store.sqlite_file import StateFile
from statusproxy.store.upkeep import Upkeep, UpkeepTiming

from .damaged import SESSIONS, damage_page, filled, noise, readable
from .samples import NOW, a_change, a_record

LOG = logging.getLogger("test")


def a_file(path: Path) -> StateFile:
    upkeep = Upkeep(path, 90, lambda: NOW, LOG, UpkeepTiming())
    return StateFile(path, lock_wait=0, clock=lambda: NOW, log=LOG, upkeep=upkeep)


@pytest.fixture
def file(path: Path) -> Iterator[StateFile]:
    file = a_file(path)
    file.open(None)
    assert file.database is not None
    file.database.write({"sales": a_record("sales")}, [Entry(a_change("sales"))])
    yield file
    file.close()
    file.release()


def names(path: Path) -> set[str]:
    return {file.name.removeprefix("state.db").partition("-2026")[0] for file in path.parent.iterdir()}


def test_all_is_well_where_nothing_happened(file: StateFile, path: Path) -> None:
    assert not file.vanished()
    database = file.database
    file.look_after(1)
    assert file.database is database
    assert names(path) == {"", "-wal", "-shm", ".lock"}


@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
def test_what_was_deleted_is_saved_from_the_open_files(file: StateFile, path: Path, ending: str) -> None:
    os.unlink(f"{path}{ending}")
    assert file.vanished()
    file.look_after(1)
    assert file.database is None
    assert readable(path) == (frozenset({"sales"}), frozenset({1}))
    file.open({})
    assert file.repairs["deleted"] == 0, "not before all is written"
    file.written()
    file.written()
    assert file.repairs == {"damaged": 0, "deleted": 1, "replaced": 0}
    assert not list(path.parent.glob("state.db.rescued-*"))


def test_a_closed_file_is_whole_by_itself(file: StateFile, path: Path) -> None:
    file.close()
    assert names(path) == {"", ".lock"}


@pytest.mark.parametrize("step", ["hold", "notices", "opened"])
def test_an_opening_that_breaks_off_leaves_no_database_open(
    path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise corrupt(sqlite3.SQLITE_FULL)

    filled(path, ["sales", "support"])
    open_, file = Database.open, a_file(path)

    def opened(*arguments: object) -> object:
        for owner, name in ((Lease, "hold"), (Database, "notices"), (Upkeep, "opened")):
            if name == step:
                monkeypatch.setattr(owner, name, refuse)
        return found

    found = open_(path, NOW)
    monkeypatch.setattr(Database, "open", opened)
    with pytest.raises(sqlite3.DatabaseError):
        file.open(None)
    assert file.database is None
    assert names(path) == {"", ".lock"}
    file.release()


def test_a_rescue_that_cannot_be_put_in_place_is_kept_beside_it(
    file: StateFile, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "input/output error")

    path.unlink()
    monkeypatch.setattr(sqlite_file_module, "replace_database", refuse)
    file.look_after(1)
    (kept,) = path.parent.glob("state.db.rescued-*[0-9Z]")
    assert readable(kept).sessions == {"sales"}
    assert f"is kept as {kept}" in caplog.text
    assert file.rescued == [kept]
    file.open({})
    file.written()
    assert (file.rescued, kept.exists()) == ([], True)


def test_a_rescue_for_which_there_is_no_room_is_told_and_the_rest_goes_on(
    file: StateFile, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "no space left on device")

    path.unlink()
    assert file.database is not None
    monkeypatch.setattr(type(file.database), "copy_to", refuse)
    file.look_after(1)
    assert "could not be saved completely: disk full" in caplog.text
    assert file.open({}).records == []


def test_a_lock_file_is_made_anew_and_another_that_holds_it_is_told_of_once(
    file: StateFile, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock = Path(f"{path}.lock")
    lock.unlink()
    file.look_after(1)
    assert lock.exists()
    assert "it was made again" in caplog.text
    caplog.clear()
    lock.unlink()
    with pytest.raises(StoreInUseError):
        a_file(path).open(None)
    file.look_after(1)
    file.look_after(1)
    assert len(caplog.records) == 1


def test_another_process_that_holds_the_lock_file_is_told_of_at_the_first_look(
    file: StateFile, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock = Path(f"{path}.lock")
    lock.unlink()
    with lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for _ in range(3):
            file.look_after(1)
            assert len(caplog.records) == 1


def test_a_file_that_broke_in_use_is_set_aside_five_times_at_most(file: StateFile) -> None:
    for times in range(1, 6):
        assert file.spoilt(corrupt(), {})
        assert file.repairs["damaged"] == times
        file.open(None)
    assert not file.spoilt(corrupt(), {})
    assert file.database is not None


def test_after_it_set_a_file_aside_too_often_it_leaves_it_in_its_place(path: Path) -> None:
    file = a_file(path)
    for times in range(1, 6):
        path.write_bytes(b"no database, " * 500)
        file.open(None)
        assert file.repairs["damaged"] == times
        file.close()
    path.write_bytes(b"no database, " * 500)
    with pytest.raises(UnusableError, match="corrupt"):
        file.open(None)
    assert not file.spoilt(corrupt(), {})
    assert path.read_bytes().startswith(b"no database")
    assert len([name for name in names(path) if ".unreadable" in name]) == 1
    file.release()


def corrupt(code: int = sqlite3.SQLITE_CORRUPT) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("malformed")
    error.sqlite_errorcode = code
    return error


def test_only_damage_of_the_content_is_repaired_while_in_use(
    file: StateFile, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = file.database
    for error in (corrupt(sqlite3.SQLITE_FULL), OSError(5, "input/output error"), UnusableError("corrupt")):
        assert not file.spoilt(error, {})
    assert (file.database, file.repairs["damaged"]) == (database, 0)
    assert file.spoilt(corrupt(), {"known": a_record("known")})
    assert (file.database, file.repairs["damaged"]) == (None, 1)
    assert [record.session for record in file.open(None).records] == ["known"]
    (aside,) = path.parent.glob("state.db.unreadable-*[0-9Z]")
    assert caplog.messages == [
        f"state: {path} is corrupt (malformed); it is kept as {aside}, and a new one was started with 1 session"
    ]


def test_a_repair_that_fails_is_told_and_the_damaged_file_stays(
    file: StateFile, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(sqlite_file_module, "rebuild", refuse)
    assert not file.spoilt(corrupt(), {})
    assert file.database is None
    assert caplog.messages[0].startswith(f"state: {path} could not be repaired: disk full: {path}: no space left")
    file.keep_up()  # nothing is open
    file.look_after(1)
    assert not file.vanished()
    monkeypatch.undo()
    assert file.spoilt(corrupt(), {"known": a_record("known")})  # an error of the open file may come late
    assert [record.session for record in file.open(None).records] == ["known"]


def test_a_file_of_a_newer_version_is_set_aside_and_not_read(path: Path) -> None:
    filled(path, ["sales"])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    assert a_file(path).read().records == []
    file = a_file(path)
    assert file.open(None).records == []
    file.close()
    file.release()


@pytest.mark.parametrize("error", [OSError(13, "permission denied"), corrupt(sqlite3.SQLITE_CANTOPEN)])
def test_a_file_that_cannot_even_be_read_holds_nothing(
    path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, ["sales"])

    def refuse(_: object) -> None:
        raise error

    monkeypatch.setattr(sqlite_file_module, "read_only", refuse)
    assert a_file(path).read().records == []


def test_a_damaged_file_whose_pages_cannot_be_read_holds_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, ["sales"])

    def refuse(_: object) -> None:
        raise OSError(5, "input/output error")

    damage_page(path, 1, noise)
    monkeypatch.setattr(sqlite_file_module, "PageFile", refuse)
    assert a_file(path).read().records == []


def test_damage_that_reading_meets_late_costs_only_the_rows_on_its_page(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, ["sales"])

    def refuse(_: object) -> None:
        raise corrupt()

    monkeypatch.setattr(sqlite_file_module, "read_only", refuse)
    assert [record.session for record in a_file(path).read().records] == ["sales"]


def test_a_new_directory_is_made_and_its_rows_that_cannot_be_read_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "new" / "state.db"
    file = a_file(path)
    held = [file.held]
    file.open(None)
    held.append(file.held)
    file.close()
    file.release()
    file.release()
    assert [*held, file.held] == [False, True, False]
    filled(path, ["sales", "support"])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE records SET payload = '{' WHERE session = 'sales'")
    file = a_file(path)
    assert [record.session for record in file.open(None).records] == ["support"]
    (told,) = caplog.messages
    assert told == (
        f"state: the row of session 'sales' in {path} cannot be read; it was moved to the table `rejected`, "
        "the session starts afresh"
    )
    (damage,) = file.notices.values()
    assert (damage.cause, damage.sessions) == ("damaged in 1 row (kept in the table `rejected`)", 1)
    file.close()
    file.release()
    caplog.clear()
    file = a_file(path)
    file.open(None)
    assert (len(file.notices), caplog.messages) == (1, [])
    file.close()
    file.release()


def test_a_log_that_another_program_reads_may_not_be_whole_and_that_is_told(
    file: StateFile, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    os.unlink(f"{path}-shm")
    monkeypatch.setattr(Database, "checkpoint", lambda _: False)
    file.look_after(7)
    assert caplog.messages == [
        f"state: -shm of {path} was deleted or replaced; all 7 sessions are written again",
        f"state: another program is reading {path}; its log may not be complete",
    ]
    (copy,) = path.parent.glob("state.db.rescued-*[0-9Z]")
    assert file.rescued == [copy]
    assert readable(copy).sessions == {"sales"}
    file.open({})
    file.written()
    assert (file.rescued, copy.exists()) == ([], False)


def test_a_log_that_another_program_reads_and_that_cannot_be_copied_is_told_and_given_up(
    file: StateFile, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "no space left on device")

    os.unlink(f"{path}-shm")
    monkeypatch.setattr(Database, "checkpoint", lambda _: False)
    monkeypatch.setattr(Database, "copy_to", refuse)
    file.look_after(7)
    assert "could not be saved completely: disk full" in caplog.messages[-1]
    assert file.rescued == []
    file.open({})
    file.written()
    assert file.repairs["deleted"] == 1


@pytest.mark.parametrize("rescued", [False, True])
def test_a_connection_to_files_that_are_gone_or_damaged_is_given_up(
    file: StateFile, path: Path, rescued: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up: list[Database] = []
    abandon = Database.abandon

    def noted(database: Database) -> None:
        given_up.append(database)
        abandon(database)

    database = file.database
    monkeypatch.setattr(Database, "abandon", noted)
    if rescued:
        os.unlink(f"{path}-wal")
        file.look_after(1)
    else:
        assert file.spoilt(corrupt(), {})
    assert given_up == [database]


def test_a_file_that_breaks_before_its_sessions_are_known_keeps_those_that_can_be_read(
    file: StateFile, path: Path
) -> None:
    assert file.spoilt(corrupt(), None)
    assert [record.session for record in file.open(None).records] == ["sales"]


@pytest.mark.parametrize("rescued", [False, True])
def test_upkeep_stops_with_a_connection_that_is_given_up(
    file: StateFile, path: Path, rescued: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "no space left on device")

    stops: list[int] = []
    monkeypatch.setattr(Upkeep, "stop", lambda _: stops.append(1))
    monkeypatch.setattr(sqlite_file_module, "rebuild", refuse)
    if rescued:
        os.unlink(f"{path}-wal")
        file.look_after(1)
    else:
        assert not file.spoilt(corrupt(), {})
    assert (file.database, len(stops)) == (None, 1)


def test_rows_of_the_spool_that_were_moved_are_told_and_their_notice_is_known(
    file: StateFile, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert file.database is not None
    file.database.note(Damage(NOW, "x", None, 7))
    file.tell_of_rejected_entries(["a", "b"])
    assert caplog.messages == [
        f"state: the row of the spool's event '{id_}' in {path} cannot be read; it was moved to the table `rejected`"
        for id_ in ("a", "b")
    ]
    assert [damage.cause for damage in file.notices.values()] == ["x"]
    assert file.database.notices() == file.notices


@pytest.mark.parametrize("content", [b"no database, " * 500, b""])
def test_a_new_file_that_another_process_holds_is_left_as_it_is(file: StateFile, path: Path, content: bytes) -> None:
    file.close()
    path.unlink()
    path.write_bytes(content)
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StoreInUseError):
            file.open({})
    assert file.database is None
    assert (names(path), path.read_bytes()) == ({"", ".lock"}, content)


def test_a_rebuilt_file_that_another_process_took_at_once_is_left_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = []

    def taken(*_: object, **__: object) -> Damage:
        path.unlink()
        path.touch()
        others.append(path.open())
        fcntl.flock(others[0], fcntl.LOCK_EX)
        return Damage(NOW, "corrupt", "/aside", 0)

    path.write_bytes(b"no database, " * 500)
    file = a_file(path)
    monkeypatch.setattr(sqlite_file_module, "rebuild", taken)
    with pytest.raises(StoreInUseError):
        file.open(None)
    assert (file.database, path.read_bytes()) == (None, b"")
    others[0].close()
    file.release()


def test_a_damaged_file_that_another_process_uses_is_not_set_aside(file: StateFile, path: Path) -> None:
    Path(f"{path}.lock").unlink()
    damage_page(path, 1, noise)
    with pytest.raises(StoreInUseError):
        a_file(path).open(None)
    assert not [name for name in names(path) if ".unreadable" in name]


def test_notices_are_read_again_after_a_step_that_changed_one(file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    notice = Damage(NOW, "corrupt", "/aside", 7)
    steps: list[Damage | None] = [None, notice]
    monkeypatch.setattr(Upkeep, "step", lambda *_: steps.pop(0))
    monkeypatch.setattr(Database, "notices", lambda _: {1: notice})
    found = []
    for _ in range(2):
        file.keep_up()
        found.append(file.notices)
    assert found == [{}, {1: notice}]


def test_a_backup_that_was_put_in_its_place_is_used_and_what_it_replaced_kept(
    file: StateFile, path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filled(tmp_path / "backup.db", ["of the backup"])
    (tmp_path / "backup.db").replace(path)
    file.look_after(1)
    (kept,) = path.parent.glob("state.db.replaced-*[0-9Z]")
    assert caplog.messages[1:] == [f"state: what the file held before is kept as {kept}"]
    assert readable(kept).sessions == {"sales"}
    assert [record.session for record in file.open({}).records] == ["of the backup"]
    file.written()
    assert file.repairs == {"damaged": 0, "deleted": 0, "replaced": 1}


def test_a_log_that_could_not_be_emptied_is_not_taken_for_that_of_the_backup_in_its_place(
    file: StateFile, path: Path, tmp_path: Path
) -> None:
    filled(tmp_path / "backup.db", ["of the backup"])
    assert file.database is not None
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM records").fetchall()  # the log has to stay as it is
        file.database.write({"newest": a_record("newest")}, [])
        file.database._connection.execute("PRAGMA busy_timeout = 0").fetchall()
        (tmp_path / "backup.db").replace(path)
        file.look_after(1)
        assert [record.session for record in file.open({}).records] == ["of the backup"]
    (kept,) = path.parent.glob("state.db.replaced-*[0-9Z]")
    assert readable(kept).sessions == {"sales", "newest"}


def test_a_repair_that_finds_no_room_again_and_again_is_made_once_there_is_some(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "no space left on device")

    file = a_file(path)
    path.write_bytes(b"no database, " * 500)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_file_module, "rebuild", refuse)
        for _ in range(9):
            with pytest.raises(OSError, match="no space left"):
                file.open(None)
    assert file.open(None).records == []
    file.close()
    file.release()


def test_a_place_that_another_process_took_meanwhile_is_not_taken_back(
    file: StateFile, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink()
    Path(f"{path}.lock").unlink()
    with Path(f"{path}.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        file.look_after(1)
        (kept,) = path.parent.glob("state.db.rescued-*[0-9Z]")
        assert not path.exists()
        assert caplog.messages[1:] == [f"state: what the file held before is kept as {kept}"]
        with pytest.raises(StoreInUseError):
            file.open({})
        assert not file.held


def test_a_lock_file_that_is_free_again_is_made_anew_and_told_anew_when_it_is_taken_again(
    file: StateFile, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock = Path(f"{path}.lock")
    for _ in range(2):
        lock.unlink()
        with lock.open("w") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            assert file.vanished()
            file.look_after(1)
            file.look_after(1)
        file.look_after(1)
        assert not file.vanished()
    assert [message.partition("; ")[2] for message in caplog.messages] == [
        "another process holds the new one", "it was made again",
    ] * 2  # fmt: skip


def test_a_look_puts_off_the_next_one(file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(Upkeep, "watched", lambda _: looks.append(1))
    file.look_after(1)
    file.keep_up()
    assert len(looks) == 2


def test_closing_stops_the_upkeep_and_can_be_done_twice(file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    stops: list[int] = []
    monkeypatch.setattr(Upkeep, "stop", lambda _: stops.append(1))
    file.close()
    file.close()
    assert (file.database, len(stops)) == (None, 2)


def test_a_damaged_file_that_may_not_be_written_is_read_all_the_same(path: Path) -> None:
    filled(path)
    damage_page(path, 1, noise)
    assert {record.session for record in a_file(path).read().records} == set(SESSIONS)
    filled(path.with_name("other.db"))
    damage_page(path.with_name("other.db"), 4, noise)
    assert len(a_file(path.with_name("other.db")).read().records) > len(SESSIONS) - 10
    path.write_bytes(b"")
    assert a_file(path).read().records == []


def test_acknowledged_while_history_is_still_read_it_stays_acknowledged(path: Path) -> None:
    filled(path)
    damage_page(path, 1, noise)
    file = a_file(path)
    file.open(None)
    assert file.acknowledge() == 1
    assert file.acknowledge() == 0
    for _ in range(9):
        file.keep_up()
    (damage,) = file.notices.values()
    assert (damage.pending, damage.acknowledged, damage.changes) == (False, True, 2 * len(SESSIONS))
    file.close()
    file.release()


def test_what_a_crash_left_half_replaced_is_finished_by_the_next_start(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path)
    damage_page(path, 1, noise)
    file = a_file(path)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(replace_module, "finish_replacement", crash)
        with pytest.raises(KeyboardInterrupt):
            file.open(None)
    file.release()
    assert ".next" in names(path)
    file = a_file(path)
    assert len(file.open(None).records) == len(SESSIONS)
    assert file.repairs["damaged"] == 0
    assert ".next" not in names(path)
    file.close()
    file.release()
