"""Whether the system's clock was set: seen by its distance from our own clock, which goes on evenly."""

import logging
from typing import Final

log = logging.getLogger("statusproxy.sessions")

#: Seconds by which the system's clock must have moved against our own for it to count as set.
NOTICEABLE: Final = 60.0


class ClockWatch:
    """Remembers the distance at which the system's clock was last seen."""

    __slots__ = ("_shift",)

    def __init__(self) -> None:
        self._shift = 0.0

    def was_set(self, shift: float) -> bool:
        """Whether the system's clock was set since the last look; `shift` is its lead over our own, in seconds."""
        moved_by = shift - self._shift
        if -NOTICEABLE < moved_by < NOTICEABLE:
            return False
        self._shift = shift
        log.warning(
            "the system clock was moved by %+d s; corrections do not depend on it", moved_by, extra={"moved": moved_by}
        )
        return True
