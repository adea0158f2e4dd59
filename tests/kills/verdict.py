"""What must hold of all that was sent and all that arrived."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from tests.kills.ledger import Arrival
from tests.kills.sender import Sent


class Figures(NamedTuple):
    """What was counted."""

    sent: int = 0
    acknowledged: int = 0
    spooled: int = 0
    """Of these, answered 202."""
    arrived: int = 0
    """Different events."""
    repeats: int = 0
    """Arrivals of events that had arrived before."""


def figures(sent: Mapping[str, Sequence[Sent]], arrived: Sequence[Arrival]) -> Figures:
    """Counts of all sessions."""
    events = [each for session in sent.values() for each in session]
    different = len({(each.session, each.number) for each in arrived})
    return Figures(
        len(events),
        sum(each.acknowledged for each in events),
        sum(each.id is not None for each in events),
        different,
        len(arrived) - different,
    )


def wrongs(sent: Mapping[str, Sequence[Sent]], arrived: Sequence[Arrival], kept: Collection[str] = ()) -> list[str]:
    """Everything that must not be: by session what was sent, what arrived, and the ids of what stands in the spool."""
    found: list[str] = []
    numbers: dict[str, list[int]] = {session: [] for session in sent}
    for each in arrived:
        events = sent.get(each.session, ())
        if not 0 <= each.number < len(events) or events[each.number].digest != each.digest:
            found.append(f"{each.session} {each.number} arrived and was never sent")
        else:
            numbers[each.session].append(each.number)
    for session, came in numbers.items():
        # An event may come again, but none after a later one.
        found += [f"{session}: {late} arrived after {early}" for early, late in _pairs(came) if late < early]
        there = set(came)
        found += [
            f"{session} {each.number} was answered {each.status}, and is lost"
            for each in sent[session]
            if each.acknowledged and each.number not in there and each.id not in kept
        ]
    return found


def _pairs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Each number with the highest before it."""
    pairs, highest = [], -1
    for number in numbers:
        pairs.append((highest, number))
        highest = max(highest, number)
    return pairs
