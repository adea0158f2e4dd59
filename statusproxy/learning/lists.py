"""The shapes of the gateway's answers: where a list of sessions is, its ids, and the words of its states."""

from typing import Final
from urllib.parse import unquote

from statusproxy.learning import members, times, words
from statusproxy.learning.shapes import Ids, Revealed, Shape
from statusproxy.status.fields import Path, lookup, usable_text

_ROUTES: Final = 24
_MEMBERS: Final = 80
_ELEMENTS: Final = 30
"""Elements of a list that are looked at."""
_IDS: Final = 300
"""Elements whose ids are noted."""
_DEEPEST: Final = 2
_LONGEST_ROUTE: Final = 200
_SUPPOSED: Final = 6
"""Members of a list that may be ids though they are not called like one."""
_LONGEST_ID: Final = 128
_SHORTEST_NUMBER: Final = 4
"""Digits of a number that is no count, where its member is not called like an id."""


class ListShape(Shape):
    """The elements of the lists of one route, or its single objects."""

    def __init__(self, ids: Ids, path: Path, *, one: bool) -> None:
        super().__init__(ids, _MEMBERS)
        self._known = ids
        self.path = path
        """Where the list stands in the answer, or the object."""
        self.one = one
        """Whether the answer is about one session."""
        self.answers = 0
        self.elements = 0
        self.unique: dict[Path, bool] = {}
        """Members that are texts or numbers, and whether no two elements of an answer had the same there."""

    def take(self, elements: list[object]) -> None:
        """Take in the elements of one more answer."""
        self.answers += 1
        elements = [each for each in elements[:_ELEMENTS] if type(each) is dict]
        self.elements += len(elements)
        for path in id_paths(elements, self._known):
            values = [usable_text(lookup(each, path)) for each in elements]
            whole = None not in values and len(set(values)) == len(values)
            self.unique[path] = self.unique.get(path, True) and whole
        for each in elements:
            self.add(each, None)

    def forget(self, revealed: Revealed) -> None:
        """Forget words and names that have turned out to be ids."""
        super().forget(revealed)
        self.path = revealed.hide(self.path)
        self.unique = {revealed.hide(path): whole for path, whole in self.unique.items()}


class Answers:
    """The answers of all routes."""

    def __init__(self, ids: Ids) -> None:
        self.routes: dict[str, ListShape] = {}
        self._ids = ids

    def add(self, route: str, document: object, *, written: bool) -> tuple[bool, set[int]]:
        """Take in an answer, if there is a list of objects in it or the route is about one session.

        Gives whether it was taken in, and the ids in it that show something that is kept to be an id.
        """
        route = route if written else self.template(route)
        if len(route) > _LONGEST_ROUTE:
            return False, set()
        found = find_list(document, self._ids)
        one = found is None and "{session}" in route and type(document) is dict
        if not one and found is None:
            return False, set()
        where, elements = found if found is not None else ((), [document])
        revealed = set() if one else self._learn_ids(elements)
        shape = self.routes.get(route)
        if shape is None or (shape.path, shape.one) != (where, one):
            if shape is None and len(self.routes) >= _ROUTES:
                return False, revealed
            shape = self.routes[route] = ListShape(self._ids, where, one=one)
        shape.take(elements)
        return True, revealed

    def forget(self, revealed: Revealed) -> None:
        """Forget words and names that have turned out to be ids."""
        for shape in self.routes.values():
            shape.forget(revealed)

    def template(self, target: str) -> str:
        """A request's path without its query, with `{session}` for an id and `{_}` for what is not known.

        A segment that holds an id beside something else is cut: `{session}:{_}`.
        """
        path = target.partition("?")[0]
        return "/".join(map(self._segment, path.split("/")))

    def _segment(self, segment: str) -> str:
        segment = unquote(segment)
        if not segment or words.is_known(segment):
            return segment
        if self._ids.hash(segment) in self._ids.seen:
            return "{session}"
        cut = self._ids.cut(segment)
        return "{_}" if cut is None else cut.segment

    def _learn_ids(self, elements: list[object]) -> set[int]:
        elements = elements[:_IDS]
        found = set()
        left = _SUPPOSED
        for path in id_paths(elements, self._ids):
            values = [value for each in elements if (value := usable_text(lookup(each, path))) is not None]
            named = members.rank(path[-1], members.SESSIONS) < len(members.SESSIONS)
            if named or any(self._ids.hash(value) in self._ids.seen for value in values[:_ELEMENTS]):
                found |= {self._ids.add(value, listed=True) for value in values}
            elif (
                left
                and len(values) == len(elements)
                and _may_name(path, values, type(lookup(elements[0], path)) is str)
            ):
                left -= 1
                self._ids.suppose(values)
        return {hashed for hashed in found if hashed is not None}


def _may_name(path: Path, values: list[str], are_texts: bool) -> bool:
    """Whether these may be ids, though their member is not called like one: all distinct, no words, times or counts."""
    if len(values) < 2 or len(set(values)) < len(values) or not all(map(members.is_naming, path)):
        return False
    if not are_texts and all(len(value) < _SHORTEST_NUMBER for value in values):
        return False
    looked_at = values[:_ELEMENTS]
    known = sum(map(words.is_known, looked_at))
    return 2 * known < len(looked_at) and not any(
        times.read(value, None) or len(value) > _LONGEST_ID for value in looked_at
    )


def find_list(document: object, ids: Ids, where: Path = ()) -> tuple[Path, list[object]] | None:
    """The longest list of objects in an answer, and where it stands."""
    if type(document) is list:
        objects = bool(document) and all(type(each) is dict for each in document[:_ELEMENTS])
        return (where, document) if objects else None
    if type(document) is not dict or len(where) >= _DEEPEST:
        return None
    found = [
        find_list(value, ids, (*where, key))
        for key, value in list(document.items())[:50]
        if ids.is_name(key) and type(value) in (dict, list)
    ]
    return max((each for each in found if each is not None), key=lambda each: len(each[1]), default=None)


def id_paths(elements: list[object], ids: Ids) -> list[Path]:
    """Members, at most two deep, that hold a text or a number in the first element."""
    paths: list[Path] = []
    first = elements[0] if elements else None
    for key, value in list(first.items())[:50] if isinstance(first, dict) else ():
        if type(value) is dict:
            paths += [(key, name) for name, inner in list(value.items())[:50] if usable_text(inner) is not None]
        elif usable_text(value) is not None:
            paths.append((key,))
    return [path for path in paths if all("." not in step and ids.is_name(step) for step in path)]
