"""When the first entries of one receiver's lanes may go: heaps, so that no answer takes longer the more there are.

Pure: time is an argument. Each queue has one plan at most, and what does not hold any more is taken out at once: what
is left behind would have to be looked through in one go later.
"""

from collections import deque

from statusproxy.spool.heap import Heap

__all__ = ["Agenda"]


class Agenda:
    """What is planned for one receiver, by queue."""

    def __init__(self) -> None:
        self._own = Heap()  # those whose pause is their own
        self._waiting = Heap()  # those that wait for the receiver
        self._hastened: deque[Heap] = deque()  # those that may go whatever their time; none is empty
        self._heaps: dict[str, Heap] = {}  # by queue: where its plan is

    def plan(self, queue: str, due: float, id_: str, *, own: bool) -> None:
        """This entry is the next of its queue, and due then, instead of what was planned for that.

        `own`: that the receiver is back makes no difference to it.
        """
        self.drop(queue)
        heap = self._heaps[queue] = self._own if own else self._waiting
        heap.put(queue, due, id_)

    def drop(self, queue: str) -> None:
        """Nothing is planned for this queue."""
        heap = self._heaps.pop(queue, None)
        if heap is not None:
            heap.remove(queue)
            self._tidy()

    def hasten(self) -> None:
        """The receiver is back: what waits for it may go at once."""
        self._hastened.append(self._waiting)
        self._waiting = Heap()
        self._tidy()

    def take(self, now: float) -> str | None:
        """The entry due longest."""
        return self._take([heap for heap in self._filled() if heap is self._first_hastened() or _due(heap) <= now])

    def take_probe(self, now: float) -> str | None:
        """The entry due longest, or soonest if none is due. An entry with a pause of its own must be due."""
        return self._take([heap for heap in self._filled() if heap is not self._own or _due(heap) <= now])

    def next_due(self) -> float | None:
        """When the next entry is due."""
        return min(map(_due, self._filled()), default=None)

    def _take(self, heaps: list[Heap]) -> str | None:
        first = min((heap.first for heap in heaps if heap.first is not None), default=None)
        if first is None:
            return None
        _, id_, queue = first
        self.drop(queue)
        return id_

    def _first_hastened(self) -> Heap | None:
        return self._hastened[0] if self._hastened else None

    def _filled(self) -> list[Heap]:
        return [heap for heap in (self._own, self._waiting, self._first_hastened()) if heap]

    def _tidy(self) -> None:
        """Let go of hastened heaps that are empty."""
        while self._hastened and not self._hastened[0]:
            self._hastened.popleft()


def _due(heap: Heap) -> float:
    assert heap.first is not None
    return heap.first[0]
