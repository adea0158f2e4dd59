"""Keeps the book in memory and in the store: read when this proxy begins to send, written before what it says is sent.

While the store accepts no writes the book goes on in memory, since an alert about the store must go out, and it is
written when the store is back. A book of many outages is written down, read and united with another in a thread.
"""

import asyncio
import logging
from functools import partial
from typing import Final

from statusproxy.alerts.codec import decode, encode
from statusproxy.alerts.merge import merged, same
from statusproxy.alerts.values import Book
from statusproxy.pacing import apart
from statusproxy.store.errors import StoreError
from statusproxy.store.outbox import Outbox, OutboxDocument

__all__ = ["Bookkeeping"]

log = logging.getLogger("statusproxy.alerts")

#: Seconds that reading or writing may take. A store bounds them itself; a disk that hangs may not.
_LIMIT: Final = 10.0

#: Outages in a book, and bytes of one, from which on a thread works on it: the event loop goes on meanwhile.
_MANY: Final = 500
_MANY_BYTES: Final = 100_000


class Bookkeeping:
    """The owner of the book. `outbox` is None for a store that has no place for it: then it is in memory only."""

    def __init__(self, outbox: Outbox | None) -> None:
        self.book = Book()
        """What is told, and the messages on their way. Changed by `put` alone."""
        self.failed = False
        """Whether the store did not take, or give, the book when it was last asked."""
        self._outbox = outbox
        self._version = 0
        self._unsaved = False
        self._unsure = False  # whether the last write came through
        self._tried = b""
        self._tried_book = self.book
        self._lock = asyncio.Lock()

    @property
    def unsaved(self) -> bool:
        """Whether something of the book is not in the store."""
        return self._unsaved

    def put(self, book: Book) -> None:
        """The book as it is from now on; `flush` writes it."""
        if book is not self.book:
            self.book = book
            self._unsaved = True

    async def read(self) -> bool:
        """Take over what the store holds, and unite it with what is not written yet; False where it cannot be read."""
        if self._outbox is None:
            return True
        async with self._lock:
            try:
                async with asyncio.timeout(_LIMIT):
                    document = await self._outbox.read()
            except (StoreError, TimeoutError) as error:
                self._fail("read", error)
                return False
            self.failed = False
            await self._take(document)
            return True

    async def flush(self) -> bool:
        """Write what is not written yet. False where the store has another's book, or does not answer.

        Another's book is united with this one first, so that the next call can write it.
        """
        if self._outbox is None:
            self._unsaved = False
            return True
        async with self._lock:
            if not self._unsaved:
                return True
            try:
                async with asyncio.timeout(_LIMIT):
                    if self._unsure:
                        await self._take(await self._outbox.read())
                    while self.unsaved:
                        if not await self._write(self._outbox):
                            return False
                    return True
            except (StoreError, TimeoutError) as error:
                self._unsure = True
                self._fail("written", error)
                return False

    async def _write(self, outbox: Outbox) -> bool:
        book = self.book
        payload = await apart(partial(encode, book), many=_is_long(book))
        self._tried, self._tried_book = payload, book
        version = await outbox.write(self._tried, self._version)
        self.failed = False
        if version is None:
            await self._take(await outbox.read())
            return False
        self._version = version
        self._unsaved = self.book is not book  # it may have changed meanwhile
        return True

    async def _take(self, document: OutboxDocument) -> None:
        """Take in a document of the store. Where that is cut off, nothing of it is taken in."""
        if document.version <= self._version:
            # Older than what stood there before: the store lost its memory, or was restored. What was told was told.
            self._unsaved = self._unsaved or document.version < self._version
        elif self._unsure and document.payload == self._tried:  # the write came through; its answer did not
            self._unsaved = self.book != self._tried_book
        else:
            stored = await self._read(document.payload)
            book, differs = stored, False
            while self._unsaved:
                ours = self.book
                many = _is_long(stored) or _is_long(ours)
                book, differs = await apart(partial(_united, stored, ours), many=many)
                if self.book is ours:  # else it changed meanwhile
                    break
            self.book, self._unsaved = book, differs
        self._unsure, self._version = False, document.version

    @staticmethod
    async def _read(payload: bytes) -> Book:
        book = await apart(partial(decode, payload), many=len(payload) > _MANY_BYTES)
        if isinstance(book, Book):
            return book
        log.error("alerts: %s; earlier alerts may be sent again", book.reason, extra={"why": book.reason})
        return Book()

    def _fail(self, what: str, error: Exception) -> None:
        if not self.failed:
            why = str(error) or "no answer in time"
            log.error(
                "alerts: the record of sent alerts cannot be %s: %s; alerts continue", what, why, extra={"why": why}
            )
        self.failed = True


def _is_long(book: Book) -> bool:
    return len(book.told) + sum(len(message.lines) for message in book.messages) > _MANY


def _united(stored: Book, ours: Book) -> tuple[Book, bool]:
    """Both books in one, and whether that differs from what is stored."""
    book = merged(stored, ours)
    return book, not same(book, stored)
