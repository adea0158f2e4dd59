"""`statusproxy backup`: a whole copy, checked, that overwrites nothing."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from statusproxy.store import backup as backup_module
from statusproxy.store import snapshot as snapshot_module
from statusproxy.store.backlog import Entry
from statusproxy.store.backup import back_up, write_backup
from statusproxy.store.database import Database
from statusproxy.store.errors import StoreError
from statusproxy.store.snapshot import Holdings
from statusproxy.store.spool_files import spool_folder

from .damaged import SESSIONS, damage_page, filled, noise
from .samples import NOW, a_body, a_change, a_record, kept, overridden


def left(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_copy_is_whole_while_the_state_is_written(path: Path, tmp_path: Path) -> None:
    database, _ = Database.open(path, NOW)
    database.write({session: overridden(session) for session in SESSIONS}, [Entry(a_change("sales"))])
    done = back_up(path, tmp_path / "copy.db")
    database.write({"later": a_record("later")}, [])
    database.close()
    assert done == Holdings(len(SESSIONS), 1, (tmp_path / "copy.db").stat().st_size)
    copy, contents = Database.open(tmp_path / "copy.db", NOW)
    copy.close()
    assert {record.session for record in contents.records} == set(SESSIONS)


def test_a_copy_of_a_stopped_proxys_state_leaves_no_files_beside_it(path: Path, tmp_path: Path) -> None:
    filled(path)
    target = tmp_path / "copies" / "copy.db"
    target.parent.mkdir()
    assert back_up(path, target).sessions == len(SESSIONS)
    assert left(path.parent) == ["copies", "state.db"]
    assert left(target.parent) == ["copy.db"]
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_copy_can_be_read_where_nothing_can_be_written(path: Path, tmp_path: Path) -> None:
    filled(path, ["sales"])
    back_up(path, tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_large_bodies_of_the_spool_are_copied_and_counted(path: Path, tmp_path: Path) -> None:
    database, _ = Database.open(path, NOW)
    a_body(spool_folder(path), b"large" * 9, "a")
    database.write({}, [], {"a": kept("a", spool_folder(path) / "a")})
    database.close()
    left_over = spool_folder(tmp_path / f".copy.db.{os.getpid()}.part")
    left_over.mkdir()
    (left_over / "old").touch()
    done = back_up(path, tmp_path / "copy.db")
    assert done == Holdings(0, 0, (tmp_path / "copy.db").stat().st_size + 45, spooled=1)
    assert [(file.name, file.read_bytes()) for file in spool_folder(tmp_path / "copy.db").iterdir()] == [
        ("a", b"large" * 9)
    ]
    assert left(tmp_path) == ["copy.db", "copy.db.spool", "state.db", "state.db.spool"]


def test_nothing_is_overwritten_unless_asked_for(path: Path, tmp_path: Path) -> None:
    filled(path, ["sales"])
    target = tmp_path / "copy.db"
    target.write_text("mine")
    with pytest.raises(StoreError, match=r"already exists; .*--force"):
        back_up(path, target)
    assert target.read_text() == "mine"
    back_up(path, target, force=True)
    assert target.read_bytes().startswith(b"SQLite format 3")


def test_bodies_of_another_backup_are_not_taken_for_those_of_this_one(path: Path, tmp_path: Path) -> None:
    filled(path, ["sales"])
    target = tmp_path / "copy.db"
    a_body(spool_folder(target), b"mine", "old")
    with pytest.raises(StoreError, match=r"copy\.db\.spool already exists; .*--force"):
        back_up(path, target)
    assert left(tmp_path) == ["copy.db.spool", "state.db"]
    assert (spool_folder(target) / "old").read_bytes() == b"mine"


def test_a_backup_of_any_kind_overwrites_nothing_unless_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("mine")

    def fill(part: Path) -> int:
        filled(part, ["sales"])
        return 0

    with pytest.raises(StoreError, match=r"copy\.db already exists; .*--force"):
        write_backup(target, fill, str)
    assert target.read_text() == "mine"
    assert write_backup(target, fill, str, force=True).sessions == 1


def test_a_copy_that_fails_leaves_no_bodies_behind(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database, _ = Database.open(path, NOW)
    a_body(spool_folder(path), b"large", "a")
    database.write({}, [], {"a": kept("a", spool_folder(path) / "a")})
    database.close()

    def fail(part: Path) -> Holdings:
        assert (spool_folder(part) / "a").read_bytes() == b"large"
        raise sqlite3.DatabaseError("a page cannot be read")

    monkeypatch.setattr(backup_module, "checked", fail)
    with pytest.raises(StoreError, match="nothing was written"):
        back_up(path, tmp_path / "copy.db")
    assert left(tmp_path) == ["state.db", "state.db.spool"]


def test_a_file_made_meanwhile_is_not_overwritten(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, ["sales"])
    target = tmp_path / "copy.db"
    checked = snapshot_module.checked

    def slow(part: Path) -> Holdings:
        target.write_text("mine")
        return checked(part)

    monkeypatch.setattr(backup_module, "checked", slow)
    with pytest.raises(StoreError, match="already exists"):
        back_up(path, target)
    assert target.read_text() == "mine"
    assert left(tmp_path) == ["copy.db", "state.db"]


@pytest.mark.parametrize("ending", ["", "-wal", "-shm", ".lock", ".next", ".spool"])
def test_the_state_itself_is_never_the_target(path: Path, ending: str, tmp_path: Path) -> None:
    filled(path, ["sales"])
    before = path.read_bytes()
    (tmp_path / "link").symlink_to(f"{path}{ending}")
    for target in (Path(f"{path}{ending}"), tmp_path / "link"):
        with pytest.raises(StoreError, match="is the state itself"):
            back_up(path, target, force=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("page", [1, 2, 5])
def test_a_damaged_state_is_told_and_leaves_no_copy(path: Path, page: int, tmp_path: Path) -> None:
    filled(path)
    damage_page(path, page, noise)
    with pytest.raises(StoreError, match=r"nothing was written to .*is damaged.*restart statusproxy"):
        back_up(path, tmp_path / "copy.db")
    assert left(tmp_path) == ["state.db"]


def test_another_programs_database_is_no_state(path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE invoices (number)")
    with pytest.raises(StoreError, match=r"\(it is not a database of statusproxy\)"):
        back_up(path, tmp_path / "copy.db")


def test_without_a_state_it_says_so_and_makes_none(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no state in"):
        back_up(path, tmp_path / "copy.db")
    assert left(tmp_path) == []


def test_a_folder_that_is_not_there_is_told(path: Path, tmp_path: Path) -> None:
    filled(path, ["sales"])
    with pytest.raises(StoreError, match=rf"cannot be opened: {tmp_path}/nowhere/copy.db: No"):
        back_up(path, tmp_path / "nowhere" / "copy.db")


def test_a_state_that_is_opened_again_and_again_is_not_copied(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, ["sales"])
    looks = iter(range(99))
    monkeypatch.setattr(snapshot_module, "_state", lambda _: next(looks))
    with pytest.raises(StoreError) as told:
        back_up(path, tmp_path / "copy.db")
    assert str(told.value) == (
        f"nothing was written to {tmp_path}/copy.db: {path} kept changing while it was copied; try again"
    )
    assert next(looks) == 2 * 3
    assert left(tmp_path) == ["state.db"]


class Failing:
    """Has SQLite fail the first few times that the state is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self.opened: list[str] = []
        connect = sqlite3.connect

        def failing(name: Any, **options: Any) -> sqlite3.Connection:
            if isinstance(name, str) and ".part" not in name:
                self.opened.append(name)
                if len(self.opened) <= times:
                    raise sqlite3.OperationalError("unable to open database file")
            connection: sqlite3.Connection = connect(name, **options)
            return connection

        monkeypatch.setattr(sqlite3, "connect", failing)


