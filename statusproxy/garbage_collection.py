"""When Python's garbage collector runs: shortly while the service works, and long only when no request is under way.

A collection holds the event loop for as long as it visits objects, some 0.6 µs for each. Python's own rule visits all
that were made since the last ten collections, and then all there are: while thousands of clients connect, that is a
hundred thousand objects and 140 ms. What requests leave behind is freed without it, by counting references; it looks
for cycles of objects, which only errors make.
"""

import asyncio
import gc
from collections.abc import Callable
from typing import Final

#: Objects made and not freed between two collections of the young ones. Requests free what they make, so clients that
#: come in crowds cause these. With Python's 700, collections are most of the slowest hundredth of requests.
YOUNG: Final = 10_000

#: A threshold that is never reached: collections of older objects are ours to begin.
_NEVER: Final = 1_000_000_000

#: Seconds between two looks at whether the older objects are worth a collection.
_INTERVAL: Final = 60.0

#: Collections of young objects after which the older ones are collected when no request is under way, and in any case.
_WORTH: Final = 10
_AT_LATEST: Final = 1_000


def settle() -> None:
    """Leave what there is to itself, and collect none but young objects from now on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, _NEVER, _NEVER)


class GarbageCollection:
    """Collects in the running event loop from `start` to `stop`; then Python's own rule is as it was."""

    def __init__(self, busy: Callable[[], bool]) -> None:
        """`busy` says whether a request is under way."""
        self._busy = busy
        self._before = gc.get_threshold()
        self._seen = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Settle what lives to the end, before the first client: it takes tens of milliseconds."""
        self._before = gc.get_threshold()
        settle()
        self._seen = _collections()
        self._wait()

    def stop(self) -> None:
        """Collect no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            gc.set_threshold(*self._before)

    def look(self) -> None:
        """Collect the older objects if that is worth while, and nobody waits meanwhile."""
        made = _collections() - self._seen
        if made >= _AT_LATEST or (made >= _WORTH and not self._busy()):
            gc.collect()
            self._seen = _collections()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._due)

    def _due(self) -> None:
        self.look()
        self._wait()


def _collections() -> int:
    """How many collections there were that are not of everything."""
    return sum(generation["collections"] for generation in gc.get_stats()[:-1])
