"""The times in records and changes: moved from one clock to another, and put right where they are still to come.

The map goes by the proxy's own, even clock. What is stored and shown is in the system's time.
"""

from __future__ import annotations

from msgspec.structs import replace

from statusproxy.status.clocks import Stamp
from statusproxy.status.model import Change, Record


def moved(record: Record, seconds: float) -> Record:
    """The record with every moment of our own clock moved by `seconds`. Senders' own times stay."""
    known, alive, override = _moved(record.known, seconds), _moved(record.alive, seconds), record.override
    if override is not None:
        at = _moved(override.stamp, seconds)
        override = replace(
            override,
            since=override.since + seconds,
            at=at.at,
            lag=at.lag,
            began=override.began + seconds,
            caught_up_at=_plus(override.caught_up_at, seconds),
            seen_on=tuple((source, moment + seconds) for source, moment in override.seen_on),
        )
    return replace(
        record,
        override=override,
        known_at=known.at,
        known_lag=known.lag,
        alive_at=alive.at,
        alive_lag=alive.lag,
        heard_at=record.heard_at + seconds if record.heard_at else record.heard_at,
        gateway_said_at=_plus(record.gateway_said_at, seconds),
        released_at=_plus(record.released_at, seconds),
        shown_at=_plus(record.shown_at, seconds),
        lags=tuple((sender, lag + seconds) for sender, lag in record.lags),
    )


def moved_change(change: Change, seconds: float) -> Change:
    """The change with its moments moved by `seconds`."""
    return replace(change, at=change.at + seconds, recorded_at=change.recorded_at + seconds)


def not_after(record: Record, now: float) -> Record:
    """A stored record without moments that are still to come: the system's clock ran ahead when they were noted.

    Left as they are, they would make all that is heard and asked until then look older than what is known, and an
    override would outlive a session's return. What was learned then of the senders' clocks is off by as much.
    """
    known, alive, override = _by(record.known, now), _by(record.alive, now), record.override
    if override is not None:
        at = _by(override.stamp, now)
        override = replace(
            override,
            since=min(override.since, now),
            at=at.at,
            lag=at.lag,
            began=min(override.began, now),
            caught_up_at=None if override.caught_up_at is None else min(override.caught_up_at, now),
            seen_on=tuple((source, min(moment, now)) for source, moment in override.seen_on),
        )
    ahead = max(record.heard_at - now, 0.0)
    return replace(
        record,
        override=override,
        known_at=known.at,
        known_lag=known.lag,
        alive_at=alive.at,
        alive_lag=alive.lag,
        heard_at=min(record.heard_at, now),
        lags=tuple((sender, lag - ahead) for sender, lag in record.lags),
    )


def _moved(stamp: Stamp, seconds: float) -> Stamp:
    if stamp.clock is not None:
        return Stamp(stamp.at, stamp.clock, stamp.lag + seconds)
    return Stamp(stamp.at + seconds) if stamp.at else stamp


def _by(stamp: Stamp, now: float) -> Stamp:
    if stamp.here <= now:
        return stamp
    return Stamp(now) if stamp.clock is None else Stamp(stamp.at, stamp.clock, now - stamp.at)


def _plus(moment: float | None, seconds: float) -> float | None:
    return None if moment is None else moment + seconds
