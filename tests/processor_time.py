"""What work costs in processor time of this thread, by a ratio to other work: a busy machine changes little of that."""

import time
from collections.abc import Callable
from statistics import median
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
    """Whether `work` takes less than `times` as long as `reference`.

    Both are done in turn, and the median of the ratios within a round decides. More rounds are measured while it does
    not hold. A machine's speed may double from one round to the next: the least times of each would then compare a
    reference that ran while it was quick with work that ran while it was slow.
    """
    ratios: list[float] = []
    for done in range(1, _MOST + 1):
        spent = max(seconds(reference), _FLOOR)
        ratios.append(seconds(work) / spent)
        if done >= _ROUNDS and median(ratios) < times:
            return True
    return False
