"""The slowest pace at which a peer may send or read before it loses its place (as Kestrel's minimum data rates).

Pure arithmetic: who waits for a peer says how long it waited and what came of it.
"""

from typing import Final

#: Seconds of waiting that what came already can pay for, at most. Without this bound a fast first megabyte would pay
#: for an hour of silence. With it, a silent peer is given up 15 s after its last byte: mobile networks are seldom away
#: for longer, and a place that someone else needs is free again within 20 s.
AHEAD_LIMIT: Final = 15.0


class Pace:
    """How far one peer is ahead of the minimum rate.

    Only time spent waiting for that peer counts. During the first `grace` seconds of it nothing is asked; after that
    the peer must have kept up `rate` bytes per second on average, where at most `AHEAD_LIMIT` seconds count.
    """

    __slots__ = ("_ahead", "_grace", "_rate", "_waited")

    def __init__(self, rate: float, grace: float) -> None:
        """`rate`: bytes per second, above 0; `grace`: seconds."""
        self._rate = rate
        self._grace = grace
        self._ahead = 0.0  # seconds; negative: behind
        self._waited = 0.0

    def count(self, data: int, waited: float) -> None:
        """`data` bytes came or went after `waited` seconds of waiting for the peer."""
        self._waited += waited
        self._ahead = min(self._ahead - waited + data / self._rate, AHEAD_LIMIT)

    @property
    def left(self) -> float:
        """Seconds for which the peer may still do nothing; 0 or less: it is too slow."""
        return max(self._grace - self._waited, self._ahead)
