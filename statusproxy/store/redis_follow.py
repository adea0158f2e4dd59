"""Follows the stream of changes in Redis: what other proxies write is here as soon as it is there."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from statusproxy.config.state_url import Place
from statusproxy.store.redis_link import Link, raise_first

__all__ = ["BEGINNING", "Position", "Told", "follow", "position"]

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


def position(id_: bytes) -> Position:
    """The place that an entry's id names."""
    first, _, second = id_.partition(b"-")
    return int(first), int(second)


async def follow(
    place: Place,
    stream: str,
    begin: Position,
    answer_limit: float,
    take: Callable[[Sequence[Told]], None],
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


def _told(id_: bytes, members: Sequence[bytes]) -> Told | None:
    """An entry of the stream; None where it is none of ours, or of a kind that a newer version brought."""
    named = dict(zip(members[::2], members[1::2], strict=False))
    writer, session, row, gone = (named.get(name) for name in (b"w", b"s", b"r", b"f"))
    if writer is None or session is None or (row is None) == (gone is None):
        return None
    try:
        return Told(position(id_), writer, session, row or b"", None if gone is None else float(gone))
    except ValueError:
        return None
