"""When each session was lost, for the figures of page, metrics and reports: kept current by what changes.

At the start it is filled from the store's history, in the background and in small steps. An outage that is reported
twice, by the history and by a later event, or by several proxies, counts once: outages that overlap are one. Times are
in the system's time, as in the history.
"""

import asyncio
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple

import msgspec

from statusproxy.clock import OwnClock
from statusproxy.status.model import REPEATED, STARTED, Change, Record
from statusproxy.status.outages import Outage, Pairing, standing
from statusproxy.status.stored_times import moved
from statusproxy.status.uptime import DAY, Figures, Outages, Share, figures, months, united
from statusproxy.store.base import Store

log = logging.getLogger("statusproxy.sessions")

#: Outages kept of one session, and of all. Beyond that a session's oldest go, and its time begins after them.
MOST_OF_ONE: Final = 2_000
MOST: Final = 200_000

#: Sessions kept that were lost once; those beyond are not lost now.
MOST_SESSIONS: Final = 20_000

#: Seconds after which a history that could not be read is asked for again.
READ_AGAIN: Final = 60.0

#: Outages taken over before others have their turn.
AT_ONCE: Final = 250


class OutageLedger:
    """The outages of each session; a subscriber of changes."""

    def __init__(self, clock: OwnClock, history_days: float | None = 90) -> None:
        """`history_days`: how long the store keeps history, None for ever."""
        self._clock = clock
        self._days = math.inf if history_days is None else history_days
        self._sessions: dict[str, _Session] = {}
        self._count = 0
        self._begun_at = clock.wall()
        self._cut = -math.inf
        self._filling: asyncio.Task[None] | None = None
        self.filled = False
        """Whether the history has been taken over; until then only the time since the start is known."""
        self.version = 0
        """Counts what alters the figures of all sessions at once."""

    # ---- what changes ----

    def open(self, store: Store, records: Iterable[Record]) -> None:
        """Take over the sessions that are lost at the start, and begin to read the history; `records` are the map's."""
        known = {record.session: moved(record, self._clock.shift) for record in records}
        for record in known.values():
            if record.override is not None:
                self._lost(record.session, record.override.since)
        self._filling = asyncio.create_task(self._fill(store, known), name="statusproxy-history")

    async def close(self) -> None:
        """Read no more."""
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.wait([self._filling])

    def changed(self, changes: Sequence[Change], now: float) -> None:
        """Take in what changed here (`Subscriber`)."""
        shift = self._clock.shift
        for change in changes:
            at = change.at + shift
            if change.what in (STARTED, REPEATED):
                self._lost(change.session, at)
            else:
                self._back(change.session, at)

    def taken_over(self, session: str, record: Record | None, now: float) -> None:
        """Another proxy changed this session; `record` is what is known now, None where it was forgotten."""
        shift, known = self._clock.shift, self._sessions.get(session)
        lost_since = None if known is None else known.outages.open_since
        override = None if record is None else record.override
        ended = (record.released_at if record is not None else None) or now
        if lost_since is not None and (override is None or lost_since < ended + shift <= override.since + shift):
            self._back(session, ended + shift)
        if override is not None:
            self._lost(session, override.since + shift)

    # ---- the history ----

    async def _fill(self, store: Store, records: Mapping[str, Record]) -> None:
        """Take the history over; asked for again while the store cannot be read."""
        while not self.filled:
            try:
                await self._read(store, records)
            except Exception as error:  # noqa: BLE001 - figures are missing, and the traffic goes on
                log.warning("the history cannot be read to compute uptime: %s; it is tried again", error)
                await asyncio.sleep(READ_AGAIN)

    async def _read(self, store: Store, records: Mapping[str, Record]) -> None:
        lost = {session: one for session, record in records.items() if (one := standing(record)) is not None}
        pairing = Pairing(lost)
        count, oldest = 0, math.inf
        async with aclosing(store.history_pages(None, self._kept_from())) as pages:
            async for page in pages:
                for change in page:
                    count, oldest = count + 1, min(oldest, change.recorded_at)
                    self._noted(change)
                    self._take(pairing.take(change), records)
                await asyncio.sleep(0)
        if count >= store.history_rows:
            self._cut = oldest  # what was before was pushed out
        left = pairing.rest()
        for start in range(0, len(left), AT_ONCE):
            self._take(left[start : start + AT_ONCE], records)
            await asyncio.sleep(0)
        self.filled = True
        self.version += 1

    def _take(self, outages: Iterable[Outage], records: Mapping[str, Record]) -> None:
        for one in outages:
            if one.until is None:
                continue  # it is known as lost now
            since = one.since
            if one.began_before and self._kept_from() > -math.inf:
                record = records.get(one.session)
                since = min(since, max(self._kept_from(), record.first_heard if record is not None else since))
            self._add(self._of(one.session), since, one.until)

    def _noted(self, change: Change) -> None:
        known = self._of(change.session)
        known.oldest = min(known.oldest, change.at)

    # ---- figures ----

    def figures(self, record: Record, spellings: Sequence[str] = ()) -> Figures:
        """The last 90 days of a session, up to now. `record` is in the system's time.

        `spellings` are the ids under which its events came, if there are others than the record's.
        """
        known = self._known(record, spellings)
        return figures(known.outages, known.known_from, known.first_heard, self._clock.wall())

    def monthly(self, record: Record, spellings: Sequence[str], count: int) -> Iterator[tuple[str, Share]]:
        """The last calendar months of a session of which something is known, this one first."""
        now, known = self._clock.wall(), self._known(record, spellings)
        outages = _NEVER if known.outages is None else known.outages
        for month, begins, ends in months(count, now) if known.known_from is not None else ():
            assert known.known_from is not None
            share = outages.share(max(begins, known.known_from), ends, now)
            if share.known_seconds > 0:
                yield month, share

    def mark(self, spellings: Sequence[str]) -> tuple[object, ...]:
        """Differs where a session's figures may differ: a new day, a loss or its end, each minute that it lasts."""
        now = self._clock.wall()
        known = [one for name in spellings if (one := self._sessions.get(name)) is not None]
        lost = any(one.outages.open_since is not None for one in known)
        return self.version, now // DAY, sum(one.version for one in known), now // 60 if lost else None

    def _known(self, record: Record, spellings: Sequence[str]) -> "_Known":
        """What is known of a session under all its spellings."""
        names = spellings or (record.session,)
        told = [one for name in names if (one := self._sessions.get(name)) is not None]
        first_heard = min((at for at in (record.first_heard, *(one.oldest for one in told)) if at), default=math.inf)
        if first_heard == math.inf:
            return _Known(None, None, None)
        start = self._kept_from() if self.filled else self._begun_at
        known_from = max(first_heard, start, self._cut, *(one.dropped_until for one in told))
        lost = [one.outages for one in told if not one.is_empty]
        return _Known(first_heard, known_from, lost[0] if len(lost) == 1 else united(lost) if lost else None)

    def _kept_from(self) -> float:
        return self._clock.wall() - self._days * DAY

    # ---- the outages ----

    def _of(self, session: str) -> "_Session":
        known = self._sessions.get(session)
        if known is None:
            known = self._sessions[session] = _Session()
            if len(self._sessions) > MOST_SESSIONS:
                self._make_room(session)
        return known

    def _make_room(self, session: str) -> None:
        """Forget the session that came first of those that are not lost now."""
        for name, known in self._sessions.items():
            if name != session and known.outages.open_since is None:
                self._count -= len(known.outages)
                del self._sessions[name]
                return

    def _lost(self, session: str, since: float) -> None:
        known = self._of(session)
        if known.outages.open_since is None:
            known.outages.open_since = since
            known.oldest = min(known.oldest, since)
            known.version += 1

    def _back(self, session: str, until: float) -> None:
        known = self._sessions.get(session)
        since = None if known is None else known.outages.open_since
        if known is not None and since is not None:
            known.outages.open_since = None
            self._add(known, since, until)

    def _add(self, known: "_Session", since: float, until: float) -> None:
        outages, before = known.outages, len(known.outages)
        outages.add(since, until)
        outages.drop_before(self._kept_from())
        self._count += len(outages) - before
        while len(outages) > 1 and (len(outages) > MOST_OF_ONE or self._count > MOST):
            known.dropped_until = outages.drop_oldest()
            self._count -= 1
        known.version += 1


class _Session(msgspec.Struct, eq=False, gc=False):
    """What the ledger holds of one session; as little work for the garbage collector as its outages."""

    outages: Outages = msgspec.field(default_factory=Outages)
    oldest: float = math.inf
    """The oldest moment that a line reports."""
    dropped_until: float = -math.inf
    version: int = 0

    @property
    def is_empty(self) -> bool:
        return not self.outages and self.outages.open_since is None


class _Known(NamedTuple):
    first_heard: float | None
    known_from: float | None
    outages: Outages | None
    """None if it was never lost."""


_NEVER: Final = Outages()
