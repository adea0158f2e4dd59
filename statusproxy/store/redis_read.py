"""Reads all of the map in Redis again and compares it with what was known."""

import asyncio
from typing import NamedTuple

from statusproxy.status.model import Record
from statusproxy.store.redis_copy import ServerCopy
from statusproxy.store.redis_follow import Position
from statusproxy.store.redis_keys import Keyspace

__all__ = ["Found", "read_all"]


class Found(NamedTuple):
    """What was found; moments are in the server's time."""

    end: Position
    """Where the stream of changes was before."""
    new: list[Record]
    """What was not known."""
    missing: list[Record]
    """What the server lost or has less of, merged with what it has: it must be written again."""
    forgotten: dict[str, float]
    """Which sessions it says were forgotten, and when."""
    rejected: list[str]
    """The sessions of rows that cannot be read."""


async def read_all(keys: Keyspace, copy: ServerCopy, now: float, *, tell_all: bool) -> Found:
    """Read all rows into the copy, which changes at the end only; with `tell_all` all are new.

    `now` (epoch seconds) dates what cannot be read. Raises redis-py's errors.
    """
    end = await keys.end()
    rejected: list[str] = []
    rows: dict[str, tuple[bytes, Record]] = {}
    async for some in keys.rows(now, rejected):
        rows |= some
        await asyncio.sleep(0)
    forgotten = await keys.forgotten()
    new, missing = await copy.compare(rows, forgotten, end, tell_all=tell_all)
    return Found(end, new, missing, forgotten, rejected)
