"""Event-loop lag: how late the event loop runs timers that are due.

A timer is due ten times a second, and how late it runs is counted. That is a sample: a callback that holds the loop
for 20 ms is seen by one timer in five, one that holds it for 100 ms or longer by every timer. So the histogram tells
what share of arrivals had to wait, and for how long; the longest wait of the last minute is what to alert on.
"""

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from statusproxy.observe.families import histogram, single

__all__ = ["BUCKETS", "LoopLag"]

#: Seconds between two timers. To wake a process at rest for one takes some 150 µs of processor time: 0.15 % of a core.
INTERVAL: Final = 0.1

#: Seconds. Up to 1 ms is the resolution of the loop's timers; 20 ms is what one callback may take (docs/monitoring.md).
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

#: Seconds of one part of the window that the longest lag is taken from, and the parts. The window is a minute, and up
#: to a part more, so that a scrape every minute misses nothing.
_PART: Final = 10.0
_PARTS: Final = 7

_BOUNDS: Final = (*map(str, BUCKETS), "+Inf")


class LoopLag(Collector):
    """Measures the running event loop from `start` to `stop`, and gives what it found to a metrics registry."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that never go back."""
        self._clock = clock
        self._counts = [0] * (len(BUCKETS) + 1)
        self._total = 0.0
        self._longest: dict[int, float] = {}
        """The longest lag of each part of the window, by the part's number since the clock's zero."""
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Measure the running loop."""
        self._wait(asyncio.get_running_loop())

    def stop(self) -> None:
        """Measure no more; what was counted stays."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def note(self, lag: float) -> None:
        """Count one timer that ran `lag` seconds late."""
        self._counts[bisect_left(BUCKETS, lag)] += 1
        self._total += lag
        part = int(self._clock() // _PART)
        longest = self._longest.get(part)
        if longest is None:
            self._longest = self._window(part)
        if longest is None or lag > longest:
            self._longest[part] = lag

    @property
    def longest(self) -> float:
        """The longest lag of the last minute, seconds."""
        return max(self._window(int(self._clock() // _PART)).values(), default=0.0)

    def collect(self) -> Iterator[Metric]:
        """The two families; `prometheus_client` asks for them."""
        running = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip(_BOUNDS, self._counts, strict=True):
            running += count
            buckets.append((bound, running))
        yield histogram("statusproxy_event_loop_lag_seconds", [((), buckets, self._total)])
        yield single("statusproxy_event_loop_lag_max_seconds", self.longest)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = self._clock() + INTERVAL
        self._timer = loop.call_later(INTERVAL, self._run, loop)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        # uvloop counts from the beginning of the loop's turn, so that a timer may run a little early.
        self.note(max(0.0, self._clock() - self._due))
        self._wait(loop)

    def _window(self, part: int) -> dict[int, float]:
        return {number: lag for number, lag in self._longest.items() if number > part - _PARTS}
