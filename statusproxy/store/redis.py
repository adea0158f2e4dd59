"""The store for sites that keep their state in Redis: one round trip for all who wait."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from redis.exceptions import RedisError

from statusproxy.config.state_url import Place
from statusproxy.status.model import Change, Record
from statusproxy.store.age import HistoryAge
from statusproxy.store.backlog import Backlog, Batch, Entry
from statusproxy.store.base import Backend, Reattached, StoreOptions
from statusproxy.store.batch_writer import BatchWriter, Timing
from statusproxy.store.errors import StoreError, StoreInUseError, shown
from statusproxy.store.fallback import Fallback
from statusproxy.store.files import resolve
from statusproxy.store.journal import Journal
from statusproxy.store.late import reconcile
from statusproxy.store.owner import Owner
from statusproxy.store.redis_durability import Durability
from statusproxy.store.redis_errors import describe, is_starting, may_pass_at_once
from statusproxy.store.redis_keys import Keyspace, history
from statusproxy.store.redis_link import Link

__all__ = ["RedisBackend", "RedisTiming", "make_store", "redis_store"]

_SECONDS_PER_DAY: Final = 86_400

# Beyond the days, a bound in number: history lies in the server's memory, some 300 bytes each.
_HISTORY_CHANGES: Final = 50_000
# Written with one transaction: some milliseconds of encoding, so that the event loop is not held.
_RECORDS_AT_ONCE: Final = 200
_CHANGES_AT_ONCE: Final = 400

_LOCK_POLL_SECONDS: Final = 0.1
_START_POLL_SECONDS: Final = 0.25

# Seconds that giving up the keys may take at the end.
_LEAVE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class RedisTiming:
    """The backend's own times, in seconds. Tests shorten them; nothing else has a reason to."""

    answer_limit: float = 5.0
    """A server that says nothing for this long is away. Its disk may use three fifths of it."""
    history_limit: float = 10.0
    """A question for the history may take this long."""
    open_wait: float = 3.0
    """How long `open` waits for a server that is just starting before it begins without its records."""
    mark_lifetime: float = 9.0
    """A holder that is silent for this long has lost the keys; it is heard of three times as often."""
    lock_wait: float = 10.0
    """How long `open` waits for the keys: longer than the mark of a holder that died elsewhere lasts."""
    prune_every: float = _SECONDS_PER_DAY
    """Pause between two looks for history past its days, where no change is written that would do it."""


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
        self._clock = clock
        self._timing = timing or RedisTiming()
        self._owner = Owner.new()
        self._keys: Keyspace | None = None
        self._known: dict[str, Record] = {}  # what the server holds, or held when it was last heard of
        self._told: Durability | None = None
        self._due_at = 0.0  # when (monotonic) the mark is to be renewed
        self._prune_at = 0.0

    async def open(self, backlog: Backlog) -> list[Record]:
        """Connect and take the keys, with patience for a server that is starting, and for a predecessor."""
        deadline = time.monotonic() + self._timing.open_wait
        pause = _START_POLL_SECONDS
        while True:
            try:
                reattached = await self._attach(backlog, self._timing.lock_wait)
            except Exception as error:
                if not is_starting(error) or time.monotonic() + pause > deadline:
                    raise
                await asyncio.sleep(pause)
                pause *= 2
            else:
                self._due_at = 0.0  # an empty transaction, right away: shows whether it can be written, and prunes
                return list(reattached.late)

    async def prepare(self, backlog: Backlog) -> Reattached | None:
        """Connect again if the connection was lost, and merge what is there with what is known here."""
        return await self._attach(backlog, 0.0) if self._keys is None else None

    async def write(self, batch: Batch) -> None:
        """Write a batch, in pieces that leave it once the server has them; and renew the mark."""
        assert self._keys is not None
        before = None
        if batch.changes or time.monotonic() >= self._prune_at:
            before = self._age.before()
            self._prune_at = time.monotonic() + self._timing.prune_every
        try:
            await self._write_piece(self._keys, batch, before)
            while batch:
                await self._write_piece(self._keys, batch, None)
        except BaseException:
            await self._drop_keys()
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
        keys, self._keys = self._keys, None
        if keys is not None:
            try:
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await keys.leave()
            except TimeoutError:
                await keys.drop()

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

    async def _attach(self, backlog: Backlog, patience: float) -> Reattached:
        """Connect, become the holder within `patience` seconds, and merge what is there."""
        timing = self._timing
        keys = await Keyspace.open(self.place, self._owner, timing.mark_lifetime, timing.answer_limit)
        try:
            deadline = time.monotonic() + patience
            while True:
                try:
                    await keys.take()
                    break
                except StoreInUseError:
                    if time.monotonic() >= deadline:
                        raise
                await asyncio.sleep(_LOCK_POLL_SECONDS)
            contents = await keys.read(self._clock())
        except BaseException:
            await keys.drop()
            raise
        self._keys = keys
        self._due_at = time.monotonic() + timing.mark_lifetime / 3
        for name, target in contents.set_aside:
            self._log.error(
                "state: %s: the key %s held something that is not ours; it was renamed to %s", self.place, name, target
            )
        for session in contents.rejected:
            self._log.error(
                "state: %s: the row of session %s cannot be read; it was moved to the key %srejected, the session "
                "starts afresh",
                self.place, shown(session), self.place.prefix,
            )  # fmt: skip
        if keys.durability != self._told:
            self._told = keys.durability
            for caveat in keys.durability.caveats:
                self._log.warning("state: %s: %s", self.place, caveat)
        late, missing = reconcile(contents.records, self._known, backlog)
        return Reattached(late, missing)

    async def _drop_keys(self) -> None:
        keys, self._keys = self._keys, None
        if keys is not None:
            await keys.drop()


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
