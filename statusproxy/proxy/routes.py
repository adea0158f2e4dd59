"""The route table: which configured route a request matches.

Paths compare as Express compares them: each segment percent-decoded, case ignored, one slash at the end allowed,
the query ignored. What a template's `{session}` takes keeps its own case; templates are taken apart by
`config.templates`.
"""

from collections.abc import Sequence
from typing import Final, Generic, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from statusproxy.config.templates import begins, parse_template
from statusproxy.observe.exchange_report import HIDDEN, RouteKind, path_of
from statusproxy.status.session_cut import Cut

Entry = TypeVar("Entry")


class Route(msgspec.Struct, Generic[Entry], frozen=True):
    """One configured route: the methods and path template it serves, and the configuration `entry` behind it."""

    kind: RouteKind
    methods: frozenset[str]
    path: str
    entry: Entry


class Match(msgspec.Struct, Generic[Entry], frozen=True):
    """The result of a look-up; `session` is the id in the path, decoded, if the template has one.

    `template` is the route's path as the configuration has it. Where no route fits it is None, or says that no part of
    the path may be shown.
    """

    kind: RouteKind
    entry: Entry | None = None
    session: str | None = None
    template: str | None = None


#: Answers remembered by method and raw path; the whole memory is dropped when it is full.
_REMEMBERED: Final = 4096

#: Bytes of a path worth remembering: made-up ones, as long as targets may be, would fill the memory.
_MEMORABLE: Final = 256


class RouteTable(Generic[Entry]):
    """Finds the route of a request; the first configured that fits wins.

    `cut` tells how an id is cut from a secret beside it, also where a route's path has `{session}` alone.
    """

    __slots__ = ("_cut", "_memory", "_pass", "_routes", "_secrets")

    def __init__(self, routes: Sequence[Route[Entry]], cut: Cut | None = None) -> None:
        self._cut = cut
        self._routes = [(route, parse_template(route.path)) for route in routes]
        self._memory: dict[tuple[str, bytes], Match[Entry]] = {}
        # A path that begins so may hold a secret.
        self._secrets = tuple(dict.fromkeys(filter(None, (template.up_to_secret for _, template in self._routes))))
        hides_all = any(len(steps) == 1 for steps in self._secrets)
        self._pass: Match[Entry] = Match(RouteKind.PASS, template=HIDDEN if hides_all else None)

    def match(self, method: str, target: bytes) -> Match[Entry]:
        """The match for a request line's method and target."""
        key = (method, target.partition(b"?")[0])
        found = self._memory.get(key)
        if found is None:
            path = segments(key[1])
            found = self._find(method, path)
            if len(key[1]) <= _MEMORABLE and not self._may_hold_secret(path):
                if len(self._memory) >= _REMEMBERED:
                    self._memory.clear()
                self._memory[key] = found
        return found

    def _find(self, method: str, path: tuple[str, ...]) -> Match[Entry]:
        for route, template in self._routes:
            if method in route.methods and template.takes(path):
                session = template.session(path)
                if session is not None and self._cut is not None:
                    session = self._cut.bare(session)
                    if session is None:
                        continue  # a secret alone
                return Match(route.kind, route.entry, session, route.path)
        return self._pass

    def _may_hold_secret(self, path: tuple[str, ...]) -> bool:
        if self._cut is not None and any(self._cut.separator in segment for segment in path):
            return True
        return any(begins(path, steps) for steps in self._secrets)


def segments(path: bytes) -> tuple[str, ...]:
    """The decoded segments of a target's path; a `%2F` stays inside its segment."""
    path = path_of(path)
    if b"%" in path:
        parts = [unquote_to_bytes(part).decode(errors="surrogateescape") for part in path.split(b"/")[1:]]
    else:  # at once: a target that is all slashes has thousands of them
        parts = path.decode(errors="surrogateescape").split("/")[1:]
    if parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def raw_below(target: bytes, index: int) -> bytes:
    """A target's path from a segment on, as it came, with the slash before it; empty where the path ends before."""
    return b"".join(b"/" + part for part in path_of(target).split(b"/")[index:])


def raw_segment(target: bytes, index: int) -> bytes:
    """A segment of a target's path as it came, percent-encoded or not; index 1 is the first after the slash."""
    return path_of(target).split(b"/")[index]
