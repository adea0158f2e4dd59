"""What happens to one session, as a table: (what is known, what is said) -> (what is known now, what changed).

`TABLE` is the whole of it. Of the rows of a cell the first applies whose rule is on and whose guard holds; a cell in
which none applies leaves everything as it is. The guards and what is noted are the small functions below the table's
vocabulary. All is pure: a record and a statement in, a record and a change out.

Whatever the order in which the same timed events of one sender are delivered, a session ends with the same override
in force, with the same `at`, and the same `known_at` and `alive_at`. What tells of the delivery itself depends on it:
`since` (an early part of a run that comes late is dropped), `began`, `heard_at`, `event`, and the changes reported.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from statusproxy.status.clocks import Stamp, Translated, later_by
from statusproxy.status.doubtful_age import NEVER, outlived
from statusproxy.status.model import (
    RELEASED,
    REPEATED,
    STARTED,
    Change,
    Evidence,
    Override,
    Record,
    Release,
    SessionRules,
    Transient,
)
from statusproxy.status.signals import Kind, Signal

_Run = TypeVar("_Run", Override, Transient)

TINY_STEP: Final = 0.001
"""Seconds by which a signal without a time of its own is put after what is known: events carry milliseconds."""

SOURCES: Final = 16
"""Corrected routes that are told apart as evidence. A site has a handful; reloads may bring others."""


class Known(StrEnum):
    """What is known of a session, as far as it decides what a statement does."""

    CLEAR = "clear"
    """No override is in force: it is shown as the gateway shows it."""
    OVERRIDDEN = "overridden"
    """It is to be shown as disconnected, and the gateway has not been seen to know of the disconnect."""
    CAUGHT_UP = "caught up"
    """It is to be shown as disconnected, and the gateway knows, as far as the source of the statement shows."""


class Statement(StrEnum):
    """What is said of a session, and by whom."""

    DISCONNECTED = "event: disconnected"
    CONNECTED = "event: connected"
    ALIVE = "event: a message"
    TRANSIENT = "event: a transient state"
    KIN_CONNECTED = "another spelling: connected"
    KIN_ALIVE = "another spelling: a message"
    KEEPS = "gateway's list: a word of `keep`"
    QR_CODE = "gateway: a QR code"
    CREATED = "gateway: created or started"
    SAYS_CONNECTED = "gateway: connected"
    DELETED = "client: deleted"
    RELEASED_BY_HAND = "operator: released"
    LASTED = "clock: a transient state has lasted"
    TOO_OLD = "clock: nothing new for `max_age`"


class Details(msgspec.Struct, frozen=True):
    """The particulars of a statement."""

    now: float
    """When it came in or was complete, on our own clock."""
    judged: Stamp
    """When it happened, to be compared with what is known."""
    stamp: Stamp | None = None
    """Of an event: when it happened, to be remembered (see `clocks.Translated`)."""
    signal: Signal | None = None
    """Of an event: the signal."""
    asked_at: float = 0.0
    """Of an answer of the gateway: when it was asked for."""
    source: str | None = None
    """Of a corrected answer: the route it came on."""
    doubted_at: float = NEVER
    """When records came in whose age is in doubt (`doubtful_age`)."""


class Step(NamedTuple):
    """What a statement did."""

    record: Record
    """What is known now; the same object where nothing was noted."""
    change: Change | None
    applied: bool
    """Whether any row applied that notes something; a signal for which none does is late."""


# Guards: where a row applies


def always(record: Record, details: Details, rules: SessionRules) -> bool:
    """Wherever the rows above do not apply."""
    return True


def is_late(record: Record, details: Details, rules: SessionRules) -> bool:
    """The event is older than what is known.

    Of two events of the same moment Connected wins, in whatever order they come: what is shown must not depend on the
    order of delivery, and a false "disconnected" destroys a working session.
    """
    assert details.signal is not None
    says_connected = details.signal.kind is Kind.CONNECTED
    return (later_by(details.judged, record.known), says_connected) <= (0.0, record.verdict is not Kind.DISCONNECTED)


def is_no_newer(record: Record, details: Details, rules: SessionRules) -> bool:
    """The message is not newer than the newest one known."""
    return later_by(details.judged, record.alive) <= 0


def outlives(record: Record, details: Details, rules: SessionRules) -> bool:
    """The message came more than the grace after the disconnect: it needed a connection."""
    override = record.override
    return override is not None and outlived(override, details.judged, rules.alive_grace, details.doubted_at)


def is_outlived(record: Record, details: Details, rules: SessionRules) -> bool:
    """A message is known that came more than the grace after this disconnect."""
    assert details.stamp is not None
    return -later_by(details.stamp, record.alive) > rules.alive_grace


def is_outdated(record: Record, details: Details, rules: SessionRules) -> bool:
    """The transient state is not newer than what is known (at the same moment the others win), or it is a repeat."""
    if later_by(details.judged, record.known) <= 0:
        return True
    state = record.transient
    return state is not None and later_by(details.judged, state.stamp) <= 0 and state.since <= details.judged.here


def is_transient(record: Record, details: Details, rules: SessionRules) -> bool:
    """The override in force is a transient state that lasted."""
    return record.override is not None and record.override.transient


def is_earlier(record: Record, details: Details, rules: SessionRules) -> bool:
    """The override in force is a transient state that lasted, and began after this event."""
    return is_transient(record, details, rules) and later_by(details.judged, _transient(record).stamp) < 0


def is_due(record: Record, details: Details, rules: SessionRules) -> bool:
    """A transient state has lasted long enough to count."""
    return record.transient is not None and record.transient.due <= details.now


def was_outlived(record: Record, details: Details, rules: SessionRules) -> bool:
    """It is due, and a message is known that came more than the grace after its newest signal."""
    if not is_due(record, details, rules):
        return False
    return later_by(record.alive, _transient(record).stamp) > rules.alive_grace


def is_as_new(record: Record, details: Details, rules: SessionRules) -> bool:
    """What the other spelling knows is not older than the disconnect."""
    return record.override is not None and later_by(details.judged, record.override.stamp) >= 0


def asked_since(record: Record, details: Details, rules: SessionRules) -> bool:
    """The answer was asked for once the override had begun.

    One that was on its way while the session fell says nothing about what came after.
    """
    return record.override is not None and details.asked_at >= record.override.began


def shows_loss(record: Record, details: Details, rules: SessionRules) -> bool:
    """As `asked_since`, and the override is no transient state that lasted.

    A gateway that is still connecting goes on showing the code that was scanned last (Evolution API does): beside a
    list that still says connected, it would end the correction of a dead session.
    """
    return asked_since(record, details, rules) and not is_transient(record, details, rules)


def is_fresh(record: Record, details: Details, rules: SessionRules) -> bool:
    """The answer was asked for once its source had been seen to have caught up.

    The gateway's list is slow, it asks the engine for each session in turn. One asked for before the QR code was shown
    can come in after it, still with the stale word.
    """
    fresh_from = record.override.fresh_from(details.source) if record.override is not None else None
    return fresh_from is not None and details.asked_at >= fresh_from


# What a row notes in the record


def newest_state(record: Record, details: Details) -> Record:
    """The event's word is the newest knowledge; everything older is late from now on."""
    stamp, signal = details.stamp, details.signal
    assert stamp is not None
    assert signal is not None
    return replace(record, known_at=stamp.at, known_clock=stamp.clock, known_lag=stamp.lag, verdict=signal.kind)


