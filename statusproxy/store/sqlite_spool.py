"""The spool's side of the SQLite store: what its thread knows of the entries, and the reader for the event loop."""

import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from statusproxy.observe.counted import counted
from statusproxy.store.database import Database
from statusproxy.store.errors import describe
from statusproxy.store.spool_files import SpoolFiles, checksum_of
from statusproxy.store.spooled import Content, Entry, Moved, Removed, SpoolNews, SpoolOp

__all__ = ["KnownSpool", "Questions", "Reader"]


class KnownSpool:
    """The entries as they are on disk, and the files of their bodies. For the writer's thread."""

    def __init__(self, files: SpoolFiles, log: logging.Logger) -> None:
        self.files = files
        self.entries: dict[str, Entry] | None = None
        """None until they were read: the file may hold more than is known."""
        self._log = log

    def loaded(self, database: Database, entries: list[Entry]) -> None:
        """The entries were read from a database that can be written: files that belong to none go."""
        self.learned(entries)
        try:
            removed = self.files.sweep(database.spool.names())
        except OSError as error:
            self._log.warning("state: the spool's files cannot be looked at: %s", describe(error, self.files.folder))
        else:
            if removed:
                self._log.warning(
                    "state: %s in %s belonged to no event and %s removed",
                    counted(removed, "file"),
                    self.files.folder,
                    "was" if removed == 1 else "were",
                )

    def learned(self, entries: list[Entry]) -> None:
        """The entries were read."""
        self.entries = {entry.id: entry for entry in entries}

    def content(self, database: Database, id_: str) -> Content | None:
        """An entry's content; None where it is gone or damaged. Raises `sqlite3.Error` or `OSError`."""
        found = database.spool.content(id_)
        if found is None:
            return None
        head, body = found
        file = self.files.file(id_) if body is None else body
        if file is None:
            return None
        entry = None if self.entries is None else self.entries.get(id_)
        if entry is not None and entry.checksum is not None and checksum_of(file) != entry.checksum:
            self._log.error("state: the body of the spool's event %s is damaged", id_, extra={"id": id_})
            return None
        return Content(head, file)

    def keep_files(self, spooled: dict[str, SpoolOp]) -> list[str]:
        """Have the bodies of new entries on disk, before the commit; those that are gone are no new entries any more.

        Gives their ids. Raises `OSError`.
        """
        gone = self.files.keep(spooled.values())
        for id_ in gone:
            spooled[id_] = Removed(id_)
        return gone

    def anew(self, database: Database, rescued: Iterable[Path]) -> dict[str, SpoolOp]:
        """What must be written into a database that may be new. Before that, copies there what `rescued` files held."""
        known = self.entries or {}
        for copy in rescued if known else ():
            try:
                adopted = database.spool.adopt(copy, known)
            except sqlite3.Error as error:
                self._log.error("state: the spool in %s could not be recovered: %s", copy, describe(error, copy))
            else:
                if adopted:
                    self._log.warning(
                        "state: %s recovered from %s",
                        counted(adopted, "event of the spool was", "events of the spool were"),
                        copy,
                    )
        return {id_: Moved(entry) for id_, entry in known.items()}

    def committed(self, spooled: Mapping[str, SpoolOp]) -> None:
        """These ops are durable."""
        known = {} if self.entries is None else self.entries  # what was not read yet will be
        for op in spooled.values():
            if isinstance(op, Removed):
                known.pop(op.id, None)
            elif not isinstance(op, Moved) or op.id in known:
                known[op.id] = op.entry
        try:
            self.files.remove(spooled.values())
        except OSError as error:
            self._log.warning(
                "state: a body of the spool could not be removed now: %s; it goes at the next start",
                describe(error, self.files.folder),
            )  # fmt: skip


class Questions(Protocol):
    """What the writer's thread answers; may raise any error."""

    def spool_entries(self) -> list[Entry]:
        """As `SpoolReader.entries`."""

    def spool_content(self, id_: str) -> Content | None:
        """As `SpoolReader.content`."""


class Reader:
    """Implements `SpoolReader` over the writer's thread."""

    ahead = 0.0
    """As `SpoolReader.ahead`."""

    def __init__(self, folder: Path, questions: Questions, ask: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        """`ask` has a question answered in the writer's thread; it raises `StoreError`."""
        self.folder = folder
        """As `SpoolReader.folder`."""
        self.on_news: Callable[[SpoolNews], None] | None = None
        """As `SpoolReader.on_news`: never called."""
        self._questions = questions
        self._ask = ask

    async def entries(self) -> list[Entry]:
        """As `SpoolReader.entries`."""
        found: list[Entry] = await self._ask(self._questions.spool_entries)
        return found

    async def content(self, id_: str) -> Content | None:
        """As `SpoolReader.content`."""
        found: Content | None = await self._ask(lambda: self._questions.spool_content(id_))
        return found

    def release(self, content: Content) -> None:
        """As `SpoolReader.release`: a file is the entry's own, and stays."""
