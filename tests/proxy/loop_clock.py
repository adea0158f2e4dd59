"""The event loop's clock with a hand for the test: what depends on time passing is tried without waiting for it."""

import asyncio
import time
from typing import Final

#: Turns of the loop in which everybody takes what lies ready for them: a read, what it wakes, what that writes, twice.
_TURNS: Final = 12

#: Seconds that a clock shows which stands still.
_STILL: Final = 1000.0


class LoopClock:
    """Goes as the real one does, and further where the test says so.

    A test gives a limit of seconds and moves the clock by a part of it. How long the machine itself takes for a step
    is then far from the limit, however busy it is.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """The clock of `loop`, which must be one of asyncio's own: uvloop's timers know no other clock."""
        self._ahead = 0.0
        self._real = loop.time
        loop.time = lambda: self._real() + self._ahead  # type: ignore[method-assign]

    def stand_still(self) -> None:
        """Go only where the test says so: exact to the second, for tests in which nothing but the test sets timers.

        From the same moment on every machine: how sums of seconds are rounded depends on how long it has been running.
        """
        self._ahead, self._real = 0.0, lambda: _STILL

    async def move(self, seconds: float) -> None:
        """Have what was sent arrive, then let so much time pass, and have what that causes happen."""
        await self._settle()
        self._ahead += seconds
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        # A busy kernel delivers on loopback, too, only when we let go of the processor. Our own clock may stand still.
        time.sleep(0.001)  # noqa: ASYNC251
        for _ in range(_TURNS):
            await asyncio.sleep(0)
