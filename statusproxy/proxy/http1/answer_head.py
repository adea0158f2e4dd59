"""The heads of a gateway's answers, and the memory of those that were read: what comes again is not read again.

Gateways repeat the heads of their answers byte for byte, or but for the values of a few fields. What a head says
depends on nothing but its bytes, unless it answers HEAD. No sockets, no event loop and no clock here.
"""

import re
from typing import Any, Final

import msgspec

from statusproxy.proxy.http1.head import Header
from statusproxy.proxy.http1.memory import keep

#: Status of an answer behind which another protocol is spoken (RFC 9110 §15.2.2).
SWITCHING: Final = 101

#: Heads that are remembered, patterns again, and bytes of the largest.
_REMEMBERED: Final = 64
_REMEMBERED_SIZE: Final = 2048

#: A field whose value differs from one answer to the next, as gateways write it: what stands before the value, and the
#: value. Any such value is a good one, so that heads which differ in it alone are good or bad together. 18 digits of a
#: length fit any integer of llhttp's.
_VARYING: Final = re.compile(
    rb"(\r\n(?:[Cc]ontent-[Ll]ength: (?=[0-9]{1,18}\r)|(?:[Dd]ate|[Ee][Tt]ag|[Xx]-[Rr]equest-[Ii][Dd]): ))"
    rb"([\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?)(?=\r\n)"
)


class ResponseHead(msgspec.Struct):
    """The gateway's answer up to its body: status, reason phrase and raw fields as they came.

    One object may stand for many answers, as gateways repeat their heads byte for byte within a second: no one changes
    it once it was given.
    """

    status: int = 0
    reason: bytes = b""
    version: tuple[int, int] = (1, 1)
    headers: list[Header] = msgspec.field(default_factory=list)
    keep_alive: bool = True
    coded: bool = False
    """Whether the body comes in chunks."""
    length: int | None = None
    """What it says of the body's length."""
    keep_alive_field: bytes | None = None
    """The value of the field `Keep-Alive`, if there was one."""
    attachment: Any = None
    """For the parser's user: what it made of this head, kept as long as the head is."""
    pattern: "AnswerPattern | None" = None
    """What it has in common with others that differ in a few values alone; None where it was read in full."""


class AnswerPattern:
    """What the heads have in common that differ in the values of a few fields alone (`_VARYING`)."""

    __slots__ = ("_fields", "_first", "attachment", "places")

    def __init__(self, first: ResponseHead, places: list[int]) -> None:
        """`first` was read in full; `places` are those of the fields in its headers, in their order in the head."""
        self._first = first
        self._fields = [(place, first.headers[place][0], _is_length(first.headers[place][0])) for place in places]
        self.places = places
        self.attachment: Any = None
        """For the parser's user: what it made of one of the heads, as far as that does not depend on the values."""

    def head(self, values: list[bytes]) -> ResponseHead:
        """The head with these values."""
        first = self._first
        headers = first.headers.copy()
        length = first.length
        for (place, name, is_length), value in zip(self._fields, values, strict=True):
            headers[place] = (name, value)
            if is_length:
                length = int(value)
        return ResponseHead(  # by position: names would cost more than the rest
            first.status, first.reason, first.version, headers, first.keep_alive, first.coded, length,
            first.keep_alive_field, None, self,
        )  # fmt: skip


#: Final heads that were good, by their bytes. All are dropped when they are many.
KNOWN: Final[dict[bytes, ResponseHead]] = {}

#: The same for heads with fields that vary, by what stands around their values.
PATTERNS: Final[dict[tuple[bytes, ...], AnswerPattern]] = {}


def find(data: bytes) -> ResponseHead | None:
    """The head that `data` is, where such a one was read before: byte for byte, but for the values that may vary."""
    known = KNOWN.get(data)
    if known is None and PATTERNS:
        around, values = _taken_apart(data)
        pattern = PATTERNS.get(around)
        if pattern is not None:
            known = pattern.head(values)
            keep(KNOWN, data, known, _REMEMBERED)
    return known


def remember(data: bytes, head: ResponseHead) -> None:
    """Remember a good head, the first of its answer, so that it is not read again."""
    if len(data) > _REMEMBERED_SIZE or head.status == SWITCHING:
        return
    keep(KNOWN, data, head, _REMEMBERED)
    around, values = _taken_apart(data)
    names = [name.lower() for name, _ in head.headers]
    places: list[int] = []
    for before, value in zip(around[1::2], values, strict=True):
        name = before[2:-2]
        # Of two fields with the same name none counts, and a value that goes on in the next line is not what was found.
        if names.count(name.lower()) != 1 or (name, value) not in head.headers:
            return
        places.append(head.headers.index((name, value)))
    if places:
        keep(PATTERNS, around, AnswerPattern(head, places), _REMEMBERED)


def _taken_apart(data: bytes) -> tuple[tuple[bytes, ...], list[bytes]]:
    """What stands around the values that may vary, and these values."""
    parts = _VARYING.split(data)
    values = parts[2::3]
    del parts[2::3]
    return tuple(parts), values


def _is_length(name: bytes) -> bool:
    return name.lower() == b"content-length"
