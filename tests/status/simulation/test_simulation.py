"""Many proxies on a bad network: whatever happens, they know the same in the end, and nothing older won.

`.venv/bin/python -m tests.status.simulation.test_simulation 10000 [first seed]` runs so many schedules.
"""

import sys
import time
from collections.abc import Callable

import pytest

from .world import Setting, check, setting

SCHEDULES = 500


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


@pytest.mark.parametrize("part", range(10))
def test_all_proxies_know_the_same_when_all_is_quiet(part: int) -> None:
    for seed in range(part, SCHEDULES, 10):
        made = setting(seed)
        if fails(made):
            raise AssertionError(report(made))


def main(count: int, first: int) -> int:
    """Run `count` schedules; give how many failed."""
    begun, failed = time.monotonic(), 0
    for seed in range(first, first + count):
        made = setting(seed)
        if fails(made):
            failed += 1
            sys.stdout.write(f"{report(made)}\n")
            if failed == 5:
                break
    seconds = time.monotonic() - begun
    sys.stdout.write(f"{count} schedules from seed {first} in {seconds:.0f} s, {failed} failed\n")
    return failed


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)))
