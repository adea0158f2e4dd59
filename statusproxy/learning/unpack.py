"""Bodies of webhooks as the documents in them, read as the proxy reads them (`status.packing`).

The proxy is told where an event's name stands and which member of a form holds the event. Here both are found out: an
object that holds an array names the event itself, or is only the wrapper of several.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from statusproxy.learning import members
from statusproxy.status.dialect import Dialect
from statusproxy.status.fields import Array, Path, usable_text
from statusproxy.status.packing import WRAPPERS, Document
from statusproxy.status.packing import unpack as packed

MOST: Final = 5
"""Documents of one body that are looked at, in traffic."""

_CERTAIN: Final = frozenset({"events", "batch", "items"})
"""Wrappers that contain several events even if none of these has a name."""

_NAMES: Final = 50
"""Members of an object that are looked at for the event's name."""

_LONGEST_NAME: Final = 40
_MEMBER: Final = re.compile(rb"(?:^|&)\s*([A-Za-z_][\w.-]{0,%d})=\s*(?:%%7[Bb]|%%5[Bb]|[{\[])" % (_LONGEST_NAME - 1))
"""A member of a form that may hold JSON."""

_JSON: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*+[{\[]")


class Unpacked(NamedTuple):
    """The documents of a body, arrays in them as `fields.Array`; and the form's member that held them."""

    documents: list[object]
    form: str | None = None


def unpack(body: bytes, most: int = MOST) -> Unpacked | None:
    """The first documents of a body, `most` at most; None if there are none."""
    if _JSON.match(body):
        found = _documents(body, None, most)
        return Unpacked(found) if found else None
    for match in islice(_MEMBER.finditer(body), 5):
        member = match[1].decode()
        found = _documents(body, member, most)
        if found:
            return Unpacked(found, member)
    return None


def _documents(body: bytes, member: str | None, most: int) -> list[object]:
    first = next(_each(body, Dialect(event=(), body_member=member)), None)
    values = _each(body, Dialect(event=_names(first), body_member=member))
    return list(islice((value for value in values if type(value) is dict), most))


def _each(body: bytes, dialect: Dialect) -> Iterator[object]:
    return (item.value for item in packed(body, dialect) if isinstance(item, Document))


def _names(document: object) -> tuple[Path, ...]:
    """Members by which the proxy would tell that a body is several events; none where it is one."""
    if type(document) is not dict:
        element = _first(document)
        return _naming(element) or _scalars(element)
    if _naming(document):
        return ()
    for wrapper in WRAPPERS:
        element = _first(document.get(wrapper))
        found = _naming(element)
        if not found and wrapper in _CERTAIN:
            found = tuple(path for path in _scalars(element) if path[0] not in document)
        if found:
            return found
    return ()


def _naming(value: object) -> tuple[Path, ...]:
    """Members that are called like an event's name, and hold a text."""
    return tuple((name,) for name, inner in _some(value) if type(inner) is str and members.names_event(name))


def _scalars(value: object) -> tuple[Path, ...]:
    return tuple((name,) for name, inner in _some(value) if usable_text(inner) is not None)


def _some(value: object) -> Iterator[tuple[str, object]]:
    if type(value) is not dict:
        return iter(())
    return ((name, inner) for name, inner in islice(value.items(), _NAMES) if len(name) <= _LONGEST_NAME)


def _first(value: object) -> object:
    if isinstance(value, Array):
        return value.first
    return value[0] if type(value) is list and value else None
