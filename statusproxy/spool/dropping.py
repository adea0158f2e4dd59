"""Entries that leave the spool undelivered: what is too old, and what is lost. Each is counted and told once.

If proxies share a spool, the one that holds a claim drops what is too old. All of them are notified if the server loses
its memory, and the one that started first counts what was lost with it.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from statusproxy.clock import OwnClock
from statusproxy.observe.counted import counted
from statusproxy.spool.order import Order
from statusproxy.spool.writing import Writing
from statusproxy.store.base import Store
from statusproxy.store.errors import StoreError
from statusproxy.store.spooled import Entry, Removed

__all__ = ["Dropping", "Losses"]

log = logging.getLogger("statusproxy.spool")

#: Seconds after a start in which no entry of an earlier process counts as too old: until then a system clock that ran
#: ahead may be set right.
_FIRST_HOUR: Final = 3600.0

#: Entries that are dropped in one turn of the event loop.
_AT_ONCE: Final = 100

#: The claim of the proxy that drops what is too old. It is not given up, so that no other drops the same meanwhile.
_CLAIM: Final = "spool-age"

#: Seconds for which losses are summed up, so that they are one line in the log.
_SUM_UP: Final = 1.0


class Losses(Protocol):
    """Who counts entries that leave undelivered (`observe.spool_counts`)."""

    def dropped(self, reason: str) -> None:
        """An entry left the spool undelivered: `age`, `lost` or `operator`."""


class Dropping:
    """Takes out of the order, and of the store, what cannot be delivered any more."""

    def __init__(self, order: Order, store: Store, clock: OwnClock, writing: Writing, counter: Losses) -> None:
        self._order = order
        self._store = store
        self._clock = clock
        self._writing = writing
        self._counter = counter
        self._lost = 0  # not told yet

    async def unreadable(self, entry: Entry) -> None:
        """An entry's content cannot be read: it cannot be delivered."""
        if self._order.remove(entry.id) is None:
            return  # another proxy has delivered or dropped it, or an operator did
        self._counter.dropped("lost")
        log.error(
            "spool: the content of event %s of session %s cannot be read; it is dropped",
            entry.id, entry.session, extra={"id": entry.id},
        )  # fmt: skip
        await self._writing.write([Removed(entry.id)])

    def vanished(self, ids: Sequence[str]) -> None:
        """The server lost its memory, and these entries with it."""
        lost = sum(self._order.remove(id_) is not None for id_ in ids)
        sharing = self._store.sharing  # as it was before: who shares the state from now on is not known yet
        if sharing is None or not sharing.proxies or sharing.proxies[0].id == sharing.me:
            for _ in range(lost):
                self._counter.dropped("lost")
        if lost and not self._lost:
            asyncio.get_running_loop().call_later(_SUM_UP, self._tell_lost)
        self._lost += lost

    def _tell_lost(self) -> None:
        lost, self._lost = self._lost, 0
        log.error(
            "spool: the server of the state lost its data, and with it %s",
            counted(lost, "event that was kept there", "events that were kept there"), extra={"dropped": lost},
        )  # fmt: skip

    async def too_old(self, max_age: float, opened_at: float) -> bool:
        """Drop what is older than `max_age`, in seconds; whether there was any.

        Entries of before `opened_at` are of earlier processes.
        """
        now, total, first = self._clock.now(), 0, None
        # Those of an earlier process hold all up, as the oldest, until it is certain that the clock is right.
        since = opened_at if now < opened_at + _FIRST_HOUR else 0.0
        while (oldest := self._order.oldest()) is not None and since < oldest.received_at < now - max_age:
            if not await self._may_drop():
                break
            old = self._order.remove_older(now - max_age, since, _AT_ONCE)
            total, first = total + len(old), first or oldest
            for _ in old:
                self._counter.dropped("age")
            await self._writing.write([Removed(entry.id) for entry in old])
            await asyncio.sleep(0)  # a store that refuses does so without letting others have their turn
        if first is not None:
            log.error(
                "spool: %s dropped; the first came for session %s",
                counted(total, "event is older than max_age and was", "events are older than max_age and were"),
                first.session, extra={"dropped": total},
            )  # fmt: skip
        return first is not None

    async def _may_drop(self) -> bool:
        """Whether it is this proxy that drops now."""
        claims = self._store.claims
        try:
            return claims is None or await claims.claim(_CLAIM) is not None
        except StoreError:
            return False
