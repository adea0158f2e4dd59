"""A wake-up signal for one sleeping task: set by other code, or by a time that is due."""

import asyncio
import time
from typing import Final

__all__ = ["Alarm"]

_NEVER: Final = float("inf")


class Alarm:
    """A wake-up signal, set by `ring` or at a time. One task sleeps, any number ring."""

    def __init__(self) -> None:
        self._bell = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._set_for = _NEVER

    def ring(self) -> None:
        """Wake the sleeping task, or end its next sleep at once."""
        self._bell.set()

    async def sleep(self, due: float) -> None:
        """Sleep until `ring` is called or `due` has come (a time of `time.monotonic`; infinite: until `ring` alone).

        It may return early: the caller checks what is due.
        """
        self._bell.clear()
        # An earlier timer stays: setting one costs more than waking in vain.
        if due < self._set_for:
            self.stop()
            self._set_for = due
            self._timer = asyncio.get_running_loop().call_later(due - time.monotonic(), self._timed)
        await self._bell.wait()

    def stop(self) -> None:
        """Cancel the timer that `sleep` set."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._set_for = None, _NEVER

    def _timed(self) -> None:
        self.stop()
        self.ring()
