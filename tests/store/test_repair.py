"""A sound state file made out of a damaged one."""

import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

from statusproxy.store import connection as connection_module
from statusproxy.store.backlog import Entry
from statusproxy.store.damage import Damage
from statusproxy.store.database import Database
from statusproxy.store.outbox import OutboxDocument
from statusproxy.store.repair import HistoryRepair, rebuild
from statusproxy.store.spool_files import spool_folder
from statusproxy.store.spool_table import SpoolRow

from .damaged import SESSIONS, damage_page, filled, noise, numbers, pages, readable, rows_by_page
from .samples import NOW, a_body, a_change, a_record, an_entry, kept


def taken_over(path: Path) -> Damage:
    """Take the history over, in as many steps as it takes."""
    database, _ = Database.open(path, NOW)
    ((number, damage),) = database.notices().items()
    repair = HistoryRepair(number, damage)
    while (done := repair.step(database)) is None:
        database.write({}, [Entry(a_change("meanwhile"))])
    assert database.notices() == {number: done}
    database.close()
    return done


def test_the_new_file_has_the_sessions_at_once_and_the_history_after_some_steps(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statusproxy.store.repair._PAGES", 5)
    filled(path)
    on, every, total = rows_by_page(path), numbers(path), pages(path)
    damage_page(path, total, noise)
    damage = rebuild(path, "corrupt", NOW)
    assert damage.pending
    assert readable(path).sessions >= set(SESSIONS) - on[total].sessions
    assert numbers(path) == frozenset()
    done, saved = taken_over(path), every - on[total].changes
    assert (done.pending, done.changes) == (False, len(saved))
    meanwhile = numbers(path) - saved
    assert numbers(path) >= saved
    assert min(meanwhile) > max(saved), "what was written meanwhile comes after what there was before"


def test_what_the_process_knows_goes_before_what_stands_in_the_file(path: Path) -> None:
    filled(path)
    damage = rebuild(path, "corrupt", NOW, {"sales": a_record("sales")})
    assert (damage.sessions, readable(path).sessions) == (1, frozenset({"sales"}))


def test_a_file_of_another_version_is_set_aside_and_not_read(path: Path) -> None:
    filled(path)
    damage = rebuild(path, "of a newer statusproxy", NOW, damaged=False)
    assert (damage.sessions, damage.pending) == (0, False)
    assert readable(Path(damage.set_aside or "")).sessions == set(SESSIONS)


def test_nothing_of_a_file_of_another_version_is_taken_over(path: Path) -> None:
    database, _ = Database.open(path, NOW)
    database.write({"sales": a_record("sales")}, [], {"a": kept("a")}, OutboxDocument(3, b"told"))
    database.note(Damage(NOW - 1, "corrupt", None, 1))
    database.close()
    damage = rebuild(path, "of a newer statusproxy", NOW, damaged=False)
    assert (damage.spooled, damage.numbers_from) == (0, 1)
    database, contents = Database.open(path, NOW)
    assert (contents.records, database.spool.read().entries, database.outbox()) == ([], [], (0, b""))
    assert list(database.notices().values()) == [damage]
    database.close()


def test_a_rebuild_that_the_disk_does_not_take_leaves_no_file_and_none_open(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    filled(path, ["sales"])
    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(Database, "note", full)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        rebuild(path, "corrupt", NOW)
    assert os.listdir("/proc/self/fd") == before
    assert os.listdir(path.parent) == ["state.db"]
    monkeypatch.undo()
    assert rebuild(path, "corrupt", NOW).sessions == 1


def test_what_was_told_before_is_told_again(path: Path) -> None:
    filled(path)
    first = rebuild(path, "corrupt", NOW)
    assert first == Damage(
        NOW, "corrupt", f"{path}.unreadable-20260115T190706Z", len(SESSIONS), pending=True,
        numbers_from=2 * len(SESSIONS) + 1,
    )  # fmt: skip
    second = rebuild(path, "corrupt again", NOW + 1)
    database, _ = Database.open(path, NOW)
    assert list(database.notices().values()) == [first, second]
    database.close()


def test_a_directory_in_its_place_is_set_aside_unread(path: Path) -> None:
    path.mkdir()
    damage = rebuild(path, "not a file", NOW)
    assert (damage.sessions, damage.numbers_from) == (0, 1)
    assert Path(damage.set_aside or "").is_dir()
    assert readable(path).sessions == set()


def test_what_was_acknowledged_meanwhile_is_so_in_the_final_note_and_no_file_stays_open(path: Path) -> None:
    filled(path)
    before = os.listdir("/proc/self/fd")
    damage = rebuild(path, "corrupt", NOW)
    assert os.listdir("/proc/self/fd") == before
    database, _ = Database.open(path, NOW)
    repair = HistoryRepair(1, msgspec.structs.replace(damage, changes=7))
    repair.acknowledge()
    while (done := repair.step(database)) is None:
        pass
    assert done == msgspec.structs.replace(damage, changes=2 * len(SESSIONS), pending=False, acknowledged=True)
    repair = HistoryRepair(1, damage)
    repair.close()
    repair.close()
    database.close()
    assert os.listdir("/proc/self/fd") == before


def test_the_last_page_is_read_with_the_step_that_reaches_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path)
    damage = rebuild(path, "corrupt", NOW)
    monkeypatch.setattr("statusproxy.store.repair._PAGES", pages(Path(damage.set_aside or "")) - 1)
    database, _ = Database.open(path, NOW)
    repair = HistoryRepair(1, damage)
    assert repair.step(database) is None
    done = repair.step(database)
    assert done is not None
    assert done.changes == 2 * len(SESSIONS)
    database.close()


def test_pages_that_the_disk_did_not_take_are_taken_over_with_the_next_step(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    filled(path)
    damage = rebuild(path, "corrupt", NOW)
    database, _ = Database.open(path, NOW)
    repair = HistoryRepair(1, damage)
    with monkeypatch.context() as patch:
        patch.setattr(Database, "adopt", full)
        with pytest.raises(sqlite3.OperationalError):
            repair.step(database)
    while (done := repair.step(database)) is None:
        pass
    assert done.changes == 2 * len(SESSIONS)
    database.close()


def test_a_file_that_somebody_removed_meanwhile_ends_the_taking_over(path: Path) -> None:
    filled(path)
    damage = rebuild(path, "corrupt", NOW)
    Path(damage.set_aside or "").unlink()
    assert taken_over(path).changes == 0


def test_what_an_earlier_attempt_left_is_no_hindrance(path: Path) -> None:
    filled(path)
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}.ready{ending}").write_bytes(noise(bytes(9000)))
    assert rebuild(path, "corrupt", NOW).sessions == len(SESSIONS)


def test_the_spool_is_taken_over_as_it_was_last_and_what_is_known_goes_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(_: object) -> list[SpoolRow]:
        rows = [SpoolRow(an_entry("a", attempts=n), b"", b"%d" % n) for n in (1, 2, 1)]
        return [*rows, SpoolRow(an_entry("b"), b"", None)]

    monkeypatch.setattr("statusproxy.store.salvage.spooled", rows)
    for known, there in (
        (None, [an_entry("a", attempts=2), an_entry("b")]),
        ({"a": an_entry("a", attempts=9)}, [an_entry("a", attempts=9)]),
    ):
        filled(path)
        assert rebuild(path, "corrupt", NOW, {}, known).spooled == len(there)
        database, _ = Database.open(path, NOW)
        assert database.spool.read().entries == there
        assert database.spool.content("a") == (b"", b"2")
        database.close()
        path.unlink()


def test_of_rows_of_the_spool_with_as_many_attempts_the_one_that_was_written_last_is_taken_over(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [SpoolRow(an_entry("a", next_at=NOW + at), b"", b"%d" % at) for at in (2, 1)]  # the newest comes first
    monkeypatch.setattr("statusproxy.store.salvage.spooled", lambda _: rows)
    filled(path, [])
    assert rebuild(path, "corrupt", NOW).spooled == 1
    database, _ = Database.open(path, NOW)
    assert database.spool.read().entries == [an_entry("a", next_at=NOW + 2)]
    assert database.spool.content("a") == (b"", b"2")
    database.close()


def test_the_bodies_of_a_file_of_another_version_go_with_it(path: Path) -> None:
    filled(path)
    a_body(spool_folder(path), b"large", "a")
    damage = rebuild(path, "of a newer statusproxy", NOW, damaged=False)
    assert (spool_folder(Path(damage.set_aside or "")) / "a").read_bytes() == b"large"


def test_the_outbox_is_taken_over_where_it_can_be_read(path: Path) -> None:
    filled(path)
    database, _ = Database.open(path, NOW)
    database.write({}, [], outbox=OutboxDocument(3, b"told"))
    database.close()
    rebuild(path, "corrupt", NOW)
    database, _ = Database.open(path, NOW)
    assert database.outbox() == (3, b"told")
    database.close()
    path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    rebuild(path, "corrupt", NOW)
    database, _ = Database.open(path, NOW)
    assert database.outbox() == (0, b"")
    database.close()


@contextmanager
def another_reads(ready: Path, write: Callable[[], None]) -> Iterator[None]:
    """Another program reads the new file, so that the newest of its log has to stay there."""
    connection = sqlite3.connect(ready, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM records").fetchall()
    write()
    try:
        yield
    finally:
        connection.close()


@contextmanager
def no_room(_: Path, write: Callable[[], None]) -> Iterator[None]:
    """Once the log is complete, the kernel lets no file grow."""
    write()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


Trouble = Callable[[Path, Callable[[], None]], AbstractContextManager[None]]


@pytest.mark.parametrize("trouble", [another_reads, no_room])
def test_a_rebuild_whose_log_cannot_be_moved_into_the_file_replaces_nothing(
    path: Path, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path)
    damage_page(path, 5, noise)
    damaged, known = path.read_bytes(), readable(path)
    monkeypatch.setattr(connection_module, "_BUSY_SECONDS", 0.0)
    note = Database.note
    with ExitStack() as until_done:

        def noted(database: Database, damage: Damage) -> None:
            until_done.enter_context(trouble(Path(f"{path}.ready"), lambda: note(database, damage)))

        monkeypatch.setattr(Database, "note", noted)  # the last that is written
        with pytest.raises(sqlite3.Error):
            rebuild(path, "corrupt", NOW)
    assert [file.name for file in path.parent.iterdir()] == ["state.db"], "what was made fills the disk no longer"
    assert path.read_bytes() == damaged
    monkeypatch.undo()
    assert rebuild(path, "corrupt", NOW).sessions == len(known.sessions)
    assert readable(path).sessions == known.sessions
