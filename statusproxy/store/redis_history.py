"""The history in Redis, read a page at a time from the newest line on."""

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Final

from statusproxy.status.model import Change
from statusproxy.status.stored_times import moved_change
from statusproxy.store.backlog import Entry
from statusproxy.store.base import PAGE
from statusproxy.store.codec import RowError, decode_change
from statusproxy.store.redis_keys import member
from statusproxy.store.redis_link import Link, raise_first

__all__ = ["history_pages"]

_ALL: Final = b"-inf"


async def history_pages(
    link: Link, prefix: str, session: str | None, since: float, known: Sequence[Entry], offset: float = 0.0
) -> AsyncGenerator[Sequence[Change], None]:
    """The history from a time on, newest first, a page at a time.

    `known`: changes that may not be on the server yet, oldest first; those that are there count once. `offset`: seconds
    that the server's clock is ahead of the system's. Raises redis-py's errors.
    """
    seen: set[bytes] = set()
    waiting: list[Change] = []
    for entry in reversed(known):
        with suppress(TypeError, ValueError):
            seen.add(member(Entry(moved_change(entry.change, offset), entry.number) if offset else entry))
        if session in (None, entry.change.session) and entry.change.recorded_at >= since:
            waiting.append(entry.change)
    yield waiting
    oldest, newest = (_ALL if since == -math.inf else repr(since + offset).encode()), b"+inf"
    at_newest: set[bytes] = set()
    while True:
        count = PAGE + len(at_newest)
        (flat,) = await link.ask(
            ("ZREVRANGEBYSCORE", f"{prefix}history", newest, oldest, "WITHSCORES", "LIMIT", 0, count)
        )
        raise_first([flat])
        rows = list(zip(flat[::2], flat[1::2], strict=True))
        fresh = [row for row, _ in rows if row not in at_newest and row not in seen]
        page = _changes(fresh, session)
        yield [moved_change(change, -offset) for change in page] if offset else page
        if len(rows) < count:
            return
        last = rows[-1][1]
        at_newest = {row for row, score in rows if score == last} | (at_newest if last == newest else set())
        newest = last


def _changes(rows: Sequence[bytes], session: str | None) -> list[Change]:
    """The changes of these rows of one session or of all; rows that cannot be read are left out."""
    found = []
    for row in rows:
        with suppress(RowError):
            change = decode_change(row.partition(b" ")[2])
            if session in (None, change.session):
                found.append(change)
    return found
