"""A bell for a task that sleeps until something comes or something is due."""

import asyncio
import time
from typing import Final

__all__ = ["Alarm"]

_NEVER: Final = float("inf")


class Alarm:
    """Rings when it is told to, and at a time. For one task that sleeps and many that ring."""

    def __init__(self) -> None:
        self._bell = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._set_for = _NEVER

    def ring(self) -> None:
        """Wake the sleeper, or have it not fall asleep."""
        self._bell.set()

    async def sleep(self, due: float) -> None:
        """Sleep until it rings, at the latest at a time (as `time.monotonic` counts; infinite: no such time).

        It may ring too soon: whoever is woken looks at what is due.
        """
        self._bell.clear()
        # A timer that comes sooner stays: setting one costs more than waking in vain.
        if due < self._set_for:
            self.stop()
            self._set_for = due
            self._timer = asyncio.get_running_loop().call_later(due - time.monotonic(), self._timed)
        await self._bell.wait()

    def stop(self) -> None:
        """Forget the time."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._set_for = None, _NEVER

    def _timed(self) -> None:
        self.stop()
        self.ring()
