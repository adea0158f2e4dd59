"""Ages of stored records: by the monotonic clock within one boot of the machine, else by the system's clock.

Of another boot only the system's time tells, and a machine without a clock of its own may start days ahead or behind.
So ages that were learned that way are in doubt for a while, until a time service has had time to set the clock.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from statusproxy.clock import OwnClock
from statusproxy.status.clocks import Written
from statusproxy.status.doubtful_age import SETTLING
from statusproxy.status.model import Record
from statusproxy.status.stored_times import moved, not_after, told_anew

#: Seconds by which a clock that proxies share may be ahead of ours without being wrong.
_AHEAD: Final = 1.0


class TakenOver(NamedTuple):
    """Stored records on our own clock."""

    records: list[Record]
    doubted_at: float | None
    """Now, where the age of any of them is in doubt."""
    moved_by: float
    """Seconds by which the system's clock was moved since the records were written, as far as that can be told."""


class StoredAges:
    """Which boot this is, and since when ages are in doubt."""

    __slots__ = ("_boot", "_clock", "_doubted_at")

    def __init__(self, clock: OwnClock, boot: str | None) -> None:
        """`boot` identifies this boot of the machine; "" if it is not known: then all ages are in doubt.

        `None`: the system's clock is always right.
        """
        self._clock = clock
        self._boot = boot
        self._doubted_at: float | None = None

    def take_over(self, stored: Sequence[Record], now: float, *, shared: bool = False) -> TakenOver:
        """Stored records, with their age by the monotonic clock where that is known; none of them after `now`.

        `shared`: those that no clock of this machine told were told by one that all proxies go by, and are in no doubt.
        They may be as much ahead of `now` as that clock may be ahead of ours.
        """
        told = [
            (record, 0.0) if shared and record.written is None else told_anew(record, self._boot, self._clock.base)
            for record in stored
        ]
        doubted = self._boot is not None and any(by is None for _, by in told)
        if doubted:
            self._doubted_at = now
        moved_by = max((by for _, by in told if by is not None), key=abs, default=0.0)
        latest = now + _AHEAD if shared else now
        return TakenOver([not_after(record, latest) for record, _ in told], now if doubted else None, moved_by)

    def doubted_at(self, now: float) -> float | None:
        """When the records whose ages are still in doubt at `now` were loaded; `None` if there are none."""
        doubted_at = self._doubted_at
        return doubted_at if doubted_at is not None and now - doubted_at < SETTLING else None

    def as_stored(self, records: Sequence[Record], shift: float) -> Sequence[Record]:
        """The records in the system's time, `shift` seconds ahead of ours, with the clock that they were told by."""
        written = Written(self._boot, self._clock.base, shift) if self._boot else None
        if not shift and written is None:
            return records
        doubted_at = self.doubted_at(self._clock.last)
        return [_as_stored(record, shift, written, doubted_at) for record in records]


def _as_stored(record: Record, shift: float, written: Written | None, doubted_at: float | None) -> Record:
    doubtful = (state.began for state in (record.override, record.transient) if state is not None)
    if doubted_at is not None and any(began < doubted_at for began in doubtful):
        written = None  # the next start must doubt it as this one does
    if shift:
        record = moved(record, shift)
    return record if written is None else replace(record, written=written)
