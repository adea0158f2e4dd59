"""How a webhook's body holds its events: one JSON document, several of them, or a form with JSON in one member.

Several events in one body are a JSON array, one document a line (NDJSON), or an object that names no event itself and
holds an array of events under one of `WRAPPERS`. Each is read as an event of its own, in the order of the body.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Generator, Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from statusproxy.status.dialect import Dialect
from statusproxy.status.fields import (
    LENIENT_AT_ONCE,
    Array,
    LongError,
    parse,
    parse_members,
    parse_members_in_steps,
)
from statusproxy.status.pieces import CutArray, TooLargeError, cut
from statusproxy.status.surrogates import replace_halves

WRAPPERS: Final = ("events", "batch", "items", "data", "messages")
"""Members under which a relay may send several events in one body."""

MOST_EVENTS: Final = 10_000
"""Events of one body that are read."""

FORM_AT_ONCE: Final = 32 * 1024
"""Bytes of the longest form that `contents` decodes, some 2 ms."""

MOST_FIELDS: Final = 64
"""Fields of a form in which the member is looked for."""

LONGEST_FIELD: Final = 1024
"""Bytes of the longest member beside it that is looked at."""

_FORM_STEP: Final = 16 * 1024
_LINES_COUNTED: Final = 4_096

_PIECE: Final = 16 * 1024
"""Bytes of an array whose elements are divided at once, up to three times as many: 6 ms where each has one digit."""

_JSON: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*+[{\[]")
_LINE: Final = re.compile(rb"\s*+(\S[^\n]*+)")


class Document(msgspec.Struct, frozen=True):
    """One event, decoded by `fields.parse_members`."""

    value: object


class Broken(msgspec.Struct, frozen=True):
    """Something that cannot be decoded, where an event should be."""

    too_deep: bool = False
    """Whether it is nested too deep; else it is not JSON."""


class Unread(msgspec.Struct, frozen=True):
    """Events that are not read: `too-many`, or `too-large` to be taken apart."""

    why: str
    count: int = 1


Item = Document | Broken | Unread


def contents(body: bytes, member: str | None) -> bytes | None:
    """The JSON of a body: of the member of this name where it is a form, else the body as it is.

    The form's other members are added to an object in which they are missing: senders name the session there. Empty
    where it has no such member; None where it is too long to be decoded at once, which `unpack` does in steps.
    """
    if member is None or _JSON.match(body):
        return body
    value = form_value(body, member)
    if value is None:
        return b""
    return _completed(b"".join(_decoded(value)), body, member) if len(value) <= FORM_AT_ONCE else None


def form_value(body: bytes, member: str) -> bytes | None:
    """The first value of a member of a form (application/x-www-form-urlencoded), still encoded."""
    wanted, longest = member.encode(), 3 * len(member.encode())
    for start, end in _fields(body):
        equals = body.find(b"=", start, min(end, start + longest + 1))
        if equals >= 0 and _plain(body[start:equals]) == wanted:
            return body[equals + 1 : end].strip()
    return None


def _completed(value: bytes, body: bytes, member: str) -> bytes:
    """An object with the form's other short members before its own: of a repeated one the last counts."""
    value = value.strip()
    if not value.startswith(b"{"):
        return value
    beside: dict[str, str] = {}
    for start, end in _fields(body):
        if end - start <= LONGEST_FIELD:
            name, _, said = (_plain(part).decode(errors="replace") for part in body[start:end].partition(b"="))
            beside.setdefault(name.strip(), said.strip())
    beside.pop(member, None)
    if not beside:
        return value
    own = value[1:].lstrip()
    return b"%s%s%s" % (json.dumps(beside).encode()[:-1], b"" if own.startswith(b"}") else b",", own)


def _fields(body: bytes) -> Iterator[tuple[int, int]]:
    """Where the first fields of a form begin and end."""
    start = 0
    for _ in range(MOST_FIELDS):
        end = body.find(b"&", start)
        if end < 0:
            yield start, len(body)
            return
        yield start, end
        start = end + 1


def _plain(encoded: bytes) -> bytes:
    return unquote_to_bytes(encoded.replace(b"+", b" "))


def _decoded(value: bytes) -> Iterator[bytes]:
    """A form's value, decoded piece by piece."""
    start = 0
    while start < len(value):
        end = start + _FORM_STEP
        if end < len(value):
            divided = value.rfind(b"%", end - 2, end)
            end = divided if divided >= 0 else end
        yield _plain(value[start:end])
        start = end


