"""Notices of damage to the state, kept with it until an operator acknowledges them."""

import json
import sqlite3
from datetime import UTC, datetime

import msgspec

from statusproxy.observe.counted import counted

__all__ = ["Damage", "note"]


class Damage(msgspec.Struct, frozen=True):
    """One damage of the state file, and what was saved of it."""

    at: float
    """When it was noticed, epoch seconds."""
    cause: str
    """What was wrong with the file; completes "it was …"."""
    set_aside: str | None
    """Where the damaged file lies now; None where it stays in use."""
    sessions: int
    """Sessions that were saved: read from the damaged file, or known to the running process."""
    changes: int = 0
    """Lines of history that were saved so far."""
    pending: bool = False
    """Whether history must still be read from the damaged file at `set_aside`."""
    numbers_from: int = 1
    """History that is written meanwhile is numbered from here, above all that may still come."""
    acknowledged: bool = False
    spooled: int = 0
    """Entries of the spool that were saved."""

    def encode(self) -> str:
        """This as JSON of ASCII characters only: a path may hold bytes that are no text."""
        return json.dumps(msgspec.to_builtins(self))

    @classmethod
    def decode(cls, payload: bytes) -> "Damage | None":
        """What `encode` gave; None for anything else."""
        try:
            return msgspec.convert(json.loads(payload), cls)
        except (ValueError, TypeError, RecursionError, msgspec.ValidationError):
            return None

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        saved = f"{counted(self.sessions, 'session')} and {counted(self.changes, 'change')} of the history were saved"
        if self.spooled:
            saved += f", and {counted(self.spooled, 'event')} of the spool"
        more = " (more history is being read)" if self.pending else ""
        kept = f"; the damaged file is kept as {self.set_aside}" if self.set_aside else ""
        return f"{when}: the state was {self.cause}; {saved}{more}{kept}"


def note(cursor: sqlite3.Cursor, damage: Damage, number: int | None = None) -> None:
    """Note damage in the table `damage`, inside the caller's transaction; in the place of notice `number` if given."""
    cursor.execute("INSERT OR REPLACE INTO damage VALUES (?, ?)", (number, damage.encode()))
