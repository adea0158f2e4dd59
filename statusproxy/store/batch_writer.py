"""Writes batches to any store: one commit for all who wait, and nothing is lost when a write fails.

How a save travels: `save` adds to the open batch and waits; the writer task takes the whole batch whenever it gets
round, has the backend write it, and once it is durable all who waited go on together. While one batch is being written
the next one fills: the busier it is, the more share a commit.

When the store refuses or is away, nothing is lost: the batch becomes the beginning of the next one, those who waited
get `StoreError`, and so does each later `save` at once, so that no webhook waits for a sick store; the writer tries
again with growing pauses until the store has it all. A store on a server has a journal as well: before anyone gets
that error, what the server lacks is on this machine's disk, from where a later process takes it up; the journal goes
when the server has confirmed all of it.

The backend decides where it works. What can wait (a socket) runs in the writer's task and is cancelled when it takes
too long. What blocks (a file) runs in a thread and cannot be cancelled: those who wait for it are told after a while,
and it goes on.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Final, Generic, TypeVar

from statusproxy.status.model import Change, Record
from statusproxy.store.alarm import Alarm
from statusproxy.store.backlog import Backlog, Batch, Dropped
from statusproxy.store.base import PAGE, Backend
from statusproxy.store.claims import Claims
from statusproxy.store.committer import Committer
from statusproxy.store.condition import NOT_OPEN, Condition, Timing
from statusproxy.store.damage import Damage
from statusproxy.store.errors import NotAttachedError, StoreError, StoreInUseError
from statusproxy.store.failure_log import times
from statusproxy.store.fallback import Keeper, NoJournal
from statusproxy.store.listening import tell
from statusproxy.store.outbox import Outbox
from statusproxy.store.proxies import Sharing
from statusproxy.store.sequencer import Sequencer
from statusproxy.store.spooled import SpoolOp, SpoolReader

__all__ = ["BatchWriter"]

# No single question for the history may take a store from its saves for long.
_HISTORY_LIMIT: Final = 10_000

_CLOSED: Final = "closed"

_B = TypeVar("_B", bound=Backend)


class BatchWriter(Generic[_B]):
    """A `Store` over any backend; see the module's text for how it works.

    `open` first, then `save` and `history`, `close` at the end, all in one event loop; not to be opened twice.
    """

    def __init__(
        self,
        backend: _B,
        *,
        log: logging.Logger,
        clock: Callable[[], float] = time.time,
        timing: Timing | None = None,
        fallback: Callable[[Backlog], Keeper] | None = None,
    ) -> None:
        """`clock` gives epoch seconds. `fallback` makes the journal for what a server does not take."""
        self.backend = backend
        self.on_others: Callable[[list[Record], list[Dropped]], None] | None = None
        self._log = log
        self._timing = timing or Timing()
        self._backlog = Backlog(clock)
        self._fallback: Keeper = NoJournal() if fallback is None else fallback(self._backlog)
        self._condition = Condition(backend.name, self._timing, time.monotonic, cancellable=backend.cancellable)
        self._committer = Committer(backend, self._backlog, self._condition, self._fallback, self._timing, log)
        self._closing = False
        self._alarm = Alarm()
        self._sequencer = Sequencer()
        self._task: asyncio.Task[None] | None = None
        backend.on_due = self._alarm.ring
        backend.on_others = lambda *told: tell(
            self.on_others, log, "what other proxies wrote could not be applied", *told
        )

    # The store, as the registry sees it ----------------------------------------------------------------

    async def open(self) -> list[Record]:
        """As `Store.open`."""
        if self._task is not None:
            raise StoreError("this store has been opened before; make a new one")
        opened: asyncio.Future[list[Record]] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._work(opened), name="statusproxy-store")
        try:
            return await asyncio.shield(opened)
        except asyncio.CancelledError:
            self._closing = True
            self._task.cancel()
            await asyncio.wait([self._task])  # our lock must not outlive the attempt
            raise

    @property
    def spool(self) -> SpoolReader | None:
        """As `Store.spool`."""
        return self.backend.spool

    @property
    def claims(self) -> Claims | None:
        """As `Store.claims`."""
        return self.backend.claims

    @property
    def outbox(self) -> Outbox | None:
        """As `Store.outbox`."""
        return self.backend.outbox

    async def save(
        self,
        records: Sequence[Record],
        forgotten: Sequence[str | Dropped],
        changes: Sequence[Change],
        spooled: Sequence[SpoolOp] = (),
    ) -> None:
        """As `Store.save`."""
        self._expect_open()
        if spooled and self.backend.spool is None:
            raise TypeError(f"{self.backend.name} keeps no spool")
        if spooled and self._condition.error is None:
            async with self._sequencer.turn(spooled):
                if self._condition.error is None:
                    await self.backend.stage(spooled)
                self._expect_open()
                new = self._backlog.add(records, forgotten, changes, spooled)
        else:
            new = self._backlog.add(records, forgotten, changes, spooled)
        if self._committer.journaling:
            self._fallback.add(self._backlog.items(new))
        error = self._condition.error or self._condition.stuck
        if error is not None:
            self._backlog.shorten()
            raise StoreError(f"{error} ({await self._fallback.keep()}, tried again)")
        batch = self._backlog.newest()
        if batch is None:
            return
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        batch.waiters.append(done)
        if batch.timer is None and not self.backend.cancellable:
            batch.timer = loop.call_later(self._timing.save_limit, self._give_up, batch)
        self._alarm.ring()
        await done

    async def history(self, session: str | None, limit: int) -> list[Change]:
        """As `Store.history`."""
        self._expect_open()
        limit = max(0, min(limit, _HISTORY_LIMIT))
        waiting = self._backlog.entries
        found = [entry.change for entry in reversed(waiting) if session in (None, entry.change.session)]
        if len(found) >= limit:
            return found[:limit]
        try:
            return await self.backend.history(session, limit, waiting)
        except Exception as error:
            raise self._translated(error) from error

    async def history_pages(self, session: str | None, since: float | None) -> AsyncGenerator[Sequence[Change], None]:
        """As `Store.history_pages`."""
        self._expect_open()
        from_on = -math.inf if since is None else since
        try:
            async with aclosing(self.backend.history_pages(session, from_on, self._backlog.entries)) as pages:
                async for page in pages:
                    for start in range(0, len(page), PAGE):
                        yield page[start : start + PAGE]
        except Exception as error:
            raise self._translated(error) from error

    @property
    def history_rows(self) -> int:
        """As `Store.history_rows`."""
        return self.backend.history_rows

    async def acknowledge(self) -> int:
        """As `Store.acknowledge`."""
        self._expect_open()
        try:
            return await self.backend.acknowledge()
        except Exception as error:
            raise self._translated(error) from error

    async def close(self) -> None:
        """As `Store.close`."""
        self._closing = True
        self._alarm.ring()
        if self._task is None:
            return
        await asyncio.wait([self._task], timeout=self._timing.close_limit)
        if not self._task.done():
            self._log.error(
                "state: %s did not answer within %g s while it was closed", self.backend.name, self._timing.close_limit
            )
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def healthy(self) -> bool:
        """As `Store.healthy`."""
        return self.error is None

    @property
    def error(self) -> str | None:
        """As `Store.error`."""
        if self._closing:
            return f"the state in {self.backend.name} is {_CLOSED}"
        error = self._condition.error
        if error is None or error == NOT_OPEN:
            return error or self._condition.stuck
        return f"{error}{self._fallback.meanwhile}"

    @property
    def journal(self) -> str | None:
        """As `Store.journal`."""
        return self._fallback.state

    @property
    def damage(self) -> Sequence[Damage]:
        """As `Store.damage`."""
        return self.backend.damage

    @property
    def repairs(self) -> Mapping[str, int]:
        """As `Store.repairs`."""
        return self.backend.repairs

    @property
    def sharing(self) -> Sharing | None:
        """As `Store.sharing`."""
        return self.backend.sharing

    @property
    def backlog(self) -> int:
        """Sessions and changes handed in that are not durable yet."""
        return len(self._backlog)

    def _expect_open(self) -> None:
        if self._closing or self._task is None:
            raise StoreError(f"the state in {self.backend.name} is {_CLOSED if self._closing else NOT_OPEN}")

    def _translated(self, error: Exception) -> StoreError:
        why = self._condition.error if isinstance(error, NotAttachedError) else None
        return StoreError(why or self.backend.describe(error))

    def _give_up(self, batch: Batch) -> None:
        error = f"no answer: {self.backend.name}: nothing for {self._timing.save_limit:g} s (kept, tried again)"
        told = self._condition.unanswered(error)
        if told is not None:
            self._log.error("state: %s%s", error, times(told))
        batch.settle(StoreError(error))

    # The task ------------------------------------------------------------------------------------------

    async def _work(self, opened: "asyncio.Future[list[Record]]") -> None:
        """Open, write until closed, close the backend."""
        try:
            try:
                records = await self._start()
            except Exception as error:  # noqa: BLE001 - whatever it is, `open` must not wait for ever
                opened.set_exception(error)
                return
            opened.set_result(records)
            closing = False
            while not closing:
                await self._until_due()
                closing = self._closing
                # At the end there is one last attempt, whenever the next one would have been due.
                if self._backlog.open or self._condition.error is not None or not closing:
                    await self._committer.write()
        finally:
            await self._let_go()

    async def _start(self) -> list[Record]:
        """Begin with what an earlier process left, here and in the store."""
        self._backlog.replay(await self._fallback.open())
        try:
            records = await self.backend.open(self._backlog)
        except StoreInUseError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the proxy starts, and tells
            records = await self.backend.read()
            await self._committer.failed(error)
        else:
            self._condition.opened()
        # What the journal had and the store did not, or not so new, is in the backlog.
        ours = {session: record for session, record in self._backlog.open.records.items() if record is not None}
        return list((ours | {record.session: record for record in records}).values())

    async def _until_due(self) -> None:
        while not self._closing:
            due = self.backend.due_at() if self._condition.error is None else self._condition.retry_at
            if due <= time.monotonic() or (self._backlog.open and self._condition.error is None):
                return
            await self._alarm.sleep(due)

    async def _let_go(self) -> None:
        self._closing = True
        self._alarm.stop()
        batches = self._backlog.put_back()
        left, kept = self._backlog.open, "lost with this process"
        try:
            kept = await self._fallback.close(() if self._committer.journaling else self._backlog.items())
        finally:
            if left:
                self._log.error(
                    "state: %s: %d sessions and changes could not be written and are %s",
                    self._condition.error or self.backend.name, len(left), kept,
                )  # fmt: skip
            for batch in batches:
                batch.settle(StoreError(f"the state in {self.backend.name} is {_CLOSED}"))
            await self.backend.close(left)
