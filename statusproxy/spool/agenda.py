"""When the first entries of one receiver's lanes may go: heaps, so that no answer takes longer the more there are.

Pure: time is an argument. Whether a planned entry still is what was planned, the caller knows.
"""

import heapq
from collections import deque
from collections.abc import Callable

__all__ = ["Agenda"]

Planned = tuple[float, str]
"""When an entry is due, and its id."""


class Agenda:
    """What is planned for one receiver."""

    def __init__(self, is_current: Callable[[Planned], bool]) -> None:
        """`is_current` says whether something planned still holds."""
        self._is_current = is_current
        self._own: list[Planned] = []  # a heap of those whose pause is their own
        self._waiting: list[Planned] = []  # a heap of those that wait for the receiver
        self._hastened: deque[list[Planned]] = deque()  # heaps of those that may go whatever their time

    def plan(self, due: float, id_: str, *, own: bool) -> None:
        """An entry is due then. `own`: that the receiver is back makes no difference to it."""
        heapq.heappush(self._own if own else self._waiting, (due, id_))

    def hasten(self) -> None:
        """The receiver is back: what waits for it may go at once."""
        self._hastened.append(self._waiting)
        self._waiting = []

    def take(self, now: float) -> str | None:
        """The entry due longest."""
        return self._take([heap for heap in self._heaps() if heap is self._first_hastened() or heap[0][0] <= now])

    def take_probe(self, now: float) -> str | None:
        """The entry due longest, or soonest if none is due. An entry with a pause of its own must be due."""
        return self._take([heap for heap in self._heaps() if heap is not self._own or heap[0][0] <= now])

    def next_due(self) -> float | None:
        """When the next entry is due."""
        return min((heap[0][0] for heap in self._heaps()), default=None)

    def _take(self, heaps: list[list[Planned]]) -> str | None:
        first = min(heaps, key=lambda heap: heap[0], default=None)
        return None if first is None else heapq.heappop(first)[1]

    def _first_hastened(self) -> list[Planned] | None:
        return self._hastened[0] if self._hastened else None

    def _heaps(self) -> list[list[Planned]]:
        """The heaps that hold something, with what holds at their tops."""
        while self._hastened and not self._tidied(self._hastened[0]):
            self._hastened.popleft()
        return [
            heap
            for heap in (self._own, self._waiting, self._first_hastened())
            if heap is not None and self._tidied(heap)
        ]

    def _tidied(self, heap: list[Planned]) -> bool:
        """Whether anything is left once what does not hold is gone from the top."""
        while heap and not self._is_current(heap[0]):
            heapq.heappop(heap)
        return bool(heap)
