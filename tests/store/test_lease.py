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
