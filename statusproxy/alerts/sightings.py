"""What is wrong now: lost sessions, as the registry knows them, and what the proxy itself needs and does not get.

Sessions are taken from the map at each look, so nothing can be missed. One whose id is spelt in several ways is one
session, as on the status page. The times in the map are of the proxy's own clock; here they are the system's.
"""

import asyncio
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, Protocol

from msgspec.structs import replace

from statusproxy.alerts.values import Ending, Outage, Told, Topic, outage_key
from statusproxy.observe.counted import counted
from statusproxy.status.model import FORGOTTEN, Record

__all__ = ["Conditions", "Sessions", "SpoolVitals", "Vitals", "endings", "lost_sessions"]

#: Sessions looked at before others have their turn; some 20 µs each.
_AT_ONCE: Final = 100

#: Seconds for which an event may wait, or a receiver be away, before the spool is stuck: longer than a restart or an
#: upgrade of the gateway takes.
STUCK: Final = 600.0


class _Word(Protocol):
    """What the gateway last said of a session (`registry.gateway_view.Word`)."""

    @property
    def said(self) -> str:
        """Its own word."""

    @property
    def at(self) -> float:
        """When, epoch seconds."""


class _Map(Protocol):
    """The map of sessions (`status.sessions.SessionMap`)."""

    def lost(self) -> list[str]:
        """The ids, as events spell them, for which a correction is in force."""


class _Kin(Protocol):
    """The records of one session (`registry.session_rows.Kin`), in the times of the proxy's own clock."""

    @property
    def session(self) -> str:
        """Its id."""

    @property
    def record(self) -> Record:
        """The one that decides."""

    @property
    def records(self) -> list[Record]:
        """That of each spelling."""


class _Rows(Protocol):
    """Which ids are one session (`registry.session_rows.SessionRows`)."""

    async def read(self) -> None:
        """Read the gateway's last lists."""

    def kin(self, session: str, /) -> _Kin | None:
        """The records of the session that this id means."""


class Sessions(Protocol):
    """What alerts ask of the registry (`registry.registry.SessionRegistry`)."""

    @property
    def sessions(self) -> _Map:
        """The map."""

    @property
    def rows(self) -> _Rows:
        """Which ids of the map are one session."""

    @property
    def has_overrides(self) -> bool:
        """Whether any session is lost."""

    def in_system_time(self, record: Record) -> Record:
        """A record in the system's time."""

    def gateway_word(self, session: str) -> _Word | None:
        """The gateway's last word for a session, in the system's time."""


async def lost_sessions(registry: Sessions, told: Collection[str] = ()) -> list[Outage]:
    """Every session that is lost now. Thousands take several turns of the event loop.

    `told` are the keys of the outages that were reported: one goes on under the id under which it was.
    """
    if not registry.has_overrides:
        return []
    await registry.rows.read()
    outages: list[Outage] = []
    seen: set[str] = set()
    for number, spelling in enumerate(registry.sessions.lost()):
        if number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
        if spelling in seen:
            continue
        kin = registry.rows.kin(spelling)
        if kin is None:  # forgotten meanwhile
            continue
        spellings = [record.session for record in kin.records]
        seen.update(spellings)
        if kin.record.override is None:  # another spelling knows that it is over
            continue
        outage = _outage(registry, kin)
        names = [one for one in spellings if outage_key(one) in told] or [kin.session]
        outages += [outage if one == outage.session else replace(outage, session=one) for one in names]
    return outages


def _outage(registry: Sessions, kin: _Kin) -> Outage:
    """The outage lasts since the first spelling was lost, and is told by the event that decides what is shown."""
    record = registry.in_system_time(kin.record)
    override, word = record.override, registry.gateway_word(record.session)
    assert override is not None
    since = override.since
    if len(kin.records) > 1:
        since = min(one.override.since for one in map(registry.in_system_time, kin.records) if one.override is not None)
    newer = word is not None and word.at > (record.gateway_said_at or 0.0)
    return Outage(
        topic=Topic.LOST,
        since=since,
        session=kin.session,
        event=override.event,
        word=override.word,
        gateway_said=word.said if word is not None and newer else record.gateway_said,
    )


