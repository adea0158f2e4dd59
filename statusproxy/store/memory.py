"""A store that keeps nothing beyond the process: for trials, tests, and sites that want no file.

The same promises as the durable stores but durability. The smallest backend there is, to begin a new one from.
"""

import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import islice
from typing import Final

from statusproxy.config.state_url import Memory
from statusproxy.status.model import Change, Record
from statusproxy.store.age import HistoryAge
from statusproxy.store.backlog import Backlog, Batch, Entry
from statusproxy.store.base import PAGE, Backend, StoreOptions
from statusproxy.store.batch_writer import BatchWriter
from statusproxy.store.outbox import Outbox, OutboxDocument

__all__ = ["MemoryBackend", "make_store", "memory_store"]

_HISTORY_CHANGES: Final = 10_000  # some 3 MB; the durable stores keep more


class MemoryBackend(Backend):
    """Records and changes in memory: what was saved stays with the object."""

    name = "memory"
    history_rows = _HISTORY_CHANGES

    def __init__(self, *, history_days: float | None, clock: Callable[[], float] = time.time) -> None:
        """`history_days` None keeps changes whatever their age; `clock` gives epoch seconds for pruning."""
        self._age = HistoryAge(history_days, clock)
        self._records: dict[str, Record] = {}
        self._changes: deque[Entry] = deque(maxlen=_HISTORY_CHANGES)
        self.outbox: Outbox = MemoryOutbox()

    async def open(self, backlog: Backlog) -> list[Record]:
        """The records saved so far (none, in a new process)."""
        return list(self._records.values())

    async def write(self, batch: Batch) -> None:
        """Keep records and changes, forget sessions."""
        for session, record in batch.records.items():
            if record is None:
                self._records.pop(session, None)
            else:
                self._records[session] = record
        self._changes.extend(batch.changes)

    async def history(self, session: str | None, limit: int, waiting: Sequence[Entry]) -> list[Change]:
        """The newest changes first, at most `limit`, of one session or of all. A batch is here or waiting, not both."""
        self._prune()
        newest = (entry.change for entry in reversed([*self._changes, *waiting]))
        return list(islice((change for change in newest if session in (None, change.session)), limit))

    async def history_pages(
        self, session: str | None, since: float, waiting: Sequence[Entry]
    ) -> AsyncGenerator[Sequence[Change], None]:
        """As `Backend.history_pages`."""
        self._prune()
        newest = [entry.change for entry in reversed([*self._changes, *waiting])]
        for start in range(0, len(newest), PAGE):
            page = newest[start : start + PAGE]
            yield [one for one in page if session in (None, one.session) and one.recorded_at >= since]

    async def close(self, left: Batch) -> None:
        """There is nothing to close."""

    def describe(self, error: Exception) -> str:
        """The error's own words: none is expected."""
        return f"{type(error).__name__}: {error}"

    def is_expected(self, error: Exception) -> bool:
        """Nothing can go wrong but by a defect."""
        return False

    def _prune(self) -> None:
        before = self._age.before()
        while before is not None and self._changes and self._changes[0].change.recorded_at < before:
            self._changes.popleft()


class MemoryOutbox:
    """Implements `Outbox` for one process: it ends with it."""

    def __init__(self) -> None:
        self._document = OutboxDocument(0, b"")

    async def read(self) -> OutboxDocument:
        """As `Outbox.read`."""
        return self._document

    async def write(self, payload: bytes, after: int) -> int | None:
        """As `Outbox.write`."""
        if self._document.version != after:
            return None
        self._document = OutboxDocument(after + 1, payload)
        return after + 1


def memory_store() -> BatchWriter[MemoryBackend]:
    """A store in memory, with the options that a store has by default."""
    return make_store(Memory(), StoreOptions())


def make_store(url: Memory, options: StoreOptions) -> BatchWriter[MemoryBackend]:
    """The store that `memory:` names."""
    return BatchWriter(MemoryBackend(history_days=options.history_days), log=options.log)
