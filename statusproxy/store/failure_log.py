"""Rate limiting of a store's failures in the log: a disk that is full repeatedly is one line per minute."""

import time
from collections.abc import Callable
from typing import Final

from statusproxy.observe.counted import counted

__all__ = ["QUIET", "FailureLog", "times"]

#: Seconds in which the same error is told once, however often it comes and goes.
QUIET: Final = 60.0

#: How many errors are distinguished; a store has a handful.
_TOLD_APART: Final = 32


class FailureLog:
    """Decides for one store. A failure that was kept back and lasts is told once its minute is over."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._now: str | None = None
        self._told: str | None = None
        self._said_at: dict[str, float] = {}
        self._kept_back: dict[str, int] = {}

    def fails(self, error: str) -> int | None:
        """An attempt failed. If it must be logged now: how often this error came since its last line; else None."""
        if error == self._told:
            return None
        came, self._now = error != self._now, error
        if self._clock() - self._said_at.get(error, float("-inf")) < QUIET:
            self._kept_back[error] = self._kept_back.get(error, 0) + came
            return None
        if len(self._said_at) >= _TOLD_APART:
            self._said_at.clear()
            self._kept_back.clear()
        self._told = error
        self._said_at[error] = self._clock()
        return self._kept_back.pop(error, 0)

    def works(self) -> bool:
        """An attempt succeeded. Returns whether that must be logged: it must if the error before it was logged."""
        told, self._told, self._now = self._told, None, None
        return told is not None


def times(kept_back: int) -> str:
    """The end of a line about an error that came `kept_back` times without one."""
    return f" (and {counted(kept_back, 'time')} since this was last logged)" if kept_back else ""
