"""A document of very many members, decoded in short steps: tens of thousands at once would hold everything else up.

No event has so many; only a sender that means harm, or one that is broken, sends them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

import msgspec

from statusproxy.status.long_values import (
    after_blank,
    after_comma,
    container_end,
    members_end,
    prepare,
    string_end,
    value_end,
)

MOST_AT_ONCE: Final = 30_000
"""Members and arrays that are decoded in one go: 8 ms at most."""

_FEW: Final = 256
"""Members that are searched for one by one before the rest is counted."""

_WINDOW: Final = 32 * 1024
"""Bytes of members decoded in one go: 2 ms at most. A long member is looked at twice before anything yields."""


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
    yield from prepare()
    value, _ = yield from _Reader(document, decode, array).value(after_blank(document, 0), deepest)
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
                return None, (yield from container_end(document, position + 1))
            return (yield from self._object(after_blank(document, position + 1), deepest - 1))
        if first == b"[":
            position = after_blank(document, position + 1)
            if document.startswith(b"]", position):
                return self._array(), position + 1
            element, position = yield from self.value(position, deepest)
            return self._array(element), (yield from container_end(document, position))
        end = yield from value_end(document, position)
        return self._decode(document[position:end]), end

    def _object(self, position: int, deepest: int) -> Generator[None, None, tuple[dict[str, Any], int]]:
        """The object whose first member, or end, stands at a position."""
        document = self._document
        members: dict[str, Any] = {}
        while not document.startswith(b"}", position):
            end = members_end(document, position, _WINDOW)
            self._turns += 1
            if end - position > _SMALL or self._turns > _TURNS:
                self._turns = 0
                yield
            if end > position:
                members |= self._decode(b"{%b}" % document[position:end].removesuffix(b","))
            else:  # one that is long, or has much in it
                name = yield from string_end(document, position)
                colon = document.index(b":", name)
                value, end = yield from self.value(after_blank(document, colon + 1), deepest)
                members[self._decode(document[position:name])] = value
                end = after_comma(document, end)
            position = after_blank(document, end)
        return members, position + 1


_SMALL: Final = 1024
"""Bytes of members that are decoded before anything yields."""

_TURNS: Final = 64
"""Objects of a few members that are looked into between two yields."""

_raw: Final = msgspec.json.Decoder(msgspec.Raw)
