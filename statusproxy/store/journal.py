"""The journal of a store on a server: changes kept on this machine's disk while the server is away.

The store adds what it could not write yet, waits for `sync` before anyone is answered, and calls `clear` when the
server has all of it. Those who wait at the same time share one sync of the disk. The file is written in a thread of
its own: a slow disk blocks those who wait for it, never the event loop.

The file is bounded. Each change adds lines; when it has grown to twice what still matters, it is rewritten with only
that. Beyond `LIMIT` the oldest changes of the history are left out of it, the state of the sessions never.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from statusproxy.store.backlog import Item
from statusproxy.store.errors import StoreError, describe
from statusproxy.store.journal_file import Found, JournalFile, encode_items, file_name

__all__ = ["LIMIT", "Journal", "JournalError"]

#: Bytes of a file. What is waiting in memory is bounded too, and is a third of this at most with 10 000 sessions.
LIMIT: Final = 128 * 1024**2

#: Bytes below which a file is not rewritten, however much of it is outdated.
_SMALL: Final = 4 * 1024**2

#: Seconds after a failure in which nothing is tried: each attempt writes all that waits.
_PAUSE: Final = 5.0

_T = TypeVar("_T")


class JournalError(StoreError):
    """The journal could not be written; the message says why and what to do."""


class Journal:
    """One process's journal for one server. `open` first; all in one event loop."""

    def __init__(self, directory: Path, place: str, waiting: Callable[[], Iterable[Item]], limit: int = LIMIT) -> None:
        """`place` names the server and the keys, without a password. `waiting` gives all that the server lacks."""
        self.path = directory / file_name(place)
        self.added = 0
        """Counts calls of `add` that had something in them; a mark for `clear`."""
        self._directory = directory
        self._place = place
        self._waiting = waiting
        self._limit = limit
        self._file: JournalFile | None = None
        self._thread = ThreadPoolExecutor(1, "statusproxy-journal")
        self._queue: list[Item] = []
        self._written = 0
        self._cleared = 0
        self._writing: asyncio.Task[None] | None = None
        self._uncertain = False
        """A write failed: what is on disk is known only once it has been written again."""
        self._rewrite_at = self._threshold(0)
        self._error: JournalError | None = None
        self._pause_until = 0.0

    async def open(self) -> Found:
        """Open the file, and give what an earlier process left. Raises `StoreInUseError` or `OSError`."""
        self._file, found = await self._in_thread(lambda: JournalFile.open(self._directory, self._place))
        if found.items:
            self.added = self._written = 1
        return found

    @property
    def holds(self) -> bool:
        """Whether the file may hold something: then all that comes must be added too, or it would be outdated."""
        return self.added > self._cleared

    def add(self, items: Iterable[Item]) -> None:
        """Take in items, to be written by the next `sync`. They must be among `waiting`'s until `clear`."""
        new = list(items)
        if not new:
            return
        self.added += 1
        if not self._uncertain:  # else all that waits is written again
            self._queue += new

    async def sync(self) -> None:
        """Return when all that was added is on disk. Raises `JournalError`; what was added is tried again later."""
        wanted = self.added
        while self._written < wanted:
            # One that has just ended may lack what was added since; waiting for it would not even let the loop turn.
            if self._writing is None or self._writing.done():
                self._writing = asyncio.create_task(self._write(), name="statusproxy-journal")
                self._writing.add_done_callback(self._done)
            # Others wait for the same write: it goes on when this caller is cancelled.
            await asyncio.shield(self._writing)

    async def clear(self, mark: int) -> None:
        """The server has all that was added up to `mark` (a value of `added`): remove it, if nothing came since.

        Raises `JournalError`; what is left there is outdated then, and the next call removes it.
        """
        if self.added != mark or not self.holds:
            return
        self._queue.clear()
        self._written = mark
        file = self._opened()
        try:
            await self._in_thread(file.remove)
        except OSError as error:
            self._uncertain = True
            raise self._failed(error) from error
        self._cleared = mark
        self._rewrite_at = self._threshold(0)

    async def probe(self) -> None:
        """Raise `JournalError` unless the file can be written now. Only while it holds nothing."""
        self._expect_room()
        file = self._opened()
        try:
            await self._in_thread(file.probe)
        except OSError as error:
            raise self._failed(error) from error

    async def close(self) -> None:
        """Close the file as it is."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
        if self._file is not None:
            await self._in_thread(self._file.close)
            self._file = None
        self._thread.shutdown(wait=False)

    # ---- writing ----

    async def _write(self) -> None:
        self._expect_room()
        file, number = self._opened(), self.added
        items, self._queue = self._queue, []
        anew = self._uncertain or file.size >= self._rewrite_at
        try:
            if not anew:
                anew = not await self._in_thread(lambda: self._append(file, items))
            if anew:
                items = list(self._waiting())
                await self._in_thread(lambda: self._rewrite(file, items))
        except (OSError, StoreError) as error:
            self._uncertain = True
            raise self._failed(error) from error
        if anew:
            self._rewrite_at = self._threshold(file.size)
            self._uncertain = False
        self._written = max(self._written, number)

    def _append(self, file: JournalFile, items: list[Item]) -> bool:
        """Add lines, in the thread; False where there is no room for them."""
        data = b"".join(encode_items(items))
        if file.size + len(data) > self._limit:
            return False
        file.append(data)
        return True

    def _rewrite(self, file: JournalFile, items: list[Item]) -> None:
        """Write all that waits in place of what is there, in the thread; at most half of the limit, to grow from."""
        states, changes = encode_items(items)
        room = self._limit // 2 - len(states)
        if room < 0:
            raise JournalError(f"full: {self.path}: the sessions alone take more than {self._limit // 2} bytes")
        if len(changes) > room:
            changes = changes[changes.index(b"\n", len(changes) - room - 1) + 1 :]
        file.rewrite(states + changes)

    def _expect_room(self) -> None:
        """Raise what the last attempt raised, if that was just now."""
        if self._error is not None and time.monotonic() < self._pause_until:
            raise JournalError(str(self._error))

    def _threshold(self, size: int) -> int:
        return min(max(_SMALL, 2 * size), self._limit)

    def _done(self, writing: "asyncio.Task[None]") -> None:
        if self._writing is writing:
            self._writing = None
        if not writing.cancelled():
            writing.exception()  # all who wait for it get it; if none is left, the next call does

    def _failed(self, error: OSError | StoreError) -> JournalError:
        self._pause_until = time.monotonic() + _PAUSE
        self._error = JournalError(describe(error, self.path))
        return self._error

    def _opened(self) -> JournalFile:
        if self._file is None:
            raise JournalError(f"not open: {self.path}")
        return self._file

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
