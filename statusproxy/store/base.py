"""The two sides of the durable state: `Store` as the registry sees it, `Backend` as the batch writer sees it.

A new store is a subclass of `Backend` in a module of its own, with a function `make_store`, and a row in
`statusproxy.config.state_url`. `BatchWriter` makes a `Store` of the backend.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from statusproxy.status.model import Change, Record
from statusproxy.store.backlog import Backlog, Batch, Dropped, Entry
from statusproxy.store.claims import Claims
from statusproxy.store.damage import Damage
from statusproxy.store.outbox import Outbox
from statusproxy.store.proxies import Sharing
from statusproxy.store.spooled import SpoolOp, SpoolReader

__all__ = ["PAGE", "Backend", "Reattached", "Store", "StoreOptions"]


PAGE: Final = 500
"""Changes in one page of history: some milliseconds to read."""


class Store(Protocol):
    """Where the session map survives a restart."""

    on_others: Callable[[list[Record], list[Dropped]], None] | None
    """Called in the event loop with what other proxies wrote and forgot, as it stands in the store, in the system's
    time; and with what the store holds, where it was away when it was opened. What is known better here is saved again
    by the one that takes it. Without it all that stays in the store."""

    async def open(self) -> list[Record]:
        """Open or create the store, and return its records. Not to be called twice.

        Raises `StoreInUseError` if another process holds it. Any other failure shows in `error`, is logged and tried
        again in the background: the proxy has to forward whatever the store does.
        """

    @property
    def spool(self) -> SpoolReader | None:
        """Where entries of the spool are read; None where this store keeps none."""

    @property
    def claims(self) -> Claims | None:
        """What only one of the proxies that share the state does; None where one process has the state alone."""

    @property
    def outbox(self) -> Outbox | None:
        """Where alerts keep what they told and what they have to send; None where this store keeps none."""

    async def save(
        self,
        records: Sequence[Record],
        forgotten: Sequence[str | Dropped],
        changes: Sequence[Change],
        spooled: Sequence[SpoolOp] = (),
    ) -> None:
        """Write, and return once it is durable. Concurrent callers share one commit.

        `spooled`, only where there is a `spool`: what is written of it, in the same commit. Calls apply in their order;
        within one call, a session both forgotten and in `records` is kept. A session named by its id alone was
        forgotten now. A call with nothing in it waits for what others have handed in before it. Raises `StoreError`
        when the store refuses or does not answer in time: what was handed in is kept and written later. A caller that
        is cancelled disturbs no one, and its change is written all the same. Only where a large body of the spool must
        be on a server before the rest, and does not get there, nothing of the call is kept.
        """

    async def history(self, session: str | None, limit: int) -> list[Change]:
        """The newest changes first, at most `limit`, of one session or of all, those not yet durable included.

        Raises `StoreError` where the store cannot be read.
        """

    def history_pages(self, session: str | None, since: float | None) -> AsyncGenerator[Sequence[Change], None]:
        """The history of one session or of all from a time on (epoch seconds), newest first, a page at a time.

        All that is kept where `since` is None. Each page is read by itself, so that saves pass in between. What is
        handed in meanwhile may be missing. To be closed (`contextlib.aclosing`). Raises `StoreError` where the store
        cannot be read.
        """

    @property
    def history_rows(self) -> int:
        """How many changes are kept at most, at least 10 000; older ones go."""

    async def close(self) -> None:
        """Write what is waiting, with one last attempt if the store refused, within a bounded time; then close.

        Does not raise: what could not be written is logged. A closed store cannot be used again.
        """

    @property
    def healthy(self) -> bool:
        """Whether the last attempt to write succeeded and none hangs."""

    @property
    def error(self) -> str | None:
        """What keeps the state from being durable, where, and the fix; None if all is well."""

    @property
    def journal(self) -> str | None:
        """Whether this machine's disk keeps what a server does not take: `ok`, `off`, or why it cannot.

        None for a store that needs no journal.
        """

    @property
    def damage(self) -> Sequence[Damage]:
        """Damage of the stored state that no operator has acknowledged yet, oldest first."""

    @property
    def repairs(self) -> Mapping[str, int]:
        """How often the stored state was repaired since the start, by cause; empty where that cannot happen."""

    @property
    def sharing(self) -> Sharing | None:
        """The proxies that share the state, as far as is known now; None for a store that one process has alone."""

    async def acknowledge(self) -> int:
        """Acknowledge all damage so far; return how many there were. Raises `StoreError`."""


class StoreOptions(msgspec.Struct, frozen=True):
    """What a store is made with, beside its `state.url`."""

    history_days: float | None = 90
    """Days for which changes are kept; None keeps them whatever their age."""
    log: logging.Logger = msgspec.field(default_factory=lambda: logging.getLogger("statusproxy.store"))
    journal: str | None = None
    """The directory in which changes are kept while a server does not take them; None for none."""
    environ: Mapping[str, str] = msgspec.field(default_factory=dict)
    """May hold systemd's `STATE_DIRECTORY`, in which relative paths lie (else: the working directory)."""


