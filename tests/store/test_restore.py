"""`statusproxy restore`: a backup in the place of the state, which is kept; nothing in between, whatever happens."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from statusproxy.store import restore as restore_module
from statusproxy.store.backlog import Entry
from statusproxy.store.backup import back_up
from statusproxy.store.database import Database
from statusproxy.store.errors import StoreError
from statusproxy.store.file_lock import lock_file
from statusproxy.store.lease import Lease
from statusproxy.store.replace import finish_replacement
from statusproxy.store.restore import Restored, judge, restore
from statusproxy.store.snapshot import Holdings, copy_database
from statusproxy.store.spool_files import spool_folder

from .crashing import killed_at_each_step
from .damaged import damage_page, filled, noise
from .samples import NOW, a_body, a_change, kept, overridden

ASIDE = "state.db.before-restore-20260115T190706Z"


def made(path: Path, session: str, *bodies: str) -> None:
    """A closed state with a session, an event in it, and events with large bodies; the body of `gone` is missing."""
    path.parent.mkdir(exist_ok=True)
    database, _ = Database.open(path, NOW)
    ops = [kept(f"{session}-small", b"body"), *(kept(name, Path(name)) for name in bodies)]
    database.write({session: overridden(session)}, [Entry(a_change(session))], {op.id: op for op in ops})
    database.close()
    for name in bodies:
        if name != "gone":
            a_body(spool_folder(path), b"large " + name.encode(), name).chmod(0o600)


def held(path: Path) -> tuple[set[str], set[str], dict[str, bytes]]:
    """The sessions, the events, and the bodies in files, of a closed state."""
    database, contents = Database.open(path, NOW)
    entries = {entry.id for entry in database.spool.read().entries}
    database.close()
    folder = spool_folder(path)
    bodies = {file.name: file.read_bytes() for file in folder.iterdir()} if folder.exists() else {}
    return {record.session for record in contents.records}, entries, bodies


def modes(*paths: Path) -> set[int]:
    return {each.stat().st_mode & 0o777 for each in paths}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A backup with a session and two events, one of them in a file."""
    made(tmp_path / "from" / "state.db", "sales", "photo")
    copy = tmp_path / "backup.db"
    back_up(tmp_path / "from" / "state.db", copy)
    return copy


NEW = ({"sales"}, {"sales-small", "photo"}, {"photo": b"large photo"})


