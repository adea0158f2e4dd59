"""A latency histogram in Prometheus' buckets: how many requests took how long."""

from typing import Final

#: Seconds; from what a loopback hop takes to what a list that asks many engines takes.
BUCKETS: Final = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
)

_BOUNDS: Final = (*(str(bound) for bound in BUCKETS), "+Inf")


class Latencies:
    """The numbers. Callers add to them directly, since that is done for every request."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        """By the first bucket that holds it; the last is for all beyond the bounds."""
        self.total = 0.0
        """Seconds, of all together."""

    def buckets(self) -> list[tuple[str, float]]:
        """The counts as Prometheus has them: each bucket holds all that are up to its bound."""
        running = 0
        cumulated: list[tuple[str, float]] = []
        for bound, count in zip(_BOUNDS, self.counts, strict=True):
            running += count
            cumulated.append((bound, running))
        return cumulated
