"""A few kills of proxies, gateway and Redis, the same each time; `make kills` goes on for as many as it is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.program import Options
from tests.kills.result import table
from tests.kills.run import run
from tests.kills.shared import Settings, available, run_shared

pytestmark = [pytest.mark.slow, pytest.mark.divisible]

KILLS = 10


def options() -> Options:
    proxy = os.environ.get("FAULTS_PROXY")
    return Options.of(Path(proxy) if proxy else None, "uvloop")


def test_nothing_that_was_acknowledged_is_lost_whoever_is_killed() -> None:
    result = run(KILLS, seed=12, options=options())
    assert result.wrong == [], table(result)
    assert (result.kills.total(), result.figures.spooled > 0, result.looks > 0) == (KILLS, True, True)


@pytest.mark.skipif(not available(), reason="no redis-server here: apt-get install redis-server")
def test_two_proxies_on_one_redis_agree_on_all_that_was_acknowledged_whoever_is_killed() -> None:
    result = run_shared(KILLS, 5, options(), Settings())
    assert result.wrong == [], table(result)
    assert len(result.kills) == 4, table(result)  # each proxy, Redis and the gateway
    assert (result.kills.total() >= KILLS, result.looks > 0, result.journalled > 0) == (True, True, True), table(result)
    assert (result.figures.spooled > 0, result.stood > 0) == (True, True), table(result)
