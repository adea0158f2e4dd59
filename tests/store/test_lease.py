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
    with pytest.raises(StoreInUseError, match=rf"held by another statusproxy \(process {os.getpid()}\)"):
        Lease.take(path, wait=0)
    lock.release()
    Lease.take(path, wait=0).release()


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
    lock = Lease.take(path, wait=0)
    assert not lock.lost()
    lock.release()


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


def test_a_lock_file_that_another_holds_is_not_taken_from_it(path: Path) -> None:
    lease = held(path)
    Path(f"{path}.lock").unlink()
    with Path(f"{path}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not lease.renew()
    assert lease.renew()
    lease.release()


def test_a_new_database_file_is_held_too(path: Path) -> None:
    lease = held(path)
    path.unlink()
    path.touch()
    lease.hold()
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
