"""Find a few channels of a list by their ids, without reading the others.

Most answers are corrected for one session or two, and thousands of other channels pass. One pass of `msgspec`, which
skips what it reads, proves that the document is JSON; a search among the bytes finds the ids; and only the objects in
which one stands are decoded. What this cannot tell for certain is left to `list_reader`, which reads every id.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Generator, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from statusproxy.status.fields import Path, first_scalar
from statusproxy.status.json_spans import Span, after_value, as_text
from statusproxy.status.list_reader import SMALL
from statusproxy.status.member_types import (
    ARRAY,
    attribute,
    first_byte,
    follow_steps,
    members_decoder,
    steps_along,
    tree,
)
from statusproxy.status.steps import at_once

MOST: Final = 8
"""Ids that are looked for. Each takes a search through the whole document, so that more are found sooner by reading
every channel."""

_PLACES: Final = 32
"""Places in the document at which one of the ids stands. A channel's object has its id in one member or two."""

_LONGEST_KNOWN: Final = 2048
"""Bytes of the longest object that is remembered with its id. Most are the same in the next answer."""

_MOST_KNOWN: Final = 64
"""Objects remembered."""

_TRIES: Final = 16
"""Positions looked at as an object's start, the nearest first: there are objects within objects."""

_PASSES: Final = 2
"""Of these, positions that may be one. Each takes a pass over what is before it."""

_PIECE: Final = 128 * 1024
"""Bytes of a piece, about: at most twice as many. A piece takes 0.2 ms, and 5 ms where every element is `{}`."""

_LONGEST_NAME: Final = 64
"""Bytes in which the name of an object's first member ends. Where it is longer, any comma before an object counts."""

_LONGEST: Final = 64 * 1024
"""Bytes of a channel's object that are looked at for its end, where that is not seen at once."""


class _Search(NamedTuple):
    """What is looked for. A value, since others may look for something else between two steps."""

    names: tuple[str, ...]
    written: Sequence[bytes]
    """Each id as it would be written; none where they cannot be looked for."""


class NamedElements:
    """Finds channels for one rule; its decoders built."""

    def __init__(self, lists: tuple[Path, ...], ids: tuple[Path, ...]) -> None:
        """`lists`: where the channels are; `ids`: the members that may name one. The first that is there counts."""
        self._ids = ids
        self._last = _Search((), ())  # there are mostly the same ids as before
        self._channels: dict[bytes, str | None] = {}
        self._is_list = () in lists
        members = tree(lists)
        self._document = members_decoder(members)
        self._paths = [(attribute(path[0]), steps_along(members[path[0]], path[1:])) for path in lists if path]

    def find(self, body: bytes, names: tuple[str, ...]) -> Mapping[str, Sequence[Span]] | None:
        """Where the channels with exactly these ids stand in an answer of up to `SMALL` bytes that lists all channels.

        None if any of them is not found, or if this search cannot tell: every channel must be read then. Never raises.
        """
        search = self._search_for(names)
        if not search.written or len(body) > SMALL:
            return None
        places = _places(search, body, 0, len(body))
        if len(places) < len(names) or len(places) > _PLACES:
            return None
        try:
            listed = self._list(body)
            start = None if listed is None else _place(body, listed)
            if listed is None or start is None:
                return None
            return at_once(self._objects(body, (start, start + len(listed) - 1), (), search.names, places))
        except (ValueError, RecursionError):
            return None

    def find_in_steps(
        self, body: bytes, names: tuple[str, ...]
    ) -> Generator[None, None, Mapping[str, Sequence[Span]] | None]:
        """The same for an answer of any length. Yields after each short step.

        The document is cut at commas that seem to stand between two elements. What remains without the middle must be
        JSON with a list that goes on at the first comma, and each piece must be elements. Then the whole is JSON, and
        each comma stands between two elements of the list: where the first piece ends in an array, only elements can
        make it go on.
        """
        if len(body) <= SMALL:
            return self.find(body, names)
        search = self._search_for(names)
        cuts = _cuts(body) if search.written else None
        if not cuts:
            return None
        places: list[int] = []
        for first, last in pairwise((0, *cuts, len(body))):
            places += _places(search, body, first, last)
            if len(places) > _PLACES:
                return None
            yield
        if len(places) < len(names):
            return None
        try:
            rest = body[: cuts[0]] + body[cuts[-1] :]
            listed = self._list(rest)
            start = None if listed is None else _place(rest, listed)
            if listed is None or start is None:
                return None
            end = start + len(listed) - 1 + len(body) - len(rest)
            if not start < cuts[0] <= cuts[-1] < end:
                return None
            _skip(b"[%b]" % body[start + 1 : cuts[0]])
            for first, last in pairwise(cuts):
                yield
                _skip(b"[0%b]" % body[first:last])
            yield
            return (yield from self._objects(body, (start, end), cuts, search.names, places))
        except (ValueError, RecursionError):
            return None

    def _search_for(self, names: tuple[str, ...]) -> _Search:
        if names != self._last.names:
            possible = 0 < len(names) <= MOST and all(map(_SEARCHABLE, names))
            self._last = _Search(names, [b'"%b"' % name.encode() for name in names] if possible else ())
        return self._last

    def _list(self, body: bytes) -> Raw | None:
        """The list as it is written. ValueError if the document is not JSON."""
        if body.startswith(b"["):
            return _skip(body) if self._is_list else None
        document = self._document(body)
        for name, steps in self._paths:
            node = follow_steps(getattr(document, name), steps)
            if node is not None and first_byte(node) == ARRAY:
                return node
        return None

    def _objects(
        self, body: bytes, listed: Span, cuts: Sequence[int], names: tuple[str, ...], places: Iterable[int]
    ) -> Generator[None, None, Mapping[str, Sequence[Span]] | None]:
        """The channels to look for in the list between two brackets; the places are where an id stands.

        At `cuts` there are commas between elements of the list. Yields after each place: up to two pieces are passed
        over for it.
        """
        start, last = listed
        found: dict[str, list[Span]] = {name: [] for name in names}
        end = start + 1
        before = b"["  # what stands for the list up to `end`
        for place in places:
            if place < end:
                continue
            if place > last:
                break
            cut = bisect_left(cuts, place)
            if cut and cuts[cut - 1] > end:
                end, before = cuts[cut - 1], b"[0"
            first = _element(body, before, end, place)
            if first is None:
                return None
            channel, end = self._channel(body, first, place, last)
            if end <= place:
                return None
            if channel in found:
                found[channel].append((first, end))
            before = b"[0"
            yield
        return found if all(found.values()) else None

    def _channel(self, body: bytes, first: int, place: int, last: int) -> tuple[str | None, int]:
        """The id in the object that begins at `first`, and where that ends; ValueError if it is not read easily."""
        end = body.find(b"},{", place, min(last, first + _LONGEST)) + 1 or last
        if end - first <= _LONGEST:
            written = body[first:end]
            if written in self._channels:
                return self._channels[written], end
            if written.endswith(b"}"):
                try:
                    document = _quick(written)
                except ValueError:  # this is not its end, or it holds what the quick decoder refuses
                    pass
                else:
                    return self._remember(written, first_scalar(document, self._ids)), end
        end = first + after_value(as_text(body[first : first + _LONGEST]), 0)
        return first_scalar(_quick(body[first:end]), self._ids), end

    def _remember(self, written: bytes, channel: str | None) -> str | None:
        if len(written) <= _LONGEST_KNOWN:
            if len(self._channels) == _MOST_KNOWN:
                self._channels.clear()
            self._channels[written] = channel
        return channel


