"""A budget for each turn of the event loop, shared by all connections, for one kind of work that comes in small pieces.

A chunk of one byte costs as much as one of 64 KiB. One client that sends nothing but such chunks would keep the loop
busy for as long as it sends, and a hundred of them a hundred times as long. A crowd of clients that all ask at the same
moment would do so with their heads. So in each turn of the loop only so many chunks are read, and so many heads, from
any client; the rest waits, first come, first served.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

#: Chunks read in one turn of the loop, over all connections: about a quarter of a millisecond.
CHUNKS: Final = 256

#: Chunks that any connection may read at once without a share: ordinary uploads never wait.
FREE: Final = 16

#: Heads of requests read in one turn of the loop, over all connections: some three milliseconds.
HEADS: Final = 64


class LoopBudget:
    """What is left of this turn of the loop, and the connections that wait for the next."""

    __slots__ = ("_loop", "_scheduled", "_share", "_waiting", "left")

    def __init__(self, loop: asyncio.AbstractEventLoop, share: int) -> None:
        """`share` pieces of work are done in one turn."""
        self._loop = loop
        self._share = share
        self._scheduled = False
        self._waiting: deque[Callable[[], None]] = deque()
        self.left = share
        """Pieces of work that may still be done in this turn; 0 or less: none."""

    def spend(self, pieces: int) -> None:
        """Count work that was done in this turn."""
        self.left -= pieces
        if not self._scheduled:
            self._schedule()

    def wait(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` in a later turn."""
        self._waiting.append(go_on)
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._scheduled = False
        self.left = self._share
        try:
            for _ in range(len(self._waiting)):
                if self.left <= 0:
                    break
                self._waiting.popleft()()
        finally:  # an error of one of them must not keep the others waiting
            if self._waiting and not self._scheduled:
                self._schedule()
