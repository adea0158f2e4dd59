"""What the answer of the gateway's QR route shows: a code to scan, or a session that is connected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

from statusproxy.status.dialect import QR_MEMBERS
from statusproxy.status.fields import fold_word, parse

WRAPPERS: Final = ("data", "result")
"""Members under which the code or a word may stand, beside the document itself."""

STATUS_FIELDS: Final = ("status", "state", "connection")
CONNECTED_WORDS: Final = frozenset({"connected", "open"})

SHORTEST_BARE_CODE: Final = 64
"""A string right under a wrapper is a code only from this length on (or as a `data:` URL): `data` also carries
words such as "INITIALIZING", while the code itself has some 200 characters and its image thousands."""


class Answer(StrEnum):
    """What the QR route's answer shows."""

    CODE = "code"
    CONNECTED = "connected"
    NEITHER = "neither"
    NOT_JSON = "not-json"


def read(body: bytes, members: Sequence[str] = QR_MEMBERS) -> Answer:
    """Tell what the QR route's answer shows. A code counts more than words beside it. Never raises.

    `members` may hold the code (`Dialect.qr`): on top, or in the object under one of `WRAPPERS`, or one deeper.
    """
    try:
        document = parse(body)
    except (ValueError, RecursionError):
        return Answer.NOT_JSON
    holders = list(_holders(document))
    if any(_shows_code(holder, members) for holder in holders):
        return Answer.CODE
    if any(_says_connected(holder) for holder in holders):
        return Answer.CONNECTED
    return Answer.NEITHER


def _shows_code(holder: dict[str, object] | str, members: Sequence[str]) -> bool:
    if isinstance(holder, str):
        return holder.startswith("data:image/") or (len(holder) >= SHORTEST_BARE_CODE and " " not in holder)
    return any(_is_code(holder.get(name), members) for name in members)


def _says_connected(holder: dict[str, object] | str) -> bool:
    if isinstance(holder, str):
        return False
    words = (holder.get(name) for name in STATUS_FIELDS)
    return holder.get("connected") is True or any(
        type(word) is str and fold_word(word) in CONNECTED_WORDS for word in words
    )


def _is_code(value: object, members: Sequence[str]) -> bool:
    if type(value) is dict:
        return any(type(inner) is str and inner.strip() != "" for inner in map(value.get, members))
    return type(value) is str and value.strip() != ""


def _holders(document: object) -> Iterator[dict[str, object] | str]:
    """Give the document, if it is an object, and what stands under its wrappers, if that is an object or text."""
    if type(document) is dict:
        yield document
        for name in WRAPPERS:
            inner = document.get(name)
            if type(inner) is dict or type(inner) is str:
                yield inner
