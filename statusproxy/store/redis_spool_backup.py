"""The spool's part of a backup of a state in Redis, and of its restore: entry by entry, so that memory stays flat."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from statusproxy.config.state_url import Place
from statusproxy.store.database import Database
from statusproxy.store.errors import StoreError
from statusproxy.store.files import seal, sync_directory
from statusproxy.store.redis_bodies import download, upload
from statusproxy.store.redis_link import Command, Link, Reply, raise_first
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_spool_rows import to_server, write_entry
from statusproxy.store.spool_table import SpoolTable
from statusproxy.store.spooled import Content, Entry, Kept, SpoolOp

__all__ = ["StagedSpool", "copy_spool", "kept_bodies"]

# Entries whose contents are asked for at a time, at most 320 kB each.
_AT_ONCE: Final = 20

#: Bytes of contents in one command.
_BYTES: Final = 1024 * 1024

#: Seconds after which the server deletes what a restore that was killed had brought there.
_EXPIRES: Final = 3600


async def copy_spool(link: Link, names: Names, entries: Sequence[Entry], database: Database, folder: Path) -> int:
    """Write entries with their contents into a new state file, large bodies into the new directory `folder`.

    Gives the bytes of these. What was delivered since the entries were read is left out. Raises `OSError`,
    `StoreError`, `sqlite3.Error` and redis-py's errors.
    """
    size = 0
    for start in range(0, len(entries), _AT_ONCE):
        some = entries[start : start + _AT_ONCE]
        replies = await link.ask(*(("HMGET", names.spool_contents, f"{one.id}:h", f"{one.id}:b") for one in some))
        raise_first(replies)
        found: dict[str, SpoolOp] = {}
        for entry, (head, body) in zip(some, replies, strict=True):
            if head is not None and body is None:
                body = await _copied(link, names, entry.id, folder)
                size += 0 if body is None else _size(body)
            if head is not None and body is not None:
                found[entry.id] = Kept(entry, Content(head, body))
        database.write({}, [], found)
    if size:
        sync_directory(folder)
    return size


async def _copied(link: Link, names: Names, id_: str, folder: Path) -> Path | None:
    _make(folder)
    found = await download(link, names.body(id_), folder)
    return None if found is None else _in_place(found[0], folder / id_)


def _make(folder: Path) -> None:
    folder.mkdir(0o700, exist_ok=True)


def _in_place(path: Path, target: Path) -> Path:
    """Give a file its name, once it is on disk."""
    seal(os.open(path, os.O_RDONLY))
    return path.rename(target)


def _size(path: Path) -> int:
    return path.stat().st_size


async def kept_bodies(link: Link, names: Names, prefix: str, aside: str) -> list[Command]:
    """What gives the large bodies that stand there names that begin with `aside` in place of `prefix`."""
    (flat,) = await link.ask(("HGETALL", names.spool))
    raise_first([flat])
    bodies = [names.body(id_.decode("utf-8", "replace")) for id_ in flat[::2]]
    there = await link.ask(*(("EXISTS", body) for body in bodies)) if bodies else []
    raise_first(there)
    present = [body for body, is_there in zip(bodies, there, strict=True) if is_there]
    return [("RENAME", body, aside + body.removeprefix(prefix)) for body in present]


class StagedSpool:
    """The spool of a backup, brought to the server under names that expire, for one transaction to take over."""

    def __init__(self, place: Place, word: str) -> None:
        """`word` is in the names."""
        self._names = Names.of(place)
        self._staged = Names.of(replace(place, prefix=f"{place.prefix}{word}-new:"))
        self._rows: list[tuple[str, bytes]] = []
        self._filed: list[str] = []

    async def bring(self, link: Link, copy: Path, bodies: Path, offset: float) -> None:
        """Bring all entries of the state file `copy` there; large bodies are in the directory `bodies`.

        `offset`: seconds that the server's clock is ahead of the system's.
        """
        with closing(sqlite3.connect(copy)) as connection:
            connection.text_factory = bytes
            table = SpoolTable(connection)
            fields: list[bytes] = []
            size = 0
            for entry in table.read().entries:
                found = table.content(entry.id)
                assert found is not None
                head, body = found
                id_ = entry.id.encode()
                fields += (id_ + b":h", head)
                size += len(head)
                if body is None:
                    await upload(link, self._staged, entry.id, bodies / entry.id)
                    self._filed.append(entry.id)
                else:
                    fields += (id_ + b":b", body)
                    size += len(body)
                self._rows.append((entry.id, write_entry(to_server(entry, offset))))
                if size > _BYTES:
                    await self._put(link, fields)
                    fields, size = [], 0
            if fields:
                await self._put(link, fields)

    async def _put(self, link: Link, fields: Sequence[bytes]) -> None:
        contents = self._staged.spool_contents
        raise_first(await link.ask(("HSET", contents, *fields), ("EXPIRE", contents, _EXPIRES)))

    async def hold(self, link: Link) -> None:
        """See that all is still there, and stays for a while."""
        if not self._rows:
            return
        staged = [self._staged.spool_contents, *map(self._staged.upload, self._filed)]
        replies: list[Reply] = await link.ask(*(("EXPIRE", key, _EXPIRES) for key in staged))
        raise_first(replies)
        if not all(replies):
            raise StoreError("the server dropped the uploaded bodies before the end; try again")

    def commands(self) -> Iterator[Command]:
        """What takes it over, where no spool is."""
        names, staged = self._names, self._staged
        if self._rows:
            yield "RENAME", staged.spool_contents, names.spool_contents
            yield "PERSIST", names.spool_contents
        for id_ in self._filed:
            yield "RENAME", staged.upload(id_), names.body(id_)
            yield "PERSIST", names.body(id_)
        for id_, row in self._rows:
            yield "HSET", names.spool, id_, row
