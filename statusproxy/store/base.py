"""What every store is: the protocol that the registry writes through."""

from collections.abc import Sequence
from typing import Protocol

from statusproxy.status.model import Change, Record


class Store(Protocol):
    """Where the map survives a restart."""

    async def open(self) -> list[Record]:
        """Open or create the store; give every record."""

    async def save(self, records: Sequence[Record], forgotten: Sequence[str], changes: Sequence[Change]) -> None:
        """Write, and return once it is durable. Concurrent callers share one commit."""

    async def history(self, session: str | None, limit: int) -> list[Change]:
        """The newest changes, of one session or of all, newest first."""

    async def close(self) -> None:
        """Close; a closed store cannot be used again."""

    @property
    def healthy(self) -> bool:
        """Whether the last write succeeded."""

    @property
    def trouble(self) -> str | None:
        """What is wrong, for a person, if the store is not healthy."""
