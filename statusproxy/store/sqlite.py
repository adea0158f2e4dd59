"""The default store: one SQLite file, written by one thread, whose calls are the steps of the batch writer."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from statusproxy.config.state_url import SqliteFile
from statusproxy.status.model import Change, Record
from statusproxy.store.backlog import Backlog, Batch, Entry
from statusproxy.store.base import Backend, StoreOptions
from statusproxy.store.batch_writer import BatchWriter
from statusproxy.store.condition import Timing
from statusproxy.store.damage import Damage
from statusproxy.store.database import UnusableError
from statusproxy.store.errors import StoreError, describe
from statusproxy.store.files import resolve
from statusproxy.store.outbox import Outbox
from statusproxy.store.spool_files import spool_folder
from statusproxy.store.spooled import SpoolReader
from statusproxy.store.sqlite_file import StateFile
from statusproxy.store.sqlite_outbox import SqliteOutbox
from statusproxy.store.sqlite_spool import Reader
from statusproxy.store.sqlite_writer import FilesMovedError, SqliteWriter
from statusproxy.store.upkeep import HISTORY_ROWS, Check, Upkeep, UpkeepTiming
from statusproxy.store.worker_thread import WorkerThread

__all__ = ["SqliteBackend", "make_store", "sqlite_store"]

# What needs no traceback.
_EXPECTED: Final = (sqlite3.Error, OSError, StoreError, UnusableError, FilesMovedError)

# Seconds that closing the file may take, the last attempts of a slow disk included.
_CLOSE_LIMIT: Final = 5.0


_T = TypeVar("_T")


class SqliteBackend(Backend):
    """An SQLite file; see `sqlite_writer.py` for what its thread does."""

    cancellable = False
    history_rows = HISTORY_ROWS

    def __init__(
        self,
        path: Path,
        *,
        history_days: float | None,
        log: logging.Logger,
        clock: Callable[[], float] = time.time,
        lock_wait: float = 5.0,
        upkeep: UpkeepTiming | None = None,
    ) -> None:
        """`path` is absolute; `history_days` None keeps all; `clock` gives epoch seconds for names and pruning.

        `lock_wait`: seconds that `open` waits for a predecessor that is just leaving before it says "in use".
        """
        self.name = str(path)
        self.path = path
        timing = upkeep or UpkeepTiming()
        self._upkeep = Upkeep(path, history_days, clock, log, timing)
        self._file = StateFile(path, lock_wait=lock_wait, clock=clock, log=log, upkeep=self._upkeep)
        self._writer = SqliteWriter(path, self._file, self._upkeep, log, clock)
        self.spool: SpoolReader = Reader(spool_folder(path), self._writer, self._ask_at_any_time)
        """As `Store.spool`."""
        self.outbox: Outbox = SqliteOutbox(self._writer, self._ask_at_any_time)
        """As `Store.outbox`."""
        self._thread = WorkerThread("statusproxy-store")
        self._check = Check(path, timing.check_every, self._report_damage)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._damage_found: str | None = None
        self._closed = False

    @property
    def commits(self) -> int:
        """Commits that wrote something so far."""
        return self._writer.commits

    async def open(self, backlog: Backlog) -> list[Record]:
        """Open the file, creating or repairing it where that is needed."""
        self._loop = asyncio.get_running_loop()
        records = await self._thread.submit(self._writer.open)
        self._check.start()
        return records

    async def read(self) -> list[Record]:
        """The records of a file that cannot be written now: a restart in that state must not forget them."""
        records = await self._thread.submit(self._writer.read)
        self._check.start()
        return records

    async def write(self, batch: Batch) -> None:
        """Write a batch in one transaction; COMMIT has synced it."""
        await self._thread.submit(lambda: self._writer.write(batch))

    async def history(self, session: str | None, limit: int, waiting: Sequence[Entry]) -> list[Change]:
        """As `Backend.history`, between two batches."""
        return await self._ask(lambda: self._writer.history(session, limit, waiting))

    async def history_pages(
        self, session: str | None, since: float, waiting: Sequence[Entry]
    ) -> AsyncGenerator[Sequence[Change], None]:
        """As `Backend.history_pages`, each page between two batches."""
        before: int | None = None
        while True:
            ask = partial(self._writer.history_page, session, since, before, waiting)
            page, before = await self._ask(ask)
            yield page
            if before is None:
                return
            waiting = ()

    async def acknowledge(self) -> int:
        """Acknowledge all damage so far, in the file."""
        return await self._ask(self._writer.acknowledge)

    async def close(self, left: Batch) -> None:
        """Close the file and release the locks. A thread that hangs does so when its disk answers again."""
        self._closed = True
        # A failed attempt is not repeated. One that hangs is followed by a last one when it is over.
        last = left if self._thread.busy else Batch()
        closing = self._thread.submit(lambda: self._end(last))
        self._thread.stop()
        await asyncio.wait([closing], timeout=_CLOSE_LIMIT)

    def describe(self, error: Exception) -> str:
        """SQLite's or the kernel's words, and the fix."""
        return describe(error, self.path)

    def is_expected(self, error: Exception) -> bool:
        """Whether SQLite, the kernel or this store said it."""
        return isinstance(error, _EXPECTED)

    def due_at(self) -> float:
        """When the next check, pruning, checkpoint or repair of the files is due."""
        if self._damage_found is not None or self._file.database is None:
            return 0.0
        return self._upkeep.due_at()

    async def upkeep(self) -> None:
        """One step of that."""
        found, self._damage_found = self._damage_found, None
        await self._thread.submit(lambda: self._writer.keep_up(found))

    @property
    def damage(self) -> Sequence[Damage]:
        """The damage to the file that is not acknowledged yet."""
        return [each for each in self._file.notices.values() if not each.acknowledged]

    @property
    def repairs(self) -> Mapping[str, int]:
        """How often the files were repaired since the start: `damaged`, `deleted` or `replaced` ones."""
        return self._file.repairs

    async def _ask(self, question: Callable[[], _T]) -> _T:
        try:
            return await self._thread.submit(question)
        finally:
            if self._file.database is None and self.on_due is not None:
                self.on_due()  # it could not be repaired: the writer finds out why

    async def _ask_at_any_time(self, question: Callable[[], _T]) -> _T:
        if self._closed:  # the thread has ended
            raise StoreError(f"the state in {self.path} is closed")
        try:
            return await self._ask(question)
        except Exception as error:
            raise StoreError(self.describe(error)) from error

    def _report_damage(self, words: str) -> None:
        """The check found damage, in its thread."""
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop is gone
            self._loop.call_soon_threadsafe(self._take_damage, words)

    def _take_damage(self, words: str) -> None:
        self._damage_found = words
        if self.on_due is not None:
            self.on_due()

    def _end(self, left: Batch) -> None:
        self._check.stop()
        self._writer.close(left)


def sqlite_store(
    path: Path,
    *,
    history_days: float | None = 90,
    log: logging.Logger | None = None,
    clock: Callable[[], float] = time.time,
    timing: Timing | None = None,
    **options: Any,
) -> BatchWriter[SqliteBackend]:
    """A store in an SQLite file; `options` are those of `SqliteBackend`."""
    log = log or logging.getLogger("statusproxy.store")
    backend = SqliteBackend(path, history_days=history_days, log=log, clock=clock, **options)
    return BatchWriter(backend, log=log, clock=clock, timing=timing)


def make_store(url: SqliteFile, options: StoreOptions) -> BatchWriter[SqliteBackend]:
    """The store that `sqlite:///…` names."""
    return sqlite_store(resolve(url.path, options.environ), history_days=options.history_days, log=options.log)
