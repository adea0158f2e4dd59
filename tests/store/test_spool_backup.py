"""The spool's part of a backup."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from statusproxy.store.backup import back_up
from statusproxy.store.database import Database
from statusproxy.store.errors import StoreError
from statusproxy.store.snapshot import Holdings
from statusproxy.store.spool_backup import copy_bodies, expect_bodies, leave_out, published
from statusproxy.store.spool_files import spool_folder

from .samples import NOW, a_body, an_entry, kept


def filled(path: Path, *bodies: str) -> None:
    """A closed state file with an entry without a file, and those with one; the file of `gone` is missing."""
    database, _ = Database.open(path, NOW)
    ops = [kept("small", b"body"), *(kept(name, Path(name)) for name in bodies)]
    database.write({}, [], {op.id: op for op in ops})
    database.close()
    for name in bodies:
        if name != "gone":
            a_body(spool_folder(path), b"large " + name.encode(), name)


@pytest.fixture
def lax(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite as others build it: what is deleted is not overwritten unless that is asked for."""
    connect = sqlite3.connect

    def opened(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.execute("PRAGMA secure_delete = OFF").fetchall()
        return connection

    monkeypatch.setattr(sqlite3, "connect", opened)


def test_a_backup_has_rows_and_bodies_as_they_lie_beside_the_state(path: Path, tmp_path: Path) -> None:
    filled(path, "a", "b")
    target = tmp_path / "copy.db"
    done = back_up(path, target)
    assert done == Holdings(0, 0, target.stat().st_size + 14, 3)
    folder = spool_folder(target)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"a": b"large a", "b": b"large b"}
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    copy, _ = Database.open(target, NOW)
    assert copy.spool.content("small") == (b"POST /small HTTP/1.1\r\n", b"body")
    copy.close()


def test_what_is_delivered_while_the_backup_is_made_is_not_in_it(path: Path, tmp_path: Path) -> None:
    filled(path, "a", "gone")
    target = tmp_path / "copy.db"
    assert back_up(path, target).spooled == 2
    copy, _ = Database.open(target, NOW)
    assert copy.spool.read().entries == [an_entry("a", filed=True), an_entry("small")]
    copy.close()
    assert os.listdir(spool_folder(target)) == ["a"]


@pytest.mark.usefixtures("lax")
def test_what_was_delivered_meanwhile_cannot_be_read_in_the_copy_any_more(path: Path, tmp_path: Path) -> None:
    filled(path, "a", "gone")
    copy_bodies(path, spool_folder(path), tmp_path / "bodies")
    assert b"POST /a" in path.read_bytes()
    assert b"POST /gone" not in path.read_bytes()


def test_bodies_are_whole_on_disk_before_their_names_are(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path, "a", "b")
    synced: list[tuple[str, int]] = []

    def noted(handle: int) -> None:
        synced.append((Path(f"/proc/self/fd/{handle}").readlink().name, os.fstat(handle).st_size))

    monkeypatch.setattr(os, "fsync", noted)
    target = tmp_path / "bodies"
    copy_bodies(path, spool_folder(path), target)
    assert sorted(synced[:-1]) == [("a", 7), ("b", 7)]
    assert synced[-1][0] == "bodies"


def test_without_large_bodies_there_is_no_directory(path: Path, tmp_path: Path) -> None:
    filled(path)
    assert back_up(path, tmp_path / "copy.db").spooled == 1
    assert copy_bodies(path, spool_folder(path), tmp_path / "none") is None
    assert sorted(os.listdir(tmp_path)) == ["copy.db", "state.db"]


def test_bodies_of_another_backup_are_overwritten_only_when_asked_for(path: Path, tmp_path: Path) -> None:
    filled(path, "a")
    target = tmp_path / "copy.db"
    a_body(spool_folder(target), b"", "old")
    with pytest.raises(StoreError, match=r"copy\.db\.spool already exists"):
        back_up(path, target)
    assert os.listdir(spool_folder(target)) == ["old"]
    back_up(path, target, force=True)
    assert os.listdir(spool_folder(target)) == ["a"]
    with pytest.raises(StoreError, match="is the state itself"):
        back_up(path, spool_folder(path), force=True)


def test_bodies_do_not_stay_where_the_database_could_not_be_put(tmp_path: Path) -> None:
    ready, target = tmp_path / "ready", tmp_path / "target"
    a_body(ready, b"", "a")
    with pytest.raises(FileExistsError), published(ready, target, force=False):
        raise FileExistsError
    assert os.listdir(tmp_path) == []
    with pytest.raises(FileExistsError), published(ready, target, force=False):
        raise FileExistsError
    with published(ready, target, force=True):
        pass


def refused_after(step: Callable[[], object]) -> None:
    """The database cannot be put in its place; something else happens just before that."""
    step()
    raise FileExistsError


def test_where_there_are_no_bodies_those_that_another_put_there_meanwhile_stay(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with pytest.raises(FileExistsError), published(tmp_path / "ready", target, force=False):
        refused_after(lambda: a_body(target, b"mine", "a"))
    assert os.listdir(target) == ["a"]


def test_an_error_is_told_though_the_bodies_are_gone_already(tmp_path: Path) -> None:
    ready, target = tmp_path / "ready", tmp_path / "target"
    ready.mkdir()
    with pytest.raises(FileExistsError), published(ready, target, force=False):
        refused_after(target.rmdir)


def test_bodies_that_a_copy_lacks_are_counted_and_all_entries_can_be_left_out(path: Path) -> None:
    filled(path, "a", "gone")
    with pytest.raises(StoreError) as told:
        expect_bodies(path, path)
    assert str(told.value) == (
        f"{path}.spool lacks the bodies of 1 event that belongs to {path}: put that directory beside the file, or "
        "leave all events out with --no-spool"
    )
    a_body(spool_folder(path), b"found", "gone")
    assert expect_bodies(path, path) == len(b"large a" + b"found")
    leave_out(path)
    assert expect_bodies(path, path) == 0
    database, _ = Database.open(path, NOW)
    assert database.spool.read().entries == []
    database.close()


def test_several_bodies_that_a_copy_lacks_are_told_of_as_several(path: Path) -> None:
    filled(path, "a", "b")
    for name in ("a", "b"):
        (spool_folder(path) / name).unlink()
    with pytest.raises(StoreError, match=r"lacks the bodies of 2 events that belong to "):
        expect_bodies(path, path)


@pytest.mark.usefixtures("lax")
def test_entries_that_are_left_out_are_overwritten(path: Path) -> None:
    filled(path)
    assert b"body" in path.read_bytes()
    leave_out(path)
    assert b"POST /small" not in path.read_bytes()
