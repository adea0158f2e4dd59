"""Walk a long JSON value in short steps: where it ends, and where the members in it do.

For documents that are known to be JSON. Each match looks at a window of some kilobytes, and a generator here yields
after each few of them: one call for 1 MB of small members takes half a second otherwise. Positions count bytes.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from functools import cache
from typing import Final

Walk = Generator[None, None, int]
"""Yields after short steps; gives the position after a value."""

_SKIPPED: Final = 64 * 1024
"""Bytes passed over between two yields: 2 ms at most."""

_TURN: Final = 64
"""Bytes for which each turn of a loop counts."""

_NESTED: Final = 24
"""Objects and arrays in one another that are passed over with others; deeper ones are looked into one by one."""


def after_blank(document: bytes, position: int) -> int:
    """The position after white space."""
    return _match(_BLANKS, document, position)


def value_end(document: bytes, position: int) -> Walk:
    """The position after the value at `position`."""
    first = document[position : position + 1]
    if first == b'"':
        return (yield from string_end(document, position))
    if first in (b"{", b"["):
        return (yield from container_end(document, position + 1))
    while (end := _match(_NUMBER, document, position, position + _SKIPPED)) == position + _SKIPPED:
        position = end
        yield
    return end


def string_end(document: bytes, position: int) -> Walk:
    """The position after the string at `position`."""
    position += 1
    while True:
        position = _match(_CHARACTERS, document, position, position + _SKIPPED)
        if document.startswith(b'"', position):
            return position + 1
        yield


def container_end(document: bytes, position: int) -> Walk:
    """The position after the object or array in which `position` is."""
    depth, spent = 1, 0
    while depth:
        before = position
        position = _match(between_brackets(), document, position, position + _SKIPPED)
        if position == before and document.startswith(b'"', position):  # a long string
            position = yield from string_end(document, position)
        elif document.startswith((b"{", b"["), position):
            depth += 1
            position += 1
        elif document.startswith((b"}", b"]"), position):
            depth -= 1
            position += 1
        spent += position - before + _TURN
        if spent > _SKIPPED:
            spent = 0
            yield
    return position


def members_end(document: bytes, position: int, window: int) -> int:
    """The position after as many whole members as stand here within `window` bytes, each with what ends it.

    The same position where the next one is long, or is nested deep.
    """
    return _match(whole_members(), document, position, position + window)


def after_comma(document: bytes, position: int) -> int:
    """The position after white space and a comma, if there is one."""
    position = after_blank(document, position)
    return position + document.startswith(b",", position)


def _match(pattern: re.Pattern[bytes], document: bytes, position: int, end: int | None = None) -> int:
    """Where a match that begins here ends; it may be empty."""
    match = pattern.match(document, position, len(document) if end is None else end)
    assert match is not None
    return match.end()


# Atomic groups (`(?>…)`) and possessive quantifiers (`*+`) never go back, so that no input makes a match take more than
# one pass. A group itself is never possessive: `tests/quality/test_patterns.py` says why.
_BLANK: Final = rb"[ \t\n\r]*+"
_INSIDE: Final = rb'[^"\\]*+(?>(?:\\.[^"\\]*+)*)'
_STRING: Final = b'"' + _INSIDE + b'"'


def _nested(depth: int) -> bytes:
    """The pattern of an object or array with others in it, down to this depth."""
    inner = b"|" + _nested(depth - 1) if depth > 1 else b""
    return rb'[{\[](?>(?:[^"{}\[\]]++|' + _STRING + inner + rb")*)[}\]]"


_BLANKS: Final = re.compile(_BLANK)
_CHARACTERS: Final = re.compile(_INSIDE, re.DOTALL)
_NUMBER: Final = re.compile(rb"[^ \t\n\r,}\]]*+")


# These two take some milliseconds to compile, and few services ever meet such a document: `prepare` has each compiled
# in a step of its own.


@cache
def between_brackets() -> re.Pattern[bytes]:
    """What stands between brackets."""
    return re.compile(rb'(?>(?:[^"{}\[\]]++|' + _STRING + rb"|" + _nested(_NESTED) + rb")*)", re.DOTALL)


@cache
def whole_members() -> re.Pattern[bytes]:
    """Whole members of an object, each with what ends it."""
    value = rb"(?:" + _STRING + rb'|[^"{}\[\],]++|' + _nested(_NESTED) + rb")"
    return re.compile(
        rb"(?>(?:" + _BLANK + _STRING + _BLANK + rb":" + _BLANK + value + _BLANK + rb"(?:,|(?=})))*)", re.DOTALL
    )


def prepare() -> Generator[None, None, None]:
    """Compile the patterns, each in a step."""
    for pattern in (between_brackets, whole_members):
        pattern()
        yield
