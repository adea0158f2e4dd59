"""Where the elements of a list stand in the document, found from what `msgspec` gives: the elements, not their places.

A document is walked only where the elements do not tell their places (other separators between them than the first).
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Sequence
from itertools import accumulate
from typing import Final

import msgspec
from msgspec import Raw

from statusproxy.status.json_spans import Span, as_text, elements
from statusproxy.status.long_spans import WINDOW, elements_in_steps
from statusproxy.status.long_values import after_blank, prepare

FEW: Final = 8
"""Channels looked up one by one. Beyond, a table of all is made: it takes as long as so many look-ups."""


class Spans:
    """Where some channels stand: how long each is, and what is between two of them."""

    __slots__ = ("_asked", "_first", "_separator", "_sizes", "_starts")

    def __init__(self, first: int, sizes: list[int], separator: int, starts: Sequence[int] | None = None) -> None:
        """`starts` is given where something else than `separator` bytes stands between some of them."""
        self._first = first
        self._sizes = sizes
        self._separator = separator
        self._starts = starts
        self._asked = 0

    def __getitem__(self, index: int) -> Span:
        if self._starts is None:
            self._asked += 1
            if self._asked <= FEW:
                start = self._first + sum(self._sizes[:index]) + index * self._separator
                return start, start + self._sizes[index]
            steps = map(self._separator.__add__, self._sizes)
            self._starts = array("Q", accumulate(steps, initial=self._first))
        start = self._starts[index]
        return start, start + self._sizes[index]


class Layout(msgspec.Struct, frozen=True):
    """How a list stands in the document, proven equal to it byte for byte."""

    first: int
    separator: int
    """The length of what stands between two elements."""
    end: int


def lay_out(document: bytes, position: int, raws: Sequence[Raw]) -> Layout | None:
    """Lay a list's elements over the `[` at `position`; `None` if they are not what stands there.

    `msgspec` gives the elements but not their places. So the elements are joined by the separator that follows the
    first, and only if that is what the document holds are their lengths trusted: each element is then followed by a
    comma or by the end of the list.
    """
    first = after_blank(document, position + 1)
    separator = b","
    if len(raws) > 1:
        after = first + len(raws[0])
        comma = after_blank(document, after)
        separator = document[after : after_blank(document, comma + 1)]
    joined = separator.join(raws)
    last = after_blank(document, first + len(joined))
    if not document.startswith(b"]", last) or not document.startswith(joined, first):
        return None
    return Layout(first, len(separator), last + 1)


def found_spans(
    document: bytes, start: int, layout: Layout | None, raws: Sequence[Raw], offset: int
) -> Generator[None, None, Spans]:
    """Where the elements `raws` of the list at `start` stand, plus `offset`; yields after each short step.

    The document is walked where the elements could not be laid over it.
    """
    if layout is None:
        if len(document) <= WINDOW:
            found = list(elements(as_text(document), start))
        else:
            yield from prepare()
            found = yield from elements_in_steps(document, start)
        return as_spans((first + offset, last + offset) for first, last in found)
    return Spans(layout.first + offset, list(map(len, raws)), layout.separator)


def given_spans(spans: Iterable[Span]) -> Generator[None, None, Spans]:
    """Spans that are known, as steps that find them."""
    yield from ()
    return as_spans(spans)


def as_spans(spans: Iterable[Span]) -> Spans:
    """These spans, compact."""
    starts: list[int] = []
    sizes: list[int] = []
    for start, end in spans:
        starts.append(start)
        sizes.append(end - start)
    return Spans(0, sizes, 0, starts)
