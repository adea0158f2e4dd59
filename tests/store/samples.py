"""Made-up records, changes and entries of the spool, and stores to put them in."""

import logging
import sqlite3
from pathlib import Path
from typing import Any

from statusproxy.status.clocks import Written
from statusproxy.status.model import Change, Evidence, Override, Record
from statusproxy.status.signals import SignalKind
from statusproxy.store import sqlite
from statusproxy.store.base import Store
from statusproxy.store.batch_writer import BatchWriter
from statusproxy.store.condition import Timing
from statusproxy.store.memory import MemoryBackend
from statusproxy.store.spooled import Body, Content, Entry, EntryState, Kept, Reason
from statusproxy.store.sqlite import SqliteBackend

NOW = 1_768_504_026.5  # 2026-01-15T19:07:06Z
DAY = 86_400.0

SqliteStore = BatchWriter[SqliteBackend]

QUICK = Timing(first_retry=0.01, last_retry=0.02, save_limit=5, close_limit=5)


def caught_up(store: BatchWriter[Any]) -> bool:
    """Whether the store works again and has all that was handed in.

    It works again with the first write that succeeds. That may have begun before the last of the changes came.
    """
    return store.healthy and store.backlog == 0


def a_record(session: str, **fields: Any) -> Record:
    """A session that was heard of, and nothing else."""
    values: dict[str, Any] = {"known_at": NOW, "heard_at": NOW, "event": "status-find"} | fields
    return Record(session, **values)


def overridden(session: str) -> Record:
    """A session with every field in use."""
    override = Override(
        since=NOW, at=NOW, began=NOW + 1, event="status-find", word="browserClose", event_id="e-1",
        caught_up=Evidence.QR, caught_up_at=NOW + 2,
    )  # fmt: skip
    return a_record(
        session, verdict=SignalKind.DISCONNECTED, alive_at=NOW - 60, override=override, channel=session,
        gateway_said="connected", gateway_said_at=NOW, first_heard=NOW - 90, released_by="ana",
        written=Written("4b2c", 1_768_000_000.25, 90.0),
    )  # fmt: skip


def a_change(session: str, at: float = NOW, what: str = "started") -> Change:
    """A change of a session's override."""
    return Change(
        session=session, what=what, reason="status-find browserClose", at=at, recorded_at=at,
        gateway_said="connected",
    )  # fmt: skip


def sqlite_store(path: Path, **options: Any) -> SqliteStore:
    """A store with a clock that stands still and short pauses."""
    values: dict[str, Any] = {"clock": lambda: NOW, "timing": QUICK, "lock_wait": 0} | options
    return sqlite.sqlite_store(path, **values)


def memory_store(backend: MemoryBackend | None = None, **options: Any) -> BatchWriter[MemoryBackend]:
    """A store in memory with a clock that stands still, over a backend that already exists if need be."""
    values: dict[str, Any] = {"history_days": 90, "clock": lambda: NOW} | options
    return BatchWriter(backend or MemoryBackend(**values), log=logging.getLogger("statusproxy.store"))


class Connections(list[sqlite3.Connection]):
    """Connections of databases, the oldest first."""

    def set_up(self, setting: str) -> None:
        """Change a setting of the newest."""
        self[-1].execute(f"PRAGMA {setting}").fetchall()


async def put(store: Store, *sessions: str) -> None:
    """Save plain records of these sessions."""
    await store.save([a_record(session) for session in sessions], [], [])


def an_entry(id_: str, **fields: Any) -> Entry:
    """An entry of the spool that waits."""
    values: dict[str, Any] = {
        "path": "/hook", "receiver": "gateway", "queue": "sales", "session": "Sales", "state": EntryState.WAITING,
        "reason": Reason.NOT_SENT, "size": 100, "received_at": NOW, "next_at": NOW + 1,
    } | fields  # fmt: skip
    return Entry(id_, **values)


def kept(id_: str, body: Body = b"{}", **fields: Any) -> Kept:
    """A new entry; its head names it."""
    head = b"POST /%b HTTP/1.1\r\n" % id_.encode()
    return Kept(an_entry(id_, filed=isinstance(body, Path), **fields), Content(head, body))


def a_body(folder: Path, data: bytes, name: str = "part") -> Path:
    """A large body as the proxy hands it in."""
    folder.mkdir(0o700, exist_ok=True)
    file = folder / name
    file.write_bytes(data)
    return file
