"""Events that say nothing: a run of them in one line, and what to do about those that no rule names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from statusproxy.rehearsal.explanation import NOTHING_TO_END, shortened
from statusproxy.rehearsal.messages import EventResult
from statusproxy.status.signals import SignalKind, Verdict

SHORTEST: Final = 3
"""Events of the shortest run that is told in one line."""

_NAMES: Final = 5
"""Names of events that one line lists."""

_QUIET: Final = frozenset({Verdict.UNMATCHED, Verdict.NOTHING, Verdict.PRESENCE, Verdict.OWN_MESSAGE})


def runs(events: Iterable[EventResult]) -> Iterator[list[EventResult]]:
    """The events in their order: a run of quiet ones together, every other one alone."""
    for quiet, found in groupby(events, is_quiet):
        run = list(found)
        if quiet and len(run) >= SHORTEST:
            yield run
        else:
            yield from ([one] for one in run)


def is_quiet(one: EventResult) -> bool:
    """Whether an event says nothing of a connection, or that one is alive which no one doubts."""
    if one.missed:
        return False
    return one.verdict in _QUIET or (one.says == SignalKind.ALIVE and one.why == NOTHING_TO_END)


def run_told(run: Sequence[EventResult]) -> str:
    """A run in one line: where it stands, how many events it has, and which."""
    verdicts: dict[str, list[EventResult]] = {}
    for one in run:
        verdicts.setdefault(one.verdict, []).append(one)
    told = ", ".join(f"{len(found)} {verdict}{_named(found)}" for verdict, found in verdicts.items())
    return f"{run[0].source} to {run[-1].source}: {len(run)} events that change nothing: {told}; --json shows each"


def next_steps(events: Iterable[EventResult]) -> Iterator[str]:
    """What to do about the events that no rule names: a sentence for each kind of them."""
    unmatched = [one for one in events if one.verdict == Verdict.UNMATCHED]
    doubtful = [one for one in unmatched if one.missed and one.event is not None]
    unnamed = [one for one in unmatched if one.event is None]
    if doubtful:
        yield (
            f"No rule names {_names(doubtful)}. For each that is about a session's connection add a rule to `events`; "
            "the others need none."
        )
    if unnamed:
        what = "1 event has no name" if len(unnamed) == 1 else f"{len(unnamed)} events have no name"
        yield f"{what} where `dialect.event` looks for it. Write the member that holds it there."
    if unmatched and not doubtful and not unnamed:
        yield f"No rule names {_names(unmatched)}, and none is needed: such names are not about a connection."


def _named(events: Sequence[EventResult]) -> str:
    return f" ({_names(events)})" if any(one.event is not None for one in events) else ""


def _names(events: Iterable[EventResult]) -> str:
    """The names of events and how often each came, the most frequent first."""
    counts = Counter(_name(one.event, one.word) for one in events if one.event is not None)
    listed = [f"{name} {count}" for name, count in counts.most_common(_NAMES)]
    return ", ".join(listed) + (", …" if len(counts) > _NAMES else "")


def _name(event: str, word: str | None) -> str:
    return shortened(event) if word is None else f"{shortened(event)} {shortened(word)}"
