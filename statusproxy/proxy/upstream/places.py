"""The places for exchanges with the gateway: how many there are, who may have one, and who gets the next.

First come, first served: a place that comes free goes to the first who waits and may have it, never to a newcomer
while someone may have it before. Two rules keep a few slow clients from holding them all: some places are kept for
webhooks and corrected lists, and one client address may hold only so many. A request that waits because its client
holds that many does not block others. No sockets, no loop and no clock here.
"""

import heapq
from collections.abc import Callable
from typing import Final

#: Entries of those who stopped waiting, beyond which a queue is swept when they outnumber the others.
_SWEPT_FROM: Final = 64


class Waiter:
    """One who waits for a place; `serve` is called once the place is its own."""

    __slots__ = ("client", "gone", "reserved", "serve", "turn")

    def __init__(self, client: str, reserved: bool, serve: Callable[[], None]) -> None:
        self.client = client
        self.reserved = reserved
        self.serve = serve
        self.turn: int
        """Its number in the order of arrival, once it stands in the queue."""
        self.gone = False
        """It was served, or waits no more."""

    def __lt__(self, other: "Waiter") -> bool:
        return self.turn < other.turn


class UpstreamPlaces:
    """The places of one pool.

    Others than webhooks and corrected lists have at most `total - reserved`. A client holds at most `per_client`, and
    its webhooks and lists up to `reserved` beyond that, so that they do not wait for its own uploads.
    """

    __slots__ = ("_arrived", "_held", "_ordinary", "_parked", "_queues", "_shares", "_total", "taken", "waiting")

    def __init__(self, total: int, reserved: int, per_client: int) -> None:
        self._total = (total - reserved, total)  # by class: False for ordinary requests, True for the reserved class
        self._shares = (per_client, per_client + reserved)
        self._ordinary = 0  # places that ordinary requests have
        self._held: dict[str, int] = {}  # places by client address
        self._queues: tuple[list[Waiter], list[Waiter]] = ([], [])  # heaps: those who wait for any place of their class
        self._parked: dict[tuple[str, bool], list[Waiter]] = {}  # heaps: those whose client holds its share
        self._arrived = 0
        self.taken = 0
        """Places in use."""
        self.waiting = 0
        """How many wait."""

    def take(self, client: str, reserved: bool) -> bool:
        """Take a place at once, if one is free and no one waits; else ask `wait`."""
        held = self._held.get(client, 0)
        if self.waiting or held >= self._shares[reserved] or self.taken >= self._total[True]:
            return False
        if not reserved:
            if self._ordinary >= self._total[False]:
                return False
            self._ordinary += 1
        self.taken += 1
        self._held[client] = held + 1
        return True

    def give_back(self, client: str, reserved: bool) -> None:
        """Give a place back; it goes to the first who may have it."""
        self.taken -= 1
        if not reserved:
            self._ordinary -= 1
        held = self._held[client] - 1
        if held:
            self._held[client] = held
        else:
            del self._held[client]
        if self.waiting:
            for parked in (False, True):
                self._unpark(client, parked)
            self._assign()

    def wait(self, waiter: Waiter) -> None:
        """Stand in the queue, behind all others; where a place may be had at once, `waiter` is served in this call."""
        self._arrived += 1
        waiter.turn = self._arrived
        self.waiting += 1
        heapq.heappush(self._queues[waiter.reserved], waiter)
        self._assign()

    def leave(self, waiter: Waiter) -> None:
        """Wait no more. Nothing happens where it was served: it gives its place back instead."""
        if waiter.gone:
            return
        waiter.gone = True
        self.waiting -= 1
        self._unpark(waiter.client, waiter.reserved)  # what it would have taken is the next one's
        self._sweep()
        self._assign()

    def _assign(self) -> None:
        """Give what is free to those who wait, in order. No place is given to one who waits anywhere else."""
        while (waiter := self._next()) is not None:
            waiter.gone = True
            self.waiting -= 1
            self._give(waiter.client, waiter.reserved)
            waiter.serve()

    def _give(self, client: str, reserved: bool) -> None:
        self.taken += 1
        if not reserved:
            self._ordinary += 1
        self._held[client] = self._held.get(client, 0) + 1

    def _next(self) -> Waiter | None:
        """The first who may have a place now, taken out of its queue; who may not because of its client is parked."""
        while True:
            first: Waiter | None = None
            for reserved in (False, True):
                queue = self._queues[reserved]
                while queue and queue[0].gone:
                    heapq.heappop(queue)
                if queue and self._free(reserved) and (first is None or queue[0] < first):
                    first = queue[0]
            if first is None:
                return None
            heapq.heappop(self._queues[first.reserved])
            if self._held.get(first.client, 0) < self._shares[first.reserved]:
                return first
            heapq.heappush(self._parked.setdefault((first.client, first.reserved), []), first)

    def _unpark(self, client: str, reserved: bool) -> None:
        """A place of `client` came free: the first of its own who waits for that may have any place again."""
        parked = self._parked.get((client, reserved))
        if parked is None or self._held.get(client, 0) >= self._shares[reserved]:
            return
        while parked:
            waiter = heapq.heappop(parked)
            if not waiter.gone:
                heapq.heappush(self._queues[reserved], waiter)
                break
        if not parked:
            del self._parked[client, reserved]

    def _free(self, reserved: bool) -> bool:
        """Whether a request of this class may have a place, for any client."""
        return self.taken < self._total[True] and (reserved or self._ordinary < self._total[False])

    def _sweep(self) -> None:
        """Drop the entries of those who stopped waiting, once they are most of what is kept."""
        if not self.waiting:
            self._queues[False].clear()
            self._queues[True].clear()
            self._parked.clear()
            return
        kept = sum(map(len, self._queues)) + sum(map(len, self._parked.values()))
        if kept < 2 * self.waiting + _SWEPT_FROM:
            return
        for queue in self._queues:
            queue[:] = [waiter for waiter in queue if not waiter.gone]
            heapq.heapify(queue)
        for key, parked in list(self._parked.items()):
            parked[:] = [waiter for waiter in parked if not waiter.gone]
            heapq.heapify(parked)
            if not parked:
                del self._parked[key]
