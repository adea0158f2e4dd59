"""The spool's entries and totals converted to the admin listener's messages, without any value that may be a secret.

The spool's times are on the proxy's own clock; the messages have them in the system's.
"""

from typing import Final

from statusproxy.admin.report import moment
from statusproxy.admin.spool_messages import AwayReceiver, SpoolEntry, SpoolField, SpoolTotals
from statusproxy.spool.spool import Spool
from statusproxy.spool.times import shifted
from statusproxy.store.spooled import Entry

#: Fields whose values are shown; any other may hold a secret, or what a sender says of itself.
SHOWN: Final = frozenset({"content-type", "content-length", "user-agent", "x-request-id"})


def totals_report(spool: Spool) -> SpoolTotals:
    """What all entries come to."""
    control, totals, rules = spool.control, spool.control.totals, spool.rules
    waiting, shift = control.oldest_waiting, control.shift
    return SpoolTotals(
        entries=totals.entries,
        bytes=totals.size,
        waiting=totals.waiting,
        unknown=totals.unknown,
        dead=totals.dead,
        waiting_since=None if waiting is None else moment(waiting.received_at + shift),
        away=[AwayReceiver(receiver, moment(since + shift)) for receiver, since in sorted(control.away.items())],
        max_entries=rules.max_entries,
        max_bytes=rules.max_bytes,
        max_age=rules.max_age,
    )


def entry_report(entry: Entry, *, is_next: bool, shift: float) -> SpoolEntry:
    """One entry, without its content. `is_next`: no earlier one of its session waits, so that its time is its own.

    `shift` is from the spool's clock to the system's (`Control.shift`).
    """
    entry = shifted(entry, shift)
    return SpoolEntry(
        id=entry.id,
        session=entry.session,
        event=entry.event,
        state=entry.state.value,
        reason=entry.reason.value,
        status=entry.status,
        attempts=entry.attempts,
        received_at=moment(entry.received_at),
        next_at=moment(entry.next_at) if is_next else None,
        bytes=entry.size,
        path=entry.path,
        receiver=entry.receiver,
    )


def field_reports(head: bytes) -> list[SpoolField]:
    """The fields of a head, in their order; the request line, whose target may hold a secret, is left out."""
    fields = []
    for line in head.split(b"\r\n")[1:]:
        if not line:
            continue
        name, _, value = (part.decode("utf-8", "replace") for part in line.partition(b":"))
        fields.append(SpoolField(name, value.strip() if name.lower() in SHOWN else None))
    return fields
