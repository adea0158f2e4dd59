"""The store for sites that keep their state in Redis: one task that writes it, one round trip for all who wait.

How a save travels: `save` adds to the open batch and waits; the writer task takes the whole batch whenever it gets
round, sends it as one transaction, and once the server has answered all who waited go on together. While one round
trip is under way the next batch fills: the busier it is, the more share a round trip, and a sync of the server's disk.

When the server refuses or is away, nothing is lost: the batch becomes the beginning of the next one (the newest
record of a session wins), those who waited get `StoreError`, and so does each later `save` at once, so that no webhook
waits for a sick server; the writer tries again with growing pauses until the server has it all. Before anybody gets
that error, what the server lacks is on this machine's disk (`journal.py`), from where a later process takes it up; the
journal goes when the server has confirmed all of it.

With each new connection the server's records are read and merged with what is known here: of each session the newest
knowledge (`known`) stands, on both sides. So a server that lost its memory gets it back; and a proxy that had to
start without the server learns, by `on_late`, what it would have been given by `open`.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec.structs import replace
from redis.exceptions import RedisError

from statusproxy.config.state_url import Place
from statusproxy.status.model import Change, Record
from statusproxy.store.age import HistoryAge
from statusproxy.store.errors import StoreError, StoreInUseError
from statusproxy.store.failure_log import TroubleLog, times
from statusproxy.store.fallback import Fallback
from statusproxy.store.journal import Journal
from statusproxy.store.journal_file import Dropped, Item
from statusproxy.store.owner import Owner
from statusproxy.store.redis_keys import (
    Durability,
    Entry,
    Keyspace,
    Link,
    describe,
    history,
    is_starting,
    may_pass_at_once,
)

__all__ = ["RedisStore", "Timing", "newest"]

_SECONDS_PER_DAY: Final = 86_400

# Beyond the days, a bound in number: history lies in the server's memory, some 300 bytes each.
_HISTORY_CHANGES: Final = 50_000
# No single question for the history may take more than a few round trips and megabytes.
_HISTORY_LIMIT: Final = 10_000
# Changes kept in memory while the server is away; the oldest go first. Sessions are bounded by the map.
_WAITING_CHANGES: Final = 100_000
# Written with one transaction: some milliseconds of encoding, so that the event loop is not held.
_RECORDS_AT_ONCE: Final = 200
_CHANGES_AT_ONCE: Final = 400

_LOCK_POLL_SECONDS: Final = 0.1

_NOT_OPEN: Final = "not open yet"
_CLOSED: Final = "closed"


@dataclass(frozen=True, slots=True)
class Timing:
    """The store's own times, in seconds. Tests shorten them; nothing else has a reason to."""

    first_retry: float = 0.25
    """Pause before the first new attempt after the server refused; it doubles with each failure …"""
    last_retry: float = 10.0
    """… up to this: when the server is back, that is how long it takes at most until it has all."""
    answer_limit: float = 5.0
    """A server that says nothing for this long is away. Its disk may use three fifths of it."""
    save_limit: float = 10.0
    """A save whose whole batch is not through after this long raises, so that webhooks are not held for ever."""
    close_limit: float = 5.0
    """How long `close` waits for the last flush; well under systemd's usual 90 s for a stop."""
    open_wait: float = 3.0
    """How long `open` waits for a server that is just starting before it begins without its records."""
    mark_lifetime: float = 9.0
    """A holder that is silent for this long has lost the keys; it is heard of three times as often."""
    lock_wait: float = 10.0
    """How long `open` waits for the keys: longer than the mark of a holder that died elsewhere lasts."""
    prune_every: float = _SECONDS_PER_DAY
    """Pause between two looks for history past its days, where no change is written that would do it."""


@dataclass(eq=False, slots=True)
class _Batch:
    """What is written together, and who waits for it."""

    records: dict[str, Record | None] = field(default_factory=dict)
    changes: list[Entry] = field(default_factory=list)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)
    mark: int = 0
    """What the journal had taken in when this batch was closed: with the batch on the server, it has all of that."""

    def __bool__(self) -> bool:
        return bool(self.records or self.changes)


