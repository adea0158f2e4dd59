"""Byte spans in a document that is known to be JSON: of members, of elements, and of the value under a path.

Positions count bytes. A text here is the document decoded as Latin-1, in which each character is one byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Final

from statusproxy.status.fields import Path, parse, refuse_constant

Span = tuple[int, int]
"""Where a value stands in the document: its first byte, and the one after its last."""


def as_text(document: bytes) -> str:
    """The document as text in which each character is one byte, so that positions are the same in both."""
    return document.decode("latin-1")


def after_space(text: str, position: int) -> int:
    """The position after white space."""
    match = _WHITE_SPACE(text, position)
    assert match is not None
    return match.end()


def after_value(text: str, position: int) -> int:
    """The position after the JSON value at `position`. ValueError if there is none."""
    return _scanner.raw_decode(text, position)[1]


def locate(text: str, start: int, path: Path, skip: Callable[[int], int]) -> tuple[Span | None, int]:
    """Find where the value under `path` stands, within the value at `start`; and where that one ends.

    Of a repeated key the last one counts. `skip` finds the end of a value that `path` may lead to.
    """
    if not path:
        end = skip(start)
        return (start, end), end
    if text[start] != "{":
        return None, after_value(text, start)
    found: Span | None = None

    def member(name: str, position: int) -> int:
        nonlocal found
        if name != path[0]:
            return after_value(text, position)
        found, end = locate(text, position, path[1:], skip)
        return end

    end = walk(text, start, member)
    return found, end


def elements(text: str, start: int) -> Iterator[Span]:
    """The elements of the array at `start`, one by one."""
    position = after_space(text, start + 1)
    while text[position] != "]":
        end = after_value(text, position)
        yield position, end
        position = after_space(text, end)
        if text[position] == ",":
            position = after_space(text, position + 1)


def walk(text: str, start: int, member: Callable[[str, int], int]) -> int:
    """Call `member` with the name and the value's position of each member of the object at `start`.

    It returns the position after the value. Returns the position after the object.
    """
    position = start + 1
    while (head := _MEMBER(text, position)) is not None:
        position = after_space(text, member(member_name(head[1]), head.end())) + 1
        if text[position - 1] == "}":
            return position
    return after_space(text, position) + 1


def member_name(written: str) -> str:
    """A member's name, as written between its quotes (Latin-1 text): escapes and UTF-8 undone."""
    if "\\" in written or not written.isascii():
        name: str = parse(f'"{written}"'.encode("latin-1"))
        return name
    return written


_WHITE_SPACE: Final = re.compile(r"[ \t\n\r]*").match
_MEMBER: Final = re.compile(r'[ \t\n\r]*"([^"\\]*(?:\\.[^"\\]*)*)"[ \t\n\r]*:[ \t\n\r]*').match
_scanner: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=refuse_constant)
