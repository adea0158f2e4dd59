"""Detects that webhooks have stopped: a silence that is long compared with the gaps before it.

No event tells that events have stopped. A site with a few dozen contacts makes some presence events a minute, at all
hours, so that a quarter of an hour without any says much there; on a quiet site an hour may say nothing.
"""

import logging
from typing import Final

log = logging.getLogger("statusproxy.sessions")

#: Arrivals before a rhythm is known.
KNOWN_AFTER: Final = 20

#: A silence is long when it lasts this many times the longest gap before it, and at least so many seconds.
TIMES: Final = 20.0
SHORTEST: Final = 900.0

#: Seconds after which any silence is worth a look.
LONGEST: Final = 3600.0

#: What is left of the longest gap with each arrival, so that it is that of the last hundreds.
_FADING: Final = 0.995


class Rhythm:
    """The rhythm of arrivals. Recording one costs two comparisons.

    Its clock must be one that nobody sets, such as the proxy's own: a step would count as a gap.
    """

    __slots__ = ("count", "gap", "last")

    def __init__(self) -> None:
        self.count = 0
        self.gap = 0.0
        """The longest gap between the last arrivals, in seconds."""
        self.last = 0.0
        """When the last one came, in seconds of the clock that `came` was told."""

    def came(self, now: float) -> None:
        """It came once more."""
        if self.count:
            gap, faded = now - self.last, self.gap * _FADING
            if gap < faded:
                gap = faded
            self.gap = gap
        self.count += 1
        self.last = now


def patience(count: int, gap: float) -> float:
    """Seconds of silence after which what came `count` times, at most `gap` seconds apart, has stopped coming."""
    if count < KNOWN_AFTER:
        return LONGEST
    return min(max(TIMES * gap, SHORTEST), LONGEST)


class SilenceWatch:
    """Logs that webhooks have stopped coming, and that they come again: one line each."""

    def __init__(self) -> None:
        self._since: float | None = None

    def look(self, rhythm: Rhythm, now: float) -> None:
        """Look at the time `now` of the rhythm's clock, some times a minute."""
        silent = now - rhythm.last
        if self._since is None and rhythm.count and silent > patience(rhythm.count, rhythm.gap):
            self._since = rhythm.last
            log.warning(
                "no webhook for %d min; the %d before were at most %d s apart; statusproxy doctor says what to look at",
                silent / 60,
                rhythm.count,
                rhythm.gap,
                extra={"silent": round(silent), "webhooks": rhythm.count},
            )
        elif self._since is not None and rhythm.last > self._since:
            log.warning(
                "webhooks arrive again after %d min",
                (rhythm.last - self._since) / 60,
                extra={"silent": round(rhythm.last - self._since)},
            )
            self._since = None
