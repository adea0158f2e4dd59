"""The times in records and changes: moved from one clock to another, and corrected where they lie in the future.

The map goes by the proxy's own, even clock. What is stored and shown is in the system's time. Within one boot the even
clock goes on while the proxy is down, so what was stored then is exactly as old as it is, wherever the system's clock
was moved to meanwhile. Of another boot, or another machine, only the system's time tells.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from statusproxy.status.clocks import Stamp
from statusproxy.status.model import Change, Record, Transient

_NOTICEABLE: Final = 1.0
"""Seconds by which two clocks must differ for a record to be moved: below, they were merely not read together."""


def moved(record: Record, seconds: float, until: float = math.inf) -> Record:
    """The record with every moment of our own clock moved by `seconds`. Senders' own times stay.

    With `until`, only moments up to then are moved, and none of them beyond it.
    """

    if not seconds:
        return record

    def there(moment: float) -> float:
        return moment if moment > until else min(moment + seconds, until)

    def told(stamp: Stamp) -> Stamp:
        if stamp.clock is not None:
            whole = stamp.here <= until - seconds  # then without a rounding error
            return Stamp(stamp.at, stamp.clock, stamp.lag + (seconds if whole else there(stamp.here) - stamp.here))
        return Stamp(there(stamp.at)) if stamp.at else stamp

    return each_moment(record, there, told, lambda lag: lag + seconds)


def in_microseconds(record: Record) -> Record:
    """The record with every moment of our own clock, and every difference, to the microsecond.

    What is told so by one clock is told exactly so again by the way back from another that differs by a whole number
    of microseconds: proxies that exchange a record know it again.
    """
    return each_moment(record, _rounded, _rounded_stamp, _rounded, due=lambda transient: _rounded(transient.due))


def _rounded(moment: float) -> float:
    return round(moment, 6)


def _rounded_stamp(stamp: Stamp) -> Stamp:
    if stamp.clock is None:
        return Stamp(_rounded(stamp.at))
    return Stamp(stamp.at, stamp.clock, _rounded(stamp.lag))


def each_moment(
    record: Record,
    moment: Callable[[float], float],
    stamp: Callable[[Stamp], Stamp],
    lag: Callable[[float], float],
    *,
    due: Callable[[Transient], float] | None = None,
    shown: Callable[[float], float] | None = None,
) -> Record:
    """The record with each of its moments told anew; those that never were stay so. Every time field is listed here.

    `moment` tells a moment of our own clock, `stamp` one by the clock of its sender, and `lag` a sender's difference.
    A transient state is due as long after it began as before, unless `due` says when. What is only shown, and decides
    nothing, is told by `shown`, or like other moments.
    """
    shown = shown or moment

    known, alive, ended = stamp(record.known), stamp(record.alive), stamp(record.ended)
    override, transient = record.override, record.transient
    if transient is not None:
        at, began = stamp(transient.stamp), moment(transient.began)
        transient = replace(
            transient,
            since=moment(transient.since),
            at=at.at,
            lag=at.lag,
            began=began,
            due=transient.due + began - transient.began if due is None else due(transient),
        )
    if override is not None:
        at = stamp(override.stamp)
        override = replace(
            override,
            since=moment(override.since),
            at=at.at,
            lag=at.lag,
            began=moment(override.began),
            caught_up_at=None if override.caught_up_at is None else moment(override.caught_up_at),
            seen_on=tuple((source, moment(seen_at)) for source, seen_at in override.seen_on),
        )
    return replace(
        record,
        override=override,
        transient=transient,
        known_at=known.at,
        known_lag=known.lag,
        alive_at=alive.at,
        alive_lag=alive.lag,
        ended_at=ended.at,
        ended_lag=ended.lag,
        heard_at=moment(record.heard_at) if record.heard_at else record.heard_at,
        gateway_said_at=None if record.gateway_said_at is None else shown(record.gateway_said_at),
        released_at=None if record.released_at is None else shown(record.released_at),
        shown_at=None if record.shown_at is None else shown(record.shown_at),
        first_heard=moment(record.first_heard) if record.first_heard else record.first_heard,
        lags=tuple((sender, lag(difference)) for sender, difference in record.lags),
    )


def told_anew(record: Record, boot: str | None, base: float) -> tuple[Record, float | None]:
    """A stored record with its moments on a clock of this boot that has this `base`, and by how much they were moved.

    `None` where that cannot be told: the record was written in another boot, and keeps its moments.
    """
    written = record.written
    if written is not None:
        record = replace(record, written=None)
    if written is None or written.boot != boot:
        return record, None
    seconds = base - written.base - written.shift
    if abs(seconds) < _NOTICEABLE:
        return record, 0.0
    return moved(record, seconds), seconds


def moved_change(change: Change, seconds: float) -> Change:
    """The change with its moments moved by `seconds`."""
    return replace(change, at=change.at + seconds, recorded_at=change.recorded_at + seconds)


def not_after(record: Record, now: float) -> Record:
    """A stored record without moments that are still to come: the system's clock ran ahead when they were noted.

    If they stayed, all events received and all answers asked for until then would look older than what is known, and
    an override would outlive a session's return. What was learned then of the senders' clocks is off by as much.
    """
    ahead = max(record.heard_at - now, 0.0)
    return each_moment(
        record,
        lambda moment: min(moment, now),
        lambda stamp: _by(stamp, now),
        lambda lag: lag - ahead,
        shown=as_it_is,
    )


def as_it_is(moment: float) -> float:
    """The moment, or the difference, left as it is (`each_moment`)."""
    return moment


def _by(stamp: Stamp, now: float) -> Stamp:
    if stamp.here <= now:
        return stamp
    return Stamp(now) if stamp.clock is None else Stamp(stamp.at, stamp.clock, now - stamp.at)
