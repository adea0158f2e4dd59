"""What a fault is, and what running it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from tests.faults.waits import Waits

if TYPE_CHECKING:
    from tests.faults.stage import Stage


@dataclass(frozen=True)
class Fault:
    """Something that once went wrong, and how to make it go wrong again."""

    item: str
    """Its number in the issue that reported it."""
    name: str
    what: str
    """What went wrong."""
    how: str
    """How it is made."""
    sees: str
    """What the user sees now."""
    run: Callable[[Stage], None]
    quick: bool = True
    """Whether it has a variant of a few seconds. The others measure times that are long by themselves."""

    @property
    def command(self) -> str:
        """The command that repeats it."""
        return f"python -m tests.faults {self.name}"


class SkippedError(Exception):
    """A fault cannot be made on this machine; the text says what is missing."""


#: The end of the name of a check of what someone waited.
LONGEST_WAIT: Final = "longest wait"


class Check(msgspec.Struct, frozen=True):
    """One thing that must hold, what was found, and what is allowed."""

    what: str
    ok: bool
    found: str
    allowed: str


class Measured(msgspec.Struct, frozen=True):
    """What one kind of request waited without and with the attack, in seconds, and what it may wait."""

    idle: Waits
    beside: Waits
    allowed: float

    @property
    def ratio(self) -> float:
        """The longest wait beside the attack, as a multiple of the longest without it."""
        return self.beside.worst / self.idle.worst if self.idle.worst else 0.0


class Growth(msgspec.Struct, frozen=True):
    """What the process held before the attack, at most, and after it."""

    before: int
    peak: int
    after: int


class Outcome(msgspec.Struct):
    """What running one fault gave."""

    item: str
    name: str
    loop: str
    quick: bool
    checks: list[Check] = []
    waits: dict[str, Measured] = {}
    """By kind of request."""
    memory: Growth | None = None
    """Resident bytes of the proxy."""
    descriptors: Growth | None = None
    lost: int = 0
    """Webhooks that were answered with a success and did not reach the gateway, and sessions that were forgotten."""
    skipped: str | None = None
    error: str | None = None
    """Why it could not be run to its end."""
    seconds: float = 0.0
    load: float = 0.0
    """The machine's load average of one minute when it began (getloadavg(3))."""

    others: float = 0.0
    """How many processors other programs kept busy meanwhile, on average."""

    stood_still: float = 0.0
    """Seconds for which the machine let nobody go on, at most."""

    @property
    def ok(self) -> bool:
        """Whether everything held."""
        return self.error is None and all(check.ok for check in self.checks)

    @property
    def only_waited(self) -> bool:
        """Whether nothing but waits failed, which a machine that is busy with something else makes longer."""
        return self.error is None and all(check.ok or check.what.endswith(LONGEST_WAIT) for check in self.checks)
