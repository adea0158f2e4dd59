"""Decides which messages are made: compares what is wrong now with what was reported.

Pure: time, ids and what was seen before come in, a new book comes out. The rules are in docs/alerts.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from statusproxy.alerts.deliveries import tidied
from statusproxy.alerts.grouping import QUIET, ready_at
from statusproxy.alerts.message_types import BACK, BEGUN
from statusproxy.alerts.values import AlertRules, Book, Delivery, Ending, Line, Message, Outage, Target, Told, Topic
from statusproxy.alerts.wanted import asked, fits

__all__ = ["Decision", "Seen", "decide"]

#: Reminders that are due within this part of `remind` of each other are one message.
_TOGETHER: Final = 0.1


class Seen(msgspec.Struct, frozen=True):
    """What earlier looks saw and no message tells yet. In memory only: after a start the looks begin anew."""

    outages: Mapping[str, float] = {}
    """When an outage that is not told was first seen, by `Outage.key`."""
    over: Mapping[str, float] = {}
    """When an outage that is told was first seen to be over, by `Outage.key`."""


class Decision(msgspec.Struct, frozen=True):
    """What a look at the outages comes to."""

    book: Book
    """The new book. If nothing changed, it is the same object that was given, and need not be written."""
    seen: Seen
    """For the next look."""
    due: float | None
    """When to look again, even if nothing happens until then; None where nothing waits. (Look at each change, too.)"""
    made: tuple[Message, ...] = ()
    """The messages that are new in the book."""


def decide(
    book: Book,
    seen: Seen,
    outages: Iterable[Outage],
    now: float,
    rules: AlertRules,
    *,
    started_at: float,
    new_id: Callable[[], str],
    ended: Mapping[str, Ending] = {},
    unsure: Collection[Topic] = (),
) -> Decision:
    """Make the messages that are due, and the marks of what they tell.

    `outages` are those that last now; `seen` is that of the last decision (`Seen()` at first). `started_at` is when
    this proxy began to decide (its start, or when it took over from another); `new_id` gives a new message its id.
    `ended` says how outages ended, by `Outage.key`, as far as that is known: also of sessions that are lost again.
    `unsure` are the topics whose state is not known now, such as the gateway before its first answer after a start:
    their outages that were reported stay as they are, and no message says that they are over.

    A time later than `now` is of a clock that was set back, or of another proxy's: nothing waits for it. An outage
    that began later counts from the look that saw it first.

    The same book, with nothing else changed, gives no further message. An outage that no target wants is not told, so
    that a target that is added later and wants it gets it. Without targets nothing is told at all.

    It takes some 3 µs per outage; a thread may run it, since nothing that comes in changes.
    """
    if not rules.targets:
        return Decision(_replaced(book, messages=tidied(book.messages, (), now)), Seen(), None)
    look = _Look(book, now, rules, new_id)
    present = {outage.key: outage for outage in outages}
    lasting: dict[Topic, list[tuple[str, Outage]]] = {topic: [] for topic in Topic}
    over: dict[Topic, dict[str, float]] = {topic: {} for topic in Topic}
    pending: dict[Topic, dict[str, float]] = {topic: {} for topic in Topic}
    for key, mark in book.told.items():
        outage, topic = present.get(key), mark.outage.topic
        if outage is None:
            if topic not in unsure:
                over[topic][key] = min(seen.over.get(key, now), now)
        elif key in ended and _ran_again(mark.outage, outage, ended[key], rules.group):
            over[topic][key] = min(seen.over.get(key, now), now)
            pending[topic][key] = min(seen.outages.get(key, now), now)
        else:
            lasting[topic].append((key, outage))
    for key, outage in present.items():
        if key not in book.told:
            pending[outage.topic][key] = min(seen.outages.get(key, now), now)
    earliest = started_at + QUIET if started_at <= now else 0.0
    for topic in BEGUN:
        _tell_over(look, topic, over[topic], ended, earliest)
        begun = [
            (max(_began(present[key], at, now) + rules.after, at, earliest), key, present[key])
            for key, at in pending[topic].items()
            if key not in look.told
        ]
        _tell_begun(look, topic, begun)
        _remind(look, topic, lasting[topic])
    return Decision(
        look.book(book),
        Seen(_left(pending, look.told, book.told), _left(over, look.told, book.told)),
        look.due,
        tuple(look.made),
    )


def _began(outage: Outage, seen_at: float, now: float) -> float:
    """When an outage began that was first seen at `seen_at`."""
    return outage.since if outage.since <= now else seen_at


def _left(
    times: Mapping[Topic, Mapping[str, float]], marks: Mapping[str, Told], before: Mapping[str, Told]
) -> dict[str, float]:
    """Of what was seen that which no message of this look tells: its mark, or that it has none, stays as it was."""
    return {
        key: at
        for each in times.values()
        for key, at in each.items()
        if marks is before or marks.get(key) is before.get(key)
    }


def _ran_again(told: Outage, present: Outage, ending: Ending, group: float) -> bool:
    """Whether the outage that is present is another one than was told: between the two it was over for a while.

    Looks would have told that; nobody looked. A shorter end is a flap, in which the outage told goes on.
    """
    return told.since <= ending.at and present.since - ending.at > group


class _Look:
    """One look: the marks and messages as they become, and when the next look is due."""

    __slots__ = ("_new_id", "due", "last", "made", "now", "rules", "told")

    def __init__(self, book: Book, now: float, rules: AlertRules, new_id: Callable[[], str]) -> None:
        self.told = book.told
        self.last = dict(book.last)
        self.now = now
        self.rules = rules
        self.made: list[Message] = []
        self.due: float | None = None
        self._new_id = new_id

    def is_ready(self, name: str, times: Sequence[float]) -> bool:
        """Whether the message of this type is due now; if it is due later, the next look is at that time."""
        if not times:
            return False
        ready = ready_at(sorted(times), self.rules.group, self.last.get(name), self.now)
        if ready > self.now:
            self.look_at(ready)
        return ready <= self.now

    def look_at(self, time: float) -> None:
        """A next look is due at this time, or earlier."""
        self.due = time if self.due is None else min(self.due, time)

    def make(self, name: str, lines: Sequence[Line], *, over: bool, reminder: int = 0) -> str:
        """A message of these lines for each target that wants any of them; none where no target does. Gives its id."""
        new_id = self._new_id()
        deliveries = tuple(
            Delivery(target.id) for target in self.rules.targets if self._any_for(target, lines, over=over)
        )
        if deliveries:
            ordered = tuple(sorted(lines, key=lambda line: line.outage.session or ""))
            self.made.append(Message(new_id, name, self.now, ordered, deliveries, reminder))
            self.last[name] = self.now
        return new_id

    def _any_for(self, target: Target, lines: Sequence[Line], *, over: bool) -> bool:
        patterns = asked([target], lines[0].outage.topic, over=over)
        return any(fits(patterns, line.outage.session) for line in lines)

    def mark(self, marks: Mapping[str, Told]) -> None:
        """Note what is told."""
        self.told = {**self.told, **marks}

    def unmark(self, keys: Collection[str]) -> None:
        """Note what is over."""
        self.told = {key: mark for key, mark in self.told.items() if key not in keys}

    def book(self, before: Book) -> Book:
        """The book as it has become."""
        messages = (*before.messages, *self.made) if self.made else before.messages
        return _replaced(
            before,
            told=self.told,
            messages=tidied(messages, self.rules.targets, self.now),
            last=self.last if self.made else before.last,
        )


def _replaced(book: Book, **values: Any) -> Book:
    """The book with these values; itself where they are its own."""
    return book if all(getattr(book, name) is value for name, value in values.items()) else replace(book, **values)


def _tell_over(
    look: _Look, topic: Topic, over: Mapping[str, float], ended: Mapping[str, Ending], earliest: float
) -> None:
    """The message that outages are over, once it is ready; `over` has when each was first seen to be."""
    if not look.is_ready(BACK[topic], [max(at, earliest) for at in over.values()]):
        return
    patterns = asked(look.rules.targets, topic, over=True)
    lines = []
    for key, seen_at in over.items():
        told = look.told[key].outage
        ending = ended.get(key)
        if ending is None or ending.at > look.now or ending.at < told.since <= look.now:
            ending = Ending(seen_at)
        if fits(patterns, told.session):
            lines.append(Line(told, ended_at=ending.at, released=ending.released))
    look.unmark(over.keys())
    if lines:
        look.make(BACK[topic], lines, over=True)


def _tell_begun(look: _Look, topic: Topic, begun: Sequence[tuple[float, str, Outage]]) -> None:
    """The first message of outages, once it is ready; `begun` has when each is due."""
    patterns = asked(look.rules.targets, topic, over=False) | asked(look.rules.targets, topic, over=True)
    wanted = [each for each in begun if fits(patterns, each[2].session)]
    if not look.is_ready(BEGUN[topic], [at for at, _, _ in wanted]):
        return
    told = {key: outage for at, key, outage in wanted if at <= look.now}
    message = look.make(BEGUN[topic], [Line(outage) for outage in told.values()], over=False)
    look.mark({key: Told(outage, message, look.now) for key, outage in told.items()})
    look.is_ready(BEGUN[topic], [at for at, _, _ in wanted if at > look.now])
    if look.rules.remind is not None:
        look.look_at(look.now + look.rules.remind)


def _remind(look: _Look, topic: Topic, outages: Sequence[tuple[str, Outage]]) -> None:
    """The reminder of outages that were told and last."""
    ahead = [key for key, _ in outages if look.told[key].at > look.now]
    if ahead:  # the clock was set back
        look.mark({key: replace(look.told[key], at=look.now) for key in ahead})
    remind = look.rules.remind
    if remind is None:
        return
    patterns = asked(look.rules.targets, topic, over=False)
    wanted = [(look.told[key].at + remind, key, outage) for key, outage in outages if fits(patterns, outage.session)]
    if not wanted:
        return
    first = min(at for at, _, _ in wanted)
    last = look.last.get(BEGUN[topic])
    ready = first if last is None or last > look.now else max(first, last + look.rules.group)
    if ready > look.now:
        look.look_at(ready)
        return
    until = look.now + _TOGETHER * remind
    together = [(look.told[key], key, outage) for at, key, outage in wanted if at <= until]
    lines = [Line(replace(outage, since=min(outage.since, mark.outage.since))) for mark, _, outage in together]
    number = max(mark.reminders for mark, _, _ in together) + 1
    look.make(BEGUN[topic], lines, over=False, reminder=number)
    look.mark({key: replace(mark, at=look.now, reminders=mark.reminders + 1) for mark, key, _ in together})
    look.look_at(min([look.now + remind, *(at for at, _, _ in wanted if at > until)]))
