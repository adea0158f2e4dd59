"""A timer for one deadline that is moved far more often than it passes."""

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls back once its time has come, unless it was moved or cleared before.

    It keeps at most one timer. A deadline that is moved to a later time or cleared leaves the timer as it is, which
    then looks when it is due: so a connection that serves many requests makes no timer for each of them.
    """

    __slots__ = ("_at", "_loop", "_passed", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, passed: Callable[[], None]) -> None:
        """`passed` is called, with the deadline cleared, when it has passed."""
        self._loop = loop
        self._passed = passed
        self._at: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def at(self) -> float | None:
        """The loop's time at which it passes; None if no deadline is set."""
        return self._at

    def set(self, at: float) -> None:
        """Let it pass at `at` (the loop's time), and not when it would have."""
        self._at = at
        timer = self._timer
        if timer is None:
            self._timer = self._loop.call_at(at, self._due)
        elif at < timer.when():
            timer.cancel()
            self._timer = self._loop.call_at(at, self._due)

    def clear(self) -> None:
        """Let it not pass."""
        self._at = None

    def close(self) -> None:
        """Clear it, keep no timer and never call again: for the end of its owner, which is not a cycle from then on."""
        self._at = None
        self._passed = _nothing
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = None
        at = self._at
        if at is None:
            return
        if self._loop.time() < at:
            self._timer = self._loop.call_at(at, self._due)
        else:
            self._at = None
            self._passed()


def _nothing() -> None:
    """Replaces the callback of an owner that has ended."""
