"""Two results side by side: what was, what is, and what could not be run."""

from __future__ import annotations

import dataclasses

import pytest

from tests.faults.catalogue import FAULTS
from tests.faults.fault import Check, Growth, Measured, Outcome
from tests.faults.tables import comparison, replaced, told
from tests.faults.waits import Waits

FAULT = dataclasses.replace(FAULTS[0], name="one", item="X1")


def outcome(worst: float, *, ok: bool) -> Outcome:
    idle, beside = Waits(10, 0.001, 0.002, 0.002), Waits(10, worst, worst, worst)
    return Outcome(
        "X1", "one", "uvloop", quick=False,
        checks=[Check("pass: longest wait", ok, "now", "then"), Check("other", True, "1", "1")],
        waits={"pass": Measured(idle, beside, 0.1)},
        memory=Growth(0, 5 * 1024 * 1024, 0), descriptors=Growth(10, 99, 10), lost=0 if ok else 3,
    )  # fmt: skip


def test_a_row_shows_what_was_and_what_is() -> None:
    row = comparison([FAULT], [outcome(2.0, ok=False)], [outcome(0.004, ok=True)]).splitlines()[-1]
    assert row == ("| X1 `one` | 2.0 s (1000 times) → 4 ms (2 times) | 5 → 5 MiB | 99 → 99 | 3 → 0 | 1 of 2 → 0 of 2 |")


def test_what_was_not_run_leaves_its_cell_open() -> None:
    row = comparison([FAULT], [outcome(2.0, ok=False)], []).splitlines()[-1]
    assert row == "| X1 `one` | 2.0 s (1000 times) → … | 5 → … MiB | 99 → … | 3 → … | 1 of 2 → … |"


def test_a_person_is_told_what_failed() -> None:
    text = told(outcome(2.0, ok=False))
    assert "FOUND" in text
    assert "✗ pass: longest wait: now (allowed: then)" in text


def test_a_table_replaces_what_stands_between_its_marks() -> None:
    page = "a\n<!-- faults -->\nold\n<!-- end of faults -->\nb\n"
    new = replaced(page, "faults", "| new |")
    assert new == "a\n<!-- faults -->\n\n| new |\n\n<!-- end of faults -->\nb\n"
    assert replaced(new, "faults", "| new |") == new
    with pytest.raises(LookupError):
        replaced(page, "figures", "| new |")
