"""A few kills of proxy and gateway, the same each time; `make kills` goes on for as many as it is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.program import Options
from tests.kills.run import run, table

KILLS = 10


@pytest.mark.slow
def test_nothing_that_was_acknowledged_is_lost_whoever_is_killed() -> None:
    proxy = os.environ.get("FAULTS_PROXY")
    result = run(KILLS, seed=12, options=Options.of(Path(proxy) if proxy else None, "uvloop"))
    assert result.wrong == [], table(result)
    assert (result.kills.total(), result.figures.spooled > 0, result.looks > 0) == (KILLS, True, True)
