"""What a row of the table of `transitions` does: the record that is noted, and the line of history that is written."""

from __future__ import annotations

from typing import Final, TypeVar

from msgspec.structs import replace

from statusproxy.status.clocks import later_by
from statusproxy.status.model import (
    RELEASED,
    REPEATED,
    STARTED,
    Change,
    Evidence,
    Override,
    Record,
    Release,
    Transient,
)
from statusproxy.status.signals import Signal, SignalKind
from statusproxy.status.statements import Details, transient_of

_Run = TypeVar("_Run", Override, Transient)

SOURCES: Final = 16
"""How many corrected routes are distinguished as evidence. A site has a handful; reloads may bring others."""


# What is noted in the record


def newest_state(record: Record, details: Details) -> Record:
    """The event's word is the newest knowledge; everything older is late from now on."""
    stamp, signal = details.stamp, details.signal
    assert stamp is not None
    assert signal is not None
    return replace(record, known_at=stamp.at, known_clock=stamp.clock, known_lag=stamp.lag, verdict=signal.kind)


def earlier_state(record: Record, details: Details) -> Record:
    """The event's word is the newest that is settled, but what lasts began after it.

    So it is remembered as it was judged. By the best estimate it could seem newer than what lasts, to whoever compares
    the two later: another spelling, another proxy.
    """
    return replace(newest_state(record, details), known_lag=details.judged.lag)


def newest_message(record: Record, details: Details) -> Record:
    """When the newest message came in."""
    stamp = details.stamp
    assert stamp is not None
    return replace(record, alive_at=stamp.at, alive_clock=stamp.clock, alive_lag=details.judged.lag)


def override(record: Record, details: Details) -> Record:
    """An override begins with this event, or begins again: then the gateway must catch up again."""
    standing, stamp, signal = record.override, details.stamp, details.signal
    assert stamp is not None
    assert signal is not None
    begun = Override(
        since=details.judged.here if standing is None else standing.since,
        at=stamp.at,
        began=details.now,
        event=signal.event,
        word=signal.word,
        event_id=signal.event_id,
        clock=stamp.clock,
        lag=stamp.lag,
    )
    shown_at = None if standing is None else record.shown_at
    return replace(newest_state(record, details), override=begun, shown_at=shown_at)


def transient_state(record: Record, details: Details) -> Record:
    """The state is transient: a run of it begins or goes on. What is settled stays settled."""
    standing, stamp, signal = record.transient, details.stamp, details.signal
    assert stamp is not None
    assert signal is not None
    here, now = details.judged.here, details.now
    if standing is not None and later_by(details.judged, standing.stamp) <= 0:
        return replace(record, transient=replace(standing, since=min(standing.since, here)))
    begun = Transient(here, stamp.at, now, now + signal.grace, signal.event, signal.word, stamp.clock, stamp.lag)
    return replace(record, transient=begun if standing is None else _up_to(standing, begun))


def goes_on(record: Record, details: Details) -> Record:
    """The state that lasted still does: what is to end the override must be newer than this."""
    record = transient_state(record, details)
    standing, newest = record.override, transient_of(record)
    assert standing is not None
    return replace(record, override=_up_to(standing, newest))


def _up_to(run: _Run, newest: Transient) -> _Run:
    """A run that goes on, up to its newest signal."""
    return replace(run, at=newest.at, clock=newest.clock, lag=newest.lag, event=newest.event, word=newest.word)


def lasting_override(record: Record, details: Details) -> Record:
    """An override begins with the transient state. What is settled stays settled: a late event may still tell more."""
    lasted = transient_of(record)
    begun = Override(
        since=lasted.since,
        at=lasted.at,
        began=details.now,
        event=lasted.event,
        word=lasted.word,
        clock=lasted.clock,
        lag=lasted.lag,
        transient=True,
    )
    return replace(record, override=begun, shown_at=None)


def transient_over(record: Record, details: Details) -> Record:
    """The transient state ended without counting."""
    return replace(record, transient=None)


def older_state_over(record: Record, details: Details) -> Record:
    """A transient state that is not newer than this ended with the override. Else it would soon begin another one."""
    state = record.transient
    return record if state is None or later_by(details.judged, state.stamp) < 0 else transient_over(record, details)


