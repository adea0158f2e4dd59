"""The spool: takes in what a receiver did not take, and owns what is known of entries and receivers.

`delivery` takes entries out and reports the results; `control` is what operators do, `dropping` what leaves
undelivered, `others` what other proxies did. All of them change the same `Order` of entries, and the store's only
writer writes it.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from statusproxy.clock import OwnClock
from statusproxy.observe.counted import counted
from statusproxy.proxy.ports import Arrived, Attempt, NotKeptError, Parcel, Unkept
from statusproxy.spool.control import Control
from statusproxy.spool.direct import queue_of
from statusproxy.spool.dropping import Dropping, Losses
from statusproxy.spool.ids import Ids
from statusproxy.spool.order import Lane, Order, Totals, lane_of
from statusproxy.spool.others import Others
from statusproxy.spool.receivers import Receivers
from statusproxy.spool.schedule import SpoolRules, after, at_first
from statusproxy.spool.times import recalled, shifted
from statusproxy.spool.writing import Writing
from statusproxy.store.base import Store
from statusproxy.store.errors import StoreError
from statusproxy.store.spooled import Content, Entry, EntryState, Kept, Moved, Reason, Removed

__all__ = ["Counter", "Spool"]

log = logging.getLogger("statusproxy.spool")

#: Entries that are taken over in one turn of the event loop.
_AT_ONCE: Final = 100


class Counter(Losses, Protocol):
    """Who counts what happens to entries (`observe.spool_counts`)."""

    def kept(self, reason: str) -> None:
        """An event was kept; why it was not delivered at once."""

    def delivered(self) -> None:
        """An entry was delivered."""

    def not_kept(self, reason: str) -> None:
        """An event could not be kept: `full` or `store`."""


class Spool:
    """Implements `proxy.ports.SpoolPort`. `open` first; all in one event loop."""

    def __init__(
        self,
        store: Store,
        clock: OwnClock,
        rules: SpoolRules,
        counter: Counter,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance` gives numbers from 0 to 1, for the jitter."""
        assert store.spool is not None
        self.rules = rules
        self.changed = asyncio.Event()
        """Set when there may be something to deliver, or nothing any more."""
        self._store = store
        self._reader = store.spool
        self._clock = clock
        self._counter = counter
        self._chance = chance
        self._order = Order()
        self._ids = Ids()
        self._receivers = Receivers(clock)
        self._writing: dict[str, asyncio.Future[StoreError | None]] = {}  # entries on their way to the disk
        self.writing = Writing(store, self._order.put_back)
        """Writes the results of entries to the disk."""
        self.control = Control(self._order, self._receivers, store, clock, counter, self.changed.set)
        """What operators see and do."""
        self._dropping = Dropping(self._order, store, clock, self.writing, counter)
        self._others = Others(self._order, self._ids, self._here, self._dropping.vanished, self.changed.set)
        self._reader.on_news = self._others.tell
        self._opened_at: float | None = None
        self._open_error = ""

    async def open(self) -> bool:
        """Take over what the store holds; False where it cannot be read now. Until then nothing is kept."""
        if self._opened_at is not None:
            return True
        try:
            entries = await self._reader.entries()
        except StoreError as error:
            if str(error) != self._open_error:
                log.error("spool: the stored events cannot be read yet, so nothing is delivered or stored: %s", error)
            self._open_error = str(error)
            return False
        for number, entry in enumerate(entries):
            self._others.take_in(entry)
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        self._others.follow()
        self._opened_at = self._clock.now()
        if entries:
            _tell_recalled(self._order.totals)
        self.changed.set()
        return True

    @property
    def unread(self) -> str | None:
        """Why it is not known what is kept; None once the store was read."""
        return None if self._opened_at is not None else self._open_error or "it has not been read yet"

    def configure(self, rules: SpoolRules) -> None:
        """Apply new rules from now on. Entries that are there stay, also where they are more than the new bounds."""
        self.rules = rules
        self.changed.set()

    # What the proxy asks and tells (proxy.ports.SpoolPort)

    @property
    def folder(self) -> Path:
        """As `SpoolPort.folder`."""
        return self._reader.folder

    @property
    def resends(self) -> bool:
        """As `SpoolPort.resends`."""
        return self.rules.resend

    def quiet(self, receiver: str) -> bool:
        """As `SpoolPort.quiet`."""
        return self._receivers.takes(receiver) and not self._order.has_waiting(receiver)

    def arrived(self, receiver: str, event: Unkept) -> Arrived:
        """As `SpoolPort.arrived`."""
        arrived = self._arrived(receiver)
        self._order.begin(receiver, arrived.id, event)
        return arrived

    def left(self, arrived: Arrived) -> None:
        """As `SpoolPort.left`."""
        if self._order.end(arrived.receiver, arrived.id):
            self.changed.set()

    def admit(self, receiver: str, session: str | None, size: int = 0, arrived: Arrived | None = None) -> bool:
        """As `SpoolPort.admit`; without `arrived` it arrives now."""
        lane = Lane(receiver, queue_of(session))
        if self._order.waits(lane):
            return False
        if arrived is not None and self._order.holds(lane, arrived.id) and self.has_room(size):
            return False
        if self._receivers.takes(receiver):
            return True
        lets = self._receivers.lets(receiver)
        # While others wait, one of them is the probe. But an event that cannot be kept gets what it gets without a
        # spool: it is sent, and its answer may be the first to show that the receiver is back.
        if self.has_room(size) and (self._order.has_waiting(receiver) or not lets):
            return False
        if lets:
            self._receivers.begin(receiver, lane.queue)
        return True

    def has_room(self, size: int) -> bool:
        """As `SpoolPort.has_room`."""
        return _full(self._order.totals, size, self.rules) is None and self._refuses() is None

    async def keep(self, parcel: Parcel, attempt: Attempt, arrived: Arrived | None = None) -> str:
        """As `SpoolPort.keep`; without `arrived` it arrives now."""
        if attempt.reason != "queued":
            self.attempted(parcel.receiver, parcel.session, attempt)
        why = _full(self._order.totals, parcel.size, self.rules)
        if why is not None:
            self._counter.not_kept("full")
            raise NotKeptError(f"the spool is full: {why}")
        why = self._refuses()
        if why is not None:
            self._counter.not_kept("store")
            raise NotKeptError(f"the spool cannot be written: {why}")
        if arrived is None:
            arrived = self._arrived(parcel.receiver)
        entry = at_first(_entry(arrived, parcel), attempt, self.rules, self._clock.now(), self._chance())
        self._order.put(entry)  # at once: what comes later waits behind it
        self.left(arrived)
        written = asyncio.ensure_future(self._write_new(entry, Content(parcel.head, parcel.body)))
        self._writing[entry.id] = written
        written.add_done_callback(lambda _: self._writing.pop(entry.id, None))
        error = await asyncio.shield(written)
        if error is not None:
            raise NotKeptError(f"the spool cannot be written: {error}") from error
        return entry.id

    def attempted(self, receiver: str, session: str | None, attempt: Attempt) -> None:
        """As `SpoolPort.attempted`."""
        self._ended(receiver, queue_of(session), attempt)

    def reached(self, receiver: str) -> None:
        """A connection to this receiver was made again after a time without: it is tried at once."""
        self._receivers.reached(receiver)
        self.changed.set()

    # What the delivery asks and tells

    @property
    def receivers(self) -> list[str]:
        """The receivers for which anything waits."""
        return self._order.receivers

    # `now` is the moment to decide by, the clock's by default. Who decides several things in one turn gives the same
    # for all: what falls due between two readings would be due for one and not for the other.

    def take(self, receiver: str, now: float | None = None) -> Entry | None:
        """The entry to be sent to this receiver now, if any; `tried` must follow."""
        now = self._clock.now() if now is None else now
        if self._receivers.takes(receiver):
            return self._order.take(receiver, now)
        if not self._receivers.lets(receiver, now):
            return None
        entry = self._order.take_probe(receiver, now)
        if entry is not None:
            self._receivers.begin(receiver, entry.queue)
        return entry

    def next_at(self, receiver: str, now: float | None = None) -> float | None:
        """When `take` may have something for this receiver, on our own clock; None where only a change brings that.

        For after a `take` at the same moment that had nothing.
        """
        due = self._order.next_due(receiver)
        if due is None or self._receivers.takes(receiver):
            return due
        probe_at = self._receivers.probe_at(receiver)
        return probe_at if probe_at > (self._clock.now() if now is None else now) else due

    def lets(self, receiver: str, now: float | None = None) -> bool:
        """Whether anything may be sent to this receiver now: it is not known to be away, or a probe is due."""
        return self._receivers.lets(receiver, now)

    async def content(self, entry: Entry) -> Content | None:
        """What an entry is sent with; None where it is gone, or cannot be read and was dropped. Raises `StoreError`.

        `release` must follow.
        """
        writing = self._writing.get(entry.id)
        if writing is not None:
            await asyncio.wait([writing])
        if self._order.get(entry.id) is None:
            return None
        return await self._reader.content(entry.id)

    def release(self, content: Content) -> None:
        """A content is of no use any more."""
        self._reader.release(content)

    async def tried(self, entry: Entry, attempt: Attempt) -> None:
        """Apply the result of an attempt to deliver an entry that was taken.

        The entry's lane goes on after the result is written. A result that ends the entry must be on disk first.
        """
        self._ended(entry.receiver, entry.queue, attempt)
        lane, held = lane_of(entry), False
        try:
            current = self._order.get(entry.id)
            if current is None:  # dropped meanwhile
                return
            moved = after(current, attempt, self.rules, self._clock.now(), self._chance())
            if moved is None:
                self._counter.delivered()
                try:
                    held = not await self.writing.end(lane, Removed(entry.id))
                finally:
                    self._order.remove(entry.id)
            elif moved != current:
                self._order.put(moved)
                if moved.state is EntryState.DEAD:
                    log.warning(
                        "spool: event %s of session %s is dead: its receiver answered %s",
                        entry.id, entry.session, moved.status, extra={"id": entry.id, "status": moved.status},
                    )  # fmt: skip
                op = Moved(shifted(moved, self._clock.shift))
                if moved.state is EntryState.DEAD:
                    held = not await self.writing.end(lane, op)
                else:
                    await self.writing.write([op])
        finally:
            if not held:
                self._order.put_back(lane)
            self.changed.set()

    async def lost(self, entry: Entry) -> None:
        """An entry that was taken has no content any more: it cannot be delivered."""
        await self._dropping.unreadable(entry)

    async def drop_old(self) -> None:
        """Drop what is older than `max_age`."""
        if self._opened_at is not None and await self._dropping.too_old(self.rules.max_age, self._opened_at):
            self.changed.set()

    # Inside

    def _arrived(self, receiver: str) -> Arrived:
        now = self._clock.now()
        # Those of several proxies are in order by the clock that they share.
        ahead = 0.0 if self._store.claims is None else self._clock.shift + self._reader.ahead
        return Arrived(receiver, self._ids.new(now + ahead), now)

    def _here(self, entry: Entry) -> Entry:
        return recalled(entry, self._clock.shift, self._clock.now(), self.rules.schedule)

    def _refuses(self) -> str | None:
        if self.unread is not None or self._store.healthy:
            return self.unread
        return self._store.error or "no reason given"

    def _ended(self, receiver: str, queue: str, attempt: Attempt) -> None:
        if self._receivers.ended(receiver, queue, attempt):
            self._order.hasten(receiver)
        if self._order.has_waiting(receiver):
            self.changed.set()

    async def _write_new(self, entry: Entry, content: Content) -> StoreError | None:
        """Write a new entry; where that fails (the error is given) it is none, since its sender is told so."""
        try:
            await self._store.save((), (), (), [Kept(shifted(entry, self._clock.shift), content)])
        except StoreError as error:
            self._order.remove(entry.id)
            self._counter.not_kept("store")
            await self.writing.write([Removed(entry.id)])
            return error
        finally:
            self.changed.set()
        self._counter.kept(entry.reason.value)
        return None