def test_a_state_is_restored_whole_in_another_directory(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "to" / "state.db"
    done = restore(source, path)
    assert done == Restored(Holdings(1, 1, source.stat().st_size + 11, 2), None)
    assert sorted(os.listdir(path.parent)) == ["state.db", "state.db.lock", "state.db.spool"]
    assert modes(path, Path(f"{path}.lock"), spool_folder(path) / "photo") == {0o600}
    assert modes(path.parent, spool_folder(path)) == {0o700}
    assert held(path) == NEW
    assert source.exists()


def test_a_state_that_is_there_is_replaced_only_when_asked_for_and_kept(source: Path, path: Path) -> None:
    made(path, "support", "video")
    before = path.read_bytes()
    with pytest.raises(StoreError) as told:
        restore(source, path)
    assert str(told.value) == (
        f"there is already a state in {path}; to replace it, use --force: the old one is kept beside it"
    )
    assert path.read_bytes() == before
    done = restore(source, path, force=True, clock=lambda: NOW)
    assert done.kept == path.with_name(ASIDE)
    assert held(path) == NEW
    assert held(path.with_name(ASIDE)) == ({"support"}, {"support-small", "video"}, {"video": b"large video"})
    assert modes(path.with_name(ASIDE), spool_folder(path.with_name(ASIDE)) / "video") == {0o600}


def test_what_was_kept_can_be_restored_again(source: Path, path: Path) -> None:
    made(path, "support")
    database, _ = Database.open(path, NOW)
    database.write({"late": overridden("late")}, [])
    database.abandon()  # what came last lies in the log alone
    kept_as = restore(source, path, force=True, clock=lambda: NOW).kept
    assert kept_as is not None
    assert restore(kept_as, path, force=True, clock=lambda: NOW).kept == path.with_name(f"{ASIDE}.2")
    assert held(path) == ({"support", "late"}, {"support-small"}, {})


@pytest.mark.parametrize("left", ["state.db", "state.db-wal", "state.db.spool/body"])
def test_anything_of_a_state_is_a_state(source: Path, path: Path, left: str) -> None:
    file = path.parent / left
    file.parent.mkdir(exist_ok=True)
    file.touch()
    with pytest.raises(StoreError, match="there is already a state in"):
        restore(source, path)
    assert file.exists()


def test_a_directory_for_bodies_without_any_is_no_state(source: Path, path: Path) -> None:
    spool_folder(path).mkdir()
    assert restore(source, path).kept is None
    assert held(path) == NEW


def test_a_replacement_that_a_crash_interrupted_is_finished_first_and_held(
    source: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(path, "older")
    newer = path.with_name("newer.db")
    made(newer, "newer")
    newer.rename(f"{path}.next")
    locked: list[bool] = []

    def copying(source: Path, part: Path) -> None:
        with path.open("rb") as state:
            locked.append(not lock_file(state.fileno(), 0))
        copy_database(source, part)

    monkeypatch.setattr(restore_module, "copy_database", copying)
    kept_as = restore(source, path, force=True).kept
    assert kept_as is not None
    assert held(kept_as)[0] == {"newer"}
    assert held(path) == NEW
    assert locked == [True]


def test_nothing_is_restored_while_a_proxy_runs_on_the_state(
    source: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(path, "support")
    lease = Lease.take(path, 0)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("a proxy that runs is not waited for"))
    try:
        with pytest.raises(
            StoreError, match=rf"^a statusproxy runs on {path}: stop it first \(in use: .*{os.getpid()}"
        ):
            restore(source, path, force=True)
    finally:
        lease.release()
    assert held(path)[0] == {"support"}
    restore(source, path, force=True)
    Lease.take(path, 0).release()  # it was let go of


def test_the_events_can_be_left_out(source: Path, path: Path) -> None:
    assert restore(source, path, spool=False).holdings == Holdings(1, 1, path.stat().st_size, 0)
    assert held(path) == ({"sales"}, set(), {})
    assert not spool_folder(path).exists()


def test_a_backup_without_its_bodies_is_told(tmp_path: Path, path: Path) -> None:
    source = tmp_path / "from" / "state.db"
    made(source, "sales", "photo", "gone")
    with pytest.raises(StoreError) as told:
        restore(source, path)
    assert str(told.value) == (
        f"{source}.spool lacks the bodies of 1 event that belongs to {source}: put that directory beside the file, or "
        "leave all events out with --no-spool"
    )
    assert not path.exists()
    assert restore(source, path, spool=False).holdings.sessions == 1


def test_a_state_is_judged_by_what_its_log_holds_and_leaves_no_files_when_it_has_none(path: Path) -> None:
    made(path, "sales")
    judge(path)
    assert os.listdir(path.parent) == ["state.db"]
    database, _ = Database.open(path, NOW)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA user_version = 2")  # in the log alone
        with pytest.raises(StoreError, match="newer statusproxy"):
            judge(path)
    database.close()


def test_the_name_of_a_backup_is_told_to_be_a_uri(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def strict(name: str, *, uri: bool = False) -> sqlite3.Connection:
        assert name.startswith("file:") == uri
        return connect(name, uri=uri)

    monkeypatch.setattr(sqlite3, "connect", strict)
    judge(source)


def a_newer_one(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")


def another_programs(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE invoices (number)")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (Path.unlink, "cannot be read: No such file or directory"),
        (lambda path: path.write_text("a note\n" * 100), "is not a backup of statusproxy"),
        (lambda path: path.write_text(""), "is not a backup of statusproxy"),
        (another_programs, "is not a backup of statusproxy"),
        (a_newer_one, "was made by a newer statusproxy (schema 2, this one knows 1); install that one"),
    ],
)
def test_what_is_no_backup_of_use_is_told_and_changes_nothing(
    source: Path, path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    made(path, "support")
    before = path.read_bytes()
    spoil(source)
    with pytest.raises(StoreError) as told:
        restore(source, path, force=True)
    assert str(told.value) == f"{source} {says}"
    assert path.read_bytes() == before
    assert sorted(each.name for each in path.parent.iterdir() if each.name.startswith("state")) == ["state.db"]


@pytest.mark.parametrize("page", [1, 2, 5])
def test_a_damaged_backup_is_told_and_changes_nothing(tmp_path: Path, path: Path, page: int) -> None:
    source = tmp_path / "backup.db"
    filled(source)
    damage_page(source, page, noise)
    if page == 1:  # a header alone says what the file is
        with source.open("r+b") as file:
            file.write(b"SQLite format 3\0")
    with pytest.raises(StoreError, match=rf"^{source} is (damaged \(.*\); restore another backup|not a backup)"):
        restore(source, path)
    assert not path.exists()
    assert sorted(os.listdir(tmp_path)) in (["backup.db"], ["backup.db", "state.db.lock"])


def test_a_row_that_cannot_be_read_is_damage(source: Path, path: Path) -> None:
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute("UPDATE records SET payload = '{'")
    with pytest.raises(StoreError, match=r"is damaged \(the row of a session cannot be read\); restore another"):
        restore(source, path)


@pytest.mark.parametrize("ending", ["", "-wal", ".restoring", ".lock", ".next"])
def test_the_state_itself_is_no_backup(path: Path, ending: str, tmp_path: Path) -> None:
    made(path, "support")
    link = tmp_path / "link"
    link.symlink_to(f"{path}{ending}")
    with pytest.raises(StoreError, match="is the state itself; name a backup"):
        restore(link, path, force=True)


def test_a_directory_in_the_states_place_is_told(source: Path, path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError, match=f"^{path} is a directory$"):
        restore(source, path, force=True)


@pytest.mark.parametrize("name", ["make_directory", "copy_database"])
def test_a_directory_that_cannot_be_written_is_told(
    source: Path, path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path.parent))

    monkeypatch.setattr(restore_module, name, refuse)
    with pytest.raises(StoreError) as told:
        restore(source, path)
    assert str(told.value) == (
        f"Permission denied: {path.parent}; run this as root, or as the user that runs statusproxy"
    )
    assert not path.exists()


def test_a_full_disk_is_told_and_leaves_nothing(source: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(restore_module, "copy_bodies", refuse)
    with pytest.raises(StoreError, match=f"^disk full: {path}"):
        restore(source, path)
    assert not [each for each in path.parent.iterdir() if each.name.startswith("state.db.r")]


def test_a_backup_that_cannot_be_read_now_is_not_called_damaged(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(StoreError, match=f"^cannot be written: {source}: unable to open"):
        judge(source)


def test_what_root_restores_belongs_to_the_user_of_the_state(
    source: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda path, *owner: given.__setitem__(Path(path).name, owner))
    restore(source, path)
    us = path.parent.stat().st_uid, path.parent.stat().st_gid
    assert given == dict.fromkeys(["state.db.lock", "state.db.restoring", "state.db.restoring.spool", "photo"], us)
    given.clear()
    restore(source, path, force=True)
    assert "state.db.lock" not in given  # it was there, and is who knows whose
    given.clear()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    restore(source, path, force=True)
    assert given == {}


def test_what_a_killed_attempt_left_goes_though_the_next_one_fails(
    source: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restore_module, "copy_database", refuse)
    for ending in ("", "-journal", "-wal", "-shm"):
        Path(f"{path}.restoring{ending}").touch()
    with pytest.raises(StoreError, match=r"^disk full: "):
        restore(source, path)
    assert not [each for each in os.listdir(path.parent) if each.startswith("state.db.r")]


def test_what_a_killed_attempt_left_is_replaced(source: Path, path: Path) -> None:
    ready = Path(f"{path}.restoring")
    ready.write_text("half")
    a_body(spool_folder(ready), b"half", "other")
    restore(source, path)
    assert held(path) == NEW


@pytest.mark.slow
@pytest.mark.divisible
def test_killed_at_any_step_the_state_is_the_old_one_or_the_new_one_with_its_spool(tmp_path: Path) -> None:
    folder, backup = tmp_path / "state", tmp_path / "backup.db"
    made(backup, "sales", "photo", "note")
    path = folder / "state.db"

    def prepare() -> None:
        if folder.exists():
            for file in sorted(folder.rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()
        made(path, "support", "video", "voice")

    old = {"support"}, {"support-small", "video", "voice"}, {"video": b"large video", "voice": b"large voice"}
    new = {"sales"}, {"sales-small", "photo", "note"}, {"photo": b"large photo", "note": b"large note"}
    prepare()
    seen: list[object] = []
    imports = "from statusproxy.store.restore import restore"
    script = f"restore(Path(sys.argv[1]), Path(sys.argv[2]), force=True, clock=lambda: {NOW})"
    for _ in killed_at_each_step(imports, script, backup, path):
        finish_replacement(path)
        now = held(path)
        assert now in (old, new)
        if now == new:
            assert held(path.with_name(ASIDE)) == old
        seen.append(now)
        prepare()
    assert seen.count(old) > 10
    assert seen.count(new) >= 3
    assert held(path) == new
    assert held(path.with_name(ASIDE)) == old