class Reattached(msgspec.Struct, frozen=True):
    """The result of reaching a store again."""

    missing: Sequence[Record] = ()
    """Records that the store lacked; the caller adds them to the batch that is being written now."""


class Backend(ABC):
    """How one kind of store reads and writes. Retries, sharing, bounds and the failure log are the batch writer's.

    All methods are called in the event loop, one at a time, with the exception of `history`, `history_pages` and
    `acknowledge`, which may be called while another one is under way. What blocks belongs in a `WorkerThread`.
    """

    name: str
    """Where the state is, for messages: completes "the state in …"."""

    cancellable = True
    """Whether a write that takes too long can be cancelled. A call that blocks in a thread cannot be: it goes on, and
    those who wait for it are told."""

    history_rows: int
    """As `Store.history_rows`."""

    spool: SpoolReader | None = None
    """As `Store.spool`."""

    claims: Claims | None = None
    """As `Store.claims`."""

    outbox: Outbox | None = None
    """As `Store.outbox`."""

    on_due: Callable[[], None] | None = None
    """Set by the batch writer. To be called (in the event loop) when `due_at` has come nearer."""

    on_others: Callable[[list[Record], list[Dropped]], None] | None = None
    """Set by the batch writer. To be called (in the event loop) with what other proxies wrote and forgot."""

    @abstractmethod
    async def open(self, backlog: Backlog) -> list[Record]:
        """Open the store, for this process alone, and return its records.

        `backlog` holds what an earlier process could not write any more. Raises `StoreInUseError` if another process
        holds the store, and whatever else went wrong: then `read` is asked, and `prepare` or `write` try again.
        """

    async def read(self) -> list[Record]:
        """The records of a store that could not be opened for writing: as many as can be read."""
        return []

    async def prepare(self, backlog: Backlog) -> Reattached | None:
        """Reach the store again where it was lost; None where it was not.

        Changes nothing of the backlog. Called before each `write` and `upkeep`.
        """
        return None

    async def stage(self, spooled: Sequence[SpoolOp]) -> None:
        """Take what is large of the spool to where `write` needs it. Called before ops are in a batch, at any time.

        Raises whatever kept it from that; the files that were handed in are gone then.
        """
        return

    @abstractmethod
    async def write(self, batch: Batch) -> None:
        """Make a batch durable; raises whatever kept it from that. Writing the same batch again must be harmless.

        What has become durable may be taken out of the batch. After a failure the batch may be empty: then the call
        shows whether the store takes writes again.
        """

    @abstractmethod
    async def history(self, session: str | None, limit: int, waiting: Sequence[Entry]) -> list[Change]:
        """The newest changes first, at most `limit`, of one session or of all.

        `waiting`: changes that may not be in the store yet, oldest first; those that are there count once. Raises
        `NotAttachedError` where there is nothing to read from after the last failure.
        """

    @abstractmethod
    def history_pages(
        self, session: str | None, since: float, waiting: Sequence[Entry]
    ) -> AsyncGenerator[Sequence[Change], None]:
        """As `Store.history_pages`, with `waiting` as in `history`. Pages of `PAGE` changes at most, but the first."""

    @abstractmethod
    async def close(self, left: Batch) -> None:
        """Close the store within a bounded time. `left` is what could not be written, if anything."""

    @abstractmethod
    def describe(self, error: Exception) -> str:
        """One line for logs and the health answer: what happened, where, in whose words, and the fix."""

    @abstractmethod
    def is_expected(self, error: Exception) -> bool:
        """Whether an error is one of the store's own, and needs no traceback."""

    def may_pass_at_once(self, error: Exception) -> bool:
        """Whether trying again right away may help."""
        return False

    def due_at(self) -> float:
        """When `upkeep` is due, as `time.monotonic` counts."""
        return float("inf")

    async def upkeep(self) -> None:
        """Do one short step of upkeep, between writes; raises as `write` does."""
        return

    @property
    def damage(self) -> Sequence[Damage]:
        """As `Store.damage`."""
        return ()

    @property
    def repairs(self) -> Mapping[str, int]:
        """As `Store.repairs`."""
        return {}

    @property
    def sharing(self) -> Sharing | None:
        """As `Store.sharing`."""
        return None

    async def acknowledge(self) -> int:
        """As `Store.acknowledge`; may raise any error."""
        return 0
