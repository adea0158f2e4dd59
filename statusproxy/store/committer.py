"""Has a backend write what waits: at most two attempts, then its success or its failure for all who wait.

A write that fails loses nothing: its batch becomes the beginning of the next one, is in the journal where there is one,
and only then those who wait are told.
"""

import asyncio
import logging

from statusproxy.observe.counted import counted
from statusproxy.store.backlog import Backlog, Batch
from statusproxy.store.base import Backend
from statusproxy.store.condition import Condition, Timing
from statusproxy.store.errors import StoreError
from statusproxy.store.failure_log import times
from statusproxy.store.fallback import Keeper

__all__ = ["Committer"]


class Committer:
    """The way from the backlog to the backend, for the one task that writes."""

    def __init__(
        self,
        backend: Backend,
        backlog: Backlog,
        condition: Condition,
        fallback: Keeper,
        timing: Timing,
        log: logging.Logger,
    ) -> None:
        self._backend = backend
        self._backlog = backlog
        self._condition = condition
        self._fallback = fallback
        self._timing = timing
        self._log = log

    @property
    def journaling(self) -> bool:
        """Whether what comes is added to the journal as it comes."""
        return self._condition.error is not None or self._fallback.holds

    async def write(self) -> None:
        """Write all that waits, or do what is due where nothing does; twice where that may help at once."""
        backlog = self._backlog
        batch, mark = backlog.begin_write(), self._fallback.mark
        sizes = len(batch.records), len(batch.changes)
        again = self._condition.error is None
        while True:
            try:
                async with asyncio.timeout(self._timing.save_limit if self._backend.cancellable else None):
                    await self._attempt(batch)
            except Exception as error:  # noqa: BLE001 - the task must live on, and no change may be lost
                if again and self._backend.may_pass_at_once(error):
                    again = False
                    continue
                await self.failed(error)
            else:
                await self._committed(mark, *sizes)
            return

    async def failed(self, error: Exception) -> None:
        """Keep the batch for the next attempt, tell all who wait, and plan that attempt."""
        text = self._backend.describe(error)
        journaled = self.journaling
        told = self._condition.failed(text)
        batches = self._backlog.put_back()
        if not journaled:
            self._fallback.add(self._backlog.items())
        kept = "kept in memory"
        try:
            kept = await self._fallback.keep()
        finally:
            for batch in batches:
                batch.settle(StoreError(f"{text} ({kept}, tried again)"))
        if told is not None:
            self._log.error(
                "state: %s; changes are %s and tried again%s", text, kept, times(told),
                exc_info=None if self._backend.is_expected(error) else error,
            )  # fmt: skip

    async def _attempt(self, batch: Batch) -> None:
        self._condition.begin_write()
        try:
            reattached = await self._backend.prepare(self._backlog)
            if reattached is not None:
                self._backlog.write_too(reattached.missing)
                if self.journaling:
                    self._fallback.add(reattached.missing)
            if self._fallback.holds:
                # The journal is never behind the store: replayed after a crash, it would take the store back.
                await self._fallback.keep()
            if batch or self._condition.error is not None:
                await self._backend.write(batch)
            else:
                await self._backend.upkeep()
        finally:
            self._condition.end_write()

    async def _committed(self, mark: int, sessions: int, changes: int) -> None:
        recovered = self._condition.works()
        self._backlog.committed().settle(None)
        await self._fallback.confirm(mark)
        if recovered:
            self._log.warning(
                "state: %s can be written again; all waiting changes are saved (%s, %s)",
                self._backend.name, counted(sessions, "session"), counted(changes, "change"),
            )  # fmt: skip
