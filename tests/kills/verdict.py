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
    late: int = 0
    """Arrivals of events that were not answered, after a later one."""


def figures(sent: Mapping[str, Sequence[Sent]], arrived: Sequence[Arrival]) -> Figures:
    """Counts of all sessions."""
    events = [each for session in sent.values() for each in session]
    different = len({(each.session, each.number) for each in arrived})
    late = sum(
        not sent[session][number].acknowledged
        for session, came in _numbers(sent, arrived, []).items()
        for early, number in _pairs(list(dict.fromkeys(came)))
        if number < early
    )
    return Figures(
        len(events),
        sum(each.acknowledged for each in events),
        sum(each.id is not None for each in events),
        different,
        len(arrived) - different,
        late,
    )


def wrongs(
    sent: Mapping[str, Sequence[Sent]],
    arrived: Sequence[Arrival],
    kept: Collection[str] = (),
    *,
    one_proxy: bool = True,
) -> list[str]:
    """Everything that must not be: by session what was sent, what arrived, and the ids of what stands in the spool.

    With `one_proxy` an event may come again, but none after a later one. Of several, one can be killed between the
    delivery of an event and its note of that, and another goes on: so it is the first deliveries that are in order, and
    those of events that were answered with a success. What nobody answered for may be on its way while the next proxy
    takes the next event.
    """
    found: list[str] = []
    for session, came in _numbers(sent, arrived, found).items():
        events = sent[session]
        ordered = came if one_proxy else [one for one in dict.fromkeys(came) if events[one].acknowledged]
        found += [f"{session}: {late} arrived after {early}" for early, late in _pairs(ordered) if late < early]
        there = set(came)
        found += [
            f"{session} {each.number} was answered {each.status}, and is lost"
            for each in events
            if each.acknowledged and each.number not in there and each.id not in kept
        ]
    return found


def _numbers(
    sent: Mapping[str, Sequence[Sent]], arrived: Sequence[Arrival], strange: list[str]
) -> dict[str, list[int]]:
    """By session the numbers of the events in the order in which they came; what was never sent goes to `strange`."""
    numbers: dict[str, list[int]] = {session: [] for session in sent}
    for each in arrived:
        events = sent.get(each.session, ())
        if not 0 <= each.number < len(events) or events[each.number].digest != each.digest:
            strange.append(f"{each.session} {each.number} arrived and was never sent")
        else:
            numbers[each.session].append(each.number)
    return numbers


def _pairs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Each number with the highest before it."""
    pairs, highest = [], -1
    for number in numbers:
        pairs.append((highest, number))
        highest = max(highest, number)
    return pairs