def test_a_proxy_that_stops_meanwhile_is_no_failure(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, ["sales"])
    failing = Failing(monkeypatch, 2)
    assert back_up(path, tmp_path / "copy.db").sessions == 1
    assert failing.opened == [f"file:{path}?mode=ro&immutable=1"] * 3


def test_a_state_that_cannot_be_opened_is_told(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, ["sales"])
    failing = Failing(monkeypatch, 9)
    with pytest.raises(StoreError, match=rf"^nothing was written to {tmp_path}/copy.db: cannot be written: {path}: un"):
        back_up(path, tmp_path / "copy.db")
    assert len(failing.opened) == 3
    failing.opened.clear()
    Path(f"{path}-wal").touch()  # a proxy has it open: what fails has another reason
    with pytest.raises(StoreError):
        back_up(path, tmp_path / "copy.db")
    assert failing.opened == [f"file:{path}?mode=ro"]


def test_a_row_that_cannot_be_read_is_damage(path: Path, tmp_path: Path) -> None:
    filled(path, ["sales", "support"])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE records SET payload = CAST(x'ff' AS TEXT) WHERE session = 'sales'")
    with pytest.raises(StoreError) as told:
        back_up(path, tmp_path / "copy.db")
    assert str(told.value) == (
        f"nothing was written to {tmp_path}/copy.db: {path} is damaged (the row of a session cannot be read); restart "
        "statusproxy, which saves what can be read and keeps the damaged file, and try again"
    )


