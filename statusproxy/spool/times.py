"""An entry's times, on our own clock and in the store: there by the system's, since our own ends with the process."""

from collections.abc import Sequence

import msgspec

from statusproxy.spool.schedule import MOST_ASKED
from statusproxy.store.spooled import Entry

__all__ = ["recalled", "shifted"]


def shifted(entry: Entry, seconds: float) -> Entry:
    """The entry with all of its times moved."""
    if not seconds:
        return entry
    received_at, next_at = entry.received_at + seconds, entry.next_at + seconds
    return msgspec.structs.replace(entry, received_at=received_at, next_at=next_at)


def recalled(entry: Entry, shift: float, now: float, schedule: Sequence[float]) -> Entry:
    """An entry from the store, on our own clock; `shift` is from that to the system's.

    A time ahead is of a system clock that has been set right since.
    """
    entry = shifted(entry, -shift)
    entry = shifted(entry, min(0.0, now - entry.received_at))
    return msgspec.structs.replace(entry, next_at=min(entry.next_at, now + max(MOST_ASKED, *schedule)))
