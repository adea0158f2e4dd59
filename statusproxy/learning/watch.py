"""Learning from the traffic of a running proxy: for a while, bounded in work and memory, and never an error for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Final

from statusproxy.status.fields import Path, parse

if TYPE_CHECKING:
    from statusproxy.learning.observation import Observation

log = logging.getLogger("statusproxy.learning")

LARGEST_EVENT: Final = 64 * 1024
"""Bytes of an event that is read: one about a connection is small, a larger one carries media."""

LARGEST_ANSWER: Final = 128 * 1024
"""Bytes of an answer that is read: a list of some hundred sessions, parsed within some milliseconds."""

_SMALL: Final = 8 * 1024
_MOST_LARGE: Final = 2
"""Documents that are looked at of a body beyond `_SMALL` bytes: some milliseconds each, with any content."""

PER_SECOND: Final = 100
"""Events, and a tenth as many answers, that are looked at in a second: at most some percent of its time."""

_ANSWER: Final = 10
"""What an answer counts for, in events."""


class Watch:
    """Whether learning is on, until when, and what it has learned. Costs one look at `on` while it is off."""

    def __init__(self, wall: Callable[[], float]) -> None:
        """`wall` gives the system's epoch seconds."""
        self.on = False
        self.started: float | None = None
        """When it was last started; None where it never was."""
        self.until = 0.0
        """When it ends, or ended, by itself or by `stop`."""
        self.skipped = 0
        """Events and answers that were not looked at: too many in a second, too large, or not readable."""
        self.failure: str | None = None
        """The kind of error that ended it, if one did."""
        self._wall = wall
        self._seen: Observation | None = None
        self._second = 0
        self._budget = 0

    def start(self, seconds: float) -> None:
        """Begin again; what was learned before is forgotten."""
        # Imported when it is asked for, all of it at once: most services never learn.
        from statusproxy.learning import draft, unpack  # noqa: F401
        from statusproxy.learning.notation import number
        from statusproxy.learning.observation import Observation

        self._seen = Observation()
        self.started = self._wall()
        self.until = self.started + seconds
        self.skipped, self.failure, self.on = 0, None, True
        span = number(round(seconds / 60), "minute")
        log.info("learning from the traffic for %s", span, extra={"seconds": round(seconds)})

    def stop(self) -> bool:
        """End it and forget what was learned; False where there was nothing to end."""
        known = self._seen is not None
        if self.on:
            self._end("stopped")
        self._seen = None
        return known

    @property
    def running(self) -> bool:
        """Whether it learns now."""
        if self.on and self._wall() >= self.until:
            self._end("time is up")
        return self.on

    @property
    def counts(self) -> tuple[int, int]:
        """How many events and answers were taken in."""
        seen = self._seen
        return (0, 0) if seen is None else (seen.events, sum(each.answers for each in seen.answers.routes.values()))

    def draft(self, known: Collection[Path]) -> Iterator[str] | None:
        """The draft preset by what was learned, in pieces; None where it was never started, or stopped.

        Between two pieces others may run, and events may come. `known` as for `draft.pieces`.
        """
        if self._seen is None:
            return None
        from statusproxy.learning.draft import pieces

        return pieces(self._seen, known)

    def event(self, body: bytes, path: str) -> None:
        """A trusted webhook came on this path. Never raises."""
        if not self._may_look(1):
            return
        from statusproxy.learning.unpack import MOST, unpack

        try:
            most = MOST if len(body) <= _SMALL else _MOST_LARGE
            unpacked = unpack(body, most) if len(body) <= LARGEST_EVENT else None
            if unpacked is None:
                self.skipped += 1
                return
            for document in unpacked.documents:
                assert self._seen is not None
                self._seen.event(document, path, unpacked.form, self._wall())
        except Exception as error:  # noqa: BLE001 - the request goes on all the same
            self._fail(error)

    def answer(self, body: bytes, target: str, *, configured: bool = False) -> None:
        """A GET was answered with JSON. `target` is its path, or the route of the configuration. Never raises."""
        if not self._may_look(_ANSWER):
            return
        try:
            document = parse(body) if len(body) <= LARGEST_ANSWER else None
            if document is None:
                self.skipped += 1
                return
            assert self._seen is not None
            self._seen.answer(target, document, written=configured)
        except (ValueError, RecursionError):
            self.skipped += 1
        except Exception as error:  # noqa: BLE001 - the request goes on all the same
            self._fail(error)

    def _may_look(self, cost: int) -> bool:
        if not self.running:
            return False
        second = int(self._wall())
        if second != self._second:
            self._second, self._budget = second, PER_SECOND
        if self._budget < cost:
            self.skipped += 1
            return False
        self._budget -= cost
        return True

    def _end(self, why: str) -> None:
        self.on = False
        self.until = min(self.until, self._wall())
        log.info("learning has ended: %s", why)

    def _fail(self, error: Exception) -> None:
        # Its text may hold what the traffic said.
        self.failure = type(error).__name__
        log.error("learning ended with an error: %s", self.failure)
        self.on = False
        self.until = min(self.until, self._wall())
