"""A state in Redis as a state file, which is what a backup is, and such a file as the state in Redis.

A backup reads all keys in one transaction, also while a proxy holds them. A restore holds the keys, and puts the new
ones in their place in one transaction.
"""

import asyncio
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Final

from redis.exceptions import RedisError

from statusproxy.config.state_url import Place
from statusproxy.observe.counted import counted
from statusproxy.status.model import Change, Record
from statusproxy.store.backlog import Entry
from statusproxy.store.backup import write_backup
from statusproxy.store.codec import RowError, decode_change, decode_record, encode
from statusproxy.store.database import Database
from statusproxy.store.errors import StoreError, StoreInUseError
from statusproxy.store.errors import describe as describe_file
from statusproxy.store.journal_file import file_name
from statusproxy.store.owner import Owner
from statusproxy.store.redis_errors import describe
from statusproxy.store.redis_keys import Keyspace, member
from statusproxy.store.redis_link import Command, Link, raise_first
from statusproxy.store.restore import judge
from statusproxy.store.snapshot import Holdings, checked, copy_database

__all__ = ["back_up_redis", "restore_redis"]

#: Seconds that the server may take for all of it at once.
_LIMIT: Final = 60.0

#: Seconds after which the keys are free again, should this process be killed while it holds them.
_MARK: Final = 10.0

_NAMES: Final = ("records", "history", "rejected")


def back_up_redis(place: Place, target: Path, *, force: bool = False) -> Holdings:
    """Write what stands under the keys to `target`, as `backup.back_up` does. Raises `StoreError`."""
    target = Path(os.path.realpath(target))
    try:
        records, changes = asyncio.run(_read(place))
    except (RedisError, OSError, StoreError) as error:
        raise StoreError(describe(error, place)) from error

    def fill(part: Path) -> int:
        database, _ = Database.open(part, time.time())
        database.write({record.session: record for record in records}, [Entry(change) for change in changes])
        database.close()
        with closing(sqlite3.connect(part)) as copy:
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        return 0

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
    """Put a backup in the place of the keys; give what it holds, and what the keys before are kept as.

    `journal` is the directory of the journal, which is set aside with them. As `restore.restore` otherwise.
    """
    judge(source)
    try:
        with tempfile.TemporaryDirectory(prefix="statusproxy-") as folder:
            copy = Path(folder) / "state.db"
            copy_database(source, copy)
            holdings = checked(copy)
            records, changes = _rows(copy)
    except sqlite3.Error as error:
        raise StoreError(f"{source} is damaged ({error}); restore another backup") from error
    if holdings.spooled and spool:
        raise StoreError(
            f"{source} holds {counted(holdings.spooled, 'event')} of the spool, and a state in Redis keeps none: "
            "leave them out with --no-spool"
        )
    word = f"{time.strftime('before-restore-%Y%m%dT%H%M%SZ', time.gmtime(clock()))}-{token_hex(2)}"
    left = None if journal is None else journal / file_name(str(place))
    if left is not None and not left.exists():
        left = None
    try:
        kept = asyncio.run(_replace(place, records, changes, word, left, force=force))
    except StoreInUseError as error:
        raise StoreError(f"a statusproxy runs on {place}: stop it first ({error})") from error
    except (RedisError, OSError, StoreError) as error:
        raise StoreError(describe(error, place)) from error
    return holdings._replace(spooled=0), kept


async def _read(place: Place) -> tuple[list[Record], list[Change]]:
    link = await Link.open(place, _LIMIT)
    try:
        replies = await link.ask(
            ("MULTI",),
            ("HGETALL", f"{place.prefix}records"),
            ("ZRANGE", f"{place.prefix}history", 0, -1),
            ("EXEC",),
        )
    finally:
        await link.close()
    raise_first(replies)
    raise_first(replies[-1])
    rows, members = replies[-1]
    try:
        records = [decode_record(payload) for payload in rows[1::2]]
        changes = [decode_change(row.partition(b" ")[2]) for row in members]
    except RowError as error:
        raise StoreError(f"{place}: a row cannot be read; restart statusproxy, which sets it aside") from error
    return records, changes


def _rows(copy: Path) -> tuple[list[Record], list[Change]]:
    with closing(sqlite3.connect(copy)) as connection:
        connection.text_factory = bytes
        records = [decode_record(payload) for (payload,) in connection.execute("SELECT payload FROM records")]
        rows = connection.execute("SELECT payload FROM history ORDER BY id").fetchall()
    changes: list[Change] = []
    for (payload,) in rows:
        try:
            changes.append(decode_change(payload))
        except RowError:
            continue  # as when the history is read
    return records, changes


async def _replace(
    place: Place, records: Sequence[Record], changes: Sequence[Change], word: str, journal: Path | None, *, force: bool
) -> str | None:
    keys = await Keyspace.open(place, Owner.new(), _MARK, _LIMIT)
    try:
        await keys.take()
        there = await keys.present(_NAMES)
        if (there or journal is not None) and not force:
            where = f"in {place}" if there else f"for {place} in {journal}"
            raise StoreError(
                f"there is a state {where} already; to replace it, say --force: it is kept under other names"
            )
        aside = f"{place.prefix}{word}:"
        commands: list[Command] = [("RENAME", f"{place.prefix}{name}", f"{aside}{name}") for name in there]
        if records:
            rows = [each for record in records for each in (_field(record), encode(record))]
            commands.append(("HSET", f"{place.prefix}records", *rows))
        if changes:
            numbered = [Entry(change, number) for number, change in enumerate(changes)]
            scored = [each for entry in numbered for each in (entry.change.recorded_at, member(entry))]
            commands.append(("ZADD", f"{place.prefix}history", *scored))
        with _set_aside(journal, word):
            await keys.transact(*commands)
    finally:
        await keys.leave()
    return f"{aside}*" if there else None


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


def _field(record: Record) -> bytes:
    return record.session.encode("utf-8", "surrogatepass")