class RedisStore:
    """A `Store` in a Redis server; see the module's text for how it works.

    `open` first, then `save` and `history`, `close` at the end, all in one event loop; not to be opened twice.
    """

    def __init__(
        self,
        place: Place,
        *,
        history_days: float | None = 90,
        log: logging.Logger | None = None,
        clock: Callable[[], float] = time.time,
        timing: Timing | None = None,
        journal: Path | None = None,
    ) -> None:
        """`history_days` None keeps changes whatever their age; `clock` gives epoch seconds for names and pruning.

        `journal` is the directory in which changes are kept while the server is away; None for none.
        """
        self.place = place
        self.commits = 0
        """Transactions that wrote something so far: far fewer than saves when saves come in bursts."""
        self.on_late: Callable[[list[Record]], None] | None = None
        """Called in the event loop with records that the server held and nobody here knew: it was away when the store
        was opened, or another proxy wrote them. Without it they stay on the server, and count from the next start."""

        self._age = HistoryAge(history_days, clock)
        self._log = log or logging.getLogger("statusproxy.store")
        self._clock = clock
        self._timing = timing or Timing()
        self._owner = Owner.new()

        self._batch = _Batch()
        self._flying = _Batch()
        self._known: dict[str, Record] = {}
        """What the server holds, or held when it was last heard of."""
        self._unclaimed: dict[str, Record] = {}
        """What came late and nobody took: it must not be overwritten by what is known less well."""
        self._number = int(clock() * 1_000_000)
        kept = None if journal is None else Journal(journal, str(place), self._waiting)
        self._fallback = Fallback(kept, str(place), self._log, self._timing.save_limit)
        self._replayed: dict[str, float] = {}
        """Sessions as the journal had them, with the time up to which it knew of them. Others may know more by now."""
        self._trouble: str | None = _NOT_OPEN
        self._troubles = TroubleLog()
        self._told: Durability | None = None
        self._closing = False
        self._bell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._keys: Keyspace | None = None
        self._pause = 0.0
        self._due_at = 0.0
        """When (monotonic) the mark is to be renewed; in trouble, when the next attempt is due."""
        self._prune_at = 0.0

    # The protocol --------------------------------------------------------------------------------------

    async def open(self) -> list[Record]:
        """Connect, take the keys, and return the records in them.

        Raises `StoreInUseError` if another proxy holds them. All other trouble (no server, a wrong password) shows in
        `healthy` and `trouble`, is logged and tried again in the background: the proxy has to forward whatever the
        server does. Records found then go to `on_late`.
        """
        if self._task is not None:
            raise StoreError("this store has been opened before; make a new one")
        opened: asyncio.Future[list[Record]] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._work(opened), name="statusproxy-store")
        try:
            return await opened
        except asyncio.CancelledError:
            self._closing = True
            self._task.cancel()
            await asyncio.wait([self._task])  # nobody else will: our mark must not outlive the attempt
            raise

    async def save(self, records: Sequence[Record], forgotten: Sequence[str], changes: Sequence[Change]) -> None:
        """Make records, forgotten sessions and changes durable; returns when the server has answered for them.

        Calls apply in their order; within one call, a session both forgotten and in `records` is kept. A call with
        nothing in it waits for what others have handed in before it. Raises `StoreError` when the server refuses or
        does not answer in time: the change is kept and written later. A caller that is cancelled disturbs nobody, and
        its change is written all the same.
        """
        self._expect_open()
        batch = self._batch
        new = _Batch()
        for session in forgotten:
            self._unclaimed.pop(session, None)
            new.records[session] = None
        for record in records:
            new.records[record.session] = self._with_unclaimed(record)
        for change in changes:
            self._number += 1
            new.changes.append(Entry(change, self._number))
        for session in new.records:
            self._replayed.pop(session, None)
        batch.records |= new.records
        batch.changes += new.changes
        if self._journaling:
            self._fallback.add(self._items(new))
        if self._trouble is not None:
            trouble = self._trouble
            _shorten(batch.changes)
            raise StoreError(f"{trouble} ({await self._fallback.keep()}, tried again)")
        if not batch:
            if not self._flying:
                return
            batch = self._flying
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        batch.waiters.append(done)
        self._bell.set()
        await done

    async def history(self, session: str | None, limit: int) -> list[Change]:
        """The newest changes first, at most `limit`, of one session or of all, those not yet durable included.

        Over a connection of its own, so that a long look back holds up no save. Raises `StoreError` where the server
        cannot be read.
        """
        self._expect_open()
        limit = max(0, min(limit, _HISTORY_LIMIT))
        waiting = [*self._flying.changes, *self._batch.changes]
        newest_first = [entry.change for entry in reversed(waiting) if session in (None, entry.change.session)]
        if len(newest_first) >= limit:
            return newest_first[:limit]
        try:
            async with asyncio.timeout(self._timing.save_limit):
                link = await Link.open(self.place, self._timing.answer_limit)
                try:
                    return await history(link, self.place.prefix, session, limit, waiting)
                finally:
                    await link.close()
        except (RedisError, OSError) as error:
            raise StoreError(describe(error, self.place)) from error

    async def close(self) -> None:
        """Write what is waiting, one last attempt if the server refused, within a bounded time; then let go.

        Does not raise: what could not be written is logged.
        """
        self._closing = True
        self._bell.set()
        if self._task is None:
            return
        await asyncio.wait([self._task], timeout=self._timing.close_limit)
        if not self._task.done():
            self._log.error("state: %s did not answer for %g s at the end", self.place, self._timing.close_limit)
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def healthy(self) -> bool:
        """Whether the last attempt to write succeeded."""
        return self.trouble is None

    @property
    def trouble(self) -> str | None:
        """What keeps the state from being on the server, where changes are kept, and the fix; None if all is well."""
        if self._closing:
            return f"the state in {self.place} is {_CLOSED}"
        if self._trouble is None or self._trouble == _NOT_OPEN:
            return self._trouble
        return f"{self._trouble}; until then changes are kept {self._fallback.where}"

    @property
    def journal_trouble(self) -> str | None:
        """Why changes would be in memory only while the server is away (`OFF`: as configured); None if on disk."""
        return self._fallback.trouble

    @property
    def backlog(self) -> int:
        """Sessions and changes handed in that the server has not answered for yet."""
        return sum(len(batch.records) + len(batch.changes) for batch in (self._flying, self._batch))

    def _expect_open(self) -> None:
        if self._closing or self._task is None:
            raise StoreError(f"the state in {self.place} is {_CLOSED if self._closing else _NOT_OPEN}")

    def _with_unclaimed(self, record: Record) -> Record:
        late = self._unclaimed.get(record.session)
        if late is None:
            return record
        if record.known.here >= late.known.here:
            del self._unclaimed[record.session]
        return newest(record, late)

    # The writer ----------------------------------------------------------------------------------------

    async def _work(self, opened: "asyncio.Future[list[Record]]") -> None:
        """The task: open, write until closed, let go."""
        try:
            try:
                await self._take_up()
                records = await self._start()
            except Exception as error:  # noqa: BLE001 - whatever it is, `open` must not wait for ever
                self._closing = True
                if not opened.done():
                    opened.set_exception(error)
                return
            if not opened.done():
                opened.set_result(records)
            await self._write_until_closed()
        finally:
            await self._let_go()

    async def _start(self) -> list[Record]:
        """Attach for the first time: with patience for a server that is starting, and for a predecessor."""
        deadline = time.monotonic() + self._timing.open_wait
        while True:
            try:
                records = await self._attach(_Batch(), self._timing.lock_wait)
            except StoreInUseError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the proxy starts, and tells
                self._pause = min(self._pause * 2 or self._timing.first_retry, self._timing.last_retry)
                if not is_starting(error) or time.monotonic() + self._pause > deadline:
                    await self._failed(_Batch(), error)
                    return [record for record in self._batch.records.values() if record is not None]
                await asyncio.sleep(self._pause)
            else:
                self._trouble = None
                self._pause = 0.0
                self._due_at = 0.0  # an empty transaction, right away: shows whether it can be written, and prunes
                # What the journal had and the server did not, or not so new.
                ours = {session: record for session, record in self._batch.records.items() if record is not None}
                return list((ours | {record.session: record for record in records}).values())

    async def _write_until_closed(self) -> None:
        while True:
            await self._until_due()
            closing = self._closing
            self._flying, self._batch = self._batch, _Batch()
            self._flying.mark = self._fallback.mark
            # At the end there is one last attempt, whenever the next one would have been due.
            if self._flying or self._trouble is not None or not closing:
                await self._write()
            if closing:
                return

    async def _until_due(self) -> None:
        while not self._closing:
            now = time.monotonic()
            if now >= self._due_at or (self._batch and self._trouble is None):
                return
            self._bell.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._due_at - now):
                    await self._bell.wait()

    async def _write(self) -> None:
        """Write what is flying, over a new connection if need be; tried twice where that may help at once."""
        batch = self._flying
        again = self._trouble is None
        while True:
            try:
                async with asyncio.timeout(self._timing.save_limit):
                    if self._keys is None:
                        self._deliver(await self._attach(batch, 0))
                    await self._commit(batch)
                return
            except Exception as error:  # noqa: BLE001 - the task must live on, and no change may be lost
                await self._drop_keys()
                if not again or not may_pass_at_once(error):
                    await self._failed(batch, error)
                    return
                again = False

    async def _commit(self, batch: _Batch) -> None:
        assert self._keys is not None
        if self._fallback.holds:
            # The journal is never behind the server: replayed after a crash, it would take the server back.
            await self._fallback.keep()
        before = None
        if batch.changes or time.monotonic() >= self._prune_at:
            before = self._age.before()
            self._prune_at = time.monotonic() + self._timing.prune_every
        sessions, changes = len(batch.records), len(batch.changes)
        await self._write_piece(batch, before)
        while batch:
            await self._write_piece(batch, None)
        self._trouble = None
        self._pause = 0.0
        self._flying = _Batch()
        self._due_at = time.monotonic() + self._timing.mark_lifetime / 3
        self._replayed.clear()
        _settle([batch], None)
        await self._fallback.confirm(batch.mark)
        if self._troubles.works():
            self._log.warning(
                "state: %s can be written again; it has all that waited (%d sessions, %d changes)",
                self.place, sessions, changes,
            )  # fmt: skip

    async def _write_piece(self, batch: _Batch, before: float | None) -> None:
        """Write as much as one transaction may hold, and take it out of the batch once the server has it."""
        assert self._keys is not None
        records = dict(islice(batch.records.items(), _RECORDS_AT_ONCE))
        changes = batch.changes[:_CHANGES_AT_ONCE]
        for session in await self._keys.write(records, changes, before, _HISTORY_CHANGES):
            self._log.error("state: a row of session %s could not be encoded and is left out", _shown(session))
        self.commits += bool(records or changes)
        for session, record in records.items():
            del batch.records[session]
            if record is None:
                self._known.pop(session, None)
            else:
                self._known[session] = record
        del batch.changes[:_CHANGES_AT_ONCE]

    async def _failed(self, batch: _Batch, error: Exception) -> None:
        """Keep the batch for the next attempt, on disk too, tell all who wait, and plan that attempt."""
        trouble = describe(error, self.place)
        self._pause = min(self._pause * 2 or self._timing.first_retry, self._timing.last_retry)
        self._due_at = time.monotonic() + self._pause
        journaled = self._journaling
        self._trouble = trouble
        newer, self._flying = self._batch, _Batch()
        self._batch = _Batch({**batch.records, **newer.records}, batch.changes + newer.changes)
        _shorten(self._batch.changes)
        if not journaled:
            self._fallback.add(self._waiting())
        kept = "kept in memory"
        try:
            kept = await self._fallback.keep()
        finally:
            _settle([batch, newer], StoreError(f"{trouble} ({kept}, tried again)"))
        said = self._troubles.fails(trouble)
        if said is not None:
            known = isinstance(error, (RedisError, OSError, StoreError))
            self._log.error(
                "state: %s; changes are %s and tried again%s", trouble, kept, times(said),
                exc_info=None if known else error,
            )  # fmt: skip

    # What the server lacks ---------------------------------------------------------------------------------------

    @property
    def _journaling(self) -> bool:
        """Whether what comes is added to the journal as it comes."""
        return self._trouble is not None or self._fallback.holds

    def _waiting(self) -> list[Item]:
        """All that the server has not confirmed yet."""
        return [*self._items(self._flying), *self._items(self._batch)]

    def _items(self, batch: _Batch) -> list[Item]:
        now = self._clock()
        states = [
            Dropped(session, self._replayed.get(session, now)) if record is None else record
            for session, record in batch.records.items()
        ]
        return [*states, *batch.changes]

    async def _take_up(self) -> None:
        """Begin with what an earlier process could not give to the server any more."""
        for item in await self._fallback.open():
            if isinstance(item, Record):
                self._batch.records[item.session] = item
                self._replayed[item.session] = item.heard_at
            elif isinstance(item, Dropped):
                self._batch.records[item.session] = None
                self._replayed[item.session] = item.at
            else:
                self._batch.changes.append(Entry(item.change, item.number))
                self._number = max(self._number, item.number)
        _shorten(self._batch.changes)

    # Attaching -----------------------------------------------------------------------------------------

    async def _attach(self, flying: _Batch, patience: float) -> list[Record]:
        """Connect, become the holder, and merge what is there; gives the records that nobody here knew."""
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
                self.place, _shown(session), self.place.prefix,
            )  # fmt: skip
        if keys.durability != self._told:
            self._told = keys.durability
            for caveat in keys.durability.caveats:
                self._log.warning("state: %s: %s", self.place, caveat)
        return self._reconcile(contents.records, flying)

    def _reconcile(self, found: dict[str, Record], flying: _Batch) -> list[Record]:
        """Merge what was found with what is known: of each session the newest knowledge stands.

        What the server lacks is put to what is about to be written; what was not known here is given back.
        """
        late: list[Record] = []
        for session, theirs in found.items():
            holders: tuple[dict[str, Record | None] | dict[str, Record], ...]
            holders = (self._batch.records, flying.records, self._known)
            holder = next((holder for holder in holders if session in holder), None)
            if holder is None:
                self._known[session] = theirs
                late.append(theirs)
                continue
            ours = holder[session]
            outdated = theirs.heard_at > self._replayed.get(session, theirs.heard_at)
            if ours is None:  # forgotten meanwhile
                if outdated:
                    del holder[session]
                    self._known[session] = theirs
                    late.append(theirs)
                continue
            merged = newest(theirs, ours) if outdated else newest(ours, theirs)
            if merged != ours:
                holder[session] = merged
                late.append(merged)
        missing = {session: record for session, record in self._known.items() if found.get(session) != record}
        flying.records = {**missing, **flying.records}
        if self._journaling:
            self._fallback.add(missing.values())
        return late

    def _deliver(self, late: list[Record]) -> None:
        if not late:
            return
        if self.on_late is not None:
            try:
                self.on_late(late)
            except Exception:  # noqa: BLE001 - of a stranger, and no reason to hold up saves
                self._log.exception("state: sessions that were loaded late could not be taken over")
            else:
                self._log.warning("state: %s: %d sessions were loaded late", self.place, len(late))
                return
        self._unclaimed |= {record.session: record for record in late}
        self._log.warning(
            "state: %s hold %d sessions that are not known here; they stay, and count from the next start",
            self.place, len(late),
        )  # fmt: skip

    async def _let_go(self) -> None:
        self._closing = True
        backlog, kept = self.backlog, await self._fallback.close(() if self._journaling else self._waiting())
        if backlog:
            self._log.error(
                "state: %s: %d sessions and changes could not be written and are %s",
                self._trouble or self.place, backlog, kept,
            )  # fmt: skip
        _settle([self._flying, self._batch], StoreError(f"the state in {self.place} is {_CLOSED}"))
        keys, self._keys = self._keys, None
        if keys is not None:
            try:
                async with asyncio.timeout(1.0):
                    await keys.leave()
            except TimeoutError:
                await keys.drop()

    async def _drop_keys(self) -> None:
        keys, self._keys = self._keys, None
        if keys is not None:
            await keys.drop()


