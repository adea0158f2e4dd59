"""The book of alerts as the bytes that a store keeps: JSON, readable by proxies of other versions."""

import json
import math
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from statusproxy.alerts.values import Book, Message, Told

__all__ = ["Unreadable", "decode", "encode", "json_bytes"]

_T = TypeVar("_T")

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_DECODER: Final = msgspec.json.Decoder(Book)


class Unreadable(NamedTuple):
    """A document that is no book, or holds what this version does not know."""

    reason: str
    """In words, for the log. Nothing of the document is repeated."""
    book: Book
    """What of it could be read; to go on with."""


def encode(book: Book) -> bytes:
    """The book as UTF-8 JSON. Two books that are equal give the same bytes."""
    return json_bytes(book)


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
        return _DECODER.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        document = json.loads(payload, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return Unreadable("the stored alerts are not JSON; alerts start from nothing", Book())
    return _in_parts(document)


def _finite(written: str) -> float | None:
    """A number; None for what is no moment: NaN, Infinity and 1e999."""
    number = float(written)
    return number if math.isfinite(number) else None


def _in_parts(document: Any) -> Book | Unreadable:
    """The book of a document of which some parts may be unreadable."""
    if not isinstance(document, dict):
        return Unreadable("the stored alerts are not a JSON object; alerts start from nothing", Book())
    told, lost_marks = _readable(document.get("told", {}), dict, Told)
    messages, lost_messages = _readable(document.get("messages", []), list, Message)
    last, lost_times = _readable(document.get("last", {}), dict, float)
    book = Book(told=told, messages=tuple(messages.values()), last=last)
    lost = lost_marks + lost_messages + lost_times
    if not lost:  # half a surrogate pair, which the quick decoder refuses
        return book
    return Unreadable(f"parts of the stored alerts cannot be read and are ignored: {lost}", book)


def _readable(part: Any, kind: type[dict[Any, Any]] | type[list[Any]], item: type[_T]) -> tuple[dict[Any, _T], int]:
    """The readable items of a part of the document, by key or place, and how many are not."""
    if not isinstance(part, kind):
        return {}, 1
    found: dict[Any, _T] = {}
    values: dict[Any, Any] = part if isinstance(part, dict) else dict(enumerate(part))
    for key, value in values.items():
        try:
            found[key] = msgspec.convert(value, item)
        except msgspec.ValidationError:
            continue
    return found, len(values) - len(found)
