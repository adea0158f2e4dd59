"""Bodies of webhooks as the documents in them: JSON, an array, one document a line, a form, several under a member."""

from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from statusproxy.status.fields import parse

MOST: Final = 5
"""Documents of one body that are looked at, in traffic."""

_WRAPPERS: Final = ("events", "batch", "items")


class Unpacked(NamedTuple):
    """The documents of a body, and the form's member that held them."""

    documents: list[object]
    form: str | None = None


def unpack(body: bytes, most: int = MOST) -> Unpacked | None:
    """The first documents of a body, at most so many; None where there is none."""
    try:
        return Unpacked(list(_each(parse(body), most)))
    except (ValueError, RecursionError):
        pass
    return _form(body, most) or _lines(body, most)


def _each(document: object, most: int) -> Iterator[object]:
    if type(document) is dict:
        for name in _WRAPPERS:
            inner = document.get(name)
            if type(inner) is list and inner and type(inner[0]) is dict:
                document = inner
                break
    if type(document) is list:
        yield from (each for each in document[:most] if type(each) is dict)
    elif type(document) is dict:
        yield document


def _form(body: bytes, most: int) -> Unpacked | None:
    if b"=" not in body or body.lstrip()[:1] in (b"{", b"["):
        return None
    try:
        fields = parse_qsl(body.decode("ascii"), max_num_fields=100)
    except ValueError:
        return None
    for name, value in fields:
        if value[:1] in ("{", "["):
            try:
                return Unpacked(list(_each(msgspec.json.decode(value), most)), name)
            except (ValueError, RecursionError):
                continue
    return None


def _lines(body: bytes, most: int) -> Unpacked | None:
    documents: list[object] = []
    for line in body.split(b"\n", 2 * most)[: 2 * most]:
        if line.strip():
            try:
                documents += _each(parse(line), most)
            except (ValueError, RecursionError):
                return None
    return Unpacked(documents[:most]) if documents else None
