"""The route table: which configured route a request matches.

Paths compare as Express compares them: each segment percent-decoded, case ignored, one slash at the end allowed,
the query ignored. A template's `{session}` takes one whole segment, whose own case stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import unquote_to_bytes

from statusproxy.observe.exchange_report import Kind, path_of

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Route(Generic[Entry]):
    """One configured route: the methods and path template it serves, and the configuration `entry` behind it."""

    kind: Kind
    methods: frozenset[str]
    path: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Match(Generic[Entry]):
    """The result of a look-up; `session` is the id in the path, decoded, if the template has one.

    `template` is the route's path as the configuration has it, None where no route fits.
    """

    kind: Kind
    entry: Entry | None = None
    session: str | None = None
    template: str | None = None


#: Answers remembered by method and raw path; the whole memory is dropped when it is full.
_REMEMBERED: Final = 4096

#: Bytes of a path worth remembering: made-up ones, as long as targets may be, would fill the memory.
_MEMORABLE: Final = 256

#: Segments that name nothing, but say where a path leads (RFC 3986 §3.3).
_NO_SESSIONS: Final = frozenset({"", ".", ".."})


class RouteTable(Generic[Entry]):
    """Finds the route of a request; the first configured that fits wins."""

    __slots__ = ("_memory", "_routes")

    def __init__(self, routes: Sequence[Route[Entry]]) -> None:
        self._routes = [(route, _template(route.path)) for route in routes]
        self._memory: dict[tuple[str, bytes], Match[Entry]] = {}

    def match(self, method: str, target: bytes) -> Match[Entry]:
        """The match for a request line's method and target."""
        key = (method, target.partition(b"?")[0])
        found = self._memory.get(key)
        if found is None:
            found = self._find(method, segments(key[1]))
            if len(key[1]) <= _MEMORABLE:
                if len(self._memory) >= _REMEMBERED:
                    self._memory.clear()
                self._memory[key] = found
        return found

    def _find(self, method: str, path: tuple[str, ...]) -> Match[Entry]:
        for route, template in self._routes:
            if method not in route.methods or len(template) != len(path):
                continue
            session = None
            for wanted, segment in zip(template, path, strict=True):
                if wanted is None:
                    if segment in _NO_SESSIONS:
                        break
                    session = segment
                elif wanted != segment.casefold():
                    break
            else:
                return Match(route.kind, route.entry, session, route.path)
        return Match(Kind.PASS)


def segments(path: bytes) -> tuple[str, ...]:
    """The decoded segments of a target's path; a `%2F` stays inside its segment."""
    parts = [unquote_to_bytes(part).decode(errors="surrogateescape") for part in path_of(path).split(b"/")[1:]]
    if parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def raw_segment(target: bytes, index: int) -> bytes:
    """A segment of a target's path as it came, percent-encoded or not; index 1 is the first after the slash."""
    return path_of(target).split(b"/")[index]


def _template(path: str) -> tuple[str | None, ...]:
    """A path template's segments, case-folded; None where any one segment fits."""
    return tuple(None if segment == "{session}" else segment.casefold() for segment in segments(path.encode()))
