"""The store for sites that keep their state in Redis: one round trip for all who wait."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from redis.exceptions import RedisError

from statusproxy.config.state_url import Place
from statusproxy.status.model import Change, Record
from statusproxy.store.age import HistoryAge
from statusproxy.store.backlog import Backlog, Batch, Entry
from statusproxy.store.base import Backend, Reattached, StoreOptions
from statusproxy.store.batch_writer import BatchWriter
from statusproxy.store.condition import Timing
from statusproxy.store.errors import StoreError, shown
from statusproxy.store.fallback import Fallback
from statusproxy.store.files import resolve
from statusproxy.store.journal import Journal
from statusproxy.store.late import reconcile
from statusproxy.store.redis_errors import describe, may_pass_at_once
from statusproxy.store.redis_hold import Hold, RedisTiming
from statusproxy.store.redis_keys import Keyspace, history
from statusproxy.store.redis_link import Link

__all__ = ["RedisBackend", "RedisTiming", "make_store", "redis_store"]

# Beyond the days, a bound in number: history lies in the server's memory, some 300 bytes each.
_HISTORY_CHANGES: Final = 50_000
# Written with one transaction: some milliseconds of encoding, so that the event loop is not held.
_RECORDS_AT_ONCE: Final = 200
_CHANGES_AT_ONCE: Final = 400


class RedisBackend(Backend):
    """The keys of one state in a Redis server, over one connection at a time."""

    def __init__(
        self,
        place: Place,
        *,
        history_days: float | None,
        log: logging.Logger,
        clock: Callable[[], float] = time.time,
        timing: RedisTiming | None = None,
    ) -> None:
        """`history_days` None keeps changes whatever their age; `clock` gives epoch seconds for names and pruning."""
        self.name = str(place)
        self.place = place
        self.commits = 0
        """Transactions that wrote something so far: far fewer than saves when saves come in bursts."""
        self._age = HistoryAge(history_days, clock)
        self._log = log
        self._timing = timing or RedisTiming()
        self._hold = Hold(place, log=log, clock=clock, timing=self._timing)
        self._known: dict[str, Record] = {}  # what the server holds, or held when it was last heard of
        # When (monotonic) the mark is to be renewed. At first right away: an empty transaction, which shows whether it
        # can be written, and prunes.
        self._due_at = 0.0
        self._prune_at = 0.0

    async def open(self, backlog: Backlog) -> list[Record]:
        """Connect and take the keys, with patience for a server that is starting, and for a predecessor."""
        late, _ = reconcile(await self._hold.take_at_start(), self._known, backlog)
        return late

    async def prepare(self, backlog: Backlog) -> Reattached | None:
        """Connect anew where the connection was lost, and merge what is there with what is known here."""
        if self._hold.keys is not None:
            return None
        late, missing = reconcile(await self._hold.take(), self._known, backlog)
        return Reattached(late, missing)

    async def write(self, batch: Batch) -> None:
        """Write a batch, in pieces that leave it once the server has them; and renew the mark."""
        keys = self._hold.keys
        assert keys is not None
        before = None
        if batch.changes or time.monotonic() >= self._prune_at:
            before = self._age.before()
            self._prune_at = time.monotonic() + self._timing.prune_every
        try:
            await self._write_piece(keys, batch, before)
            while batch:
                await self._write_piece(keys, batch, None)
        except BaseException:
            await self._hold.drop()
            raise
        self._due_at = time.monotonic() + self._timing.mark_lifetime / 3

    async def upkeep(self) -> None:
        """Renew the mark, and see that the server takes writes."""
        await self.write(Batch())

    def due_at(self) -> float:
        """When the mark is to be renewed."""
        return self._due_at

    async def history(self, session: str | None, limit: int, waiting: Sequence[Entry]) -> list[Change]:
        """As `Backend.history`, over a connection of its own, so that a long look back holds up no save."""
        async with asyncio.timeout(self._timing.history_limit):
            link = await Link.open(self.place, self._timing.answer_limit)
            try:
                return await history(link, self.place.prefix, session, limit, waiting)
            finally:
                await link.close()

    async def close(self, left: Batch) -> None:
        """Give up the keys, so that a successor need not wait, and the connection."""
        await self._hold.leave()

    def describe(self, error: Exception) -> str:
        """The server's or the kernel's words without a password, and the fix."""
        return describe(error, self.place)

    def is_expected(self, error: Exception) -> bool:
        """Whether the server, the kernel or this store said it."""
        return isinstance(error, (RedisError, OSError, StoreError))

    def may_pass_at_once(self, error: Exception) -> bool:
        """Whether a new connection may work right away."""
        return may_pass_at_once(error)

    async def _write_piece(self, keys: Keyspace, batch: Batch, before: float | None) -> None:
        """Write as much as one transaction may hold, and take it out of the batch once the server has it."""
        records = dict(islice(batch.records.items(), _RECORDS_AT_ONCE))
        changes = batch.changes[:_CHANGES_AT_ONCE]
        for session in await keys.write(records, changes, before, _HISTORY_CHANGES):
            self._log.error("state: a row of session %s could not be encoded and is left out", shown(session))
        self.commits += bool(records or changes)
        for session, record in records.items():
            del batch.records[session]
            if record is None:
                self._known.pop(session, None)
            else:
                self._known[session] = record
        del batch.changes[:_CHANGES_AT_ONCE]


def redis_store(
    place: Place,
    *,
    history_days: float | None = 90,
    log: logging.Logger | None = None,
    clock: Callable[[], float] = time.time,
    timing: Timing | None = None,
    server_timing: RedisTiming | None = None,
    journal: Path | None = None,
) -> BatchWriter[RedisBackend]:
    """A store in a Redis server; `journal` is the directory for what it does not take (None: memory only)."""
    log = log or logging.getLogger("statusproxy.store")
    timing = timing or Timing()
    backend = RedisBackend(place, history_days=history_days, log=log, clock=clock, timing=server_timing)

    def fallback(backlog: Backlog) -> Fallback:
        kept = None if journal is None else Journal(journal, backend.name, backlog.items)
        return Fallback(kept, backend.name, log, timing.save_limit)

    return BatchWriter(backend, log=log, clock=clock, timing=timing, fallback=fallback)


def make_store(url: Place, options: StoreOptions) -> BatchWriter[RedisBackend]:
    """The store that `redis://…` or `rediss://…` names."""
    journal = None if options.journal is None else resolve(options.journal, options.environ)
    return redis_store(url, history_days=options.history_days, log=options.log, journal=journal)
