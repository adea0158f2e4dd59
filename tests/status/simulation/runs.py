"""Runs schedules; of one that fails, the seed and the shortest schedule that still fails."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from .world import Setting, check, setting

MOST_FAILURES = 5
"""Failures after which a long run ends."""


def fails(made: Setting) -> str | None:
    """What went wrong; None if nothing did."""
    try:
        check(made)
    except AssertionError as error:
        return str(error) or "assertion"
    return None


def shrunk(made: Setting, fails: Callable[[Setting], str | None]) -> Setting:
    """The schedule without the operations that the failure does not need."""
    size = len(made.operations) // 2
    while size:
        start = 0
        while start < len(made.operations):
            operations = made.operations[:start] + made.operations[start + size :]
            shorter = made._replace(operations=operations)
            if fails(shorter):
                made = shorter
            else:
                start += size
        size //= 2
    return made


def report(made: Setting) -> str:
    """A failure with its seed and the shortest schedule that shows it."""
    least = shrunk(made, fails)
    lines = "\n".join(map(str, least.operations))
    return f"seed {made.seed}: {fails(least)}\n{lines}"


def main(count: int, first: int) -> int:
    """Run `count` schedules from the seed `first` on; give how many failed."""
    begun, failed = time.monotonic(), 0
    for seed in range(first, first + count):
        made = setting(seed)
        if fails(made):
            failed += 1
            sys.stdout.write(f"{report(made)}\n")
            if failed == MOST_FAILURES:
                break
    seconds = time.monotonic() - begun
    sys.stdout.write(f"{count} schedules from seed {first} in {seconds:.0f} s, {failed} failed\n")
    return failed
