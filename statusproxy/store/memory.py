"""A store that keeps nothing beyond the process: for trials, tests, and sites that want no file.

The same promises as the durable stores but durability, so that whoever works with one works with the other.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from statusproxy.status.model import Change, Record
from statusproxy.store.age import HistoryAge
from statusproxy.store.errors import StoreError

__all__ = ["MemoryStore"]

_HISTORY_CHANGES: Final = 10_000  # some 3 MB; the durable stores keep more


class MemoryStore:
    """A `Store` in memory: what was saved is there again after `close` and `open` of the same object."""

    def __init__(self, *, history_days: float | None = 90, clock: Callable[[], float] = time.time) -> None:
        """`history_days` None keeps changes whatever their age; `clock` gives epoch seconds for pruning."""
        self._age = HistoryAge(history_days, clock)
        self._records: dict[str, Record] = {}
        self._changes: deque[Change] = deque(maxlen=_HISTORY_CHANGES)
        self._open = False

    async def open(self) -> list[Record]:
        """The records saved so far (none, in a new process)."""
        self._open = True
        self._prune()
        return list(self._records.values())

    async def save(self, records: Sequence[Record], forgotten: Sequence[str], changes: Sequence[Change]) -> None:
        """Keep records and changes, forget sessions; a session both forgotten and in `records` is kept."""
        self._expect_open()
        for session in forgotten:
            self._records.pop(session, None)
        for record in records:
            self._records[record.session] = record
        self._changes.extend(changes)
        self._prune()

    async def history(self, session: str | None, limit: int) -> list[Change]:
        """The newest changes first, at most `limit`, of one session or of all."""
        self._expect_open()
        found = (change for change in reversed(self._changes) if session is None or change.session == session)
        return list(islice(found, max(0, limit)))

    async def close(self) -> None:
        """Take no more; what is kept stays with the object."""
        self._open = False

    @property
    def healthy(self) -> bool:
        """Whether it is open."""
        return self._open

    @property
    def trouble(self) -> str | None:
        """None, or that it is not open."""
        return None if self._open else "the state in memory is not open"

    def _expect_open(self) -> None:
        if not self._open:
            raise StoreError("the state in memory is not open")

    def _prune(self) -> None:
        before = self._age.before()
        while before is not None and self._changes and self._changes[0].recorded_at < before:
            self._changes.popleft()
