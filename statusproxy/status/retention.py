"""Which sessions are forgotten when the map is full: those that matter least, and among equals those longest untouched.

Sessions that the gateway's own list has named go last: the others may be made up by anyone who sends events. In both
groups the order is: first those of which no disconnect was ever told; then those that were deleted, whose record only
keeps an older event from counting; then those that once were disconnected; last those shown as disconnected.
"""

from __future__ import annotations

from typing import Final

from statusproxy.status.model import Record, Release

_RANKS: Final = 8


def rank(record: Record) -> int:
    """How much a record matters: the higher, the later it is forgotten."""
    if record.override is not None:
        value = 3
    elif record.released is None:
        value = 0
    elif record.verdict is None:
        value = 1 if record.released is Release.DELETED else 0
    else:
        value = 2
    return value + 4 if record.confirmed else value


class Retention:
    """The order in which sessions are forgotten."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: tuple[dict[str, None], ...] = tuple({} for _ in range(_RANKS))  # each longest untouched first

    def put(self, record: Record, *, heard: bool) -> None:
        """A record is new or has changed; `heard`: an event came, so that it is the last of its rank again."""
        session, queue = record.session, self._queues[rank(record)]
        if session not in queue:
            self.remove(session)  # it may have had another rank
        elif heard:
            del queue[session]
        queue[session] = None

    def remove(self, session: str) -> None:
        """The session is forgotten."""
        for queue in self._queues:
            queue.pop(session, None)

    def first(self) -> str:
        """The session to be forgotten first. StopIteration if there is none."""
        return next(iter(next(filter(None, self._queues))))
