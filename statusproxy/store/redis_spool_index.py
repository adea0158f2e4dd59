"""The spool in Redis as it is known here, and what of the stream is news to this proxy. No I/O.

An op of this proxy may be on its way to the server while another proxy's op on the same entry comes through the stream.
The later one in the stream counts. Until the place of ours is known, the other proxy's entry is kept apart (`_aside`).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from statusproxy.store.codec import RowError, decode_entry
from statusproxy.store.redis_follow import BEGINNING, Entered, Position
from statusproxy.store.redis_spool_rows import unknown_members
from statusproxy.store.spooled import Entry, Kept, Moved, Removed, SpoolNews, SpoolOp

__all__ = ["SpoolIndex"]

Waiting = Callable[[str], SpoolOp | None]
"""The op of this proxy that is on its way, by an entry's id."""


class SpoolIndex:
    """The ids that stand there. Times in entries are the server's."""

    def __init__(self, waiting: Waiting) -> None:
        self.newest = BEGINNING
        """The place in the stream of the last op of this proxy's own."""
        self.ids: set[str] = set()
        self._waiting = waiting
        self._unknown: dict[str, dict[str, Any]] = {}
        self._ours: dict[str, Position] = {}  # our last op of an entry, until the stream is past it
        self._aside: dict[str, tuple[Position, Entry]] = {}

    def unknown(self, id_: str) -> Mapping[str, Any] | None:
        """The members of an entry's row that a newer version wrote."""
        return self._unknown.get(id_)

    def read(self, rows: Mapping[str, tuple[bytes, Entry]]) -> list[Entry]:
        """Take in rows as they stand there; those that no op of ours is about to change."""
        found: list[Entry] = []
        for id_, (row, entry) in rows.items():
            self._note(id_, row)
            if self._waiting(id_) is None:
                found.append(entry)
        return found

    def missing(self, found: Collection[str]) -> list[str]:
        """These are all that stand there: the ids that were known besides, for `drop`."""
        self._ours.clear()
        self._aside.clear()
        return list(self.ids.difference(found))

    def drop(self, ids: Iterable[str]) -> list[str]:
        """These do not stand there: the ids of those that are not about to be kept, or removed from here."""
        ops = {id_: self._waiting(id_) for id_ in ids}
        self._forget(id_ for id_, op in ops.items() if not isinstance(op, Kept))
        return [id_ for id_, op in ops.items() if op is None or isinstance(op, Moved)]

    def follow(self, told: Sequence[Entered], me: bytes) -> SpoolNews:
        """Take in what the stream tells; what others did."""
        changed: dict[str, Entry | None] = {}
        for one in told:
            if one.writer == me:
                continue
            try:
                entry = decode_entry(one.row) if one.row else None
                id_ = one.gone.decode("ascii") if entry is None else entry.id
            except (RowError, UnicodeDecodeError):
                continue
            if one.position < self._ours.get(id_, BEGINNING):
                continue
            op = self._waiting(id_)
            if entry is None:
                if not isinstance(op, Kept):
                    self._forget([id_])
                    changed[id_] = None
            elif op is not None:
                self._aside[id_] = one.position, entry
                self._note(id_, one.row)
            else:
                changed[id_] = entry
                self._note(id_, one.row)
        if told:
            self._ours = {id_: place for id_, place in self._ours.items() if place > told[-1].position}
        return SpoolNews(
            [entry for entry in changed.values() if entry is not None],
            [id_ for id_, entry in changed.items() if entry is None],
        )

    def written(self, ops: Iterable[SpoolOp], last: Position) -> list[Entry]:
        """These ops stand there, at `last` in the stream or before (the beginning: there was nothing to be written).

        Gives what others wrote of the same entries later.
        """
        later: list[Entry] = []
        self.newest = max(self.newest, last)
        for op in ops:
            aside = self._aside.pop(op.id, None)
            if isinstance(op, Removed):
                self._forget([op.id])
            elif isinstance(op, Kept):
                self.ids.add(op.id)
            if last > BEGINNING:
                self._ours[op.id] = last
            if aside is not None and aside[0] > last:
                self.ids.add(op.id)
                later.append(aside[1])
        return later

    def _note(self, id_: str, row: bytes) -> None:
        self.ids.add(id_)
        unknown = unknown_members(row)
        if unknown:
            self._unknown[id_] = unknown
        else:
            self._unknown.pop(id_, None)

    def _forget(self, ids: Iterable[str]) -> None:
        for id_ in ids:
            self.ids.discard(id_)
            self._unknown.pop(id_, None)
            self._aside.pop(id_, None)
