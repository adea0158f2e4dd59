"""Who may write the state file, whatever is deleted."""

import errno
import fcntl
import os
import time
from pathlib import Path

import pytest

from statusproxy.store.errors import StoreInUseError
from statusproxy.store.lease import Lease


def test_a_lock_is_held_by_one_only_and_says_by_whom(path: Path) -> None:
    lock = Lease.take(path, wait=0)
    assert Path(f"{path}.lock").read_text() == f"{os.getpid()}\n"
    before = handles()
    with pytest.raises(StoreInUseError) as refused:
        Lease.take(path, wait=0)
    assert str(refused.value) == (
        f"in use: {path} is held by another statusproxy (process {os.getpid()}); two writers would overwrite each "
        "other's sessions: stop that one, or give this one a state.url of its own"
    )
    assert handles() == before
    Path(f"{path}.lock").write_bytes(b"\xff")
    with pytest.raises(StoreInUseError, match="is held by another statusproxy; two writers"):
        Lease.take(path, wait=0)
    lock.release()
    Lease.take(path, wait=0).release()


def handles() -> list[str]:
    """The files that are open."""
    return os.listdir("/proc/self/fd")


def test_what_was_taken_is_let_go_of_whole_and_the_file_is_for_this_user_only(path: Path) -> None:
    path.touch()
    lock_file = Path(f"{path}.lock")
    lock_file.write_text("what a longer number left\n")
    lock_file.chmod(0o644)
    before = handles()
    lease = Lease.take(path, wait=0)
    held_files = handles()
    assert lease.renew()  # it is there: nothing is made anew
    assert handles() == held_files
    assert lock_file.stat().st_mode & 0o777 == 0o600
    assert lock_file.read_text() == f"{os.getpid()}\n"
    lease.release()
    assert handles() == before


def test_a_lock_notices_that_its_file_is_gone(path: Path) -> None:
    lock = Lease.take(path, wait=0)
    assert not lock.lost()
    Path(f"{path}.lock").unlink()
    assert lock.lost()
    lock.release()


def test_a_lock_waits_for_one_that_leaves_but_not_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Lease.take(path, wait=0)
    monkeypatch.setattr(time, "sleep", lambda _: first.release())
    Lease.take(path, wait=60).release()


def test_a_lock_on_a_file_deleted_meanwhile_is_taken_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock = fcntl.flock
    deleted: list[Path] = []

    def slow(handle: int, how: int) -> None:
        flock(handle, how)
        if not deleted:
            deleted.append(Path(f"{path}.lock"))
            deleted[0].unlink()

    monkeypatch.setattr(fcntl, "flock", slow)
    before = handles()
    lock = Lease.take(path, wait=0)
    assert not lock.lost()
    lock.release()
    assert handles() == before


def test_a_file_system_without_locks_is_an_error_and_leaves_no_open_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(fcntl, "flock", lambda *_: _raise(OSError(errno.ENOLCK, "no locks available")))
    with pytest.raises(OSError, match="no locks"):
        Lease.take(path, wait=0)
    assert len(os.listdir("/proc/self/fd")) == before


def _raise(error: Exception) -> None:
    raise error


def held(path: Path, wait: float = 0) -> Lease:
    path.touch()
    return Lease.take(path, wait)


def test_with_its_lock_file_deleted_nobody_else_becomes_the_writer(path: Path) -> None:
    lease = held(path)
    Path(f"{path}.lock").unlink()
    with pytest.raises(StoreInUseError, match="two writers"):
        Lease.take(path, wait=0)
    assert lease.renew()
    assert not lease.lost()
    with pytest.raises(StoreInUseError, match=f"process {os.getpid()}"):
        Lease.take(path, wait=0)
    lease.release()
    held(path).release()


def test_a_lock_file_that_another_holds_is_not_taken_from_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: raise_assertion())  # nobody is waited for
    before = handles()
    lease = held(path)
    Path(f"{path}.lock").unlink()
    with Path(f"{path}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not lease.renew()
    assert lease.renew()
    lease.release()
    assert handles() == before


@pytest.mark.parametrize("error", [errno.EIO, None])
def test_a_database_file_that_cannot_be_held_leaves_no_open_file(
    path: Path, error: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.touch()
    flock, calls = fcntl.flock, iter(range(9))

    def partly(handle: int, how: int) -> None:
        if next(calls):
            raise BlockingIOError if error is None else OSError(error, "")
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", partly)
    before = handles()
    with pytest.raises(StoreInUseError if error is None else OSError):
        Lease.take(path, wait=0)
    assert handles() == before


def test_one_that_holds_the_database_file_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = held(path)
    Path(f"{path}.lock").unlink()
    monkeypatch.setattr(time, "sleep", lambda _: first.release())
    Lease.take(path, wait=60).release()


def test_one_that_holds_a_new_database_file_is_not_waited_for_by_a_running_proxy(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = held(path)
    path.unlink()
    monkeypatch.setattr(time, "sleep", lambda _: raise_assertion())
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreInUseError):
            lease.hold()
    lease.release()


def test_a_new_database_file_is_held_too(path: Path) -> None:
    lease = held(path)
    path.unlink()
    path.touch()
    before = len(handles())
    lease.hold()
    assert len(handles()) == before
    Path(f"{path}.lock").unlink()
    with pytest.raises(StoreInUseError):
        Lease.take(path, wait=0)
    lease.release()


def test_holding_again_what_is_held_opens_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = held(path)
    # Opening and closing the file would end SQLite's own locks on it.
    monkeypatch.setattr(os, "open", lambda *_: raise_assertion())
    lease.hold()
    lease.release()


def test_a_file_system_that_cannot_lock_the_database_leaves_the_lock_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.touch()
    flock, calls = fcntl.flock, iter(range(9))

    def partly(handle: int, how: int) -> None:
        if next(calls):
            raise OSError(errno.EBADF, "")
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", partly)
    Lease.take(path, wait=0).release()


def raise_assertion() -> None:
    raise AssertionError
