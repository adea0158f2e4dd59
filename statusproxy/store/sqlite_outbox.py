"""The outbox of alerts in the SQLite store: the document as the store's thread knows it, and its place for others."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from statusproxy.store.outbox import OutboxDocument

__all__ = ["KnownOutbox", "OutboxWriter", "SqliteOutbox"]


class KnownOutbox:
    """The document as it is on disk, and the one that must be written. For the writer's thread."""

    def __init__(self) -> None:
        self.document: OutboxDocument | None = None
        """None until it was read: the file may hold more than is known."""
        self.pending: OutboxDocument | None = None
        """What the next commit writes."""

    def due(self, *, anew: bool) -> OutboxDocument | None:
        """What a commit must write; `anew`: into a file that may be another one."""
        if self.pending is not None:
            return self.pending
        return self.document if anew and self.document is not None and self.document.version else None

    def committed(self) -> None:
        """What was pending is on disk."""
        if self.pending is not None:
            self.document, self.pending = self.pending, None


class OutboxWriter(Protocol):
    """What the thread does for the outbox (`SqliteWriter`)."""

    def outbox(self) -> OutboxDocument:
        """As `Outbox.read`."""

    def write_outbox(self, payload: bytes, after: int) -> int | None:
        """As `Outbox.write`."""


class SqliteOutbox:
    """Implements `Outbox` over the store's thread."""

    def __init__(self, writer: OutboxWriter, ask: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        """`ask` runs a question in the thread; what goes wrong there it raises as `StoreError`."""
        self._writer = writer
        self._ask = ask

    async def read(self) -> OutboxDocument:
        """As `Outbox.read`."""
        document: OutboxDocument = await self._ask(self._writer.outbox)
        return document

    async def write(self, payload: bytes, after: int) -> int | None:
        """As `Outbox.write`."""
        version: int | None = await self._ask(lambda: self._writer.write_outbox(payload, after))
        return version
