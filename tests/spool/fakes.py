"""A store that keeps the spool in memory, a clock that stands still, and counts: for the tests of the spool."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from statusproxy.clock import OwnClock
from statusproxy.proxy.ports import Attempt, Parcel
from statusproxy.status.model import Change, Record
from statusproxy.store.backlog import Dropped
from statusproxy.store.claims import Claims
from statusproxy.store.damage import Damage
from statusproxy.store.errors import StoreError
from statusproxy.store.outbox import Outbox
from statusproxy.store.proxies import Sharing
from statusproxy.store.spooled import Content, Entry, Kept, Moved, SpoolNews, SpoolOp, SpoolReader

TAKEN, NOT_SENT, NO_ANSWER = Attempt("delivered", 200), Attempt("not-sent"), Attempt("no-answer")
QUEUED, FAILED = Attempt("queued"), Attempt("failed")


def refused(status: int, retry_after: float | None = None) -> Attempt:
    """An answer that is not 2xx."""
    return Attempt("refused", status, retry_after)


def parcel(session: str | None = "sales", receiver: str = "gateway", body: bytes | Path = b"{}") -> Parcel:
    """An event of 100 bytes."""
    head = b"POST /hook HTTP/1.1\r\nHost: gateway.example\r\n"
    return Parcel("/hook", receiver, session, "message", head, body, size=100, framed=False, checksum=7, base="/wa")


class Clock:
    """The system's clock and a monotonic one; both stand still until they are moved."""

    def __init__(self, wall: float = 1000.0) -> None:
        self.wall = wall
        self.passed = 0.0
        self.restart()

    def restart(self) -> None:
        """Another process begins, with a clock of its own."""
        self.own = OwnClock(lambda: self.wall, lambda: self.passed)

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.wall += seconds
        self.passed += seconds


class FakeStore:
    """Implements `Store` and `SpoolReader`; `rows` is what is on disk."""

    healthy = True
    error: str | None = None
    journal: str | None = None
    sharing: Sharing | None = None
    claims: Claims | None = None
    outbox: Outbox | None = None
    history_rows = 0
    ahead = 0.0
    on_news: Callable[[SpoolNews], None] | None = None
    on_others: Callable[[list[Record], list[Dropped]], None] | None = None
    damage: Sequence[Damage] = ()
    repairs: Mapping[str, int] = MappingProxyType({})
    folder = Path("/spool")

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Entry, Content]] = {}
        self.saves: list[list[SpoolOp]] = []
        self.released: list[Content] = []
        self.held: asyncio.Event | None = None
        """What a write waits for, if anything."""
        self.unreadable: str | None = None
        self.late: list[SpoolOp] = []
        """What is not on disk, since the store failed."""

    @property
    def spool(self) -> SpoolReader:
        """Itself."""
        return self

    def fail(self, why: str = "disk full") -> None:
        """From now on nothing can be written."""
        self.healthy, self.error = False, why

    def heal(self) -> None:
        """All that waits is written."""
        self.healthy, self.error = True, None
        self._apply(self.late)
        self.late.clear()

    async def open(self) -> list[Record]:
        """Nothing is known of sessions."""
        return []

    async def save(
        self,
        records: Sequence[Record],
        forgotten: Sequence[str | Dropped],
        changes: Sequence[Change],
        spooled: Sequence[SpoolOp] = (),
    ) -> None:
        """As `Store.save`."""
        assert [*records, *forgotten, *changes] == []
        self.saves.append(list(spooled))
        self.late += spooled
        if self.held is not None:
            await self.held.wait()
        if self.error is not None:
            raise StoreError(self.error)
        self.heal()

    async def history(self, session: str | None, limit: int) -> list[Change]:
        """None."""
        return []

    async def history_pages(self, session: str | None, since: float | None) -> AsyncGenerator[Sequence[Change], None]:
        """None."""
        yield []

    async def acknowledge(self) -> int:
        """Nothing to acknowledge."""
        return 0

    async def close(self) -> None:
        """Nothing to close."""

    async def entries(self) -> list[Entry]:
        """As `SpoolReader.entries`."""
        if self.unreadable is not None:
            raise StoreError(self.unreadable)
        return [entry for _, (entry, _) in sorted(self.rows.items())]

    async def content(self, id_: str) -> Content | None:
        """As `SpoolReader.content`."""
        if self.unreadable is not None:
            raise StoreError(self.unreadable)
        return self.rows[id_][1] if id_ in self.rows else None

    def release(self, content: Content) -> None:
        """As `SpoolReader.release`."""
        self.released.append(content)

    def _apply(self, ops: Sequence[SpoolOp]) -> None:
        for op in ops:
            if isinstance(op, Kept):
                self.rows[op.entry.id] = op.entry, op.content
            elif isinstance(op, Moved):
                if op.entry.id in self.rows:
                    self.rows[op.entry.id] = op.entry, self.rows[op.entry.id][1]
            else:
                self.rows.pop(op.id, None)


class Counts:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.all: Counter[str] = Counter()

    def kept(self, reason: str) -> None:
        """As `Counter.kept`."""
        self.all[f"kept {reason}"] += 1

    def delivered(self) -> None:
        """As `Counter.delivered`."""
        self.all["delivered"] += 1

    def dropped(self, reason: str) -> None:
        """As `Counter.dropped`."""
        self.all[f"dropped {reason}"] += 1

    def not_kept(self, reason: str) -> None:
        """As `Counter.not_kept`."""
        self.all[f"not kept {reason}"] += 1
