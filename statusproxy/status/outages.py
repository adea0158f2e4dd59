"""Outages as records: the lines of history paired, each loss with its end.

Lines come as several proxies wrote them: one may be missing (pruned), double, or late. So a session's outages are found
from all of its lines together: a loss lasts from the first line that reports it to the first that ends it, and outages
that would overlap are one. Outages of one session never overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from statusproxy.status.model import FORGOTTEN, RELEASED, REPEATED, STARTED, Change, Record

UNKNOWN: Final = "unknown"
"""How an outage ended (`Outage.released`) of which no line says so, though the session is not lost any more."""


class Outage(msgspec.Struct, frozen=True):
    """One loss of a session's connection. Times are epoch seconds, of the lines' own clock."""

    session: str
    since: float
    """When it was lost."""
    until: float | None = None
    """When it ended; None while it lasts."""
    reason: str | None = None
    """The event that reported it."""
    word: str | None = None
    """The state word of that event; None if it had none."""
    gateway_said: str | None = None
    """What the gateway claimed at that time."""
    released: str | None = None
    """How it ended: a `Release`, `EVICTED`, `FORGOTTEN` or `UNKNOWN`; None while it lasts."""
    released_by: str | None = None
    """Who ended it by hand, as far as they said so."""
    began_before: bool = False
    """Its beginning is not in the history any more: it began at `since` or before."""

    def seconds(self, now: float) -> float:
        """How long it lasted; up to `now` while it lasts."""
        return max(0.0, (now if self.until is None else self.until) - self.since)


def standing(record: Record) -> Outage | None:
    """The outage that a record of the map describes; None if the session is not lost now."""
    override = record.override
    if override is None:
        return None
    return Outage(record.session, override.since, None, override.event, override.word, record.gateway_said)


def outages(changes: Iterable[Change], now_lost: Mapping[str, Outage] | None = None) -> list[Outage]:
    """The outages that these lines report, the newest first.

    Lines may come in any order; those that were written at the same moment come newest first, as a store gives them.

    `now_lost` has the outage of each session that is lost now, as the map knows it; without it the lines alone tell.
    """
    pairing = Pairing(now_lost)
    found: list[Outage] = []
    for change in sorted(changes, key=_written, reverse=True):
        found += pairing.take(change)
    return sorted([*found, *pairing.rest()], key=newest_first)


def newest_first(outage: Outage) -> tuple[float, str]:
    """The order in which outages are listed."""
    return -outage.since, outage.session


def cause(reason: str) -> tuple[str, str | None]:
    """The event and the word that a line's reason names (`effects.cause`)."""
    event, _, word = reason.partition(" ")
    return event, word or None


class Pairing:
    """Pairs lines that come newest first. It holds one outage for each session at most.

    A session's outage is whole once an earlier end of the same session comes, or there are no more lines.
    """

    __slots__ = ("_found", "_lacking", "_now_lost")

    def __init__(self, now_lost: Mapping[str, Outage] | None = None) -> None:
        """`now_lost`: as in `outages`."""
        self._now_lost = now_lost
        self._found: dict[str, Outage] = {} if now_lost is None else dict(now_lost)
        self._lacking: set[str] = set()

    @property
    def lacking(self) -> int:
        """How many sessions have an outage whose beginning has not come yet."""
        return len(self._lacking)

    def has(self, session: str) -> bool:
        """Whether an outage of this session may still begin earlier than is known."""
        return session in self._found

    def take(self, change: Change) -> tuple[Outage, ...]:
        """Take in the next line; give the outage that is whole by that."""
        session, before = change.session, self._found.get(change.session)
        if change.what in (STARTED, REPEATED):
            if change.what == STARTED:
                self._lacking.discard(session)
            elif before is None:
                self._lacking.add(session)
            self._found[session] = self._begun(change, before)
            return ()
        ended = _ended(change)
        if before is None or _is_end_only(before):
            self._found[session] = ended if before is None else _ended_by(ended, before.since)
        elif before.since < change.at:
            return ()  # another proxy's line, which comes late: the outages are one
        else:
            self._found[session] = ended
        if change.what == RELEASED:
            self._lacking.add(session)
        return (before,) if before is not None and not _is_end_only(before) else ()

    def rest(self) -> list[Outage]:
        """What is left when there are no more lines."""
        return list(self.left())

    def left(self) -> Iterator[Outage]:
        """As `rest`, found as this is gone through: the history may have lines of very many sessions."""
        self._lacking.clear()
        while self._found:
            _, one = self._found.popitem()
            if one.released != FORGOTTEN or not _is_end_only(one):
                yield _in_doubt(one)

    def _begun(self, change: Change, before: Outage | None) -> Outage:
        """The outage that this line reports. It begins no later than `before`, which later lines reported, if any."""
        if before is None:
            before = self._still(Outage(change.session, change.at))
            unsure = True
        else:
            unsure = before.began_before or _is_end_only(before)
        event, word = cause(change.reason)
        return replace(
            before,
            since=min(before.since, change.at),
            reason=event,
            word=word,
            gateway_said=change.gateway_said or before.gateway_said,
            began_before=unsure and change.what != STARTED,
        )

    def _still(self, outage: Outage) -> Outage:
        """An outage of which no line tells the end: where the map knows of no loss, it is over."""
        if self._now_lost is None or outage.session in self._now_lost:
            return outage
        return replace(outage, until=outage.since, released=UNKNOWN)


def _written(change: Change) -> float:
    return change.recorded_at


def _ended(change: Change) -> Outage:
    """An outage of which only the end is known."""
    released = change.reason if change.what == RELEASED else FORGOTTEN
    said, by = change.gateway_said, change.by
    return Outage(change.session, change.at, change.at, gateway_said=said, released=released, released_by=by)


def _ended_by(ended: Outage, latest: float) -> Outage:
    """The end of an outage for which a later line tells one, too: the first counts."""
    moment = min(ended.since, latest)
    return replace(ended, since=moment, until=moment)


def _is_end_only(outage: Outage) -> bool:
    return outage.reason is None


def _in_doubt(outage: Outage) -> Outage:
    return replace(outage, began_before=True) if _is_end_only(outage) else outage
