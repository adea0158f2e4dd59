"""The history in Redis, read a page at a time from the newest line on."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing, suppress

from statusproxy.config.state_url import Place
from statusproxy.status.model import Change
from statusproxy.status.stored_times import moved_change
from statusproxy.store.backlog import Entry
from statusproxy.store.base import PAGE
from statusproxy.store.codec import RowError, decode_change
from statusproxy.store.redis_keys import member
from statusproxy.store.redis_link import Link, raise_first
from statusproxy.store.redis_time import ServerClock

__all__ = ["history_pages", "linked_pages"]


async def history_pages(
    link: Link, prefix: str, session: str | None, since: float, known: Sequence[Entry], offset: float = 0.0
) -> AsyncGenerator[Sequence[Change], None]:
    """The history from a time on, newest first, a page at a time.

    `known`: changes that may not be on the server yet, oldest first; those that are there count once. `offset`: seconds
    that the server's clock is ahead of the system's. Raises redis-py's errors.
    """
    written: set[bytes] = set()
    waiting: list[Change] = []
    for entry in reversed(known):
        with suppress(TypeError, ValueError):
            written.add(member(Entry(moved_change(entry.change, offset), entry.number) if offset else entry))
        if session in (None, entry.change.session) and entry.change.recorded_at >= since:
            waiting.append(entry.change)
    yield waiting
    start, before, last = 0, set[bytes](), False
    while not last:
        (rows,) = await link.ask(("ZREVRANGE", f"{prefix}history", start, start + PAGE - 1))
        raise_first([rows])
        # What others wrote meanwhile moved rows of the page before into this one.
        changes = _changes(row for row in rows if row not in before and row not in written)
        page = [moved_change(change, -offset) for change in changes] if offset else changes
        last = len(rows) < PAGE or any(change.recorded_at < since for change in page)
        yield [change for change in page if session in (None, change.session) and change.recorded_at >= since]
        start, before = start + PAGE, set(rows)


async def linked_pages(
    place: Place, answer_limit: float, session: str | None, since: float, known: Sequence[Entry], server: ServerClock
) -> AsyncGenerator[Sequence[Change], None]:
    """As `history_pages`, over a connection of its own, on which each answer takes `answer_limit` seconds at most."""
    link = await Link.open(place, answer_limit)
    try:
        async with aclosing(history_pages(link, place.prefix, session, since, known, server.offset)) as pages:
            async for page in pages:
                yield page
    finally:
        await link.close()


def _changes(rows: Iterable[bytes]) -> list[Change]:
    """The changes of these rows; those that cannot be read are left out."""
    found = []
    for row in rows:
        with suppress(RowError):
            found.append(decode_change(row.partition(b" ")[2]))
    return found
