"""The backlog of a store: what was handed in and is not durable yet. Pure bookkeeping, for one thread.

There are two batches. The open one takes in what comes; the other is being written. When its write fails, it becomes
the beginning of the open one again: the newest record of a session wins, and changes keep their order.
"""

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from statusproxy.status.model import Change, Record
from statusproxy.store.errors import StoreError
from statusproxy.store.spooled import SpoolOp, coalesced

__all__ = ["Backlog", "Batch", "Dropped", "Entry", "Item"]

#: Changes kept in memory while a store refuses; the oldest go first. Sessions are bounded by the map.
WAITING_CHANGES: Final = 100_000

#: Seconds before a session's first event at which it was forgotten, where both are handed in together.
_BEFORE: Final = 1e-6


class Entry(msgspec.Struct):
    """A change on its way into the history."""

    change: Change
    number: int = 0
    """Tells equal changes apart, also across restarts, and makes writing a change twice the same as once."""
    row: int | None = None
    """Where a backend put it at the first attempt. A commit that reported failure may have been done all the same."""


class Dropped(msgspec.Struct, frozen=True):
    """A session that was forgotten, and when (epoch seconds)."""

    session: str
    at: float


Item = Record | Dropped | Entry
"""What a journal keeps."""


class Batch(msgspec.Struct, eq=False):
    """What is written together (None: forget the session), and who waits for it."""

    records: dict[str, Record | None] = msgspec.field(default_factory=dict)
    changes: list[Entry] = msgspec.field(default_factory=list)
    spooled: dict[str, SpoolOp] = msgspec.field(default_factory=dict)
    """What is written of the spool, by the entry's id: one op an entry."""
    waiters: list["asyncio.Future[None]"] = msgspec.field(default_factory=list)
    timer: asyncio.TimerHandle | None = None
    """Ends the wait of those who wait for too long."""

    def settle(self, error: StoreError | None) -> None:
        """Let all who wait go on; those who left do not matter."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        for waiter in self.waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                # Each its own: a shared exception would collect the tracebacks of all who raise it.
                waiter.set_exception(StoreError(str(error)))
        self.waiters.clear()

    def __bool__(self) -> bool:
        return bool(self.records or self.changes or self.spooled)

    def __len__(self) -> int:
        return len(self.records) + len(self.changes) + len(self.spooled)

    def spool(self, ops: Iterable[SpoolOp]) -> None:
        """Add ops on the spool, after those that are here."""
        for op in ops:
            self.spooled[op.id] = coalesced(self.spooled.get(op.id), op)


class Backlog:
    """The open batch, the batch that is being written, and what is known of their age."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives epoch seconds."""
        self.open = Batch()
        self.writing = Batch()
        self.forgotten_at: dict[str, float] = {}
        """For each session that the store must still forget: when it was forgotten (epoch seconds).

        The session may have begun again since.
        """
        self._clock = clock
        self._number = int(clock() * 1_000_000)

    def __len__(self) -> int:
        """Sessions, changes and entries of the spool that are not durable yet."""
        return len(self.open) + len(self.writing)

    @property
    def entries(self) -> list[Entry]:
        """All changes that are not durable yet, oldest first."""
        return [*self.writing.changes, *self.open.changes]

    def add(
        self,
        records: Sequence[Record],
        forgotten: Sequence[str | Dropped],
        changes: Sequence[Change],
        spooled: Sequence[SpoolOp] = (),
    ) -> Batch:
        """Take in what was handed in; returns it as a batch of its own, without what is for the spool.

        No journal keeps that: the sender of an event is told that it could not be kept.
        """
        gone = [one if isinstance(one, Dropped) else Dropped(one, self._clock()) for one in forgotten]
        new = Batch({one.session: None for one in gone})
        for record in records:
            new.records[record.session] = record
        for change in changes:
            self._number += 1
            new.changes.append(Entry(change, self._number))
        for one in gone:
            anew = new.records[one.session]
            self.forgotten_at[one.session] = one.at if anew is None else min(one.at, anew.heard_at - _BEFORE)
        self.open.records |= new.records
        self.open.changes += new.changes
        if spooled:
            self.open.spool(spooled)
        return new

    def replay(self, items: Sequence[Item]) -> None:
        """Take in what an earlier process left in a journal, oldest first."""
        batch = self.open
        for item in items:
            if isinstance(item, Record):
                batch.records[item.session] = item
            elif isinstance(item, Dropped):
                batch.records[item.session] = None
                self.forgotten_at[item.session] = item.at
            else:
                batch.changes.append(item)
                self._number = max(self._number, item.number)
        self.shorten()

    def forgets(self, session: str, heard_at: float) -> bool:
        """Whether a session whose last event came at `heard_at` must be forgotten."""
        for batch in (self.open, self.writing):
            if session in batch.records:
                return batch.records[session] is None and heard_at <= self.forgotten_at.get(session, -math.inf)
        return False

    def on_its_way(self, id_: str) -> SpoolOp | None:
        """The last op on an entry of the spool that is not durable yet, if there is one."""
        return self.open.spooled.get(id_) or self.writing.spooled.get(id_)

    def shorten(self) -> None:
        """Keep the open batch within its bound. What is for the spool stays: `spool.max_bytes` bounds it."""
        del self.open.changes[: max(0, len(self.open.changes) - WAITING_CHANGES)]

    def newest(self) -> Batch | None:
        """The batch whose commit makes all durable that was handed in so far; None if all is."""
        return self.open or self.writing or None

    def begin_write(self) -> Batch:
        """Make the open batch the one that is written, and begin a new open one."""
        self.writing, self.open = self.open, Batch()
        return self.writing

    def write_too(self, records: Sequence[Record]) -> None:
        """Add what the store lacks to the batch that is being written, which knows newer."""
        self.writing.records = {**{record.session: record for record in records}, **self.writing.records}

    def committed(self) -> Batch:
        """The batch that was written is durable. Returns it, for those who wait."""
        written, self.writing = self.writing, Batch()
        if self.forgotten_at:
            self.forgotten_at = {one: at for one, at in self.forgotten_at.items() if one in self.open.records}
        return written

    def put_back(self) -> tuple[Batch, Batch]:
        """The write failed: its batch becomes the beginning of the open one. Returns both as they were."""
        failed, newer = self.writing, self.open
        self.writing = Batch()
        self.open = Batch({**failed.records, **newer.records}, failed.changes + newer.changes, dict(failed.spooled))
        self.open.spool(newer.spooled.values())
        self.shorten()
        return failed, newer

    def items(self, *batches: Batch) -> list[Item]:
        """What a journal has to keep of these batches; of all batches if no batch is given."""
        return [item for batch in batches or (self.writing, self.open) for item in self._items(batch)]

    def _items(self, batch: Batch) -> Iterator[Item]:
        now = self._clock()
        for session, record in batch.records.items():
            yield Dropped(session, self.forgotten_at.get(session, now)) if record is None else record
        yield from batch.changes
