"""What operators ask of the spool, and what they do to its entries: at any of the proxies that share it."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from statusproxy.clock import OwnClock
from statusproxy.spool.dropping import Losses
from statusproxy.spool.order import Order, Totals
from statusproxy.spool.receivers import Receivers
from statusproxy.spool.times import shifted
from statusproxy.store.base import Store
from statusproxy.store.errors import StoreError
from statusproxy.store.spooled import Entry, EntryState, Moved, Removed, SpoolOp

__all__ = ["Control", "SharedError"]


class SharedError(Exception):
    """The change was not made, or may not have been: other proxies share the spool, and cannot be notified now."""


class Control:
    """The entries as operators see them. What they do holds at once; it is durable when the call returns.

    Of a spool that proxies share, what they do holds once the server has it: until then another may send an entry.
    So nothing is changed while the server does not answer.
    """

    def __init__(
        self,
        order: Order,
        receivers: Receivers,
        store: Store,
        clock: OwnClock,
        counter: Losses,
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called when there may be something to deliver, or nothing any more."""
        self._order = order
        self._receivers = receivers
        self._store = store
        self._clock = clock
        self._counter = counter
        self._changed = changed

    @property
    def totals(self) -> Totals:
        """Counts and bytes of all entries."""
        return self._order.totals

    @property
    def shift(self) -> float:
        """Seconds to add to a time of an entry, or of `away`, to get the system's (`OwnClock.shift`)."""
        return self._clock.shift

    @property
    def oldest_waiting(self) -> Entry | None:
        """The waiting entry that came first."""
        return self._order.oldest_waiting()

    @property
    def away(self) -> dict[str, float]:
        """Receivers that this proxy does not try just now, and since when.

        One for which nothing waits is none once it may be tried: nothing tells that it is still away.
        """
        return {
            name: since
            for name, since in self._receivers.away.items()
            if self._order.has_waiting(name) or not self._receivers.lets(name)
        }

    def entries(self) -> list[Entry]:
        """All entries as they are now, in no order (their ids sort by age): quick however many there are."""
        return self._order.entries()

    def get(self, id_: str) -> Entry | None:
        """The entry of this id."""
        return self._order.get(id_)

    def is_next(self, entry: Entry) -> bool:
        """Whether an entry is the next to be sent of its session: it waits, and no earlier one does."""
        return self._order.is_next(entry)

    async def replay(self, ids: Iterable[str]) -> int:
        """Have entries delivered now, whatever their state; give how many there were.

        Raises `StoreError`, and `SharedError` where other proxies cannot be told.
        """
        self._check_shared()
        now, moved = self._clock.now(), []
        for id_ in ids:
            entry = self._order.get(id_)
            if entry is not None:
                entry = msgspec.structs.replace(entry, state=EntryState.WAITING, next_at=now, rejected=0)
                self._order.put(entry)
                moved.append(Moved(shifted(entry, self._clock.shift)))
        self._changed()
        await self._write(moved)
        return len(moved)

    async def drop(self, ids: Iterable[str]) -> int:
        """Drop entries permanently; return how many there were. Raises as `replay` does."""
        self._check_shared()
        removed = []
        for id_ in ids:
            if self._order.remove(id_) is not None:
                self._counter.dropped("operator")
                removed.append(Removed(id_))
        self._changed()
        await self._write(removed)
        return len(removed)

    def _check_shared(self) -> None:
        if self._store.claims is not None and not self._store.healthy:
            why = self._store.error or "no reason given"
            raise SharedError(f"not changed: other proxies share the spool and cannot be reached now: {why}")

    async def _write(self, ops: Sequence[SpoolOp]) -> None:
        try:
            await self._store.save((), (), (), ops)
        except StoreError as error:
            if self._store.claims is None:
                raise
            raise SharedError(
                f"it is in force at this proxy; until the server answers, another proxy may still send it: {error}"
            ) from error
