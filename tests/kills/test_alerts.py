"""Deaths at each step of sending an alert; `make kills-alerts` goes on for as many as it is told."""

from __future__ import annotations

import pytest

from tests.kills.alerts import run_alerts, table
from tests.kills.alerts_child import STEPS

pytestmark = [pytest.mark.slow, pytest.mark.divisible]

KILLS = 20


def test_whatever_step_it_dies_at_each_loss_is_told_and_what_comes_again_has_the_same_id() -> None:
    result = run_alerts(KILLS, seed=13)
    assert result.wrong == [], table(result)
    assert result.kills.total() == KILLS
    assert result.kills.keys() >= set(STEPS) - {"at any time"}, table(result)
    assert result.repeats > 0, table(result)
