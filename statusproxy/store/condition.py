"""The condition of a store: whether it takes writes, since when it has not answered one, and when to try again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from statusproxy.store.failure_log import FailureLog

__all__ = ["NOT_OPEN", "Condition", "Timing"]

NOT_OPEN: Final = "not open yet"


@dataclass(frozen=True, slots=True)
class Timing:
    """The writer's own times, in seconds. Tests shorten them; nothing else has a reason to."""

    first_retry: float = 0.25
    """Pause before the first new attempt after the store refused; it doubles with each failure …"""
    last_retry: float = 10.0
    """… up to this: when the store is back, that is how long it takes at most until it has all."""
    save_limit: float = 10.0
    """A save that is not answered for this long raises, so that webhooks are not held for ever."""
    close_limit: float = 5.0
    """How long `close` waits for the last flush; well under systemd's usual 90 s for a stop."""


class Condition:
    """Kept by the one task that writes; `clock` gives seconds, as `time.monotonic` does."""

    def __init__(
        self,
        name: str,
        timing: Timing,
        clock: Callable[[], float],
        *,
        cancellable: bool,
    ) -> None:
        """`name` is the store's; `cancellable`: a write that takes too long is cancelled, and so never stuck."""
        self.error: str | None = NOT_OPEN
        """Why the store accepts no writes."""
        self.retry_at = 0.0
        """When to try again while it takes none."""
        self._name = name
        self._timing = timing
        self._cancellable = cancellable
        self._clock = clock
        self._pause = 0.0
        self._writing_since: float | None = None
        self._log = FailureLog(clock)

    def opened(self) -> None:
        """The store was opened, and takes writes as far as is known."""
        self.error = None

    def begin_write(self) -> None:
        """A write is under way."""
        self._writing_since = self._clock()

    def end_write(self) -> None:
        """It has ended, well or not."""
        self._writing_since = None

    def failed(self, error: str) -> int | None:
        """A write failed: the next is due after a pause. What is given is for the log, as `FailureLog.fails` gives it.

        The pause doubles with each failure.
        """
        self.error = error
        self._pause = min(self._pause * 2 or self._timing.first_retry, self._timing.last_retry)
        self.retry_at = self._clock() + self._pause
        return self._log.fails(error)

    def unanswered(self, error: str) -> int | None:
        """A write has not been answered for too long and goes on; what is given is for the log, as for `failed`."""
        return self._log.fails(error)

    def works(self) -> bool:
        """A write succeeded. Returns whether that must be logged."""
        self.error = None
        self._pause = 0.0
        return self._log.works()

    @property
    def stuck(self) -> str | None:
        """That the write under way has not been answered for too long, if so."""
        since, limit = self._writing_since, self._timing.save_limit
        if since is None or self._cancellable or self._clock() - since < limit:
            return None
        return f"no answer: {self._name}: the disk has not answered for {limit:g} s"
