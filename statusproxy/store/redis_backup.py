"""A state in Redis as a state file, which is what a backup is, and such a file as the state in Redis.

A backup reads all at one instant, also while proxies share the keys. A restore puts new keys in their place in one
transaction, which fails where anyone touched them meanwhile; with an epoch of their own, so that no one goes on from
what he knew. Moments are in the system's time in a file, in the server's time in Redis. The contents of
the spool are large: they are copied after that instant, and brought before the transaction.
"""

import asyncio
import os
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Final

from msgspec.structs import replace
from redis.exceptions import RedisError

from statusproxy.config.state_url import Place
from statusproxy.status.model import Change, Record
from statusproxy.status.stored_times import moved_change
from statusproxy.store.backlog import Entry
from statusproxy.store.backup import write_backup
from statusproxy.store.codec import RowError, decode_change, decode_entry, decode_record
from statusproxy.store.database import Database
from statusproxy.store.errors import StoreError, StoreInUseError
from statusproxy.store.errors import describe as describe_file
from statusproxy.store.journal_file import file_name
from statusproxy.store.outbox import OutboxDocument
from statusproxy.store.outbox_table import read_outbox
from statusproxy.store.redis_errors import describe
from statusproxy.store.redis_keys import Keyspace, member
from statusproxy.store.redis_link import Command, Link, raise_first
from statusproxy.store.redis_names import FORMAT, Names, field_of
from statusproxy.store.redis_outbox import document_of
from statusproxy.store.redis_rows import from_server, to_server, write_row
from statusproxy.store.redis_spool_backup import StagedSpool, copy_spool, kept_bodies
from statusproxy.store.redis_spool_rows import from_server as entry_from_server
from statusproxy.store.redis_time import ServerClock
from statusproxy.store.restore import judge
from statusproxy.store.snapshot import Holdings, checked, copy_database
from statusproxy.store.spool_backup import expect_bodies, leave_out
from statusproxy.store.spool_files import spool_folder
from statusproxy.store.spooled import Entry as SpoolEntry

__all__ = ["back_up_redis", "restore_redis"]

#: Seconds that the server may take for all of it at once.
_LIMIT: Final = 60.0

#: The keys that are kept under other names when a restore replaces them.
_KEPT: Final = ("records", "forgotten", "history", "rejected", "outbox", "spool", "spool_contents")

# A script, so that a user with the rights of a proxy can read all at one instant.
_READ: Final = """
return {
  redis.call('HGETALL', KEYS[1]), redis.call('ZRANGE', KEYS[2], 0, -1), redis.call('HGETALL', KEYS[3]),
  redis.call('HMGET', KEYS[4], 'version', 'payload'),
}
"""


def back_up_redis(
    place: Place, target: Path, *, force: bool = False, clock: Callable[[], float] = time.time
) -> Holdings:
    """Write what stands under the keys to `target`, as `backup.back_up` does. Raises `StoreError`.

    `clock` gives the system's epoch seconds.
    """
    target = Path(os.path.realpath(target))
    try:
        records, changes, entries, outbox = asyncio.run(_read(place, ServerClock(clock)))
    except (RedisError, OSError, StoreError) as error:
        raise StoreError(describe(error, place)) from error

    def fill(part: Path) -> int:
        database, _ = Database.open(part, time.time())
        with closing(database):
            rows = {record.session: record for record in records}
            database.write(rows, [Entry(change) for change in changes], outbox=outbox if outbox.version else None)
            bodies = asyncio.run(_copy(place, entries, database, spool_folder(part))) if entries else 0
        with closing(sqlite3.connect(part)) as copy:
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        return bodies

    return write_backup(target, fill, lambda error: describe_file(error, target), force=force)


def restore_redis(
    source: Path,
    place: Place,
    *,
    force: bool = False,
    spool: bool = True,
    journal: Path | None = None,
    clock: Callable[[], float] = time.time,
) -> tuple[Holdings, str | None]:
    """Replace the keys by a backup. Returns what it holds, and under which names the old keys are kept.

    `journal` is the directory of the journal, which is renamed together with the keys. No proxy may share the keys
    meanwhile. Otherwise as `restore.restore`.
    """
    judge(source)
    with tempfile.TemporaryDirectory(prefix="statusproxy-") as folder:
        copy = Path(folder) / "state.db"
        try:
            copy_database(source, copy)
            size = 0
            if spool:
                size = expect_bodies(copy, source)
            else:
                leave_out(copy)
            holdings = checked(copy)
            holdings = holdings._replace(size=holdings.size + size)
            records, changes, outbox = _rows(copy)
        except sqlite3.Error as error:
            raise StoreError(f"{source} is damaged ({error}); restore another backup") from error
        return holdings, _restored(
            source, copy, place, records, changes, outbox, force=force, journal=journal, clock=clock
        )


def _restored(
    source: Path,
    copy: Path,
    place: Place,
    records: Sequence[Record],
    changes: Sequence[Change],
    outbox: OutboxDocument,
    *,
    force: bool,
    journal: Path | None,
    clock: Callable[[], float],
) -> str | None:
    """Put all of it there; what the keys before are kept as."""
    word = f"{time.strftime('before-restore-%Y%m%dT%H%M%SZ', time.gmtime(clock()))}-{token_hex(2)}"
    left = None if journal is None else journal / file_name(str(place))
    if left is not None and not left.exists():
        left = None
    try:
        return asyncio.run(_replace(
            place, records, changes, outbox, (copy, spool_folder(source)), word, left, ServerClock(clock), force=force
        ))  # fmt: skip
    except StoreInUseError as error:
        raise StoreError(f"a statusproxy runs on {place}: stop it first ({error})") from error
    except (RedisError, OSError, StoreError) as error:
        raise StoreError(describe(error, place)) from error


