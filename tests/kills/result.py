"""What a run gave, and the closing table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tests.kills.verdict import Figures

#: Wrong things that are kept word for word.
_KEPT: Final = 20


@dataclass
class Result:
    """What a run gave."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    """How often each was killed."""
    figures: Figures = field(default_factory=Figures)
    stood: int = 0
    """Events that stood in the spool while the gateway was away at the end."""
    unknown: int = 0
    """Events that are kept as unknown at the end: their senders were told 502."""
    looks: int = 0
    """Sessions whose state was looked at after a kill, and could be told; each proxy's look counts."""
    journalled: int = 0
    """Changes that were acknowledged while Redis was away, by a proxy that was killed before it was back."""
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def note(self, found: Iterable[str]) -> None:
        """Note what is wrong; of very much the first."""
        self.wrong += list(found)[: max(0, _KEPT - len(self.wrong))]


def table(result: Result) -> str:
    """The closing table."""
    kills = ", ".join(f"{number} of {who}" for who, number in sorted(result.kills.items()))
    return "\n".join([f"killed: {kills}, --seed {result.seed}", *figures_of(result)])


def figures_of(result: Result) -> list[str]:
    """The lines of the closing table that do not say what happened."""
    counts = result.figures
    lines = [
        f"{counts.sent} events sent in {result.seconds:.0f} s",
        f"{counts.acknowledged} answered with a success, of these {counts.spooled} with 202",
        f"{counts.arrived} arrived, {counts.repeats} times one came again, {counts.late} unanswered ones came late",
        f"{result.stood} stood in the spool at the end, {result.unknown} are unknown",
        f"{result.looks} states were looked at after a kill",
    ]
    if "Redis" in result.kills:
        lines.append(f"{result.journalled} changes were acknowledged while Redis was away, and their proxy killed then")
    return lines + ([f"FAILED: {wrong}" for wrong in result.wrong] or ["all is well"])