def newest_message(record: Record, details: Details) -> Record:
    """When the newest message came in."""
    stamp = details.stamp
    assert stamp is not None
    return replace(record, alive_at=stamp.at, alive_clock=stamp.clock, alive_lag=details.judged.lag)


def override(record: Record, details: Details) -> Record:
    """An override begins with this event, or begins anew: then the gateway must catch up anew."""
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
    standing, newest = record.override, _transient(record)
    assert standing is not None
    return replace(record, override=_up_to(standing, newest))


def _up_to(run: _Run, newest: Transient) -> _Run:
    """A run that goes on, up to its newest signal."""
    return replace(run, at=newest.at, clock=newest.clock, lag=newest.lag, event=newest.event, word=newest.word)


def lasting_override(record: Record, details: Details) -> Record:
    """An override begins with the transient state. What is settled stays settled: a late event may still tell more."""
    lasted = _transient(record)
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


def _transient(record: Record) -> Transient:
    assert record.transient is not None
    return record.transient


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


def connected_now(record: Record, details: Details) -> Record:
    """The session is connected, as was learned from outside the events; everything up to now is settled."""
    return settled(replace(record, verdict=Kind.CONNECTED), details)


def nothing_known(record: Record, details: Details) -> Record:
    """Nothing is known any more. The empty record makes a disconnect of before the deletion late when it comes."""
    return Record(
        record.session,
        known_at=max(record.known.here, details.now),
        heard_at=record.heard_at,
        event=record.event,
        released=record.released,
        released_at=record.released_at,
        confirmed=record.confirmed,
        lags=record.lags,
    )


def nothing_else(record: Record, details: Details) -> Record:
    """Nothing but that the override ended."""
    return record


# The table