async def _copy(place: Place, entries: Sequence[SpoolEntry], database: Database, folder: Path) -> int:
    """Copy the spool to a file; the bytes of bodies beside it."""
    try:
        link = await Link.open(place, _LIMIT)
        try:
            return await copy_spool(link, Names.of(place), entries, database, folder)
        finally:
            await link.close()
    except RedisError as error:
        raise StoreError(describe(error, place)) from error


async def _read(
    place: Place, server: ServerClock
) -> tuple[list[Record], list[Change], list[SpoolEntry], OutboxDocument]:
    link, names = await Link.open(place, _LIMIT), Names.of(place)
    try:
        await server.ask(link)
        replies = await link.ask(("EVAL", _READ, 4, names.records, names.history, names.spool, names.outbox))
    finally:
        await link.close()
    raise_first(replies)
    ((rows, members, spooled, outbox),) = replies
    offset = server.offset
    try:
        records = [from_server(decode_record(payload), offset) for payload in rows[1::2]]
        changes = [moved_change(decode_change(row.partition(b" ")[2]), -offset) for row in members]
        entries = [entry_from_server(decode_entry(payload), offset) for payload in spooled[1::2]]
    except RowError as error:
        raise StoreError(f"{place}: a row cannot be read; restart statusproxy, which sets it aside") from error
    return records, changes, entries, document_of(*outbox)


def _rows(copy: Path) -> tuple[list[Record], list[Change], OutboxDocument]:
    with closing(sqlite3.connect(copy)) as connection:
        connection.text_factory = bytes
        records = [decode_record(payload) for (payload,) in connection.execute("SELECT payload FROM records")]
        rows = connection.execute("SELECT payload FROM history ORDER BY id").fetchall()
        outbox = read_outbox(connection)
    changes: list[Change] = []
    for (payload,) in rows:
        try:
            changes.append(decode_change(payload))
        except RowError:
            continue  # as when the history is read
    return records, changes, outbox


async def _replace(
    place: Place,
    records: Sequence[Record],
    changes: Sequence[Change],
    outbox: OutboxDocument,
    spool: tuple[Path, Path],
    word: str,
    journal: Path | None,
    server: ServerClock,
    *,
    force: bool,
) -> str | None:
    """`spool`: a state file with its entries, and the directory of their large bodies."""
    keys = await Keyspace.open(place, _LIMIT)
    try:
        await server.ask(keys.link)
        sharing = await keys.guard(server.now)
        if sharing:
            raise StoreInUseError(", ".join(map(str, sharing)))
        there = await keys.present(_KEPT)
        if (there or journal is not None) and not force:
            where = f"in {place}" if there else f"for {place} in {journal}"
            raise StoreError(
                f"there is already a state {where}; to replace it, use --force: the old one is kept under other names"
            )
        aside = f"{place.prefix}{word}:"
        names = keys.names
        kept: list[Command] = [
            ("RENAME", key, aside + key.removeprefix(place.prefix)) for key in (getattr(names, name) for name in there)
        ]
        kept += await kept_bodies(keys.link, names, place.prefix, aside)
        staged = StagedSpool(place, word)
        await staged.bring(keys.link, *spool, server.offset)
        # It may have taken a while: a proxy that has come meanwhile is seen, as before.
        sharing = await keys.guard(server.now)
        if sharing:
            raise StoreInUseError(", ".join(map(str, sharing)))
        await staged.hold(keys.link)
        with _set_aside(journal, word):
            await keys.transact(*kept, *_anew(names, records, changes, outbox, server.offset), *staged.commands())
    finally:
        await keys.drop()
    return f"{aside}*" if there else None


def _anew(
    names: Names, records: Sequence[Record], changes: Sequence[Change], outbox: OutboxDocument, offset: float
) -> Iterator[Command]:
    """Put records and changes under the keys that are not there, in the server's time, as another memory."""
    yield "DEL", names.changes, names.proxies, names.claims
    yield "SET", names.format, FORMAT
    yield "SET", names.epoch, uuid.uuid4().hex
    for record in records:
        # Told by a clock that may have been wrong, its age stays in doubt.
        row = write_row(replace(to_server(record, offset), written=record.written), b"")
        yield "HSET", names.records, field_of(record.session), row
    for number, change in enumerate(changes):
        there = moved_change(change, offset)
        yield "ZADD", names.history, there.recorded_at, member(Entry(there, number))
    if outbox.version:
        yield "HSET", names.outbox, "version", outbox.version, "payload", outbox.payload


@contextmanager
def _set_aside(journal: Path | None, word: str) -> Iterator[None]:
    """Give a journal another name: applied to what is restored, it would spoil that. Back again where that fails."""
    if journal is None:
        yield
        return
    aside = journal.with_name(f"{journal.name}.{word}")
    os.rename(journal, aside)
    try:
        yield
    except BaseException:
        os.rename(aside, journal)
        raise
