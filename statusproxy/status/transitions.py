"""What happens to one session, as a table: (what is known, what is said) -> (what is known now, what changed).

The first row of a cell applies whose rule is on and whose guard holds; a cell in which none applies leaves everything
as it is. The words of a row are defined in `statements` (what is known, what is said), `guards` (where it applies) and
`effects` (what it notes, and writes into history). All is pure: a record and a statement in, a record and a change out.

Four rules stand outside `TABLE`, since they hold after every row, before any, or for more than one record:

- A transient state that is not newer than what is settled is dropped after every step (`step`).
- A statement of another spelling ends the override at most once, the newest first (`step_kin`).
- A repeat of an event, known by its id or its time, is not put to the table at all (`sessions`).
- A session that is pushed out of a full map, or that an operator forgets, loses its record (`records`, `sessions`).

In any order in which the same timed events of one sender are delivered, a session ends with the same override
in force, with the same `at`, and the same `known_at` and `alive_at`. What describes the delivery itself depends on the
order: `since` (an early part of a run that comes late is dropped), `began`, `heard_at`, `event`, and the changes
reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec.structs import replace

from statusproxy.status.clocks import Stamp, Translated, later_by
from statusproxy.status.doubtful_age import NEVER
from statusproxy.status.effects import (
    connected_now,
    earlier_state,
    evidence_create,
    evidence_qr,
    evidence_route,
    goes_on,
    lasted,
    lasting_override,
    lost_until_now,
    newest_message,
    newest_state,
    nothing_else,
    nothing_known,
    older_state_over,
    outlived,
    override,
    released,
    repeated,
    settled,
    started,
    transient_over,
    transient_state,
    with_end,
)
from statusproxy.status.guards import (
    always,
    asked_since,
    is_as_new,
    is_due,
    is_earlier,
    is_fresh,
    is_late,
    is_no_newer,
    is_outdated,
    is_outlived,
    is_transient,
    outlives,
    outlives_state,
    shows_loss,
    was_outlived,
)
from statusproxy.status.model import Change, Record, Release, SessionRules
from statusproxy.status.signals import Signal, SignalKind
from statusproxy.status.statements import Details, Known, Statement, known

TINY_STEP: Final = 0.001
"""Seconds by which a signal without a time of its own is put after what is known: events carry milliseconds."""


class Step(NamedTuple):
    """What a statement did."""

    record: Record
    """What is known now; the same object where nothing was noted."""
    change: Change | None
    applied: bool
    """Whether any row applied that notes something; a signal for which none does is late."""


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
    changed: Callable[[Record, Details, Release | None], Change] | None
    """The line of history that is written; `record` is as it was before. `None`: nothing that history tells."""


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
    Row(_IN_FORCE, _S.DISCONNECTED,     is_outlived,  _R.ALIVE,           newest_state,     _K.CLEAR,       outlived),
    Row(_CLEAR,    _S.DISCONNECTED,     always,       None,               override,         _K.OVERRIDDEN,  started),
    Row(_IN_FORCE, _S.DISCONNECTED,     always,       None,               override,         _K.OVERRIDDEN,  repeated),

    Row(_ANY,      _S.CONNECTED,        is_late,      None,               None,             None,           None),
    Row(_IN_FORCE, _S.CONNECTED,        is_earlier,   None,               earlier_state,    None,           None),
    Row(_IN_FORCE, _S.CONNECTED,        always,       _R.CONNECTED_EVENT, newest_state,     _K.CLEAR,       released),
    Row(_ANY,      _S.CONNECTED,        always,       None,               newest_state,     None,           None),

    Row(_ANY,      _S.ALIVE,            is_no_newer,  None,               None,             None,           None),
    Row(_IN_FORCE, _S.ALIVE,            outlives,     _R.ALIVE,           newest_message,   _K.CLEAR,       released),
    Row(_ANY,      _S.ALIVE,            always,       None,               newest_message,   None,           None),

    Row(_ANY,      _S.TRANSIENT,        is_outdated,  None,               None,             None,           None),
    Row(_IN_FORCE, _S.TRANSIENT,        is_transient, None,               goes_on,          None,           None),
    Row(_ANY,      _S.TRANSIENT,        always,       None,               transient_state,  None,           None),
    Row(_CLEAR,    _S.LASTED,           was_outlived, _R.ALIVE,           transient_over,   None,           None),
    Row(_CLEAR,    _S.LASTED,           is_due,       None,               lasting_override, _K.OVERRIDDEN,  lasted),

    Row(_IN_FORCE, _S.KIN_CONNECTED,    is_as_new,    _R.CONNECTED_EVENT, older_state_over, _K.CLEAR,       released),
    Row(_IN_FORCE, _S.KIN_ALIVE,        outlives_state, _R.ALIVE,         older_state_over, _K.CLEAR,       released),
    Row(_IN_FORCE, _S.KIN_ALIVE,        outlives,     _R.ALIVE,           nothing_else,     _K.CLEAR,       released),

    Row(_NEW,      _S.KEEPS,            asked_since,  None,               evidence_route,   _K.CAUGHT_UP,   None),
    Row(_NEW,      _S.QR_CODE,          shows_loss,   None,               evidence_qr,      _K.CAUGHT_UP,   None),
    Row(_NEW,      _S.CREATED,          asked_since,  None,               evidence_create,  _K.CAUGHT_UP,   None),
    Row(_CAUGHT_UP,_S.SAYS_CONNECTED,   is_fresh,     _R.RECONNECTED,     connected_now,    _K.CLEAR,       released),

    Row(_CLEAR,    _S.DELETED,          always,       _R.DELETED,         nothing_known,    None,           None),
    Row(_IN_FORCE, _S.DELETED,          always,       _R.DELETED,         nothing_known,    _K.CLEAR,       released),
    Row(_IN_FORCE, _S.RELEASED_BY_HAND, always,       _R.OPERATOR,        connected_now,    _K.CLEAR,       released),
    Row(_IN_FORCE, _S.TOO_OLD,          is_transient, _R.EXPIRED,         lost_until_now,   _K.CLEAR,       released),
    Row(_IN_FORCE, _S.TOO_OLD,          always,       _R.EXPIRED,         settled,          _K.CLEAR,       released),
)  # fmt: skip
"""Every row. A cell without any (a QR code for a session without override) changes nothing."""

_CELLS: Final[dict[Statement, dict[Known, tuple[Row, ...]]]] = {
    said: {before: tuple(row for row in TABLE if row.said is said and before in row.known) for before in Known}
    for said in Statement
}

_SIGNALS: Final = {
    SignalKind.DISCONNECTED: Statement.DISCONNECTED,
    SignalKind.CONNECTED: Statement.CONNECTED,
    SignalKind.ALIVE: Statement.ALIVE,
    SignalKind.TRANSIENT: Statement.TRANSIENT,
}


def row_of(record: Record, said: Statement, details: Details, rules: SessionRules) -> Row | None:
    """The first row of a cell that applies; `None` if no row does."""
    for row in _CELLS[said][known(record, details.source)]:
        if (row.rule is None or row.rule in rules.releases) and row.where(record, details, rules):
            return row
    return None


def step(record: Record, said: Statement, details: Details, rules: SessionRules) -> Step:
    """Take in a statement: what the row does that applies."""
    row = row_of(record, said, details, rules)
    if row is None or row.notes is None:
        return Step(record, None, False)
    change = None if row.changed is None else row.changed(record, details, row.rule)
    before = record
    if row.known_now is Known.CLEAR:
        record = replace(
            record, override=None, released=row.rule, released_at=details.now, released_by=None, shown_at=None
        )
    record = row.notes(record, details)
    if row.known_now is Known.CLEAR or row.notes is nothing_known:
        record = with_end(record, before)
    if record.transient is not None and later_by(record.known, record.transient.stamp) >= 0:
        record = replace(record, transient=None)
    return Step(record, change, True)


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

    `source` names the corrected route it came on; `None` if it is not a corrected answer.
    """
    if not _CELLS[said][known(record, source)]:  # as with most answers: no row applies
        return Step(record, None, False)
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
        (Statement.KIN_CONNECTED, [one.known for one in kin if one.verdict is SignalKind.CONNECTED]),
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
