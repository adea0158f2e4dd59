"""What the answer of the gateway's QR route shows: a code to scan, or a session that is connected."""

from __future__ import annotations

from collections.abc import Iterator
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


def has_qr(body: bytes) -> bool:
    """Tell whether the QR route's answer carries a code to scan. Never raises."""
    for holder in _holders(body):
        if isinstance(holder, str):
            if holder.startswith("data:image/") or (len(holder) >= SHORTEST_BARE_CODE and " " not in holder):
                return True
        elif any(_is_code(holder.get(name)) for name in CODE_FIELDS):
            return True
    return False


def says_connected(body: bytes) -> bool:
    """Tell whether the QR route's answer says that the session is connected (and shows no code). Never raises."""
    for holder in _holders(body):
        if isinstance(holder, dict):
            words = (holder.get(name) for name in STATUS_FIELDS)
            if holder.get("connected") is True or any(
                type(word) is str and fold_word(word) in CONNECTED_WORDS for word in words
            ):
                return not has_qr(body)
    return False


def _is_code(value: object) -> bool:
    if type(value) is dict:
        return any(type(inner) is str and inner.strip() != "" for inner in map(value.get, CODE_FIELDS))
    return type(value) is str and value.strip() != ""


def _holders(body: bytes) -> Iterator[dict[str, object] | str]:
    """Give the document, if it is an object, and what stands under its wrappers, if that is an object or text."""
    try:
        document = parse(body)
    except (ValueError, RecursionError):
        return
    if type(document) is dict:
        yield document
        for name in WRAPPERS:
            inner = document.get(name)
            if type(inner) is dict or type(inner) is str:
                yield inner
