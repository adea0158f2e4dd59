"""A state that several proxies share, in memory: what Redis promises to the spool, with every delay in a test's hand.

What one proxy writes is there at once; what it told the others reaches each of them when the test says so (`hear`).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from statusproxy.spool.times import shifted
from statusproxy.store.claims import LEASE
from statusproxy.store.errors import StoreError
from statusproxy.store.proxies import Proxy, Sharing
from statusproxy.store.spooled import Content, Entry, Kept, Moved, Removed, SpoolNews, SpoolOp, SpoolReader, coalesced
from tests.spool.fakes import FakeStore


class Told(NamedTuple):
    """One line of what was written."""

    writer: "SharedStore"
    id: str
    entry: Entry | None
    """In the server's time; None where it was removed."""
    lost: bool = False


class SharedState:
    """The server: what stands there, what was written, and who holds which claim until when."""

    def __init__(self, now: Callable[[], float] = lambda: 0.0) -> None:
        """`now` is the clock of the claims."""
        self.now = now
        self.rows: dict[str, tuple[Entry, Content]] = {}
        self.told: list[Told] = []
        self.claims: dict[str, tuple[SharedStore, float]] = {}
        self.stores: list[SharedStore] = []

    def store(self, ahead: float = 0.0) -> "SharedStore":
        """The store of one more proxy, behind whose host's clock the server's is so many seconds ahead."""
        store = SharedStore(self, ahead)
        self.stores.append(store)
        return store

    def forget(self) -> None:
        """The server loses its memory."""
        for id_ in self.rows:
            for store in self.stores:
                self.told.append(Told(store, id_, None, lost=True))
        self.rows.clear()
        self.claims.clear()


class SharedStore(FakeStore):
    """Implements `Store` and `SpoolReader` for one proxy."""

    def __init__(self, state: SharedState, ahead: float) -> None:
        super().__init__()
        self.claims: SharedClaims = SharedClaims(self, state)
        self.ahead = ahead
        self.state = state
        self.heard = len(state.told)
        self.me = Proxy.new(float(len(state.stores)))

    @property
    def spool(self) -> SpoolReader:
        """Itself."""
        return self

    @property
    def sharing(self) -> Sharing:  # type: ignore[override]
        """All proxies, as `Store.sharing`."""
        return Sharing(self.me.id, tuple(store.me for store in self.state.stores))

    def hear(self, lines: int | None = None) -> None:
        """What others wrote reaches this proxy: so many lines of it, or all."""
        if not self.healthy or self.on_news is None:
            return
        told, start = self.state.told, self.heard
        self.heard = len(told) if lines is None else min(len(told), start + lines)
        for place in range(start, self.heard):
            line = told[place]
            if line.lost:
                if line.writer is self:
                    self.on_news(SpoolNews(lost=[line.id]))
            elif line.writer is not self and not any(each.writer is self for each in self._later(place)):
                entry = None if line.entry is None else shifted(line.entry, -self.ahead)
                self.on_news(SpoolNews(removed=[line.id]) if entry is None else SpoolNews([entry]))

    def _later(self, place: int) -> list[Told]:
        """What was written later of the same entry."""
        return [line for line in self.state.told[place:] if line.id == self.state.told[place].id and not line.lost]

    def heal(self) -> None:
        """As `FakeStore.heal`: one op an entry, as a store's backlog has them."""
        ops: dict[str, SpoolOp] = {}
        for op in self.late:
            ops[op.id] = coalesced(ops.get(op.id), op)
        self.late = list(ops.values())
        super().heal()

    def _apply(self, ops: Sequence[SpoolOp]) -> None:
        rows, told = self.state.rows, self.state.told
        for op in ops:
            match op:
                case Kept(entry, content):
                    entry = shifted(entry, self.ahead)
                    rows[op.id] = entry, content
                    told.append(Told(self, op.id, entry))
                case Moved(entry) if op.id in rows:
                    entry = shifted(entry, self.ahead)
                    rows[op.id] = entry, rows[op.id][1]
                    told.append(Told(self, op.id, entry))
                case Removed() if op.id in rows:
                    del rows[op.id]
                    told.append(Told(self, op.id, None))

    async def entries(self) -> list[Entry]:
        """As `SpoolReader.entries`."""
        self.may()
        self.heard = len(self.state.told)
        return [shifted(entry, -self.ahead) for _, (entry, _) in sorted(self.state.rows.items())]

    async def content(self, id_: str) -> Content | None:
        """As `SpoolReader.content`."""
        self.may()
        row = self.state.rows.get(id_)
        if row is None and self.on_news is not None:
            self.on_news(SpoolNews(removed=[id_]))
        return None if row is None else row[1]

    def may(self) -> None:
        """Raise where this proxy does not reach the server."""
        if not self.healthy:
            raise StoreError(self.error or "")


class SharedClaims:
    """Implements `Claims` for one proxy."""

    def __init__(self, store: SharedStore, state: SharedState) -> None:
        self._store, self._state = store, state
        self.asked: list[str] = []
        """What was claimed, in order."""
        self.listeners: list[Callable[[str], None]] = []

    def listen(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """As `Claims.listen`."""
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    async def claim(self, name: str) -> float | None:
        """As `Claims.claim`."""
        self.asked.append(name)
        self._store.may()
        now = self._state.now()
        holder, until = self._state.claims.get(name, (self._store, 0.0))
        if holder is not self._store and until > now:
            return None
        self._state.claims[name] = self._store, now + LEASE
        return now + LEASE

    async def release(self, name: str) -> None:
        """As `Claims.release`."""
        if self._store.healthy and self._state.claims.get(name, (None, 0.0))[0] is self._store:
            del self._state.claims[name]
            for store in self._state.stores:
                if store is not self._store and store.healthy:
                    for listener in store.claims.listeners:
                        listener(name)
