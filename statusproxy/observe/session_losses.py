"""Counts how often each session was lost since the start, how often only for moments, and for how long altogether."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from statusproxy.status.model import EVICTED, FORGOTTEN, RELEASED, STARTED, Change, Record, Release

#: Seconds. A loss that is over by then is a flap: alerts (`alerts.after`) do not report it by default.
FLAP: Final = 60.0

#: Sessions remembered. If there are more, the one whose numbers changed longest ago is removed: the map may evict a
#: session without reporting it.
LIMIT: Final = 10_000

#: Sessions looked at in one step: a quarter of a millisecond.
_LOOKED_AT: Final = 250

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


_NONE: Final = LossTotals()


class SessionLosses:
    """The numbers by session, for sessions that were lost at least once.

    It receives the changes, and looks at the records from time to time (`look`): what another proxy received comes as
    a record, not as a change. All times are epoch seconds of the proxy's own clock. No number of a session ever falls,
    even if an event says that a loss ended before the last look: Prometheus would treat that as a restart.
    """

    def __init__(self) -> None:
        self._totals: dict[str, LossTotals] = {}
        self._started_at = 0.0
        self._looked_at = 0.0

    def start(self, records: Iterable[Record], now: float) -> None:
        """Count from now on; `records` are those of before."""
        self._started_at = now
        self.look(records, now)

    def changed(self, changes: Sequence[Change], now: float) -> None:
        """Count one batch of changes, oldest first."""
        for change in changes:
            known = self.of(change.session)
            if change.what == STARTED:
                self._began(change.session, known, change.at, now)
            elif change.what == FORGOTTEN or change.reason == EVICTED:
                self._totals.pop(change.session, None)
            elif change.what == RELEASED and known.since is not None:
                self._ended(change.session, known.since, min(change.at, now), change.reason)

    def look(self, records: Iterable[Record], now: float) -> None:
        """Take in all records as they are now; from here on `seconds` gives the time up to this moment."""
        by_session = {record.session: record for record in records}
        for _ in self.looking(list(by_session), by_session.get, now):
            pass

    def looking(self, sessions: Sequence[str], find: Callable[[str], Record | None], now: float) -> Iterator[None]:
        """`look` in short steps; each session is found when its turn comes, since events go on meanwhile."""
        for start in range(0, len(sessions), _LOOKED_AT):
            for session in sessions[start : start + _LOOKED_AT]:
                record = find(session)
                if record is not None:
                    self._take_in(record, now)
            yield
        for session in [session for session in self._totals if find(session) is None]:
            del self._totals[session]
        self._looked_at = max(self._looked_at, now)  # another look may have begun later and ended before

    def _take_in(self, record: Record, now: float) -> None:
        known = self.of(record.session)
        if record.override is not None:
            if known.since is None:
                self._began(record.session, known, record.override.since, now)
        elif known.since is not None:
            at = now if record.released_at is None else min(record.released_at, now)
            self._ended(record.session, known.since, at, record.released)

    def of(self, session: str) -> LossTotals:
        """The numbers of one session; zeros for one that was never lost."""
        return self._totals.get(session, _NONE)

    def seconds(self, session: str) -> float:
        """All time that a session was lost, until the last look."""
        known = self.of(session)
        return known.seconds if known.since is None else known.seconds + max(0.0, self._looked_at - known.since)

    def _began(self, session: str, known: LossTotals, at: float, now: float) -> None:
        since = max(min(at, now), self._started_at) if known.since is None else known.since
        self._put(session, LossTotals(known.losses + (at >= self._started_at), known.flaps, known.seconds, since))

    def _ended(self, session: str, since: float, at: float, reason: str | None) -> None:
        known = self.of(session)
        flap = known.losses > 0 and at - since < FLAP and reason not in _BY_HAND
        seconds = known.seconds + max(0.0, max(at, self._looked_at) - since)
        self._put(session, LossTotals(known.losses, known.flaps + flap, seconds))

    def _put(self, session: str, totals: LossTotals) -> None:
        self._totals.pop(session, None)  # so that the order is that of the changes
        self._totals[session] = totals
        if len(self._totals) > LIMIT:
            del self._totals[next(iter(self._totals))]
