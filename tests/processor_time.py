"""What work costs in processor time of this thread, by a ratio to other work: a busy machine changes little of that."""

import time
from collections.abc import Callable
from typing import Final

#: Rounds that are always measured, and rounds after which work that still takes too long does so by itself.
_ROUNDS: Final = 3
_MOST: Final = 12

#: Seconds below which no reference counts: the clock's own steps.
_FLOOR: Final = 2e-5


def seconds(work: Callable[[], object]) -> float:
    """The processor time of this thread that `work` takes."""
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def takes_less(work: Callable[[], object], times: float, reference: Callable[[], object]) -> bool:
    """Whether `work` takes less than `times` as long as `reference`, by the least of some rounds of each.

    Both are done in turn, and again while that does not hold: what another process takes of the caches and of the
    clock rate makes a round longer, never shorter.
    """
    least, reference_least = float("inf"), float("inf")
    for done in range(1, _MOST + 1):
        reference_least = min(reference_least, seconds(reference))
        least = min(least, seconds(work))
        if done >= _ROUNDS and least < times * max(reference_least, _FLOOR):
            return True
    return False