async def endings(registry: Sessions, told: Iterable[Told], now: float) -> dict[str, Ending]:
    """How outages of sessions that were told have ended, by `Outage.key`; also of those that are lost again."""
    found: dict[str, Ending] = {}
    for number, one in enumerate(told):
        if number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
        session, since = one.outage.session, one.outage.since
        if session is None:
            continue
        kin = registry.rows.kin(session)
        if kin is None:
            found[one.outage.key] = Ending(now, FORGOTTEN)
            continue
        record = max(kin.records, key=_released_at)
        if record.released_at:
            record = registry.in_system_time(record)
            at = _released_at(record)
            if at > since or since > now:  # the latter: the clock was set back since
                found[one.outage.key] = Ending(at, None if record.released is None else record.released.value)
    return found


def _released_at(record: Record) -> float:
    return record.released_at or 0.0


class SpoolVitals(NamedTuple):
    """What the spool holds; times in epoch seconds."""

    unknown: int = 0
    dead: int = 0
    waiting: int = 0
    waiting_since: float | None = None
    """When the oldest event that waits came."""
    away_since: float | None = None
    """Since when a receiver takes nothing; the longest, of several."""


class Vitals(NamedTuple):
    """How things stand beside the sessions; times in epoch seconds."""

    gateway: str | None = None
    """Why it cannot be reached; None while it can."""
    store: str | None = None
    """Why the state accepts no writes; None while it does."""
    silent_since: float | None = None
    """When the last webhook came, where the silence since then is long; else None."""
    spool: SpoolVitals | None = None
    unsure: frozenset[Topic] = frozenset()
    """Of what nothing can be said now: it may last on, or be over."""


class Conditions:
    """Remembers since when each condition lasts, on the proxy's own clock: the system's may be set meanwhile."""

    def __init__(self) -> None:
        self._since: dict[Topic, float] = {}

    def outages(self, vitals: Vitals, now: float, shift: float = 0.0) -> list[Outage]:
        """What is wrong at `now`, in the system's epoch seconds. They are `shift` ahead of the proxy's own clock."""
        reasons: dict[Topic, str] = {}
        if vitals.gateway is not None:
            reasons[Topic.GATEWAY_DOWN] = vitals.gateway
        if vitals.store is not None:
            reasons[Topic.STORE] = vitals.store
        if vitals.silent_since is not None:
            self._since.setdefault(Topic.WEBHOOKS_SILENT, vitals.silent_since - shift)
            reasons[Topic.WEBHOOKS_SILENT] = "no webhook comes in"
        stuck = None if vitals.spool is None else _stuck(vitals.spool, now)
        if stuck is not None:
            reasons[Topic.SPOOL] = stuck
        self._since = {topic: self._since.get(topic, now - shift) for topic in reasons}
        return [
            Outage(topic=topic, since=self._since[topic] + shift, reason=reason) for topic, reason in reasons.items()
        ]


def _stuck(spool: SpoolVitals, now: float) -> str | None:
    """Why an operator must look at the spool; None where everything goes on by itself."""
    parts: list[str] = []
    waited = 0.0 if spool.waiting_since is None else now - spool.waiting_since
    away = 0.0 if spool.away_since is None else now - spool.away_since
    if max(waited, away) > STUCK:
        parts.append(f"{counted(spool.waiting, 'event waits', 'events wait')} to be delivered")
    if spool.unknown:
        parts.append(f"{counted(spool.unknown, 'event was', 'events were')} sent and not answered")
    if spool.dead:
        parts.append(f"{counted(spool.dead, 'event is', 'events are')} refused each time")
    return "; ".join(parts) or None
