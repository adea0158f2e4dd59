"""A stand-in for a store."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from types import MappingProxyType

from statusproxy.status.model import Change, Record
from statusproxy.store.backlog import Dropped
from statusproxy.store.claims import Claims
from statusproxy.store.damage import Damage
from statusproxy.store.outbox import Outbox
from statusproxy.store.proxies import Sharing
from statusproxy.store.spooled import SpoolOp, SpoolReader


class Disk:
    """A store that a test can hold up, and break."""

    journal: str | None = None
    history_rows = 1_000
    damage: Sequence[Damage] = ()
    spool: SpoolReader | None = None
    repairs: Mapping[str, int] = MappingProxyType({})

    def __init__(self, records: Sequence[Record] = ()) -> None:
        self.sharing: Sharing | None = None
        self.claims: Claims | None = None
        self.outbox: Outbox | None = None
        self.on_others: Callable[[list[Record], list[Dropped]], None] | None = None
        self.records = list(records)
        self.saved: dict[str, Record] = {}
        self.forgotten: list[str | Dropped] = []
        self.changes: list[Change] = []
        self.saves = 0
        self.history_reads = 0
        self.unreadable: list[Exception] = []
        """What keeps the history from being read, each for one time."""
        self.broken: Exception | None = None
        self.asked = asyncio.Event()
        """Something is to be saved."""
        self.free = asyncio.Event()
        self.free.set()
        self.closed = False
        self.written = asyncio.Condition()

    async def open(self) -> list[Record]:
        return self.records

    async def save(
        self,
        records: Sequence[Record],
        forgotten: Sequence[str | Dropped],
        changes: Sequence[Change],
        spooled: Sequence[SpoolOp] = (),
    ) -> None:
        assert not spooled
        self.asked.set()
        await self.free.wait()
        if self.broken is not None:
            raise self.broken
        async with self.written:
            self.saves += 1
            self.saved |= {record.session: record for record in records}
            self.forgotten += forgotten
            self.changes += changes
            self.written.notify_all()

    async def history(self, session: str | None, limit: int) -> list[Change]:
        return [change for change in reversed(self.changes) if session in {None, change.session}][:limit]

    async def history_pages(self, session: str | None, since: float | None) -> AsyncGenerator[Sequence[Change], None]:
        self.history_reads += 1
        if self.unreadable:
            raise self.unreadable.pop()
        for change in reversed(list(self.changes)):
            if session in {None, change.session} and change.recorded_at >= (since or -math.inf):
                yield [change]

    async def close(self) -> None:
        self.closed = True

    @property
    def healthy(self) -> bool:
        return self.broken is None

    @property
    def error(self) -> str | None:
        return None if self.broken is None else str(self.broken)

    async def acknowledge(self) -> int:
        return 0