def test_a_damage_that_only_the_check_of_the_copy_finds_is_told(path: Path, tmp_path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'session)', 'payload)') WHERE type = 'index'")
    with pytest.raises(StoreError, match=r"is damaged \(.*missing from index"):
        back_up(path, tmp_path / "copy.db")


def test_rights_that_lack_are_told_with_who_has_them(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, ["sales"])

    def refuse(part: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(part))

    monkeypatch.setattr(snapshot_module, "create_private", refuse)
    (tmp_path / f".copy.db.{os.getpid()}.part-journal").touch()
    with pytest.raises(StoreError) as told:
        back_up(path, tmp_path / "copy.db")
    assert str(told.value) == (
        f"nothing was written to {tmp_path}/copy.db: Permission denied: {tmp_path}/.copy.db.{os.getpid()}.part; "
        "run this as root, or as the user that runs statusproxy"
    )
    assert left(tmp_path) == ["state.db"]


@pytest.mark.parametrize("taken", [False, True])
def test_without_hard_links_a_name_is_given_by_renaming_and_nothing_is_overwritten(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    filled(path, ["sales"])
    target = tmp_path / "copy.db"

    def refuse(*_: object) -> None:
        if taken:
            target.write_text("mine")
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    if taken:
        with pytest.raises(StoreError, match=f"^{target} already exists; name another file, or overwrite it with"):
            back_up(path, target)
        assert target.read_text() == "mine"
    else:
        assert back_up(path, target).sessions == 1
    assert left(tmp_path) == ["copy.db", "state.db"]


def test_what_an_earlier_attempt_left_is_replaced_and_the_copy_lasts(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, ["sales"])
    part = tmp_path / f".copy.db.{os.getpid()}.part"
    part.write_text("half of an earlier copy")
    part.chmod(0o644)
    Path(f"{part}-journal").touch()
    synced: list[str] = []
    monkeypatch.setattr(backup_module, "sync_file", lambda file: synced.append(file.name))
    monkeypatch.setattr(backup_module, "sync_directory", lambda folder: synced.append(folder.name))
    back_up(path, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    back_up(path, tmp_path / "copy.db", force=True)
    assert synced == [part.name, tmp_path.name] * 2
    assert left(tmp_path) == ["copy.db", "state.db"]
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_a_whole_copy_that_an_earlier_attempt_left_gives_the_new_one_neither_its_rights_nor_its_rows(
    path: Path, tmp_path: Path
) -> None:
    filled(path, ["sales"])
    part = tmp_path / f".copy.db.{os.getpid()}.part"
    filled(part, ["old"])
    part.chmod(0o644)
    assert back_up(path, tmp_path / "copy.db").sessions == 1
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert left(tmp_path) == ["copy.db", "state.db"]


def test_a_proxy_that_starts_meanwhile_makes_the_copy_begin_again(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, ["sales"])
    state, looks = snapshot_module._state, iter(range(9))
    monkeypatch.setattr(snapshot_module, "_state", lambda each: (*state(each)[:2], min(next(looks), 2)))
    assert back_up(path, tmp_path / "copy.db").sessions == 1
    assert os.path.exists(tmp_path / "copy.db")
