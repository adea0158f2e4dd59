"""Cut a large JSON document along its arrays' elements, in short steps, so that each piece is read by itself.

No decoder can be interrupted: one call for a list of 30 MB holds everything else up for a third of a second. So the
document is cut first. An array that is not part of another one is divided at commas between its elements; what
remains without the arrays is the *frame*, a small document in which a number stands for the content of each array.

Cutting looks at brackets, quotes and commas only. What is between the cuts is judged when it is decoded. Every
byte of the document is in the frame or in one piece, so the document is JSON if and only if all of these are.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from itertools import pairwise
from typing import Final

import msgspec

PIECE: Final = 128 * 1024
"""Bytes from one cut to the next, about. Decoding so many takes 0.5 ms, and 5 ms where every element is `{}`."""

LARGEST: Final = 2 * 1024 * 1024
"""Bytes of the largest piece, and of the largest frame. An element cannot be cut, and decoding so many bytes takes some
10 ms. A real channel has some hundred bytes, with a picture in it some hundred thousand."""

_WINDOW: Final = 64 * 1024
"""Bytes that one match looks at: 0.2 ms at most."""

_STEP: Final = 64 * 1024
"""Bytes between two yields, 6 ms where every element is `[]`; each turn counts for `_TURN` bytes more."""
_TURN: Final = 128

_ARRAYS: Final = 16_384
"""Arrays that are not part of another one. An answer has a handful."""


class TooLargeError(ValueError):
    """An element, or what is around the arrays, is larger than `LARGEST`; or there are too many arrays."""


class CutArray(msgspec.Struct):
    """An array of the document."""

    start: int
    """Where its `[` stands."""
    end: int
    """The position after its `]`."""
    commas: list[int]
    """Where it is cut: the places of some commas between elements, ascending."""

    def pieces(self) -> list[tuple[int, int]]:
        """The places of its content, piece by piece."""
        edges = [self.start, *self.commas, self.end - 1]
        return [(first + 1, last) for first, last in pairwise(edges)]


class Cut(msgspec.Struct):
    """A document cut into pieces."""

    frame: bytes
    """The document, with the index into `arrays` in place of each array's content."""
    arrays: list[CutArray]


def cut(document: bytes, piece: int = PIECE, largest: int = LARGEST) -> Generator[None, None, Cut]:
    """Cut a document; yields after each short step.

    Raises ValueError if its brackets or quotes do not match, and `TooLargeError`.
    """
    frame = _Frame(document)
    depth = 0  # 0 outside of arrays, 1 between the elements of one
    begun = 0  # where the present array or piece began
    quoted = False  # within a string that is longer than a window
    window = max(2, min(_WINDOW, piece))  # an escape has two bytes
    position, spent, end = 0, 0, len(document)
    while position < end:
        before = position
        if quoted:
            position = _end(_IN_STRING, document, position, window)
            if document.startswith(b'"', position):
                quoted = False
                position += 1
        elif depth == 0:
            position = _end(_AROUND, document, position, window)
        else:
            if depth == 1:
                position = _end(_ELEMENTS, document, position, window)
                if position > before and position - begun > piece:
                    frame.divide(position - 1, begun)
                    begun = position
            position = _end(_PLAIN, document, position, window)
        if (position - begun if depth else frame.size(position)) > largest:
            raise TooLargeError
        here = document[position : position + 1]
        if quoted or not here:
            pass
        elif here == b'"':  # its end is not within the window
            quoted = True
            position += 1
        elif here == b"[" and depth == 0:
            frame.open(position)
            position += 1
            begun, depth = position, 1
        elif here in b"[{":
            position += depth > 0
            depth += depth > 0
        elif here in b"]}" and depth > 0:
            depth -= 1
            if depth == 0:
                frame.close(position, begun)
            position += 1
        if position == before and depth + quoted:
            raise ValueError("a string does not end")
        spent += position - before + _TURN
        if spent > _STEP:
            spent = 0
            yield
    if depth or quoted:
        raise ValueError("an array or a string does not end")
    return frame.cut()


class _Frame:
    """The document without the content of its arrays, as far as it was read, and these arrays."""

    __slots__ = ("_document", "_end", "_parts", "_size", "arrays")

    def __init__(self, document: bytes) -> None:
        self._document = document
        self._parts: list[bytes] = []
        self._size = 0  # of the parts
        self._end = 0  # the document is in them up to here
        self.arrays: list[CutArray] = []

    def size(self, position: int) -> int:
        """Its size up to `position`, which lies in no array."""
        return self._size + position - self._end

    def open(self, position: int) -> None:
        """An array begins at `position`. Raises `TooLargeError`."""
        index = len(self.arrays)
        if index == _ARRAYS:
            raise TooLargeError
        number = b"%d]" % index
        self._parts += (self._document[self._end : position + 1], number)
        self._size += position + 1 - self._end + len(number)
        self.arrays.append(CutArray(position, 0, []))

    def divide(self, comma: int, begun: int) -> None:
        """The last array is cut at a comma, before which a piece began at `begun`. Raises ValueError."""
        if self._is_blank(begun, comma):
            raise ValueError("no element ends before a comma")
        self.arrays[-1].commas.append(comma)

    def close(self, position: int, begun: int) -> None:
        """The last array ends at `position`, and its last piece began at `begun`. Raises ValueError."""
        array = self.arrays[-1]
        no_element = array.commas and self._is_blank(begun, position)
        if self._document[position : position + 1] != b"]" or no_element:
            raise ValueError("an array does not end as it must")
        array.end = self._end = position + 1

    def _is_blank(self, begun: int, end: int) -> bool:
        return not self._document[begun:end].strip(_SPACE)

    def cut(self) -> Cut:
        """The whole document, once all of it was read."""
        return Cut(b"".join((*self._parts, self._document[self._end :])), self.arrays)


def _end(pattern: re.Pattern[bytes], document: bytes, position: int, window: int) -> int:
    match = pattern.match(document, position, position + window)
    assert match is not None
    return match.end()


_SPACE: Final = b" \t\n\r"

# Atomic groups (`(?>…)`) and possessive quantifiers (`*+`) never go back, so that no input makes a match take more than
# one pass. A group itself is never possessive: `tests/quality/test_patterns.py` says why.
_STRING: Final = rb'"[^"\\]*+(?>(?:\\.[^"\\]*+)*)"'


def _nested(depth: int) -> bytes:
    """The pattern of an object or array with others in it, down to this depth."""
    inner = b"|" + _nested(depth - 1) if depth > 1 else b""
    return rb'[{\[](?>(?:[^"{}\[\]]++|' + _STRING + inner + rb")*)[}\]]"


_IN_STRING: Final = re.compile(rb'(?>(?:[^"\\]++|\\.)*)', re.DOTALL)
_AROUND: Final = re.compile(rb'(?>(?:[^"\[]++|' + _STRING + rb")*)", re.DOTALL)
_PLAIN: Final = re.compile(rb'(?>(?:[^"{}\[\]]++|' + _STRING + rb")*)", re.DOTALL)
_ELEMENTS: Final = re.compile(
    rb"(?>(?:[ \t\n\r]*+(?>(?:" + _STRING + rb'|[^"{}\[\],]++|' + _nested(4) + rb")?)[ \t\n\r]*+,)*)", re.DOTALL
)
"""Whole elements, each with the comma behind it."""
