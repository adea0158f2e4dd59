"""Bodies of webhooks as the documents in them: JSON, an array, one document a line, a form, several under a member."""

from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from statusproxy.status.fields import parse

LARGEST: Final = 64 * 1024
"""Bytes of a body that are read: an event about a connection is small, what is larger carries media."""

_MOST: Final = 20
"""Documents of one body that are looked at."""

_WRAPPERS: Final = ("events", "batch", "items")


class Unpacked(NamedTuple):
    """The documents of a body, and the form's member that held them."""

    documents: list[object]
    form: str | None = None


def unpack(body: bytes) -> Unpacked | None:
    """The documents of a body; None where there is none, or it is too large."""
    if len(body) > LARGEST:
        return None
    try:
        return Unpacked(list(_each(parse(body))))
    except (ValueError, RecursionError):
        pass
    return _form(body) or _lines(body)


def _each(document: object) -> Iterator[object]:
    if type(document) is dict:
        for name in _WRAPPERS:
            inner = document.get(name)
            if type(inner) is list and inner and type(inner[0]) is dict:
                document = inner
                break
    if type(document) is list:
        yield from (each for each in document[:_MOST] if type(each) is dict)
    elif type(document) is dict:
        yield document


def _form(body: bytes) -> Unpacked | None:
    if b"=" not in body or body.lstrip()[:1] in (b"{", b"["):
        return None
    try:
        fields = parse_qsl(body.decode("ascii"), max_num_fields=100)
    except ValueError:
        return None
    for name, value in fields:
        if value[:1] in ("{", "["):
            try:
                return Unpacked(list(_each(msgspec.json.decode(value))), name)
            except (ValueError, RecursionError):
                continue
    return None


def _lines(body: bytes) -> Unpacked | None:
    documents: list[object] = []
    for line in body.split(b"\n")[: 2 * _MOST]:
        if line.strip():
            try:
                documents += _each(parse(line))
            except (ValueError, RecursionError):
                return None
    return Unpacked(documents[:_MOST]) if documents else None
