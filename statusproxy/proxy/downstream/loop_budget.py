"""A budget for each turn of the event loop, shared by connections whose bytes are many small pieces of work.

A chunk of one byte costs as much as one of 64 KiB. One client that sends nothing but such chunks would keep the loop
busy for as long as it sends, and a hundred of them a hundred times as long. So in each turn of the loop only so many
chunks are read, from any client; the rest waits, first come, first served.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

#: Chunks read in one turn of the loop, over all connections: about a quarter of a millisecond.
SHARE: Final = 256

#: Chunks that any connection may read at once without a share: ordinary uploads never wait.
FREE: Final = 16


class LoopBudget:
    """What is left of this turn of the loop, and the connections that wait for the next."""

    __slots__ = ("_loop", "_scheduled", "_waiting", "left")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._scheduled = False
        self._waiting: deque[Callable[[], None]] = deque()
        self.left = SHARE
        """Chunks that may still be read in this turn."""

    def spend(self, chunks: int) -> None:
        """Count work that was done in this turn."""
        if chunks > FREE:
            self.left -= chunks
            self._schedule()

    def wait(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` in a later turn."""
        self._waiting.append(go_on)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._scheduled = False
        self.left = SHARE
        for _ in range(len(self._waiting)):
            if self.left <= 0:
                break
            self._waiting.popleft()()
        if self._waiting:
            self._schedule()