def evidence_route(record: Record, details: Details) -> Record:
    """The gateway knows, as this corrected route shows."""
    standing = record.override
    assert standing is not None
    assert details.source is not None
    seen_on = (*standing.seen_on[1 - SOURCES :], (details.source, details.now))
    caught_up = replace(standing, caught_up=Evidence.LIST, caught_up_at=details.now, seen_on=seen_on)
    return replace(record, override=caught_up)


def evidence_qr(record: Record, details: Details) -> Record:
    """The gateway knows: it asks for a scan."""
    return _with_evidence(record, details, Evidence.QR)


def evidence_create(record: Record, details: Details) -> Record:
    """The gateway knows: the session was created or started through it."""
    return _with_evidence(record, details, Evidence.CREATED)


def _with_evidence(record: Record, details: Details, evidence: Evidence) -> Record:
    standing = record.override
    assert standing is not None
    return replace(record, override=replace(standing, caught_up=evidence, caught_up_at=details.now))


def settled(record: Record, details: Details) -> Record:
    """Everything up to now is settled, on our own clock: older events that are still under way are late."""
    return replace(record, known_at=max(record.known.here, details.now), known_clock=None, known_lag=0.0)


def lost_until_now(record: Record, details: Details) -> Record:
    """Everything up to now is settled, and the newest that was known is the loss, not a return from before it."""
    return settled(replace(record, verdict=SignalKind.DISCONNECTED), details)


def connected_now(record: Record, details: Details) -> Record:
    """The session is connected, as was learned from outside the events; everything up to now is settled."""
    return settled(replace(record, verdict=SignalKind.CONNECTED), details)


def nothing_known(record: Record, details: Details) -> Record:
    """Nothing is known any more. The empty record makes a disconnect of before the deletion late when it comes."""
    return Record(
        record.session,
        known_at=max(record.known.here, details.now),
        heard_at=record.heard_at,
        event=record.event,
        released=record.released,
        released_at=record.released_at,
        released_by=record.released_by,
        first_heard=record.first_heard,
        confirmed=record.confirmed,
        lags=record.lags,
    )


def nothing_else(record: Record, details: Details) -> Record:
    """Nothing but that the override ended."""
    return record


def with_end(record: Record, before: Record) -> Record:
    """Note up to which moment every disconnect is over; `before` is the record as it was.

    By the clock of the override that ended: whatever else becomes known of other clocks, it stays over. What settles
    all up to now on our own clock ends those of before as well.
    """
    ended = before.ended
    if before.override is not None and later_by(before.override.stamp, ended) > 0:
        ended = before.override.stamp
    if record.known_clock is None and record.known != before.known and later_by(record.known, ended) > 0:
        ended = record.known
    return replace(record, ended_at=ended.at, ended_clock=ended.clock, ended_lag=ended.lag)


# The line of history


def started(record: Record, details: Details, rule: Release | None) -> Change:
    """An override began with this event."""
    return _by_event(STARTED, record, details)


def repeated(record: Record, details: Details, rule: Release | None) -> Change:
    """The override in force began again with this event."""
    return _by_event(REPEATED, record, details)


def lasted(record: Record, details: Details, rule: Release | None) -> Change:
    """An override began with the transient state; it holds since the state's first signal."""
    state = transient_of(record)
    return _line(STARTED, record, details, cause(state), state.since)


def released(record: Record, details: Details, rule: Release | None) -> Change:
    """The override ended by this rule, when the statement was true."""
    assert rule is not None
    return _line(RELEASED, record, details, rule.value, details.judged.here)


def outlived(record: Record, details: Details, rule: Release | None) -> Change:
    """The override ended by this rule when the message came that is known already, not when the event happened."""
    assert rule is not None
    return _line(RELEASED, record, details, rule.value, record.alive.here)


def _by_event(what: str, record: Record, details: Details) -> Change:
    assert details.signal is not None
    return _line(what, record, details, cause(details.signal), details.judged.here)


def cause(said: Signal | Override | Transient) -> str:
    """How history names what began an override: the event, and its word if it had one."""
    return said.event if said.word is None else f"{said.event} {said.word}"


def _line(what: str, record: Record, details: Details, reason: str, at: float) -> Change:
    return Change(record.session, what, reason, at, details.now, record.gateway_said)