class Row(NamedTuple):
    """One row: where it applies, and what it does."""

    known: tuple[Known, ...]
    said: Statement
    where: Callable[[Record, Details, SessionRules], bool]
    rule: Release | None
    """The rule that must be on; where the override ends, it is the reason."""
    notes: Callable[[Record, Details], Record] | None
    """What is noted in the record; `None`: nothing, the statement is late."""
    known_now: Known | None
    """`None`: as before."""
    changed: str | None
    """The line of history: `STARTED`, `REPEATED` or `RELEASED`."""


_CLEAR: Final = (Known.CLEAR,)
_NEW: Final = (Known.OVERRIDDEN,)
_CAUGHT_UP: Final = (Known.CAUGHT_UP,)
_IN_FORCE: Final = (Known.OVERRIDDEN, Known.CAUGHT_UP)
_ANY: Final = tuple(Known)
_K, _S, _R = Known, Statement, Release

TABLE: Final[tuple[Row, ...]] = (
    #   known      said                 where         rule                notes             known now       changed
    Row(_ANY,      _S.DISCONNECTED,     is_late,      None,               None,             None,           None),
    Row(_CLEAR,    _S.DISCONNECTED,     is_outlived,  _R.ALIVE,           newest_state,     None,           None),
    Row(_IN_FORCE, _S.DISCONNECTED,     is_outlived,  _R.ALIVE,           newest_state,     _K.CLEAR,       RELEASED),
    Row(_CLEAR,    _S.DISCONNECTED,     always,       None,               override,         _K.OVERRIDDEN,  STARTED),
    Row(_IN_FORCE, _S.DISCONNECTED,     always,       None,               override,         _K.OVERRIDDEN,  REPEATED),

    Row(_ANY,      _S.CONNECTED,        is_late,      None,               None,             None,           None),
    Row(_IN_FORCE, _S.CONNECTED,        is_earlier,   None,               newest_state,     None,           None),
    Row(_IN_FORCE, _S.CONNECTED,        always,       _R.CONNECTED_EVENT, newest_state,     _K.CLEAR,       RELEASED),
    Row(_ANY,      _S.CONNECTED,        always,       None,               newest_state,     None,           None),

    Row(_ANY,      _S.ALIVE,            is_no_newer,  None,               None,             None,           None),
    Row(_IN_FORCE, _S.ALIVE,            outlives,     _R.ALIVE,           newest_message,   _K.CLEAR,       RELEASED),
    Row(_ANY,      _S.ALIVE,            always,       None,               newest_message,   None,           None),

    Row(_ANY,      _S.TRANSIENT,        is_outdated,  None,               None,             None,           None),
    Row(_IN_FORCE, _S.TRANSIENT,        is_transient, None,               goes_on,          None,           None),
    Row(_ANY,      _S.TRANSIENT,        always,       None,               transient_state,  None,           None),
    Row(_CLEAR,    _S.LASTED,           was_outlived, _R.ALIVE,           transient_over,   None,           None),
    Row(_CLEAR,    _S.LASTED,           is_due,       None,               lasting_override, _K.OVERRIDDEN,  STARTED),

    Row(_IN_FORCE, _S.KIN_CONNECTED,    is_as_new,    _R.CONNECTED_EVENT, nothing_else,     _K.CLEAR,       RELEASED),
    Row(_IN_FORCE, _S.KIN_ALIVE,        outlives,     _R.ALIVE,           nothing_else,     _K.CLEAR,       RELEASED),

    Row(_NEW,      _S.KEEPS,            asked_since,  None,               evidence_route,   _K.CAUGHT_UP,   None),
    Row(_NEW,      _S.QR_CODE,          shows_loss,   None,               evidence_qr,      _K.CAUGHT_UP,   None),
    Row(_NEW,      _S.CREATED,          asked_since,  None,               evidence_create,  _K.CAUGHT_UP,   None),
    Row(_CAUGHT_UP,_S.SAYS_CONNECTED,   is_fresh,     _R.RECONNECTED,     connected_now,    _K.CLEAR,       RELEASED),

    Row(_CLEAR,    _S.DELETED,          always,       _R.DELETED,         nothing_known,    None,           None),
    Row(_IN_FORCE, _S.DELETED,          always,       _R.DELETED,         nothing_known,    _K.CLEAR,       RELEASED),
    Row(_IN_FORCE, _S.RELEASED_BY_HAND, always,       _R.OPERATOR,        connected_now,    _K.CLEAR,       RELEASED),
    Row(_IN_FORCE, _S.TOO_OLD,          always,       _R.EXPIRED,         settled,          _K.CLEAR,       RELEASED),
)  # fmt: skip
"""Every row. Of a cell without any (a QR code for a session without override) nothing comes."""

_CELLS: Final[dict[Statement, dict[Known, tuple[Row, ...]]]] = {
    said: {before: tuple(row for row in TABLE if row.said is said and before in row.known) for before in Known}
    for said in Statement
}

