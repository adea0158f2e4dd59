"""Locks on files: for one holder at a time, with patience for one who is just leaving."""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from statusproxy.store.file_lock import lock_file


@pytest.fixture
def handles(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """One file, opened twice, as by two processes."""
    (tmp_path / "lock").touch()
    one, other = (os.open(tmp_path / "lock", os.O_RDWR) for _ in range(2))
    yield one, other
    os.close(one)
    os.close(other)


def test_one_holder_at_a_time(handles: tuple[int, int]) -> None:
    one, other = handles
    assert lock_file(one, 0.0)
    assert not lock_file(other, 0.0)
    fcntl.flock(one, fcntl.LOCK_UN)
    assert lock_file(other, 0.0)
    assert not lock_file(one, -1.0)


def test_one_who_is_leaving_is_waited_for(handles: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = handles
    assert lock_file(one, 0.0)
    waited: list[float] = []

    def leave(seconds: float) -> None:
        waited.append(seconds)
        fcntl.flock(one, fcntl.LOCK_UN)

    monkeypatch.setattr(time, "sleep", leave)
    assert lock_file(other, 60.0)
    assert len(waited) == 1
    assert 0 < waited[0] <= 0.1


def test_one_who_stays_is_waited_for_no_longer_than_was_said(
    handles: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = handles
    assert lock_file(one, 0.0)
    now = 100.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert not lock_file(other, 2.0)
    assert 102.0 <= now < 102.2


def test_a_file_system_that_cannot_lock_says_so(handles: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="no locks available"):
        lock_file(handles[0], 0.0)


def test_a_lock_ends_with_its_holder(handles: tuple[int, int], tmp_path: Path) -> None:
    gone = os.open(tmp_path / "lock", os.O_RDWR)
    assert lock_file(gone, 0.0)
    threading.Thread(target=os.close, args=(gone,)).run()
    assert lock_file(handles[1], 0.0)
