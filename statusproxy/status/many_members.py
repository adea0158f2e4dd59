"""A document of very many members, decoded in short steps: tens of thousands at once would hold everything else up.

No event has so many; only a sender that means harm, or one that is broken, sends them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from functools import cache
from typing import Any, Final

import msgspec

MOST_AT_ONCE: Final = 30_000
"""Members and arrays that are decoded in one go: 8 ms at most."""

_FEW: Final = 256
"""Members that are searched for one by one before the rest is counted."""

_WINDOW: Final = 64 * 1024
"""Bytes decoded or passed over between two yields: 2 ms at most."""


def has_many(document: bytes) -> bool:
    """Whether there may be more members and arrays than are decoded at once, told by colons and brackets."""
    return len(document) > 2 * MOST_AT_ONCE and _count(document, b":") + _count(document, b"[") > MOST_AT_ONCE


def _count(document: bytes, mark: bytes) -> int:
    """How often a character stands in a document.

    A message with a picture has few of them. To find those takes a tenth of the time of counting byte by byte.
    """
    position = -1
    for number in range(_FEW):
        position = document.find(mark, position + 1)
        if position < 0:
            return number
    return _FEW + document.count(mark, position + 1)


def decode_in_steps(
    document: bytes, decode: Callable[[bytes], Any], array: Callable[..., Any], deepest: int
) -> Generator[None, None, Any]:
    """Decode as `decode` does, except for arrays `array(first element)` or `array()`; yields after each short step.

    Objects further in one another than `deepest` are left out. Raises ValueError where the document is not JSON.
    """
    _raw.decode(document)  # from here on every bracket and quote has its partner
    yield
    for pattern in (_plain, _members):  # compiled by the first such document of a process, for some milliseconds each
        pattern()
        yield
    value, _ = yield from _Reader(document, decode, array).value(_after_space(document, 0), deepest)
    return value


class _Reader:
    """Reads one document that is known to be JSON."""

    __slots__ = ("_array", "_decode", "_document", "_turns")

    def __init__(self, document: bytes, decode: Callable[[bytes], Any], array: Callable[..., Any]) -> None:
        self._document = document
        self._decode = decode
        self._array = array
        self._turns = 0

    def value(self, position: int, deepest: int) -> Generator[None, None, tuple[Any, int]]:
        """The value at a position, and where it ends."""
        document = self._document
        first = document[position : position + 1]
        if first == b"{":
            if deepest == 0:
                return None, (yield from self._end(position + 1))
            return (yield from self._object(_after_space(document, position + 1), deepest - 1))
        if first == b"[":
            position = _after_space(document, position + 1)
            if document.startswith(b"]", position):
                return self._array(), position + 1
            element, position = yield from self.value(position, deepest)
            return self._array(element), (yield from self._end(position))
        end = _match(_SCALAR, document, position)
        return self._decode(document[position:end]), end

    def _object(self, position: int, deepest: int) -> Generator[None, None, tuple[dict[str, Any], int]]:
        """The object whose first member, or end, stands at a position."""
        document = self._document
        members: dict[str, Any] = {}
        while not document.startswith(b"}", position):
            end = _match(_members(), document, position, position + _WINDOW)
            self._turns += 1
            if end - position > _SMALL or self._turns > _TURNS:
                self._turns = 0
                yield
            if end > position:
                members |= self._decode(b"{%b}" % document[position:end].removesuffix(b","))
            else:  # one that is long, or has much in it
                name = _match(_NAME, document, position)
                colon = document.index(b":", name)
                value, end = yield from self.value(_after_space(document, colon + 1), deepest)
                members[self._decode(document[position:name])] = value
                end = _after_space(document, end)
                end += document.startswith(b",", end)
            position = _after_space(document, end)
        return members, position + 1

    def _end(self, position: int) -> Generator[None, None, int]:
        """Where the object or array ends in which this position is."""
        document, depth, spent = self._document, 1, 0
        while depth:
            before = position
            position = _match(_plain(), document, position, position + _WINDOW)
            if position == before and document.startswith(b'"', position):  # a long string
                position = _match(_NAME, document, position)
            elif document.startswith((b"{", b"["), position):
                depth += 1
                position += 1
            elif document.startswith((b"}", b"]"), position):
                depth -= 1
                position += 1
            spent += position - before + _TURN
            if spent > _WINDOW:
                spent = 0
                yield
        return position


def _after_space(document: bytes, position: int) -> int:
    return _match(_SPACE, document, position)


def _match(pattern: re.Pattern[bytes], document: bytes, position: int, end: int | None = None) -> int:
    """Where a match that begins here ends; it may be empty."""
    match = pattern.match(document, position, len(document) if end is None else end)
    assert match is not None
    return match.end()


_SMALL: Final = 1024
"""Bytes of members that are decoded before anything yields."""

_NESTED: Final = 24
"""Objects and arrays in one another that are decoded with others; deeper ones are looked into one by one."""

_TURNS: Final = 64
"""Objects of a few members that are looked into between two yields."""

_TURN: Final = 64
"""Bytes for which each turn of a loop counts."""

# Atomic groups (`(?>…)`) and possessive quantifiers (`*+`) never go back, so that no input makes a match take more than
# one pass. A group itself is never possessive: `tests/quality/test_patterns.py` says why.
_BLANK: Final = rb"[ \t\n\r]*+"
_STRING: Final = rb'"[^"\\]*+(?>(?:\\.[^"\\]*+)*)"'


def _nested(depth: int) -> bytes:
    """The pattern of an object or array with others in it, down to this depth."""
    inner = b"|" + _nested(depth - 1) if depth > 1 else b""
    return rb'[{\[](?>(?:[^"{}\[\]]++|' + _STRING + inner + rb")*)[}\]]"


_SPACE: Final = re.compile(_BLANK)
_NAME: Final = re.compile(_STRING, re.DOTALL)
_SCALAR: Final = re.compile(_STRING + rb"|[^ \t\n\r,}\]]++", re.DOTALL)


# These two take some milliseconds to compile, and few services ever meet such a document: `decode_in_steps` has each
# compiled in a step of its own.


@cache
def _plain() -> re.Pattern[bytes]:
    """What stands between brackets."""
    return re.compile(rb'(?>(?:[^"{}\[\]]++|' + _STRING + rb"|" + _nested(_NESTED) + rb")*)", re.DOTALL)


@cache
def _members() -> re.Pattern[bytes]:
    """Whole members of an object, each with what ends it."""
    value = rb"(?:" + _STRING + rb'|[^"{}\[\],]++|' + _nested(_NESTED) + rb")"
    return re.compile(
        rb"(?>(?:" + _BLANK + _STRING + _BLANK + rb":" + _BLANK + value + _BLANK + rb"(?:,|(?=})))*)", re.DOTALL
    )


_raw: Final = msgspec.json.Decoder(msgspec.Raw)
