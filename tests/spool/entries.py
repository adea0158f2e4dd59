"""Entries for the tests of the spool."""

import msgspec

from statusproxy.store.spooled import Entry, EntryState, Reason


def entry(number: int = 1, /, **changes: object) -> Entry:
    """An entry that came `number` seconds after the beginning and is due; `changes` are fields."""
    made = Entry(
        id=f"{number:06}",
        path="/hook",
        receiver="gateway",
        queue="sales",
        session="sales",
        state=EntryState.WAITING,
        reason=Reason.NOT_SENT,
        size=100,
        received_at=float(number),
        next_at=float(number),
    )
    return msgspec.structs.replace(made, **changes)
