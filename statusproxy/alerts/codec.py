"""The book of alerts as the bytes that a store keeps: JSON, readable by proxies of other versions."""

from typing import Final, NamedTuple

import msgspec

from statusproxy.alerts.values import Book

__all__ = ["Unreadable", "decode", "encode"]

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_DECODER: Final = msgspec.json.Decoder(Book)


class Unreadable(NamedTuple):
    """A document that is no book. What it says of sessions is left out: the reason ends in logs."""

    reason: str


def encode(book: Book) -> bytes:
    """The book as UTF-8 JSON. Two books that are equal give the same bytes."""
    return _ENCODER.encode(book)


def decode(payload: bytes) -> Book | Unreadable:
    """The book that a store holds; an empty one where nothing was ever written (empty `payload`).

    Members that this version does not know are ignored: a newer proxy may share the state. Never raises.
    """
    if not payload:
        return Book()
    try:
        return _DECODER.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Unreadable(f"the stored alerts cannot be read: {_without_values(error)}")


def _without_values(error: Exception) -> str:
    """What is wrong and where. Values of the document, which msgspec quotes in some errors, are left out."""
    if not isinstance(error, msgspec.ValidationError):
        return "it is no JSON"
    text, _, where = str(error).partition(" - at ")
    what = text if "'" not in text else "a value is not one of those that are known"
    return f"{what} at {where}" if where else what
