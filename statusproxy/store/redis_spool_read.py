"""Reads all entries of the spool from Redis, some at a time, so that nothing is blocked for long."""

import asyncio
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterable
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Final

from statusproxy.store.redis_link import Asks
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_scan import scan
from statusproxy.store.spool_table import read_entry
from statusproxy.store.spooled import Entry

__all__ = ["in_order", "put_in", "rows"]

# At a time: some milliseconds of the event loop.
_SORTED_AT_ONCE: Final = 1000
_PUT_AT_ONCE: Final = 100

_ID: Final = attrgetter("id")


async def rows(
    link: Asks, names: Names, now: float, rejected: list[str]
) -> AsyncIterator[dict[str, tuple[bytes, Entry]]]:
    """All entries, some at a time, each as it stands and as it reads; one may come twice.

    What cannot be read is moved to another key, dated `now` (epoch seconds); its id goes into `rejected`.
    """
    broken: list[bytes] = []
    async for some in scan(link, names, names.spool, _read, "spool ", now, broken):
        yield some
    rejected += [id_.decode("ascii", "replace") for id_ in broken]


async def put_in(entries: list[Entry], news: dict[str, Entry | None]) -> None:
    """Put news (None: gone) into entries that are in the order of their ids, and into that order; until none is left.

    More may come meanwhile.
    """
    done = 0
    while news:
        id_, entry = news.popitem()
        place = bisect_left(entries, id_, key=_ID)
        there = place < len(entries) and entries[place].id == id_
        entries[place : place + there] = [] if entry is None else [entry]
        done += 1
        if done % _PUT_AT_ONCE == 0:
            await asyncio.sleep(0)


async def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Entries in the order of their ids; sorted some at a time."""
    pieces: list[list[Entry]] = []
    left = iter(entries)
    while piece := list(islice(left, _SORTED_AT_ONCE)):
        piece.sort(key=_ID)
        pieces.append(piece)
        await asyncio.sleep(0)
    ordered: list[Entry] = []
    for number, entry in enumerate(merge(*pieces, key=_ID), 1):
        ordered.append(entry)
        if number % _SORTED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return ordered


def _read(id_: bytes, row: bytes) -> tuple[str, Entry]:
    entry = read_entry(id_, row)
    return entry.id, entry
