"""The spool: takes in what a receiver did not take, and owns what is known of entries and receivers.

Every change of an entry is made here and written by the store's one writer. `delivery` takes entries out and tells
what became of them.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from statusproxy.clock import OwnClock
from statusproxy.proxy.ports import Attempt, NotKeptError, Parcel
from statusproxy.spool.circuit import CLOSED, Circuit, begun, tried
from statusproxy.spool.order import Lane, Order, Totals, lane_of
from statusproxy.spool.schedule import SpoolRules, after, at_first
from statusproxy.status.fields import fold_id
from statusproxy.store.base import Store
from statusproxy.store.errors import StoreError
from statusproxy.store.spooled import Content, Entry, Kept, Moved, Reason, Removed, SpoolOp, State

__all__ = ["Counter", "Spool", "new_id"]

log = logging.getLogger("statusproxy.spool")

#: Seconds after a start in which no entry counts as too old: until then a system clock that ran ahead may be set right.
_FIRST_HOUR: Final = 3600.0


class Counter(Protocol):
    """Who counts what happens to entries (`observe.spool_counts`)."""

    def kept(self, reason: str) -> None:
        """An event was kept; why it was not delivered at once."""

    def delivered(self) -> None:
        """An entry was delivered."""

    def dropped(self, reason: str) -> None:
        """An entry left the spool undelivered: `age`, `lost` or `operator`."""

    def not_kept(self, reason: str) -> None:
        """An event could not be kept: `full` or `store`."""


def new_id(now: float) -> str:
    """An id that sorts by time (milliseconds since the epoch), and that no other proxy makes."""
    return f"{int(now * 1000):012x}{secrets.token_hex(8)}"


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
        self._circuits: dict[str, Circuit] = {}  # those that are not as `CLOSED`
        self._writing: dict[str, asyncio.Future[None]] = {}  # entries on their way to the disk
        self._opened_at = clock.now()

    async def open(self) -> None:
        """Take over what the store holds. Raises `StoreError`."""
        now = self._opened_at = self._clock.now()
        entries = await self._reader.entries()
        for entry in entries:
            # A time ahead is of a system clock that has been set right since.
            self._order.put(entry if entry.received_at <= now else msgspec.structs.replace(entry, received_at=now))
        if entries:
            totals = self._order.totals
            log.info(
                "spool: %d events wait, %d unknown, %d dead", totals.waiting, totals.unknown, totals.dead,
                extra={"waiting": totals.waiting, "unknown": totals.unknown, "dead": totals.dead, "now": now},
            )  # fmt: skip
        self.changed.set()

    def configure(self, rules: SpoolRules) -> None:
        """Apply new rules from now on. Entries that are there stay, also where they are more than the new bounds."""
        self.rules = rules
        self.changed.set()

    # What the proxy asks and tells (proxy.ports.SpoolPort)

    @property
    def folder(self) -> Path:
        """As `SpoolPort.folder`."""
        return self._reader.folder

    def quiet(self, receiver: str) -> bool:
        """As `SpoolPort.quiet`."""
        circuits = self._circuits
        return (not circuits or circuits.get(receiver, CLOSED).closed) and not self._order.has_waiting(receiver)

    def admit(self, receiver: str, session: str | None) -> bool:
        """As `SpoolPort.admit`."""
        circuit = self._circuits.get(receiver, CLOSED)
        if self._order.waits(Lane(receiver, _queue(session))):
            return False
        if circuit.closed:
            return True
        # While others wait, the probe is the oldest of them.
        if self._order.has_waiting(receiver) or not circuit.lets(self._clock.now()):
            return False
        self._circuits[receiver] = begun(circuit)
        return True

    def has_room(self, size: int) -> bool:
        """As `SpoolPort.has_room`."""
        return self._lacks_room(size) is None and self._store.healthy

    async def keep(self, parcel: Parcel, attempt: Attempt) -> str:
        """As `SpoolPort.keep`."""
        if attempt.reason != "queued":
            self.attempted(parcel.receiver, parcel.session, attempt)
        why = self._lacks_room(parcel.size)
        if why is not None:
            self._counter.not_kept("full")
            raise NotKeptError(f"the spool is full: {why}")
        if not self._store.healthy:
            self._counter.not_kept("store")
            raise NotKeptError(f"the spool cannot be written: {self._store.error}")
        entry = self._new(parcel, attempt)
        self._order.put(entry)  # at once: what comes later waits behind it
        written = asyncio.ensure_future(self._write_new(entry, Content(parcel.head, parcel.body)))
        self._writing[entry.id] = written
        written.add_done_callback(lambda _: self._writing.pop(entry.id, None))
        await asyncio.shield(written)
        return entry.id

    def attempted(self, receiver: str, session: str | None, attempt: Attempt) -> None:
        """As `SpoolPort.attempted`."""
        circuit = self._circuits.get(receiver, CLOSED)
        if circuit is CLOSED and attempt.reason == "delivered":
            return
        self._set_circuit(receiver, circuit, tried(circuit, attempt, _queue(session), self._clock.now()))

    # What the delivery asks and tells

    @property
    def receivers(self) -> list[str]:
        """The receivers for which anything waits."""
        return self._order.receivers

    def take(self, receiver: str) -> Entry | None:
        """The entry to be sent to this receiver now, if any; `tried` must follow."""
        circuit, now = self._circuits.get(receiver, CLOSED), self._clock.now()
        if not circuit.lets(now):
            return None
        if circuit.closed:
            return self._order.take(receiver, now)
        entry = self._order.take_oldest(receiver)
        if entry is not None:
            self._circuits[receiver] = begun(circuit)
        return entry

    def next_at(self, receiver: str) -> float | None:
        """When `take` may have something for this receiver, on our own clock; None where only a change brings that."""
        circuit, due = self._circuits.get(receiver, CLOSED), self._order.next_due(receiver)
        if circuit.closed or due is None:
            return due
        return None if circuit.probing else circuit.probe_at

    async def content(self, entry: Entry) -> Content | None:
        """What an entry is sent with; None where it is gone. Raises `StoreError`."""
        writing = self._writing.get(entry.id)
        if writing is not None:
            await asyncio.wait([writing])
        return await self._reader.content(entry.id) if self._order.get(entry.id) is not None else None

    async def tried(self, entry: Entry, attempt: Attempt) -> None:
        """What became of an entry that was taken. Its lane goes on once what changed is on disk."""
        now = self._clock.now()
        circuit = self._circuits.get(entry.receiver, CLOSED)
        self._set_circuit(entry.receiver, circuit, tried(circuit, attempt, entry.queue, now))
        try:
            if self._order.get(entry.id) is None:  # dropped meanwhile
                return
            moved = after(entry, attempt, self.rules, now, self._chance())
            if moved is None:
                self._counter.delivered()
                await self._write([Removed(entry.id)])
                self._order.remove(entry.id)
            elif moved != entry:
                self._order.put(moved)
                if moved.state is State.DEAD:
                    log.warning(
                        "spool: event %s of session %s is dead: its receiver answered %s",
                        entry.id, entry.session, moved.status, extra={"id": entry.id, "status": moved.status},
                    )  # fmt: skip
                await self._write([Moved(moved)])
        finally:
            self._order.put_back(lane_of(entry))
            self.changed.set()

    async def lost(self, entry: Entry) -> None:
        """An entry that was taken has no content any more: it cannot be delivered."""
        if self._order.remove(entry.id) is not None:
            self._counter.dropped("lost")
            log.error(
                "spool: the content of event %s of session %s cannot be read; it is dropped",
                entry.id, entry.session, extra={"id": entry.id},
            )  # fmt: skip
            await self._write([Removed(entry.id)])

    async def drop_old(self) -> None:
        """Drop what is older than `max_age`."""
        now = self._clock.now()
        if now < self._opened_at + min(_FIRST_HOUR, self.rules.max_age):
            return
        dropped: list[Entry] = []
        while (oldest := self._order.oldest()) is not None and oldest.received_at + self.rules.max_age < now:
            self._order.remove(oldest.id)
            self._counter.dropped("age")
            dropped.append(oldest)
        if dropped:
            log.error(
                "spool: %d events are older than max_age and were dropped; the first came for session %s",
                len(dropped), dropped[0].session, extra={"dropped": len(dropped)},
            )  # fmt: skip
            self.changed.set()
            await self._write([Removed(entry.id) for entry in dropped])

    # What operators ask and do

    @property
    def totals(self) -> Totals:
        """Counts and bytes of all entries."""
        return self._order.totals

    @property
    def oldest(self) -> Entry | None:
        """The entry that came first."""
        return self._order.oldest()

    @property
    def oldest_waiting(self) -> Entry | None:
        """The waiting entry that came first. Costs a look at each session that has any."""
        return self._order.oldest_waiting()

    @property
    def away(self) -> dict[str, float]:
        """Receivers that are not tried just now, and since when."""
        return {name: each.opened_at for name, each in self._circuits.items() if each.opened_at is not None}

    def entries(self) -> list[Entry]:
        """All entries as they are now, in no order (their ids sort by age): quick however many there are."""
        return list(self._order)

    def get(self, id_: str) -> Entry | None:
        """The entry of this id."""
        return self._order.get(id_)

    async def replay(self, ids: Iterable[str]) -> int:
        """Have entries delivered now, whatever their state; give how many there were. Raises `StoreError`."""
        now, moved = self._clock.now(), []
        for id_ in ids:
            entry = self._order.get(id_)
            if entry is not None:
                entry = _anew(entry, now)
                self._order.put(entry)
                moved.append(Moved(entry))
        self.changed.set()
        await self._store.save((), (), (), moved)
        return len(moved)

    async def drop(self, ids: Iterable[str]) -> int:
        """Drop entries for good; give how many there were. Raises `StoreError`."""
        removed = []
        for id_ in ids:
            if self._order.remove(id_) is not None:
                self._counter.dropped("operator")
                removed.append(Removed(id_))
        self.changed.set()
        await self._store.save((), (), (), removed)
        return len(removed)

    # Inside

    def _lacks_room(self, size: int) -> str | None:
        totals, rules = self._order.totals, self.rules
        if totals.entries >= rules.max_entries:
            return f"{totals.entries} events (spool.max_entries)"
        if totals.size + size > rules.max_bytes:
            return f"{totals.size} bytes (spool.max_bytes)"
        return None

    def _new(self, parcel: Parcel, attempt: Attempt) -> Entry:
        now = self._clock.now()
        entry = Entry(
            id=new_id(now),
            path=parcel.path,
            receiver=parcel.receiver,
            queue=_queue(parcel.session),
            session=parcel.session,
            state=State.WAITING,
            reason=Reason.QUEUED,
            size=parcel.size,
            received_at=now,
            next_at=now,
            event=parcel.event,
            framed=parcel.framed,
            filed=isinstance(parcel.body, Path),
        )
        return at_first(entry, attempt, self.rules, now, self._chance())

    async def _write_new(self, entry: Entry, content: Content) -> None:
        """Write a new entry; where that fails it is none, since its sender is told so."""
        try:
            await self._store.save((), (), (), [Kept(entry, content)])
        except StoreError as error:
            self._order.remove(entry.id)
            self._counter.not_kept("store")
            await self._write([Removed(entry.id)])
            raise NotKeptError(f"the spool cannot be written: {error}") from error
        finally:
            self.changed.set()
        self._counter.kept(entry.reason.value)

    async def _write(self, ops: Sequence[SpoolOp]) -> None:
        """Write what changed. Where the store refuses, it has it all the same, and writes it later."""
        try:
            await self._store.save((), (), (), ops)
        except StoreError as error:
            log.error("spool: what changed of %d events is not on disk yet: %s", len(ops), error)

    def _set_circuit(self, receiver: str, before: Circuit, now: Circuit) -> None:
        if now == before:
            return
        if now == CLOSED:
            self._circuits.pop(receiver, None)
        else:
            self._circuits[receiver] = now
        if before.closed and not now.closed:
            log.warning("spool: %s does not take events; they are kept", receiver, extra={"receiver": receiver})
        elif now.closed and not before.closed:
            log.info("spool: %s takes events again", receiver, extra={"receiver": receiver})
            self._order.hasten(receiver, self._clock.now())
        self.changed.set()


def _queue(session: str | None) -> str:
    return "" if session is None else fold_id(session)


def _anew(entry: Entry, now: float) -> Entry:
    """The entry as it waits when an operator wants it delivered."""
    return msgspec.structs.replace(entry, state=State.WAITING, next_at=now, rejected=0)
