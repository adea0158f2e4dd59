"""The fallback of a store on a server: a journal on this machine's disk for what the server does not take.

Nothing here raises: without a journal, or with one that cannot be written, changes are in memory only, and that is
logged once and told in the words that errors and the health answer use.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from statusproxy.observe.counted import counted
from statusproxy.store.backlog import Item
from statusproxy.store.errors import StoreError, describe
from statusproxy.store.journal import Journal
from statusproxy.store.journal_file import Found

__all__ = ["OFF", "Fallback", "Keeper", "NoJournal"]

OFF: Final = "off"
"""What `error` says where no journal is wanted."""

_MEMORY: Final = "kept in memory"
_LOST: Final = "lost with this process"
_RISK: Final = "in memory only, and lost if this process ends"

#: Seconds that the end may take to put on disk what the server does not take.
_LAST_SYNC: Final = 2.0


class Fallback:
    """A journal with its state of health, or none."""

    def __init__(self, journal: Journal | None, place: str, log: logging.Logger, sync_limit: float) -> None:
        """`place` names the server in messages; `sync_limit` (seconds) bounds how long anyone waits for the disk."""
        self.error: str | None = OFF if journal is None else None
        """Why changes would be kept in memory only; None if they are kept on disk."""
        self._journal = journal
        self._place = place
        self._log = log
        self._sync_limit = sync_limit

    @property
    def where(self) -> str:
        """Where changes are kept while the server does not take them, as the end of a sentence."""
        return _RISK if self._journal is None or self.error is not None else f"in {self._journal.path}"

    @property
    def state(self) -> str:
        """`ok`, `off`, or why the journal cannot be written."""
        return self.error or "ok"

    @property
    def meanwhile(self) -> str:
        """The end of a sentence about a server that does not take changes."""
        return f"; until then changes are kept {self.where}"

    @property
    def holds(self) -> bool:
        """Whether the journal may contain something. If so, all that comes must be added to it, too."""
        return self._journal is not None and self._journal.holds

    @property
    def mark(self) -> int:
        """The position of what was added so far, for `confirm`."""
        return 0 if self._journal is None else self._journal.added

    async def open(self) -> list[Item]:
        """Open the journal; give what an earlier process could not give to the server, oldest first."""
        if self._journal is None:
            return []
        try:
            found = await self._journal.open()
        except (StoreError, OSError) as error:
            self.error = describe(error, self._journal.path)
            await self._journal.close()
            self._journal = None
            self._log.error(
                "state: changes that %s does not accept will be kept %s: %s; name a writable directory in "
                "state.journal, and restart",
                self._place, _RISK, self.error,
            )  # fmt: skip
            return []
        self._tell(found)
        if not self._journal.holds:
            try:
                await self._journal.probe()
            except StoreError as error:
                self._failed(self._journal, error)
        return found.items

    def add(self, items: Iterable[Item]) -> None:
        """Take in what the server lacks; `keep` has it on disk."""
        if self._journal is not None:
            self._journal.add(items)

    async def keep(self) -> str:
        """Wait until all that was added is on disk, and tell where it is kept."""
        if self._journal is None:
            return _MEMORY
        try:
            async with asyncio.timeout(self._sync_limit):
                await self._journal.sync()
        except (StoreError, TimeoutError) as error:
            self._failed(self._journal, error)
        else:
            self._works(self._journal)
        return f"kept {self.where}"

    async def confirm(self, mark: int) -> None:
        """The server has all that was added up to `mark`: the journal goes, if nothing came since."""
        journal = self._journal
        if journal is None or not (journal.holds or self.error is not None):
            return
        try:
            async with asyncio.timeout(self._sync_limit):
                await journal.clear(mark)
                if self.error is not None and not journal.holds:
                    await journal.probe()
                    self._works(journal)
        except (StoreError, TimeoutError) as error:
            self._failed(journal, error)

    async def close(self, left: Iterable[Item]) -> str:
        """Put what is left on disk, within a bounded time, and close; the result, as the end of a sentence."""
        journal, self._journal = self._journal, None
        kept = _LOST
        if journal is None:
            return kept
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_LAST_SYNC):
                journal.add(left)
                await journal.sync()
                kept = f"kept in {journal.path} for the next start"
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SYNC):
                await journal.close()
        return kept

    def _failed(self, journal: Journal, error: Exception) -> None:
        text = str(error) or f"no answer: {journal.path}: the disk takes longer than {self._sync_limit:g} s"
        if text != self.error:
            self.error = text
            self._log.error("state: changes that %s does not accept are kept %s: %s", self._place, _RISK, text)

    def _works(self, journal: Journal) -> None:
        if self.error is not None:
            self.error = None
            self._log.warning("state: %s can be written again", journal.path)

    def _tell(self, found: Found) -> None:
        assert self._journal is not None
        path = self._journal.path
        if found.items:
            self._log.warning(
                "state: %s: an earlier process left %s written now",
                path, counted(
                    len(found.items),
                    "entry that the server may lack; it is", "entries that the server may lack; they are",
                ),
            )  # fmt: skip
        if found.set_aside is not None:
            why = (
                f"{counted(found.damaged, 'line')} of it cannot be read"
                if found.damaged
                else "it belongs to another server"
            )
            self._log.error("state: %s: %s; it is kept as %s", path, why, found.set_aside)
        for other in found.others:
            self._log.warning(
                "state: %s holds changes for another state.url; a proxy with that url sends them to its server", other
            )


class NoJournal:
    """What stands in for a journal beside a store that needs none, being on this machine's disk itself."""

    state: None = None
    meanwhile: Final = ""
    holds: Final = False
    mark: Final = 0

    async def open(self) -> list[Item]:
        """Nothing was left."""
        return []

    def add(self, items: Iterable[Item]) -> None:
        """What waits is in memory."""

    async def keep(self) -> str:
        """Where it is."""
        return _MEMORY

    async def confirm(self, mark: int) -> None:
        """There is nothing to clear."""

    async def close(self, left: Iterable[Item]) -> str:
        """The result for what was left."""
        return _LOST


Keeper = Fallback | NoJournal
"""Where the batch writer keeps what a store does not take."""