def holds_several(document: object, dialect: Dialect) -> bool:
    """Whether a body, decoded by `parse_members`, is several events."""
    if type(document) is dict:
        return dialect.event_name(document) is None and bool(_wrapped(document, dialect))
    return _names_event(_first(document), dialect)


def is_lines(body: bytes) -> bool:
    """Whether a body that is not JSON has one JSON object a line, to judge by its first."""
    lines = _each_line(body.removeprefix(codecs.BOM_UTF8))
    first = next(lines, None)
    if first is None or next(lines, None) is None:
        return False
    try:
        return type(parse_members(first)) is dict
    except LongError:
        return first.startswith(b"{")
    except (ValueError, RecursionError):
        return False


def unpack(body: bytes, dialect: Dialect) -> Iterator[Item | None]:
    """Give the events of a body in their order, each decoded when it is asked for; None after a step without one.

    No step takes longer than a few milliseconds. Never raises.
    """
    member = dialect.body_member
    if member is not None and not _JSON.match(body):
        pieces: list[bytes] = []
        for piece in _decoded(form_value(body, member) or b""):
            pieces.append(piece)
            yield None
        body = _completed(b"".join(pieces), body, member)
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        document = yield from parse_members_in_steps(body)
    except (ValueError, RecursionError) as error:
        if is_lines(body):
            yield from _lines(body)
        else:
            yield Broken(too_deep=isinstance(error, RecursionError))
        return
    if holds_several(document, dialect):
        yield from _elements(body, _wrapped(document, dialect))
    else:
        yield Document(document)


def _wrapped(document: object, dialect: Dialect) -> list[str]:
    """The members of an object that hold several events: arrays whose first element is an object that names one."""
    if type(document) is not dict:
        return []
    return [member for member in WRAPPERS if _names_event(_first(document.get(member)), dialect)]


def _names_event(value: object, dialect: Dialect) -> bool:
    return type(value) is dict and dialect.event_name(value) is not None


def _first(value: object) -> object:
    if isinstance(value, Array):
        return value.first
    return value[0] if type(value) is list and value else None


def _elements(body: bytes, members: list[str]) -> Iterator[Item | None]:
    """The elements of the arrays in these members, or of the array that the body is."""
    if len(body) > _PIECE:
        yield None  # it was just decoded
    try:
        parts = yield from cut(body, _PIECE)
    except TooLargeError:
        yield Unread("too-large")
        return
    frame = yield from parse_members_in_steps(parts.frame)
    places = [value for name, value in frame.items() if name in members] if type(frame) is dict else [frame]
    read = 0
    for number in map(_first, places):
        assert type(number) is int
        for item in _array(body, parts.arrays[number], MOST_EVENTS - read):
            read += item is not None
            yield item


def _array(body: bytes, array: CutArray, room: int) -> Iterator[Item | None]:
    """The elements of one array, `room` of them at most."""
    for start, end in array.pieces():
        texts = yield from _split(b"[" + body[start:end] + b"]")
        for text in texts[:room]:
            yield (yield from _read(text))
        if len(texts) > max(room, 0):
            yield Unread("too-many", len(texts) - max(room, 0))
        room = max(room - len(texts), 0)
        yield None


def _split(piece: bytes) -> Generator[None, None, list[object]]:
    """The elements of an array, as they are or decoded."""
    try:
        return list(_raw.decode(piece))
    except ValueError:  # the quick decoder is stricter than JavaScript
        if len(piece) <= LENIENT_AT_ONCE:
            return list(parse(piece))
    yield
    return list(_raw.decode((yield from replace_halves(piece))))


def _read(text: object) -> Generator[None, None, Item]:
    """One event; yields after each step of a long one."""
    if not isinstance(text, msgspec.Raw | bytes):
        return Document(text)
    try:
        return Document((yield from parse_members_in_steps(bytes(text))))
    except (ValueError, RecursionError) as error:
        return Broken(too_deep=isinstance(error, RecursionError))


def _each_line(body: bytes) -> Iterator[bytes]:
    """The lines that are not blank, each from its first character on."""
    # One match passes a megabyte of white space six times as fast as a search for what is none.
    line = _LINE.match(body)
    while line is not None:
        yield line[1]
        line = _LINE.match(body, line.end())


def _lines(body: bytes) -> Iterator[Item | None]:
    left = 0
    for number, line in enumerate(_each_line(body)):
        if number < MOST_EVENTS:
            yield (yield from _read(line))
        else:
            left += 1
            if left % _LINES_COUNTED == 0:
                yield None
    if left:
        yield Unread("too-many", left)


_raw: Final = msgspec.json.Decoder(list[msgspec.Raw])