def _places(search: _Search, body: bytes, first: int, last: int) -> list[int]:
    """The places in a part of the document at which the ids stand. Too many where an id may be written otherwise, or
    where there are too many.
    """
    if body.find(b"\\", first, last) >= 0 and _ESCAPED(body, first, last) is not None:
        return _TOO_MANY
    places: list[int] = []
    for wanted in search.written:
        place = body.find(wanted, first, last)
        while place >= 0:
            places.append(place)
            if len(places) > _PLACES:
                return _TOO_MANY
            place = body.find(wanted, place + len(wanted), last)
    if len(search.written) > 1:
        places.sort()
    return places


def _cuts(body: bytes) -> list[int]:
    """Where to cut a document: at a comma between objects that begin like the first one in a list, about `_PIECE` bytes
    from one to the next. None if that makes no pieces of short steps.
    """
    first = body.find(b"[{", 0, _PIECE) + 1
    head = body[first : body.find(b":", first, first + _LONGEST_NAME) + 1]
    seam = b"},%b" % head
    if body.find(seam, first, first + _LONGEST) < 0:
        seam = b"}, %b" % head
    cuts: list[int] = []
    at = _PIECE
    while (cut := body.find(seam, at, at + _PIECE) + 1) > 0:
        cuts.append(cut)
        at = cut + _PIECE
    return cuts if len(body) < at + _PIECE else []


def _place(body: bytes, listed: Raw) -> int | None:
    """Where a list begins of which the document is known to hold a copy; `None` if that may be several places."""
    last = len(body) - len(listed) + 1
    start = body.find(b"[", 0, last)
    other = body.find(b"[", start + 1, last)
    if other < 0:
        return start
    written, starts = bytes(listed), []
    for _ in range(_PLACES):
        if body.startswith(written, start):
            starts.append(start)
        if other < 0:
            return starts[0] if len(starts) == 1 else None
        start, other = other, body.find(b"[", other + 1, last)
    return None


def _element(body: bytes, before: bytes, end: int, place: int) -> int | None:
    """Where the list's element begins in which `place` is, if it is an object.

    Up to `end` the list is the same as `before`. An element begins where the list would go on with any other value:
    if what is before it and a number are a list. (A number in its place could go on with digits before it, but an
    object, which stands there, could not.)
    """
    first, passes = place, 0
    for _ in range(_TRIES):
        first = body.rfind(b"{", end, first)
        if first < 0 or passes == _PASSES:
            return None
        if body[first - 1] in _BEFORE:
            try:
                _skip(b"".join((before, memoryview(body)[end:first], b"0]")))
            except ValueError:
                passes += 1
            else:
                return first
    return None


_TOO_MANY: Final = [0] * (_PLACES + 1)
_BEFORE: Final = b"[, \t\n\r"
"""What may stand before an element."""

_SEARCHABLE: Final = re.compile(r"(?![-+.0-9e]*\Z)[ !#-.0-\[\]-~]+\Z").match
"""An id that is always written like this between quotes, unless characters of it are written as `\\u00` and two digits.
Other ids may be numbers in the document, or need an escape, or be written in bytes that are not UTF-8."""

_ESCAPED: Final = re.compile(rb"\\u00[2-7]").search
"""A character of such an id, written as an escape."""

_quick: Final = msgspec.json.Decoder().decode
_skip: Final = msgspec.json.Decoder(Raw).decode
