"""Counts how often each session was lost since the start, how often only for moments, and for how long altogether."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from statusproxy.status.model import EVICTED, FORGOTTEN, RELEASED, STARTED, Change, Record, Release

#: Seconds. A loss that is over by then is a flap: alerts (`alerts.after`) do not tell of it by default.
FLAP: Final = 60.0

#: Sessions remembered. Beyond, the one whose numbers changed longest ago leaves: the map evicts without telling of it.
LIMIT: Final = 10_000

#: Endings that say nothing of the connection.
_BY_HAND: Final = frozenset({Release.OPERATOR.value, Release.EXPIRED.value})


class LossTotals(msgspec.Struct, frozen=True):
    """The numbers of one session since the start of the process."""

    losses: int = 0
    flaps: int = 0
    """Losses that were over within `FLAP` seconds."""
    seconds: float = 0.0
    """Time lost in losses that are over."""
    since: float | None = None
    """When the loss that lasts began, or the start of the process if that was later; None while none lasts."""

    def lost_seconds(self, now: float) -> float:
        """All time lost until `now`."""
        return self.seconds if self.since is None else self.seconds + max(0.0, now - self.since)


_NONE: Final = LossTotals()


class SessionLosses:
    """The numbers by session, for sessions that were lost at least once.

    All times are epoch seconds of the proxy's own clock. No number of a session ever falls, even where an event says
    that a loss ended earlier than now: Prometheus would take that for a restart.
    """

    def __init__(self) -> None:
        self._totals: dict[str, LossTotals] = {}

    def take_over(self, records: Iterable[Record], now: float) -> None:
        """Sessions that are lost at the start of the process: their time counts from here."""
        for record in records:
            if record.override is not None:
                self._put(record.session, LossTotals(since=now))

    def changed(self, changes: Sequence[Change], now: float) -> None:
        """Count one batch of changes, oldest first."""
        for change in changes:
            if change.what == STARTED:
                self._began(change.session, change.at, now)
            elif change.what == FORGOTTEN or change.reason == EVICTED:
                self._totals.pop(change.session, None)
            elif change.what == RELEASED:
                self._ended(change, now)

    def of(self, session: str) -> LossTotals:
        """The numbers of one session; zeros for one that was never lost."""
        return self._totals.get(session, _NONE)

    def _began(self, session: str, at: float, now: float) -> None:
        known = self.of(session)
        since = min(at, now) if known.since is None else known.since
        self._put(session, LossTotals(known.losses + 1, known.flaps, known.seconds, since))

    def _ended(self, change: Change, now: float) -> None:
        known = self.of(change.session)
        if known.since is None:
            return
        lasted = max(0.0, now - known.since)
        flap = known.losses > 0 and lasted < FLAP and change.reason not in _BY_HAND
        self._put(change.session, LossTotals(known.losses, known.flaps + flap, known.seconds + lasted))

    def _put(self, session: str, totals: LossTotals) -> None:
        self._totals.pop(session, None)  # so that the order is that of the changes
        self._totals[session] = totals
        if len(self._totals) > LIMIT:
            del self._totals[next(iter(self._totals))]
