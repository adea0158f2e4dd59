"""What was learned so far: the shapes of events by their possible names, and of answers by their routes. Bounded."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Final

from statusproxy.learning import members, words
from statusproxy.learning.lists import Answers
from statusproxy.learning.shapes import Ids, Shape, may_keep, walk
from statusproxy.status.fields import Path, usable_text

_GROUPS: Final = 96
"""How many kinds of events are distinguished."""

_MEMBERS: Final = 160
"""Members of one kind of event."""

_CANDIDATES: Final = 3
"""Members of one event that may hold its name: the event is noted under each."""

_TEXTS: Final = 100
"""Texts of one event that are looked at for its name: each takes some 20 µs where it is none."""

_HOLDERS: Final = 50
"""Objects of one event in which its name is looked for, the outermost first."""

_SHALLOW: Final = 2
"""How deep a name stands at most that is looked for under any member."""

_DEEPEST: Final = 6

_NAMED: Final = 500
"""Members of one event that are looked at for ids."""

_PATHS: Final = 32

_ALL_MEMBERS: Final = 4_000
"""Members of all kinds of events together; once there are so many, no new kind is distinguished."""

NAMELESS: Final[Path] = ()
"""The path that is used if no member was found that names the event."""


class Group(Shape):
    """Events that hold one value in the member `by`."""

    def __init__(self, ids: Ids, by: Path) -> None:
        super().__init__(ids, _MEMBERS)
        self.by = by
        self.name: str | None = None
        """That value, where it may be kept."""


class Observation:
    """The shapes of the events and answers that were seen."""

    def __init__(self) -> None:
        self.ids = Ids()
        self.events = 0
        self.all = Shape(self.ids, 2 * _MEMBERS)
        """All events together."""
        self.groups: dict[tuple[Path, int], Group] = {}
        self.left_out = 0
        """Events of further kinds, which are not distinguished."""
        self.paths: dict[str, int] = {}
        """How many events came on each webhook's path, as that is configured."""
        self.forms: dict[str, int] = {}
        """How many events came in a form, by the form's member."""
        self.answers = Answers(self.ids)

    def event(
        self, document: object, path: str | None = None, form: str | None = None, now: float | None = None
    ) -> None:
        """Take in an event. `path` is the webhook's, as configured; `now` our clock where it came just now."""
        if type(document) is not dict or not document:
            return
        self.events += 1
        if form is not None and not self.ids.is_name(form):
            form = None
        for table, what in ((self.paths, path), (self.forms, form)):
            if what is not None and (what in table or len(table) < _PATHS):
                table[what] = table.get(what, 0) + 1
        self._learn_ids(document)
        found = list(walk(document, self.ids))
        if self._confirm_ids(found):
            found = list(walk(document, self.ids))
        self.all.take_in(found, now)
        for by, value in self._candidates(document):
            key = (by, self.ids.hash(value))
            group = self.groups.get(key)
            if group is None:
                if len(self.groups) >= _GROUPS or self._is_full():
                    self.left_out += 1
                    continue
                group = self.groups[key] = Group(self.ids, by)
            group.take_in(found, now)
            if group.name is None and by and may_keep(value, by[-1], group.count, self.ids, among_words=False):
                group.name = value
                if not words.is_known(value):
                    self.ids.keep(value)

    def look_again(self, document: object) -> None:
        """Look a second time at an event that was taken in: a word may have come before those that show it to be one.

        No text is kept on the chance that it is a word, so that this needs the event itself.
        """
        if type(document) is not dict or not document:
            return
        found = list(walk(document, self.ids))
        self.all.look_again(found)
        for by, value in self._candidates(document):
            group = self.groups.get((by, self.ids.hash(value)))
            if group is not None:
                group.look_again(found)

    def answer(self, route: str, document: object, *, written: bool = False) -> bool:
        """Take in the answer of a route, whether it was worth it; `written`: the route was written by a person."""
        taken, ids = self.answers.add(route, document, written=written)
        if self.ids.possible:
            came = [member.hashes for path, member in self.all.members.items() if members.is_naming(path[-1])]
            ids |= self.ids.confirm(chain.from_iterable(came))
        self._forget(ids)
        return taken

    def _is_full(self) -> bool:
        return sum(len(group.members) for group in self.groups.values()) >= _ALL_MEMBERS

    def _learn_ids(self, document: dict[str, object]) -> None:
        found = set()
        looked_at = chain(document.items(), *(inner.items() for inner in _inner(document)))
        for name, value in islice(looked_at, _NAMED):
            text = usable_text(value) if type(value) is int and members.names_session(name) else value
            if type(text) is str and text and members.is_id(name):
                found.add(self.ids.add(text))
        self._forget({hashed for hashed in found if hashed is not None})

    def _confirm_ids(self, found: list[tuple[Path, object]]) -> bool:
        """Find out which values of lists are ids, by their coming in an event; whether a name turned out to be one."""
        if not self.ids.possible:
            return False
        texts = ((path[-1], usable_text(value)) for path, value in found)
        came = [self.ids.hash(text) for name, text in texts if text is not None and members.is_naming(name)]
        revealed = self.ids.confirm(came)
        self._forget(revealed)
        return bool(revealed)

    def _forget(self, ids: set[int]) -> None:
        """Forget what has turned out to be one of these ids."""
        if not ids:
            return
        revealed = self.ids.reveal(ids)
        self.all.forget(revealed)
        self.answers.forget(revealed)
        for group in self.groups.values():
            group.forget(revealed)
            group.by = revealed.hide(group.by)
            if group.name is not None and self.ids.is_one_of(group.name, revealed.ids):
                group.name = None
        self.groups = {(group.by, hashed): group for (_, hashed), group in self.groups.items()}

    def _candidates(self, document: dict[str, object]) -> list[tuple[Path, str]]:
        """Members that may hold the event's name, with their values; the likeliest first.

        With `NAMELESS` where the only ones stand deep: there they may as well tell a state.
        """
        found: list[tuple[tuple[int, bool, bool, int], Path, str]] = []
        left = _TEXTS
        for holder, node in self._holders(document):
            for name, value in islice(node.items(), 50):
                if type(value) is not str or left == 0:
                    continue
                left -= 1
                if not self._is_step(name) or members.is_private(name):
                    continue
                if words.is_known(value) or (words.is_word(value) and not self.ids.holds(value)):
                    path = (*holder, name)
                    found.append((self._likelihood(path), path, value))
        found.sort()
        shallow = [each for each in found if len(each[1]) <= _SHALLOW]
        if any(members.names_event(path[-1]) for _, path, _ in shallow):
            found = [each for each in found if len(each[1]) <= _SHALLOW or members.names_event(each[1][-1])]
        best = [(path, value) for _, path, value in found[:_CANDIDATES]]
        return best if shallow else [*best[: _CANDIDATES - 1], (NAMELESS, "")]

    def _likelihood(self, path: Path) -> tuple[int, bool, bool, int]:
        """How likely an event's name stands there, the likeliest first, by the member's name and by all events."""
        member = self.all.members.get(path)
        rare = member is None or 2 * member.count < self.events
        constant = member is not None and not member.many and len(member.hashes) == 1
        return members.rank(path[-1], members.EVENTS), rare, constant, len(path)

    def _holders(self, document: dict[str, object]) -> Iterator[tuple[Path, dict[str, object]]]:
        """The objects of an event with their paths, the outermost first; only those whose paths can be written."""
        waiting: list[tuple[Path, dict[str, object]]] = [((), document)]
        for holder, node in waiting:  # grows while it is walked
            yield holder, node
            if len(holder) + 1 >= _DEEPEST:
                continue
            for name, value in islice(node.items(), 50):
                if len(waiting) > _HOLDERS:
                    break
                if isinstance(value, dict) and self._is_step(name):
                    waiting.append(((*holder, name), value))

    def _is_step(self, name: str) -> bool:
        return "." not in name and self.ids.is_name(name)


def _inner(document: dict[str, object]) -> list[dict[str, object]]:
    return [value for value in islice(document.values(), 50) if isinstance(value, dict)]
