"""The outbox of alerts: one document beside the map, replaced by whoever saw its newest version."""

from typing import NamedTuple, Protocol

__all__ = ["Outbox", "OutboxDocument"]


class OutboxDocument(NamedTuple):
    """What the store holds of alerts."""

    version: int
    """Counts the writes; 0 where nothing was ever written."""
    payload: bytes
    """UTF-8 JSON, as it was given; empty at version 0."""


class Outbox(Protocol):
    """A store's place for the outbox. Proxies that share the state share it."""

    async def read(self) -> OutboxDocument:
        """The newest document. Raises `StoreError` where the store does not answer."""

    async def write(self, payload: bytes, after: int) -> int | None:
        """Replace the document if its version still is `after`; durable on return.

        Gives the new version; None where another proxy wrote meanwhile, and nothing was written. Raises `StoreError`
        where the store does not take it: then it may be written or not (read again).
        """
