"""Whether something that is looked at once a second stays where it is: a slope, and the medians of its ends."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: The first part of a run is left out: caches fill and pools grow then.
_WARMING_UP: Final = 0.25


@dataclass(frozen=True)
class Flatness:
    """What a series of values did after it had warmed up."""

    first: float
    """The median of its first third."""
    last: float
    """The median of its last third."""
    slope: float
    """Change for each second, by least squares."""

    @property
    def growth(self) -> float:
        """How much more it is at the end."""
        return self.last - self.first


def flatness(moments: Sequence[float], values: Sequence[float]) -> Flatness:
    """How flat `values` are, taken at `moments` in seconds. `ValueError` where there are fewer than twelve."""
    if len(values) < 12:
        raise ValueError("too few values to tell")
    start = int(len(values) * _WARMING_UP)
    moments, values = moments[start:], values[start:]
    third = len(values) // 3
    slope = statistics.linear_regression(moments, values).slope
    return Flatness(statistics.median(values[:third]), statistics.median(values[-third:]), slope)