def newest(ours: Record, theirs: Record) -> Record:
    """One record of two of the same session: the one that knows the newest, `ours` where they know the same.

    When the session was last heard of, and last alive, is taken from whichever knows better: a message that came in
    must go on speaking against a disconnect, whoever heard of it.
    """
    base = theirs if theirs.known.here > ours.known.here else ours
    heard = theirs if theirs.heard_at > ours.heard_at else ours
    alive = theirs if theirs.alive.here > ours.alive.here else ours
    return replace(
        base,
        alive_at=alive.alive_at,
        alive_clock=alive.alive_clock,
        alive_lag=alive.alive_lag,
        heard_at=heard.heard_at,
        event=heard.event,
        lags=ours.lags or theirs.lags,
    )


def _settle(batches: Iterable[_Batch], error: StoreError | None) -> None:
    """Let all who wait for these batches go on; those who left do not matter."""
    for batch in batches:
        for waiter in batch.waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                # Each its own: a shared exception would collect the tracebacks of all who raise it.
                waiter.set_exception(StoreError(str(error)))
        batch.waiters.clear()


def _shorten(entries: list[Entry]) -> None:
    del entries[: max(0, len(entries) - _WAITING_CHANGES)]


def _shown(session: str) -> str:
    return repr(session if len(session) <= 100 else session[:100] + "…")
