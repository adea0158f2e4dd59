"""The book of alerts as the bytes that a store keeps: JSON, readable by proxies of other versions.

A book may hold thousands of outages. They are written and read some at a time: a thread that does it lets the event
loop go on in between, which it cannot within one call of the encoder or decoder.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from statusproxy.alerts.values import Book, Delivery, Line, Message, Told

__all__ = ["Unreadable", "decode", "encode", "json_bytes", "with_items"]

_T = TypeVar("_T")

#: Items written in one call: 0.1 ms, and 2 ms where an id holds half a surrogate pair.
_PIECE: Final = 200


class _BookParts(msgspec.Struct):
    """The members of a book; what they hold is not looked at yet."""

    told: msgspec.Raw = msgspec.Raw(b"{}")
    messages: list[msgspec.Raw] = []
    last: dict[str, float] = {}


class _MessageParts(msgspec.Struct):
    """A message whose lines are not looked at yet."""

    id: str
    type: str
    at: float
    lines: list[msgspec.Raw]
    deliveries: tuple[Delivery, ...]
    reminder: int = 0


_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_BOOK: Final = msgspec.json.Decoder(_BookParts)
_MARKS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MARK: Final = msgspec.json.Decoder(Told)
_MESSAGE: Final = msgspec.json.Decoder(_MessageParts)
_LINE: Final = msgspec.json.Decoder(Line)


class Unreadable(NamedTuple):
    """A document that is no book, or holds what this version does not know."""

    reason: str
    """In words, for the log. Nothing of the document is repeated."""
    book: Book
    """What of it could be read; to go on with."""


def encode(book: Book) -> bytes:
    """The book as UTF-8 JSON. Two books that are equal give the same bytes."""
    members: list[bytes] = []
    if book.told:
        marks = ({key: book.told[key] for key in keys} for keys in _pieces(sorted(book.told)))
        members.append(b'"told":{' + _joined(marks) + b"}")
    if book.messages:
        messages = b",".join(with_items(message, "lines", message.lines) for message in book.messages)
        members.append(b'"messages":[' + messages + b"]")
    if book.last:
        members.append(b'"last":' + json_bytes(book.last))
    return b"{" + b",".join(members) + b"}"


def with_items(value: msgspec.Struct, member: str, items: Sequence[object]) -> bytes:
    """A struct as `json_bytes` gives it, with these items as its `member`, which no default may leave out."""
    empty = f'"{member}":[]'.encode()  # no text holds it: a quote in a text is written as an escape
    before, _, after = json_bytes(replace(value, **{member: ()})).partition(empty)
    return b"".join((before, empty[:-1], _joined(_pieces(items)), b"]", after))


def _pieces(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[at : at + _PIECE] for at in range(0, len(items), _PIECE))


def _joined(pieces: Iterable[Mapping[str, object] | Sequence[object]]) -> bytes:
    """What is within the brackets, of all pieces together."""
    return b",".join(json_bytes(piece)[1:-1] for piece in pieces)


def json_bytes(value: object) -> bytes:
    """A value of structs as UTF-8 JSON, whatever texts it holds: half a surrogate pair is written as its escape."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value, order="deterministic"), separators=(",", ":")).encode()


def decode(payload: bytes) -> Book | Unreadable:
    """The book that a store holds; an empty one where nothing was ever written (empty `payload`).

    Members that this version does not know are ignored: a newer proxy may share the state. Marks and messages that
    cannot be read are left out one by one. Never raises.
    """
    if not payload:
        return Book()
    try:
        return _quickly(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        document = json.loads(payload, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return Unreadable("the stored alerts are not JSON; alerts start from nothing", Book())
    return _in_parts(document)


def _quickly(payload: bytes) -> Book:
    """The book of a document in which all can be read. Raises what the decoder raises for any other."""
    parts = _BOOK.decode(payload)
    return Book(
        told={key: _MARK.decode(mark) for key, mark in _MARKS.decode(parts.told).items()},
        messages=tuple(map(_message, parts.messages)),
        last=parts.last,
    )


def _message(written: msgspec.Raw) -> Message:
    parts = _MESSAGE.decode(written)
    lines = tuple([_LINE.decode(line) for line in parts.lines])
    return Message(parts.id, parts.type, parts.at, lines, parts.deliveries, parts.reminder)


def _finite(written: str) -> float | None:
    """A number; None for what is no moment: NaN, Infinity and 1e999."""
    number = float(written)
    return number if math.isfinite(number) else None


def _in_parts(document: Any) -> Book | Unreadable:
    """The book of a document of which some parts may be unreadable."""
    if not isinstance(document, dict):
        return Unreadable("the stored alerts are not a JSON object; alerts start from nothing", Book())
    told, lost_marks = _readable(document.get("told", {}), dict, lambda value: msgspec.convert(value, Told))
    messages, lost_messages = _readable(document.get("messages", []), list, _converted)
    last, lost_times = _readable(document.get("last", {}), dict, lambda value: msgspec.convert(value, float))
    book = Book(told=told, messages=tuple(messages.values()), last=last)
    lost = lost_marks + lost_messages + lost_times
    if not lost:  # half a surrogate pair, which the quick decoder refuses
        return book
    return Unreadable(f"parts of the stored alerts cannot be read and are ignored: {lost}", book)


def _converted(value: Any) -> Message:
    """A message, its lines one by one."""
    if not isinstance(value, dict) or not isinstance(value.get("lines"), list):
        return msgspec.convert(value, Message)
    message = msgspec.convert({**value, "lines": ()}, Message)
    return replace(message, lines=tuple([msgspec.convert(line, Line) for line in value["lines"]]))


def _readable(
    part: Any, kind: type[dict[Any, Any]] | type[list[Any]], convert: Callable[[Any], _T]
) -> tuple[dict[Any, _T], int]:
    """The readable items of a part of the document, by key or place, and how many are not."""
    if not isinstance(part, kind):
        return {}, 1
    found: dict[Any, _T] = {}
    values: dict[Any, Any] = part if isinstance(part, dict) else dict(enumerate(part))
    for key, value in values.items():
        try:
            found[key] = convert(value)
        except (msgspec.ValidationError, UnicodeEncodeError):  # of half a surrogate pair, where another kind is due
            continue
    return found, len(values) - len(found)
