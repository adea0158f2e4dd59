"""The stage's own checks: what grew is kept of the attack that took most, and a fault that cannot run says so."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.faults.catalogue import FAULTS
from tests.faults.fault import Growth, SkippedError
from tests.faults.gateway import Gateway
from tests.faults.program import Options, Use
from tests.faults.stage import MIB, Stage, play


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(FAULTS[0], Gateway(), Options(), tmp_path, quick=True)


def test_of_several_attacks_the_one_that_took_most_is_kept(stage: Stage) -> None:
    stage.grew(Use(10 * MIB, 5), Use(90 * MIB, 50), Use(60 * MIB, 6), memory=50 * MIB, part="first")
    stage.grew(Use(60 * MIB, 6), Use(61 * MIB, 70), Use(60 * MIB, 6), memory=50 * MIB, part="second")
    assert stage.outcome.memory == Growth(10 * MIB, 90 * MIB, 60 * MIB)
    assert stage.outcome.descriptors == Growth(6, 70, 6)
    assert [check.what for check in stage.outcome.checks if not check.ok] == ["first memory grew by"]


def test_a_fault_that_cannot_be_made_here_is_skipped_and_says_why() -> None:
    def cannot(_: Stage) -> None:
        raise SkippedError("no such server")

    outcome = play(dataclasses.replace(FAULTS[0], run=cannot), Gateway(), Options(), quick=True)
    assert (outcome.skipped, outcome.ok) == ("no such server", True)


def test_a_fault_that_fails_to_run_is_found_and_hides_no_other() -> None:
    def breaks(_: Stage) -> None:
        raise RuntimeError("it broke")

    outcome = play(dataclasses.replace(FAULTS[0], run=breaks), Gateway(), Options(), quick=True)
    assert not outcome.ok
    assert "it broke" in (outcome.error or "")
