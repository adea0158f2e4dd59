"""Bodies of any size pass in flat memory; `benchmarks/memory.py` does the same with a gigabyte."""

from __future__ import annotations

import sys

import pytest

from benchmarks.memory import LIMIT, passages


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_large_bodies_pass_unchanged_and_leave_no_trace_in_memory() -> None:
    seen = await passages(webhook=24_000_000, volume=64_000_000)
    assert len(seen) == 6
    assert [str(one) for one in seen if not one.unchanged or one.growth >= LIMIT] == []
