"""Faults share the machine, or one has it to itself."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from tests.faults.turns import Turns


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "turns"


def free(file: Path, how: int) -> bool:
    """Whether another process would get its turn at once."""
    with file.open("ab") as handle:
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_those_beside_others_let_others_run_and_none_by_itself(file: Path) -> None:
    with Turns(file).beside_others(), Turns(file).beside_others():
        assert free(file, fcntl.LOCK_SH)
        assert not free(file, fcntl.LOCK_EX)
    assert free(file, fcntl.LOCK_EX)


def test_while_one_runs_by_itself_nobody_else_does(file: Path) -> None:
    with Turns(file).by_itself():
        assert not free(file, fcntl.LOCK_SH)
    assert free(file, fcntl.LOCK_EX)
