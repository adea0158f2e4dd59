"""A spool over a store in memory, for the tests of what operators see of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from statusproxy.clock import OwnClock
from statusproxy.spool.schedule import SpoolRules
from statusproxy.spool.spool import Spool
from statusproxy.store.base import Store
from statusproxy.store.errors import StoreError
from statusproxy.store.spooled import Content, Entry, SpoolOp
from tests.spool.entries import entry

__all__ = ["HEAD", "NOW", "Shelf", "entry", "spool_of"]

#: The time on the spool's clock.
NOW = 1_000.0

HEAD = (
    b"POST /hook?key=planted-1 HTTP/1.1\r\nHost: gateway.example\r\nContent-Type: application/json\r\n"
    b"apikey: planted-2\r\nX-Request-Id: r-1\r\nContent-Length: 7\r\n"
)


class _Counter:
    """Counts nothing."""

    def kept(self, reason: str) -> None: ...

    def delivered(self) -> None: ...

    def dropped(self, reason: str) -> None: ...

    def not_kept(self, reason: str) -> None: ...


class Shelf:
    """Entries, their contents, and what was written about them."""

    healthy = True
    error: str | None = None
    claims: object = None
    sharing = on_news = None
    ahead = 0.0

    def __init__(self, *entries: Entry, folder: Path = Path("/nowhere")) -> None:
        self.folder = folder
        self.rows = list(entries)
        self.contents = {each.id: Content(HEAD, b'{"a":1}') for each in entries}
        self.saved: list[Sequence[SpoolOp]] = []
        self.released: list[Content] = []
        self.fails = False
        self.unreadable: str | None = None
        """Why the entries cannot be read."""

    @property
    def spool(self) -> "Shelf":
        """The reader's side."""
        return self

    async def entries(self) -> list[Entry]:
        """As `SpoolReader.entries`."""
        if self.unreadable is not None:
            raise StoreError(self.unreadable)
        return self.rows

    async def content(self, id_: str) -> Content | None:
        """As `SpoolReader.content`."""
        self._may()
        return self.contents.get(id_)

    def release(self, content: Content) -> None:
        """As `SpoolReader.release`."""
        self.released.append(content)

    async def save(self, *written: Sequence[Any]) -> None:
        """As `Store.save`."""
        self._may()
        self.saved.append(written[3])

    def _may(self) -> None:
        if self.fails:
            raise StoreError("disk full")


async def spool_of(shelf: Shelf, clock: OwnClock | None = None, **rules: Any) -> Spool:
    """A spool of these entries, at `NOW` unless `clock` says otherwise."""
    spool = Spool(cast(Store, shelf), clock or OwnClock(lambda: NOW), SpoolRules(**rules), _Counter())
    await spool.open()
    return spool
