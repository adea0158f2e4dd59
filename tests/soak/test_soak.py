"""Eight seconds of the soak, the same each time; `make soak` goes on for ten minutes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.program import Options
from tests.soak.run import soak, table

SECONDS = 8.0


@pytest.mark.slow
def test_mixed_traffic_is_answered_whole_and_in_time() -> None:
    proxy = os.environ.get("FAULTS_PROXY")
    result = soak(SECONDS, seed=8, options=Options.of(Path(proxy) if proxy else None, "uvloop"), walkers=8)
    assert result.failures == [], table(result)
    assert result.account.requests > SECONDS  # it was traffic, even on a busy machine
