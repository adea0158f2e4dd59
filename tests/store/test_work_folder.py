"""A directory for passing files: for this user only, gone with its process, and swept where that was killed."""

import errno
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from statusproxy.store import work_folder as work_folder_module
from statusproxy.store.file_lock import lock_file
from statusproxy.store.work_folder import WorkFolder


def test_it_is_for_this_user_only_and_goes_with_its_files(tmp_path: Path) -> None:
    folder = WorkFolder.make(tmp_path / "state" / "dir")
    assert folder.path.parent == tmp_path / "state" / "dir"
    assert folder.path.stat().st_mode & 0o777 == 0o700
    (folder.path / "body").write_bytes(b"x")
    folder.remove()
    assert list((tmp_path / "state" / "dir").iterdir()) == []


def test_one_that_somebody_removed_meanwhile_ends_as_well_and_nothing_stays_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for name in ("dead", "deader"):
        (tmp_path / f"statusproxy-spool-{name}").mkdir()
    folder = WorkFolder.make(tmp_path)
    shutil.rmtree(folder.path)
    folder.remove()
    assert os.listdir("/proc/self/fd") == before
    assert os.listdir(tmp_path) == []


def test_a_file_that_cannot_be_removed_keeps_no_other_of_a_killed_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "statusproxy-spool-dead"
    left.mkdir()
    for name in ("a", "b", "c"):
        (left / name).touch()
    unlink, refused = os.unlink, list[str]()

    def refusing(path: str, **named: Any) -> None:
        if not refused:
            refused.append(path)
            raise PermissionError(errno.EPERM, "Operation not permitted")
        unlink(path, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refusing)
        WorkFolder.make(tmp_path).remove()
    assert len(os.listdir(left)) == 1


def test_what_a_killed_process_left_goes_and_what_another_uses_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("no other process is waited for"))
    other = WorkFolder.make(tmp_path)
    (other.path / "body").write_bytes(b"in use")
    left = tmp_path / "statusproxy-spool-dead"
    left.mkdir()
    (left / "body").write_bytes(b"personal")
    for name in ("journal", "statusproxy-spool-file"):
        (tmp_path / name).write_text("stays")
    (tmp_path / "mine").mkdir()
    (tmp_path / "statusproxy-spool-link").symlink_to(tmp_path / "mine")
    folder = WorkFolder.make(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "journal", "statusproxy-spool-file", "mine", "statusproxy-spool-link", folder.path.name, other.path.name,
    }  # fmt: skip
    assert (other.path / "body").read_bytes() == b"in use"
    folder.remove()
    other.remove()


def test_what_belongs_to_another_user_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "statusproxy-spool-theirs").mkdir()
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    WorkFolder.make(tmp_path).remove()
    assert [path.name for path in tmp_path.iterdir()] == ["statusproxy-spool-theirs"]


def test_what_cannot_be_opened_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "statusproxy-spool-dead"
    left.mkdir()
    open_ = os.open

    def refusing(path: str, flags: int, *more: int, **named: Any) -> int:
        if str(path) == str(left):
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refusing)
    WorkFolder.make(tmp_path).remove()
    assert left.exists()


@pytest.mark.parametrize("moment", ["before it is opened", "before it is locked", "while it is being swept"])
def test_one_that_another_process_swept_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    made: list[str] = []
    waits: list[float] = []
    handles = len(os.listdir("/proc/self/fd"))
    mkdtemp = tempfile.mkdtemp

    def making(**options: Any) -> str:
        made.append(mkdtemp(**options))
        if moment == "before it is opened" and len(made) == 1:
            shutil.rmtree(made[0])
        return made[-1]

    def locking(handle: int, wait: float) -> bool:
        waits.append(wait)
        if moment == "before it is locked" and len(made) == 1:
            shutil.rmtree(made[0])
        return lock_file(handle, wait) and not (moment == "while it is being swept" and len(made) == 1)

    monkeypatch.setattr(tempfile, "mkdtemp", making)
    monkeypatch.setattr(work_folder_module, "lock_file", locking)
    folder = WorkFolder.make(tmp_path)
    assert len(made) == 2
    assert str(folder.path) == made[1]
    assert folder.path.is_dir()
    assert set(waits) == {0.0}, "no other process is waited for"
    folder.remove()
    assert len(os.listdir("/proc/self/fd")) == handles


def test_a_file_system_without_locks_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(handle: int, wait: float) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(work_folder_module, "lock_file", refusing)
    left = tmp_path / "statusproxy-spool-perhaps"
    left.mkdir()
    folder = WorkFolder.make(tmp_path)
    assert folder.path.is_dir()
    assert left.is_dir(), "whether it is in use cannot be known"
    folder.remove()


def test_where_none_can_be_made_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="File exists"):
        WorkFolder.make(tmp_path / "file" / "in it")