def _full(totals: Totals, size: int, rules: SpoolRules) -> str | None:
    """Why there is no room for so many bytes more; None where there is."""
    if totals.entries >= rules.max_entries:
        return f"{counted(totals.entries, 'event')} (spool.max_entries)"
    if totals.size + size > rules.max_bytes:
        return f"{totals.size} bytes (spool.max_bytes)"
    return None


def _entry(arrived: Arrived, parcel: Parcel) -> Entry:
    return Entry(
        id=arrived.id,
        path=parcel.path,
        receiver=parcel.receiver,
        queue=queue_of(parcel.session),
        session=parcel.session,
        state=EntryState.WAITING,
        reason=Reason.QUEUED,
        size=parcel.size,
        received_at=arrived.at,
        next_at=arrived.at,
        event=parcel.event,
        framed=parcel.framed,
        filed=isinstance(parcel.body, Path),
        checksum=parcel.checksum,
        base=parcel.base,
    )


def _tell_recalled(totals: Totals) -> None:
    log.info(
        "spool: %s, %d unknown, %d dead",
        counted(totals.waiting, "event waits", "events wait"), totals.unknown, totals.dead,
        extra={"waiting": totals.waiting, "unknown": totals.unknown, "dead": totals.dead},
    )  # fmt: skip
