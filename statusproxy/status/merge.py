"""Merges what several proxies know of one session.

`merge` is a semilattice: commutative, associative and idempotent, so that neither the order in which proxies exchange
their records nor how often they do it matters. A record is a product of registers, and each takes the greater of two
values by a total order: the moment first, then the values themselves, so that no tie is left to the arguments' order.

Moments of different proxies are compared on one clock: all records must be told by the same one. What one sender dates
is ordered by its own times, which two proxies may have translated differently: `aligned` makes them agree first.
`unite` is both, and what proxies exchange goes through it. No rule is looked at here: what a merged record still
needs decided (`transitions.step_kin`) is decided by the proxy that holds it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from msgspec.structs import replace

from statusproxy.status.clocks import MOST_SENDERS, NOTICEABLE, SET_BACK, Lags, Stamp
from statusproxy.status.effects import SOURCES, cause
from statusproxy.status.model import (
    RELEASED,
    REPEATED,
    STARTED,
    Change,
    Evidence,
    Override,
    Record,
    Transient,
)
from statusproxy.status.signals import SignalKind
from statusproxy.status.stored_times import as_it_is, each_moment

SAME_DECISION: Final = 5.0
"""Seconds within which two proxies that change the same for the same reason took one decision."""

MOST_LAGS: Final = 2 * MOST_SENDERS
"""Differences kept with a united record: of the senders seen last, and as many that only ordered moments."""

_VERDICTS: Final = {SignalKind.DISCONNECTED: 0, None: 1, SignalKind.CONNECTED: 2}
"""What wins of two that are equally new: a false "disconnected" destroys a working session."""

_EVIDENCE: Final = {Evidence.QR: 0, Evidence.CREATED: 0, Evidence.LIST: 1, None: 2}
"""Evidence that is good for all routes comes before that of one."""


def unite(a: Record, b: Record) -> Record:
    """What two proxies know of the same session, told by the same clock; senders' own times order what they say.

    Commutative, idempotent and absorbing: uniting the result with itself or with either of the two gives the result.
    (A record united with itself may change once: what the sender's smallest difference shows to be over is dropped.)
    It is not associative: a moment that lost is gone when a third proxy tells a smaller difference for the winner's
    sender, by which it would have won.

    Proxies agree all the same, because one store orders all writes (compare and set), and a proxy holds the row it last
    took over or wrote, united with what it has not written yet. The next row is `unite(row, news)` of one proxy.
    A proxy that had nothing to write holds `row`, and by absorption takes over the next row as it is, without a write.
    So each proxy with news writes once, and then all hold the last row.
    """
    if _by_one_clock(a) and _by_one_clock(b):
        return merge(a, b)
    told = aligned(a, b)
    merged = merge(*told)
    lags = _lags(a, b, merged, moved=told != (a, b))
    return merged if lags == merged.lags else replace(merged, lags=lags)


def merge(a: Record, b: Record) -> Record:
    """One record of two of the same session, told by the same clock."""
    known = max(a, b, key=_settled)
    alive = max(a.alive, b.alive, key=_order)
    ended = max(a.ended, b.ended, key=_order)
    heard = max(a, b, key=lambda record: (_heard(record), record.lags))
    word = max(a, b, key=_word)
    released = max(a, b, key=_released)
    override, shown_at = _override(a, b, ended)
    return Record(
        a.session,
        verdict=known.verdict,
        known_at=known.known_at,
        known_clock=known.known_clock,
        known_lag=known.known_lag,
        alive_at=alive.at,
        alive_clock=alive.clock,
        alive_lag=alive.lag,
        ended_at=ended.at,
        ended_clock=ended.clock,
        ended_lag=ended.lag,
        heard_at=heard.heard_at,
        event=heard.event,
        lags=heard.lags,
        channel=heard.channel,
        gateway_said=word.gateway_said,
        gateway_said_at=word.gateway_said_at,
        released=released.released,
        released_at=released.released_at,
        confirmed=a.confirmed or b.confirmed,
        override=override,
        shown_at=shown_at,
        released_by=released.released_by,
        first_heard=min((at for at in (a.first_heard, b.first_heard) if at), default=0.0),
        transient=_transient(a, b, known.known),
    )


# Registers: the order of their values


def _order(stamp: Stamp) -> tuple[object, ...]:
    return stamp.here, _text(stamp.clock), stamp.at, stamp.lag


def _settled(record: Record) -> tuple[object, ...]:
    here, *rest = _order(record.known)
    return here, _VERDICTS[record.verdict], *rest


def _heard(record: Record) -> tuple[object, ...]:
    return record.heard_at, _text(record.event), _text(record.channel)


def _word(record: Record) -> tuple[object, ...]:
    return _moment(record.gateway_said_at), _text(record.gateway_said)


def _released(record: Record) -> tuple[object, ...]:
    return _moment(record.released_at), _text(record.released), _text(record.released_by)


def _text(value: str | None) -> tuple[bool, str]:
    return value is not None, value or ""


def _moment(value: float | None) -> float:
    return -math.inf if value is None else value


def _begun(run: Override | Transient) -> tuple[object, ...]:
    """What tells one run of a state from another; evidence and its first moment are noted beside it."""
    here, *stamp = _order(run.stamp)
    return here, run.began, run.event, _text(run.word), *stamp


def _override(a: Record, b: Record, ended: Stamp) -> tuple[Override | None, float | None]:
    """The newest override that is not over, and when it was first shown."""
    standing = [one for one in (a, b) if one.override is not None and one.override.stamp.here > ended.here]
    if not standing:
        return None, None
    newest = max(map(_which, standing))
    first, *others = (one for one in standing if _which(one) == newest)
    override, shown_at = first.override, first.shown_at
    assert override is not None
    override = _joined(override, override)
    for other in others:
        assert other.override is not None
        override, shown_at = _joined(override, other.override), _earlier(shown_at, other.shown_at)
    return override, shown_at


def _which(record: Record) -> tuple[object, ...]:
    override = record.override
    assert override is not None
    return *_begun(override), _text(override.event_id), override.transient


def _joined(a: Override, b: Override) -> Override:
    """Two views of one override: it began with the first signal known, and evidence seen by one counts for both."""
    seen: dict[str, float] = {}
    for route, moment in (*a.seen_on, *b.seen_on):
        seen[route] = min(moment, seen.get(route, math.inf))
    routes = sorted((moment, route) for route, moment in seen.items())[:SOURCES]
    evidence = min(a, b, key=_evidence)
    return replace(
        a,
        since=min(a.since, b.since),
        caught_up=evidence.caught_up,
        caught_up_at=evidence.caught_up_at,
        seen_on=tuple((route, moment) for moment, route in routes),
    )


def _evidence(override: Override) -> tuple[object, ...]:
    at = override.caught_up_at
    return _EVIDENCE[override.caught_up], math.inf if at is None else at, _text(override.caught_up)


def _earlier(a: float | None, b: float | None) -> float | None:
    return min((one for one in (a, b) if one is not None), default=None)


def _transient(a: Record, b: Record, known: Stamp) -> Transient | None:
    """The newest transient state that is newer than what is known."""
    standing = [one for one in (a.transient, b.transient) if one is not None and one.stamp.here > known.here]
    if not standing:
        return None
    newest = max(map(_lasting, standing))
    alike = [one for one in standing if _lasting(one) == newest]
    return replace(alike[0], since=min(one.since for one in alike))


def _lasting(transient: Transient) -> tuple[object, ...]:
    return *_begun(transient), transient.due


# Senders' clocks


def aligned(a: Record, b: Record) -> tuple[Record, Record]:
    """Both records, with what one sender dated told by the smallest difference that either of them knows.

    Deliveries can be late but not early, so that is the best guess (`clocks`), and it orders what the sender says as
    its own times do. Where it orders nothing otherwise and hardly differs, all stays as it is: a row need not be
    written for that. A difference that grew by more than `SET_BACK` is that of a clock that was set: what it dated from
    then on goes by the smallest difference since then.
    """
    eras = _eras(a, b)
    return (_told_by(a, eras), _told_by(b, eras)) if _matters((*_stamps(a), *_stamps(b)), eras) else (a, b)


def _by_one_clock(record: Record) -> bool:
    """Whether all its moments are our own clock's: then nothing is aligned, and no difference is kept."""
    override, transient = record.override, record.transient
    return (
        not record.lags
        and record.known_clock is None
        and record.alive_clock is None
        and record.ended_clock is None
        and (override is None or override.clock is None)
        and (transient is None or transient.clock is None)
    )


_Eras = Mapping[str, list[float]]
"""For each sender the smallest difference of each era of its clock, in ascending order. One, unless it was set."""


def _eras(a: Record, b: Record) -> _Eras:
    told: dict[str, set[float]] = {}
    for clock, lag in (*((stamp.clock, stamp.lag) for stamp in (*_stamps(a), *_stamps(b))), *a.lags, *b.lags):
        if clock is not None:
            told.setdefault(clock, set()).add(lag)
    eras: dict[str, list[float]] = {}
    for clock, lags in told.items():
        starts = eras[clock] = []
        for lag in sorted(lags):
            if not starts or lag > starts[-1] + SET_BACK:
                starts.append(lag)
    return eras


def _first(clock: str, lag: float, eras: _Eras) -> float:
    """The smallest difference of the era that this one is of."""
    starts = eras[clock]
    return starts[bisect_right(starts, lag) - 1]


def _matters(stamps: tuple[Stamp, ...], eras: _Eras) -> bool:
    """Whether to tell these moments by the smallest differences: it orders them otherwise, or differs noticeably.

    Where it does not, no two moments change places, and merging them as they are chooses the same. It is all or
    nothing: a moment that is moved may meet one of another sender that would have stayed.
    """
    clocks: dict[str, list[Stamp]] = {}
    for stamp in stamps:
        if stamp.clock is not None:
            clocks.setdefault(stamp.clock, []).append(stamp)
    for clock, told in clocks.items():
        others = [stamp.here for stamp in stamps if stamp.clock != clock]
        for stamp in told:
            first = _first(clock, stamp.lag, eras)
            if stamp.lag - first >= NOTICEABLE:
                return True
            if first < stamp.lag and any(stamp.at + first <= here <= stamp.here for here in others):
                return True
        if not _in_order(told):
            return True
    return False


def _in_order(stamps: list[Stamp]) -> bool:
    """Whether these are in the same order by their sender's own times and by our clock."""
    own = sorted(stamps, key=lambda stamp: (stamp.at, stamp.here))
    return all(
        (earlier.at < later.at) == (earlier.here < later.here) and earlier.here <= later.here
        for earlier, later in pairwise(own)
    )


def _stamps(record: Record) -> Iterator[Stamp]:
    yield record.known
    yield record.alive
    yield record.ended
    if record.override is not None:
        yield record.override.stamp
    if record.transient is not None:
        yield record.transient.stamp


def _told_by(record: Record, eras: _Eras) -> Record:
    def told(stamp: Stamp) -> Stamp:
        return stamp if stamp.clock is None else Stamp(stamp.at, stamp.clock, _first(stamp.clock, stamp.lag, eras))

    return each_moment(record, as_it_is, told, as_it_is, due=lambda transient: transient.due)


def _lags(a: Record, b: Record, merged: Record, moved: bool) -> Lags:
    """The differences to keep with a united record: of the proxy that received the last event, and of the moments.

    A difference that ordered moments is kept even if no moment told by it is left. Else a proxy that still holds a
    moment told by a greater difference could not know that this moment is the older one, and would bring it back. These
    differences come first, so that they are the first to be dropped. Of a clock that was set, the last entry counts.
    """
    eras = _eras(a, b)
    newest = max(_heard(a), _heard(b))
    views: list[dict[tuple[str, float], float]] = []
    for record in (a, b):
        if _heard(record) == newest:
            views.append({})
            for clock, lag in record.lags:
                era = clock, _first(clock, lag, eras)
                views[-1][era] = min(lag, views[-1].get(era, math.inf))
    base = max(views, key=lambda view: (len(view), list(view)))
    kept = {era: min(view.get(era, math.inf) for view in views) for view in views for era in view}
    left = {(stamp.clock, stamp.lag) for stamp in _stamps(merged)}
    known = {clock for clock, _ in kept}
    for clock in {stamp.clock for stamp in (*_stamps(a), *_stamps(b)) if stamp.clock is not None}:
        starts = eras[clock]
        if moved or len(starts) > 1:
            fresh = len(starts) > 1 and clock not in known  # else the era before would count
            kept.update({(clock, first): first for first in starts if fresh or (clock, first) not in left})
    order = (*sorted(kept.keys() - base.keys()), *base)
    return tuple((era[0], kept[era]) for era in order)[-MOST_LAGS:]


# History


def is_told(change: Change, theirs: Record) -> bool:
    """Whether another proxy, which wrote `theirs`, has written this line of history already: its decision is the same.

    Each proxy judges by its own timer what is too old and what has lasted.
    """
    if change.what == RELEASED:
        at = theirs.released_at
        return theirs.released == change.reason and at is not None and abs(at - change.recorded_at) <= SAME_DECISION
    override = theirs.override
    if change.what not in (STARTED, REPEATED) or override is None or cause(override) != change.reason:
        return False
    return abs((override.since if override.transient else override.stamp.here) - change.at) <= SAME_DECISION
