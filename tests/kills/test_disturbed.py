"""Proxies on one Redis that is emptied, cut off or stopped under load: they agree, and no other request waits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.program import Options
from tests.kills.disturbed import run_disturbed, table
from tests.kills.shared import Settings, available

pytestmark = [
    pytest.mark.divisible,
    pytest.mark.skipif(not available(), reason="no redis-server here: apt-get install redis-server"),
]


@pytest.mark.parametrize(
    ("name", "times", "seconds"),
    [
        ("flush", 8, 0.0),
        ("cut", 2, 0.5),
        ("full", 2, 0.5),
        ("read-only", 2, 0.5),
        ("stop-redis", 1, 2.0),
        ("stop-proxy", 1, 2.0),
    ],
)
def test_all_agree_after_it_and_ordinary_requests_are_served_meanwhile(name: str, times: int, seconds: float) -> None:
    proxy = os.environ.get("FAULTS_PROXY")
    options = Options.of(Path(proxy) if proxy else None, "uvloop")
    result = run_disturbed(name, times, seconds, 3, options, Settings(spool=name != "flush"))
    assert result.wrong == [], table(result)
    assert result.kills[name] == times
    assert result.waits, "somebody asked"
    for waits in result.waits.values():
        assert (waits.refused, waits.requests > 0) == (0, True)
