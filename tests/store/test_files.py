"""Where the state lies, who may read it, who holds it, and how it is set aside."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from statusproxy.store.errors import StoreInUseError
from statusproxy.store.files import FileLock, create_private, make_directory, resolve, set_aside

from .samples import NOW


@pytest.fixture(params=[0o000, 0o022, 0o777])
def any_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_relative_path_lies_in_systemds_state_directory() -> None:
    assert resolve("state.db", {"STATE_DIRECTORY": "/srv/example/a:/srv/example/b"}) == Path("/srv/example/a/state.db")


def test_a_relative_path_lies_in_the_working_directory_without_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve("x/state.db", {}) == tmp_path / "x/state.db"


def test_an_absolute_path_stays() -> None:
    assert resolve("/srv/example/state.db", {"STATE_DIRECTORY": "/srv/other"}) == Path("/srv/example/state.db")


def test_a_link_leads_to_the_file_that_is_locked_and_opened(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    assert resolve(str(tmp_path / "link.db"), {}) == tmp_path / "real.db"


@pytest.mark.usefixtures("any_umask")
def test_new_directories_are_for_this_user_only(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b")
    assert mode(tmp_path / "a") == 0o700
    assert mode(tmp_path / "a" / "b") == 0o700


def test_a_directory_that_is_there_keeps_its_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_directory(tmp_path)
    assert mode(tmp_path) == 0o755


def test_a_file_in_the_directorys_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError):
        make_directory(tmp_path / "a")


@pytest.mark.usefixtures("any_umask")
def test_a_new_file_is_for_this_user_only(path: Path) -> None:
    assert create_private(path)
    assert mode(path) == 0o600


def test_a_file_that_is_there_is_left_alone(path: Path) -> None:
    path.write_text("mine")
    assert not create_private(path)
    assert path.read_text() == "mine"


def test_what_is_set_aside_keeps_its_bytes_under_a_name_with_the_time(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}{ending}").write_text(f"old{ending}")
    target = set_aside(path, NOW)
    assert target.name == "state.db.unreadable-20260115T190706Z"
    assert [Path(f"{target}{ending}").read_text() for ending in ("", "-wal", "-shm")] == ["old", "old-wal", "old-shm"]
    assert sorted(path.parent.iterdir()) == sorted([target, Path(f"{target}-wal"), Path(f"{target}-shm")])


def test_setting_aside_twice_in_a_second_overwrites_nothing(path: Path) -> None:
    path.write_text("first")
    first = set_aside(path, NOW)
    path.write_text("second")
    second = set_aside(path, NOW)
    assert (first.read_text(), second.read_text()) == ("first", "second")


def test_a_lock_is_held_by_one_only_and_says_by_whom(path: Path) -> None:
    lock = FileLock.take(path, wait=0)
    with pytest.raises(StoreInUseError, match=rf"held by another statusproxy \(process {os.getpid()}\)"):
        FileLock.take(path, wait=0)
    lock.release()
    FileLock.take(path, wait=0).release()


def test_a_lock_notices_that_its_file_is_gone(path: Path) -> None:
    lock = FileLock.take(path, wait=0)
    assert not lock.lost()
    Path(f"{path}.lock").unlink()
    assert lock.lost()
    lock.release()


def test_a_lock_waits_for_one_that_leaves_but_not_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = FileLock.take(path, wait=0)
    monkeypatch.setattr(time, "sleep", lambda _: first.release())
    FileLock.take(path, wait=60).release()


def test_a_lock_on_a_file_deleted_meanwhile_is_taken_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock = fcntl.flock
    deleted: list[Path] = []

    def slow(handle: int, how: int) -> None:
        flock(handle, how)
        if not deleted:
            deleted.append(Path(f"{path}.lock"))
            deleted[0].unlink()

    monkeypatch.setattr(fcntl, "flock", slow)
    lock = FileLock.take(path, wait=0)
    assert not lock.lost()
    lock.release()


def test_a_directory_made_by_another_meanwhile_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mkdir = Path.mkdir

    def overtaken(directory: Path, mode: int) -> None:
        mkdir(directory, 0o750)
        mkdir(directory, mode)

    monkeypatch.setattr(Path, "mkdir", overtaken)
    make_directory(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o750


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_directories_will_do(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path.touch()
    monkeypatch.setattr(os, "fsync", lambda _: raise_(OSError(number, "")))
    assert set_aside(path, NOW).exists()


def test_a_directory_that_could_not_be_synced_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.touch()
    monkeypatch.setattr(os, "fsync", lambda _: raise_(OSError(errno.EIO, "")))
    with pytest.raises(OSError, match="5"):
        set_aside(path, NOW)


def test_a_file_system_without_locks_is_an_error_and_leaves_no_open_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(fcntl, "flock", lambda *_: raise_(OSError(errno.ENOLCK, "no locks available")))
    with pytest.raises(OSError, match="no locks"):
        FileLock.take(path, wait=0)
    assert len(os.listdir("/proc/self/fd")) == before


def raise_(error: Exception) -> None:
    raise error
