"""The store that the proxies of the simulation share: compare-and-set, tombstones, a stream of changes, no memory."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from statusproxy.status.model import Record


class Row(NamedTuple):
    """A session's row: its record in the shared time, or None and when it was forgotten; and its version."""

    record: Record | None
    at: float
    version: int


ABSENT = Row(None, float("-inf"), 0)


class SharedStore:
    """The rows, by session."""

    def __init__(self, push: Callable[[int, str, Row], None]) -> None:
        """`push` is told of each row written, and by whom."""
        self.rows: dict[str, Row] = {}
        self.epoch = 0
        self._push = push
        self._version = 0

    def write(self, writer: int, batch: Mapping[str, tuple[int, Record | float]]) -> dict[str, Row]:
        """Write rows, each over the version that is expected, all or none; give those that are in the way.

        What is written is a record, or the moment at which the session was forgotten.
        """
        current = {session: self.rows.get(session, ABSENT) for session in batch}
        conflicts = {
            session: current[session]
            for session, (expected, new) in batch.items()
            if current[session].version != expected or (isinstance(new, Record) and new.heard_at <= current[session].at)
        }
        if conflicts:
            return conflicts
        for session, (_, new) in batch.items():
            self._version += 1
            before = current[session].at
            record, at = (new, before) if isinstance(new, Record) else (None, max(new, before))
            row = Row(record, at, self._version)
            self.rows[session] = row
            self._push(writer, session, row)
        return {}

    def lose_memory(self) -> None:
        """All is gone, and those who come know by the epoch."""
        self.rows.clear()
        self.epoch += 1
