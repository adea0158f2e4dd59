"""Where a row of the table of `transitions` applies: one small question each, about what is known and what is said."""

from __future__ import annotations

from statusproxy.status.clocks import later_by
from statusproxy.status.doubtful_age import outlived
from statusproxy.status.model import Record, SessionRules
from statusproxy.status.signals import SignalKind
from statusproxy.status.statements import Details, transient_of


def always(record: Record, details: Details, rules: SessionRules) -> bool:
    """Wherever the rows above do not apply."""
    return True


def is_late(record: Record, details: Details, rules: SessionRules) -> bool:
    """The event is older than what is known.

    Of two events of the same moment Connected wins, in either order: what is shown must not depend on the
    order of delivery, and a false "disconnected" destroys a working session.
    """
    assert details.signal is not None
    says_connected = details.signal.kind is SignalKind.CONNECTED
    return (later_by(details.judged, record.known), says_connected) <= (
        0.0,
        record.verdict is not SignalKind.DISCONNECTED,
    )


def is_no_newer(record: Record, details: Details, rules: SessionRules) -> bool:
    """The message is not newer than the newest one known."""
    return later_by(details.judged, record.alive) <= 0


def outlives(record: Record, details: Details, rules: SessionRules) -> bool:
    """The message came more than the grace after the disconnect: it needed a connection."""
    override = record.override
    return override is not None and outlived(override, details.judged, rules.alive_grace, details.doubted_at)


def outlives_state(record: Record, details: Details, rules: SessionRules) -> bool:
    """The message outlives the disconnect, which is a transient state that lasted."""
    return is_transient(record, details, rules) and outlives(record, details, rules)


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
    """The override in force is a transient state that lasted, and its newest signal is newer than this event.

    The state itself may be gone from the record, settled by a return that did not end the override.
    """
    newest = record.transient or record.override
    return newest is not None and is_transient(record, details, rules) and later_by(details.judged, newest.stamp) < 0


def is_due(record: Record, details: Details, rules: SessionRules) -> bool:
    """A transient state has lasted long enough to count."""
    return record.transient is not None and record.transient.due <= details.now


def was_outlived(record: Record, details: Details, rules: SessionRules) -> bool:
    """It is due, and a message is known that came more than the grace after its newest signal."""
    if not is_due(record, details, rules):
        return False
    return later_by(record.alive, transient_of(record).stamp) > rules.alive_grace


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
    """The answer was asked for once its source had been seen to have caught up."""
    return record.override is not None and record.override.is_fresh(details.source, details.asked_at)
