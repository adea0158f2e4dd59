"""Waiting times of an ordinary client, and when they are too long: by a ratio to its own, never by themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

#: Times the idle maximum that a request may wait beside an attack.
TIMES: Final = 10.0

#: Times the longest wait straight at the gateway that a request may wait beside an attack: on its way through the proxy
#: it is scheduled in three processes in place of two, and carried twice.
_TIMES_STRAIGHT: Final = 4.0

#: Of the time that requests take one after the other on the idle proxy, how much they may take if they come at once:
#: then they wait for the gateway and the disk together.
_OF_ALONE: Final = 0.5

#: Seconds below which no wait is too long, whatever the ratio: on a machine with two cores the scheduler alone makes
#: a request wait for some of its slices when proxy, gateway, attacker and probe all want to run.
FLOOR: Final = 0.1


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One request of the probe."""

    kind: str
    begun: float
    """`time.monotonic()`, which all processes of a machine share."""
    wait: float
    """Seconds until the last byte of the answer, or until it was given up."""
    outcome: str
    """`ok`, or what came instead: a status, `timeout`, `reset`, …"""


class Waits(msgspec.Struct, frozen=True):
    """What one kind of request waited, in seconds."""

    count: int
    p50: float
    p99: float
    worst: float
    failed: dict[str, int] = {}
    """How many were not served, by what came instead."""


def summary(samples: Iterable[Sample]) -> Waits:
    """The waiting times of some samples; all zero where there are none."""
    taken = list(samples)
    waits = sorted(sample.wait for sample in taken)
    failed = Counter(sample.outcome for sample in taken if sample.outcome != "ok")
    return Waits(
        count=len(waits),
        p50=quantile(waits, 0.5),
        p99=quantile(waits, 0.99),
        worst=waits[-1] if waits else 0.0,
        failed=dict(failed),
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of the ordered values do not exceed; 0.0 of none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def between(samples: Iterable[Sample], start: float, end: float) -> list[Sample]:
    """The samples under way at some time between `start` and `end`."""
    return [sample for sample in samples if sample.begun <= end and sample.begun + sample.wait >= start]


def allowed(
    idle: Waits,
    straight: Waits | None = None,
    *,
    times: float = TIMES,
    floor: float = FLOOR,
    behind: int = 0,
    strict: bool = False,
) -> float:
    """Seconds that a request may wait beside an attack.

    `idle` is the same request without the attack. `straight` is what requests that go straight to the gateway waited
    beside the attack: what the machine itself could not do better, a busy one included. `behind` is how many requests
    may have come just before it, all at once: first come, first served. `strict` grants nothing for any of these, as
    they are no measure where something else runs: what holds then holds on an idle machine, too.
    """
    if strict:
        return floor
    at_gateway = _TIMES_STRAIGHT * straight.worst if straight is not None else 0.0
    return max(floor, times * idle.worst, at_gateway, _OF_ALONE * behind * idle.p50)