_SIGNALS: Final = {
    Kind.DISCONNECTED: Statement.DISCONNECTED,
    Kind.CONNECTED: Statement.CONNECTED,
    Kind.ALIVE: Statement.ALIVE,
    Kind.TRANSIENT: Statement.TRANSIENT,
}


def known(record: Record, source: str | None = None) -> Known:
    """What is known of a session, as far as it decides; `source` is the corrected route that a statement came on."""
    if record.override is None:
        return Known.CLEAR
    return Known.OVERRIDDEN if record.override.fresh_from(source) is None else Known.CAUGHT_UP


def row_of(record: Record, said: Statement, details: Details, rules: SessionRules) -> Row | None:
    """The first row of a cell that applies; `None` where none does."""
    for row in _CELLS[said][known(record, details.source)]:
        if (row.rule is None or row.rule in rules.releases) and row.where(record, details, rules):
            return row
    return None


def step(record: Record, said: Statement, details: Details, rules: SessionRules) -> Step:
    """Take in a statement: what the row does that applies."""
    row = row_of(record, said, details, rules)
    if row is None or row.notes is None:
        return Step(record, None, False)
    change = None if row.changed is None else _change(row, row.changed, record, details)
    before = record
    if row.known_now is Known.CLEAR:
        record = replace(record, override=None, released=row.rule, released_at=details.now, shown_at=None)
    record = row.notes(record, details)
    if row.known_now is Known.CLEAR or row.notes is nothing_known:
        record = _with_end(record, before)
    if record.transient is not None and later_by(record.known, record.transient.stamp) >= 0:
        record = replace(record, transient=None)
    return Step(record, change, True)


def _change(row: Row, what: str, record: Record, details: Details) -> Change:
    """The line of history that a row writes; `record` is as it was before."""
    at = details.judged.here
    if row.rule is not None:
        reason = row.rule.value
        if row.where is is_outlived:
            at = record.alive.here  # the message ends the override, not the event
    else:
        said: Signal | Transient | None = details.signal
        if row.said is Statement.LASTED:
            said, at = _transient(record), _transient(record).since
        assert said is not None
        reason = cause(said)
    return Change(record.session, what, reason, at, details.now, record.gateway_said)


def cause(said: Signal | Override | Transient) -> str:
    """How history names what began an override: the event, and its word if it had one."""
    return said.event if said.word is None else f"{said.event} {said.word}"


def _with_end(record: Record, before: Record) -> Record:
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


def step_signal(
    record: Record,
    signal: Signal,
    when: Translated | None,
    arrival: float,
    rules: SessionRules,
    doubted_at: float = NEVER,
) -> Step:
    """Take in a signal that came in at `arrival`.

    `when` is its own time; a signal without one is newer than everything said before.
    """
    if when is None:
        stamp = judged = Stamp(max(arrival, record.known.here + TINY_STEP, record.alive.here))
    else:
        stamp, judged = when.stamp, when.judged
    details = Details(arrival, judged, stamp, signal, doubted_at=doubted_at)
    return step(record, _SIGNALS[signal.kind], details, rules)


def step_answer(
    record: Record, said: Statement, asked_at: float, now: float, rules: SessionRules, source: str | None = None
) -> Step:
    """Take in what an answer of the gateway says: asked for at `asked_at`, complete at `now`.

    `source` names the corrected route it came on; `None` where it is no corrected answer.
    """
    return step(record, said, Details(now, Stamp(now), asked_at=asked_at, source=source), rules)


def step_own(record: Record, said: Statement, now: float, rules: SessionRules) -> Step:
    """Take in what is known at once and by ourselves: a deletion, an operator's release, an age that is reached."""
    return step(record, said, Details(now, Stamp(now)), rules)


def step_kin(
    record: Record, kin: list[Record], now: float, rules: SessionRules, doubted_at: float = NEVER
) -> tuple[Record, list[Change]]:
    """Take in what other spellings of the same session know; `kin` are all their records, with this one.

    Of several that end the override, the latest gives the moment.
    """
    changes: list[Change] = []
    for said, stamps in (
        (Statement.KIN_CONNECTED, [one.known for one in kin if one.verdict is Kind.CONNECTED]),
        (Statement.KIN_ALIVE, [one.alive for one in kin]),
    ):
        for stamp in sorted(stamps, key=_here, reverse=True):
            if record.override is None:
                return record, changes
            record, change, _ = step(record, said, Details(now, stamp, doubted_at=doubted_at), rules)
            if change is not None:
                changes.append(change)
    return record, changes


def _here(stamp: Stamp) -> float:
    return stamp.here
