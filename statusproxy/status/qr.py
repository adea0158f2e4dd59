"""What the answer of the gateway's QR route shows: a code to scan, or a session that is connected."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from statusproxy.status.fields import fold_word, parse

CODE_FIELDS: Final = (
    "qr", "qr_base64", "qrcode", "base64Qrimg", "base64", "base64Image", "image", "qrcode_base64",
)  # fmt: skip
"""Where the gateway's versions put the code: on top, or in the object under one of `WRAPPERS`."""

WRAPPERS: Final = ("data", "result")

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


def read(body: bytes) -> Answer:
    """Tell what the QR route's answer shows. A code counts more than words beside it. Never raises."""
    try:
        document = parse(body)
    except (ValueError, RecursionError):
        return Answer.NOT_JSON
    holders = list(_holders(document))
    if any(_shows_code(holder) for holder in holders):
        return Answer.CODE
    if any(_says_connected(holder) for holder in holders):
        return Answer.CONNECTED
    return Answer.NEITHER


def _shows_code(holder: dict[str, object] | str) -> bool:
    if isinstance(holder, str):
        return holder.startswith("data:image/") or (len(holder) >= SHORTEST_BARE_CODE and " " not in holder)
    return any(_is_code(holder.get(name)) for name in CODE_FIELDS)


def _says_connected(holder: dict[str, object] | str) -> bool:
    if isinstance(holder, str):
        return False
    words = (holder.get(name) for name in STATUS_FIELDS)
    return holder.get("connected") is True or any(
        type(word) is str and fold_word(word) in CONNECTED_WORDS for word in words
    )


def _is_code(value: object) -> bool:
    if type(value) is dict:
        return any(type(inner) is str and inner.strip() != "" for inner in map(value.get, CODE_FIELDS))
    return type(value) is str and value.strip() != ""


def _holders(document: object) -> Iterator[dict[str, object] | str]:
    """Give the document, if it is an object, and what stands under its wrappers, if that is an object or text."""
    if type(document) is dict:
        yield document
        for name in WRAPPERS:
            inner = document.get(name)
            if type(inner) is dict or type(inner) is str:
                yield inner
