"""The spool's rows: an event that its receiver did not take, and what is written about it.

Values only. `spool/` decides what they become; a backend writes them (`spool_table.py`).
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

__all__ = [
    "Body",
    "Content",
    "Entry",
    "EntryState",
    "Kept",
    "Moved",
    "Reason",
    "Removed",
    "SpoolNews",
    "SpoolOp",
    "SpoolReader",
    "coalesced",
]  # fmt: skip


class EntryState(StrEnum):
    """What the proxy does with an entry."""

    WAITING = "waiting"
    """It is delivered, in its order."""
    UNKNOWN = "unknown"
    """It was sent and not answered: never sent again by itself, and it blocks no other entry."""
    DEAD = "dead"
    """Its receiver refuses it permanently. It blocks no other entry."""


class Reason(StrEnum):
    """Why an entry is not delivered yet: the result of its last attempt."""

    QUEUED = "queued"
    """Never sent: earlier events of its session wait, or the receiver was known to be away."""
    NOT_SENT = "not-sent"
    """No byte reached the receiver."""
    REFUSED = "refused"
    """The receiver answered that it does not take it; `Entry.status` says with what."""
    NO_ANSWER = "no-answer"
    """It was sent, and no answer came."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What is known of an entry without its content. Times are epoch seconds of the system's clock.

    There may be 100 000 of them: they hold plain values only, and the garbage collector need not look at them.
    """

    id: str
    """Sorts by the time of arrival."""
    path: str
    """The watched path as configured."""
    receiver: str
    """Who is to get it: `gateway`, or the name of the pool of another receiver."""
    queue: str
    """In whose order it is delivered: the session as the map folds it, "" where the event names none or several."""
    session: str | None
    """The session as the event names it."""
    state: EntryState
    reason: Reason
    size: int
    """Bytes of head and body as they came."""
    received_at: float
    next_at: float
    """When it may be sent again; of `waiting` entries only."""
    attempts: int = 0
    """How often it was sent, the first direct time included."""
    rejected: int = 0
    """How often in a row its receiver answered with a status by which it will not take it."""
    status: int | None = None
    """The receiver's last answer."""
    event: str | None = None
    """The event's name, for lists."""
    framed: bool = False
    """The body came in chunks, and the head says so."""
    filed: bool = False
    """The body is in a file of its own."""
    checksum: int | None = None
    """CRC-32 of the body, so that a damaged one is not delivered; None for entries of an earlier version."""
    base: str | None = None
    """The receiver's base path, with which the target in the head begins; None for entries of an earlier version."""


Body = bytes | Path
"""A body as it came, without its framing: in memory, or in a file."""


class Content(NamedTuple):
    """What an entry is sent with."""

    head: bytes
    """The request's head for its receiver, from the request line to the last field, each line with its CRLF, without
    the empty line at the end."""
    body: Body


class Kept(NamedTuple):
    """A new entry. A body that is a file is moved to its place by the backend: it must lie in `SpoolReader.folder`."""

    entry: Entry
    content: Content

    @property
    def id(self) -> str:
        """The entry's id."""
        return self.entry.id


class Moved(NamedTuple):
    """What is known of an entry changed. Of one that is not there, nothing is written."""

    entry: Entry

    @property
    def id(self) -> str:
        """The entry's id."""
        return self.entry.id


class Removed(NamedTuple):
    """An entry was delivered, dropped or became too old."""

    id: str
    body: Path | None = None
    """A file that was handed in with it and may not have been moved to its place. The backlog fills this in."""


SpoolOp = Kept | Moved | Removed
"""Written by `Store.save`; writing one again is the same as writing it once."""


def coalesced(before: SpoolOp | None, op: SpoolOp) -> SpoolOp:
    """One op of two of the same entry: what it leaves is what both leave, one after the other."""
    match before, op:
        case Kept(), Moved():
            return Kept(op.entry, before.content)
        case Removed(), Moved():
            return before
        case Kept(content=Content(body=Path() as body)), Removed(body=None):
            return Removed(op.id, body)
        case Removed(), Removed(body=None):
            return before
    return op


class SpoolNews(NamedTuple):
    """What happened to entries at other proxies. Times are those of this host's system clock."""

    entries: Sequence[Entry] = ()
    """Kept or changed there; some may be known as they are."""
    removed: Sequence[str] = ()
    """Ids of entries that were delivered or dropped there; some may be unknown."""
    lost: Sequence[str] = ()
    """Ids of entries that are gone because the server lost its memory: no one delivered them."""


class SpoolReader(Protocol):
    """The spool's side of a store. All may raise `StoreError`."""

    on_news: Callable[[SpoolNews], None] | None
    """Called in the event loop with what other proxies did, once `entries` was called: at most some hundred entries a
    call, each entry's news in their order. Never called for a file, which one process has alone."""

    @property
    def ahead(self) -> float:
        """Seconds that the clock that all proxies share is ahead of this host's system clock; 0.0 for a file."""

    @property
    def folder(self) -> Path:
        """Where the files of large bodies are made, on the file system on which they stay. It may be
        missing: the first file's maker makes it, for this user only, and syncs its name."""

    async def entries(self) -> list[Entry]:
        """All entries, in the order of their ids. Files that belong to none are removed: to be called once, first.

        A row that cannot be read is moved to `rejected` (a table or a key) and reported as damage.
        """

    async def content(self, id_: str) -> Content | None:
        """An entry's content; None where there is no such entry, or its file is gone. A body in a file is given as its
        path. `release` must follow.

        Of an entry that another proxy has removed, `on_news` is told first.
        """

    def release(self, content: Content) -> None:
        """A content is of no use any more: a file that was made for it goes."""
