"""Saves the map to the store: what must be durable at once, and what may wait.

A change is given to the store at once, and is written even if the request that waits for it ends. An error of the store
is reported and never stops the traffic: the store keeps what it could not write, and tries again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

from statusproxy.clock import OwnClock
from statusproxy.registry.stored_ages import StoredAges
from statusproxy.status.model import Change, Record
from statusproxy.status.sessions import SessionMap
from statusproxy.status.stored_times import moved_change
from statusproxy.store.backlog import Dropped
from statusproxy.store.base import Store
from statusproxy.store.damage import Damage

log = logging.getLogger("statusproxy.sessions")

_T = TypeVar("_T")

STALE_AT_ONCE: Final = 250
"""Sessions with nothing urgent that are handed to the store at once: 4 ms where the system's clock was set."""


class Saving:
    """The one writer of the store. What is stored is in the system's time."""

    def __init__(
        self,
        sessions: SessionMap,
        store: Store,
        clock: OwnClock,
        ages: StoredAges,
        on_error: Callable[[Exception], None],
    ) -> None:
        """`on_error` is called with the error of each write that failed."""
        self.store = store
        self._sessions = sessions
        self._clock = clock
        self._ages = ages
        self._on_error = on_error
        self._under_way: set[asyncio.Future[Any]] = set()

    async def open(self, on_others: Callable[[list[Record], list[Dropped]], None]) -> list[Record]:
        """Open the store and give what it holds.

        `on_others` is told what other proxies write and forget from now on, and what the store can give only later.

        Raises `StoreError`.
        """
        self.store.on_others = on_others
        return await self.store.open()

    def save(self, changes: Sequence[Change] = ()) -> Awaitable[None] | None:
        """Write what must be durable of the map, and these changes; await the result until it is, None for nothing."""
        if not changes and not self._sessions.has_unsaved:
            return None
        unsaved, forgotten = self._sessions.take_unsaved()
        # Started now, so that it is under way while the gateway answers; and it goes on if the waiter is cancelled.
        return asyncio.shield(self._begun(self._write(unsaved, forgotten, changes)))

    def earlier(self) -> Awaitable[None]:
        """Await this until all that was saved before is durable."""
        return asyncio.ensure_future(self._write((), (), ()))

    async def flush(self) -> None:
        """Write all that is unsaved, also what is only useful to know after a restart.

        Of many sessions the store is given some at a time, so that requests are served in between. None of these waits
        until those before are durable: the store has them all after some turns of the loop, however slow it is.
        """
        records, forgotten = self._sessions.take_unsaved()
        pieces: list[asyncio.Future[Exception | None]] = []
        while True:
            stale = self._sessions.take_stale(STALE_AT_ONCE)
            records = [*stale, *records]
            if records or forgotten:
                pieces.append(self._begun(self._error_of(records, forgotten, ())))
            if len(stale) < STALE_AT_ONCE:
                break
            records, forgotten = [], []
            await asyncio.sleep(0)
        if pieces:
            await asyncio.wait(pieces)
        error = next((one for one in (piece.result() for piece in pieces) if one is not None), None)
        if error is not None:
            self._on_error(error)

    async def close(self) -> None:
        """Write what is left and close the store."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        try:
            await self.flush()
        except Exception:
            log.exception("the last changes could not be written")
        await self.store.close()

    async def works(self) -> bool:
        """Whether the store really takes writes now: asked by writing nothing, through the same one writer."""
        try:
            await self.store.save((), (), ())
        except Exception:  # noqa: BLE001 - any error means that it does not work
            return False
        return self.store.healthy

    @property
    def damage(self) -> Sequence[Damage]:
        """What happened to the stored state and no operator has acknowledged yet, oldest first."""
        return self.store.damage

    @property
    def repairs(self) -> Mapping[str, int]:
        """How often the stored state was repaired since the start, by cause."""
        return self.store.repairs

    async def acknowledge_damage(self) -> int:
        """Acknowledge all damage so far; give how many there were. Raises `StoreError`."""
        return await self.store.acknowledge()

    def _dropped(self, session: str, shift: float) -> str | Dropped:
        """A forgotten session with the time at which it was forgotten: others may have received events of it since."""
        at = self._sessions.forgotten_at(session)
        return session if at is None else Dropped(session, round(at + shift, 6))

    def _begun(self, writing: Coroutine[Any, Any, _T]) -> asyncio.Future[_T]:
        """What writes, under way from now on until it ends: `close` waits for it."""
        task = asyncio.ensure_future(writing)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _write(self, records: Sequence[Record], forgotten: Sequence[str], changes: Sequence[Change]) -> None:
        error = await self._error_of(records, forgotten, changes)
        if error is not None:
            self._on_error(error)

    async def _error_of(
        self, records: Sequence[Record], forgotten: Sequence[str], changes: Sequence[Change]
    ) -> Exception | None:
        """Write these; give what kept them from being durable."""
        shift = self._clock.shift
        records = self._ages.as_stored(records, shift)
        if shift:
            changes = [moved_change(change, shift) for change in changes]
        gone: Sequence[str | Dropped] = forgotten
        if forgotten and self.store.sharing is not None:
            gone = [self._dropped(session, shift) for session in forgotten]
        try:
            await self.store.save(records, gone, changes)
        except Exception as error:  # noqa: BLE001 - the traffic goes on after any error
            return error
        return None
