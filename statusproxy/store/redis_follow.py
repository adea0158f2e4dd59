"""Follows the stream of changes in Redis: what other proxies write is here as soon as it is there."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from statusproxy.config.state_url import Place
from statusproxy.store.redis_link import Link, raise_first

__all__ = ["BEGINNING", "Entered", "Follower", "News", "Position", "Released", "Told", "follow", "position"]

#: At a time: some milliseconds of the event loop.
_ENTRIES: Final = 100

Position = tuple[int, int]
"""A place in the stream: milliseconds and a number, both growing."""

BEGINNING: Final[Position] = (0, 0)


class Told(NamedTuple):
    """One entry of the stream: a session's record was written, or the session was forgotten."""

    position: Position
    writer: bytes
    session: bytes
    row: bytes
    """Empty where the session was forgotten …"""
    forgotten_at: float | None
    """… at this moment, in the server's time."""


class Entered(NamedTuple):
    """One entry of the stream: an entry of the spool was kept or changed, or is gone."""

    position: Position
    writer: bytes
    row: bytes
    """Empty where it is gone …"""
    gone: bytes
    """… and then its id."""


class Released(NamedTuple):
    """One entry of the stream: a claim was given up."""

    position: Position
    writer: bytes
    name: bytes


News = Told | Entered | Released
"""What the stream tells."""


def position(id_: bytes) -> Position:
    """The place that an entry's id names."""
    first, _, second = id_.partition(b"-")
    return int(first), int(second)


async def follow(
    place: Place,
    stream: str,
    begin: Position,
    answer_limit: float,
    take: Callable[[Sequence[News]], None],
) -> None:
    """Hand each entry after `begin` to `take`, in order. Ends only by raising redis-py's errors.

    The server is asked again well within `answer_limit` (seconds), so that one that is away is noticed.
    """
    link = await Link.open(place, answer_limit)
    last = begin
    try:
        while True:
            (reply,) = await link.ask(
                ("XREAD", "COUNT", _ENTRIES, "BLOCK", max(1, round(answer_limit * 400)), "STREAMS", stream,
                 f"{last[0]}-{last[1]}")
            )  # fmt: skip
            raise_first([reply])
            if reply is None:
                continue
            ((_, entries),) = reply
            last = position(entries[-1][0])
            take([one for id_, members in entries if (one := _told(id_, members)) is not None])
    finally:
        await link.close()


def _told(id_: bytes, members: Sequence[bytes]) -> News | None:
    """An entry of the stream; None where it is none of ours, or of a kind that a newer version brought."""
    named = dict(zip(members[::2], members[1::2], strict=False))
    writer = named.get(b"w")
    if writer is None:
        return None
    match named:
        case {b"e": entry}:
            return Entered(position(id_), writer, entry, b"")
        case {b"x": id_of}:
            return Entered(position(id_), writer, b"", id_of)
        case {b"c": name}:
            return Released(position(id_), writer, name)
    session, row, gone = named.get(b"s"), named.get(b"r"), named.get(b"f")
    if session is None or (row is None) == (gone is None):
        return None
    try:
        return Told(position(id_), writer, session, row or b"", None if gone is None else float(gone))
    except ValueError:
        return None


class Follower:
    """Follows the stream in a task of its own, until it is stopped or the connection is lost."""

    def __init__(
        self,
        stream: str,
        answer_limit: float,
        take: Callable[[Sequence[News]], None],
        lost: Callable[[Exception], None],
    ) -> None:
        """`answer_limit` and `take` as for `follow`; `lost` is called with what ended it."""
        self._stream = stream
        self._answer_limit = answer_limit
        self._take = take
        self._lost = lost
        self._task: asyncio.Task[None] | None = None

    def start(self, place: Place, begin: Position) -> None:
        """Follow the stream of this server from here on. Only while it does not."""
        self._task = asyncio.create_task(self._follow(place, begin), name="statusproxy-redis-follower")

    async def stop(self) -> None:
        """Follow no more; returns once it does not."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _follow(self, place: Place, begin: Position) -> None:
        try:
            await follow(place, self._stream, begin, self._answer_limit, self._take)
        except Exception as error:  # noqa: BLE001 - whatever it is, who writes meets it, and tells
            self._lost(error)
