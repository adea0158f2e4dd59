"""What an operator has to be told about a state that was damaged: kept with the state until it is acknowledged."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

import msgspec

__all__ = ["Damage", "ReportsDamage"]


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
    """Whether history is still to be read from the file that was set aside."""
    numbers_from: int = 1
    """History that is written meanwhile is numbered from here, above all that may still come."""
    acknowledged: bool = False

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
        saved = f"{self.sessions} sessions and {self.changes} changes of the history were saved"
        more = " (more history is being read)" if self.pending else ""
        kept = f"; the damaged file is kept as {self.set_aside}" if self.set_aside else ""
        return f"{when}: the state was {self.cause}; {saved}{more}{kept}"


@runtime_checkable
class ReportsDamage(Protocol):
    """A store that notices damage, repairs it, and tells until an operator has acknowledged it."""

    @property
    def damage(self) -> Sequence[Damage]:
        """What is not acknowledged yet, oldest first."""

    @property
    def repairs(self) -> dict[str, int]:
        """How often the state was repaired since the start, by cause: `damaged`, `deleted`, `replaced`."""

    async def acknowledge(self) -> int:
        """Note that an operator knows of all damage so far; give how many there were. Raises `StoreError`."""
