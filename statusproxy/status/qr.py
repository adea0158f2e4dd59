"""What the answer of the gateway's QR route shows: a code to scan, or a session that is connected."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

from statusproxy.status.answer_claims import failed
from statusproxy.status.dialect import QR_MEMBERS
from statusproxy.status.fields import fold_word, parse

WRAPPERS: Final = ("data", "result")
"""Members under which the code or a word may stand, beside the document itself."""

STATUS_FIELDS: Final = ("status", "state", "connection")
CONNECTED_WORDS: Final = frozenset({"connected", "open"})

SHORTEST_PAIRING: Final = 20
"""Characters of the shortest pairing string behind its `2@`. Real ones have some 200."""

_PAIRING: Final = re.compile(rf"(?:https://wa\.me/\S{{0,64}}#)?\d@[\w+/=,.-]{{{SHORTEST_PAIRING},}}", re.ASCII)
"""What WhatsApp's code holds: `2@` and comma-separated base64, newer ones behind an address."""

_DATA_URL: Final = re.compile(r"data:image/[\w.+-]{1,32}(?:;[\w=.-]{1,32}){0,4},\s*[\w%+/<]", re.ASCII | re.IGNORECASE)

_IMAGE_BASE64: Final = re.compile(r"(?:iVBORw0KGgo|/9j/[2-4]|R0lGOD|UklGR|PHN2Zy|PD94bW)[\w+/=\s-]*\Z", re.ASCII)
"""The beginnings of PNG, JPEG, GIF, WebP and SVG in base64; nothing else may follow."""

_IMAGE_BYTES: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"<svg", b"<?xml", b"BM")

_BLOCKS: Final = frozenset(" \xa0\t\r\n█▀▄▌▐░▒▓■□▖▗▘▙▚▛▜▝▞▟")
_LONGEST_PAIRING: Final = 2_000
_LONGEST_DRAWING: Final = 20_000
"""Characters of a code that are looked at. A drawn one has some 5000; an image is known by how it begins."""

_FEWEST_LINES: Final = 10
"""Lines of the smallest code drawn with half blocks (21 modules)."""


class Answer(StrEnum):
    """What the QR route's answer shows."""

    CODE = "code"
    CONNECTED = "connected"
    NEITHER = "neither"
    NOT_JSON = "not-json"


def read(body: bytes, members: Sequence[str] = QR_MEMBERS) -> Answer:
    """Tell what the QR route's answer shows. A code counts more than words beside it. Never raises.

    `members` may hold the code (`Dialect.qr`): on top, or in the object under one of `WRAPPERS`, or one deeper. A
    picture beside an error is a placeholder, not a code; WhatsApp's own string is always one.
    """
    try:
        document = parse(body)
    except (ValueError, RecursionError):
        return Answer.NOT_JSON
    holders = list(_holders(document))
    codes = [text for holder in holders for text in _texts(holder, members)]
    if any(map(_is_pairing, codes)) or (any(map(_is_picture, codes)) and not failed(document)):
        return Answer.CODE
    if any(_says_connected(holder) for holder in holders):
        return Answer.CONNECTED
    return Answer.NEITHER


def is_image(body: bytes) -> bool:
    """Whether these are the bytes of an image, as the QR route may answer instead of JSON."""
    return body.lstrip()[:8].startswith(_IMAGE_BYTES)


def _texts(holder: dict[str, object] | str, members: Sequence[str]) -> Iterator[str]:
    """What stands where a code may stand: in these members of the holder, or in an object under one of them."""
    if isinstance(holder, str):
        yield holder
        return
    for value in map(holder.get, members):
        if type(value) is str:
            yield value
        elif type(value) is dict:
            yield from (inner for inner in map(value.get, members) if type(inner) is str)


def _is_pairing(text: str) -> bool:
    return len(text) <= _LONGEST_PAIRING and _PAIRING.fullmatch(text.strip()) is not None


def _is_picture(text: str) -> bool:
    text = text[:_LONGEST_DRAWING].strip()
    if _DATA_URL.match(text) or _IMAGE_BASE64.match(text) or text.startswith("<svg"):
        return True
    return text.count("\n") >= _FEWEST_LINES and _BLOCKS.issuperset(text)


def _says_connected(holder: dict[str, object] | str) -> bool:
    if isinstance(holder, str):
        return False
    words = (holder.get(name) for name in STATUS_FIELDS)
    return holder.get("connected") is True or any(
        type(word) is str and fold_word(word) in CONNECTED_WORDS for word in words
    )


def _holders(document: object) -> Iterator[dict[str, object] | str]:
    """Give the document, if it is an object, and what stands under its wrappers, if that is an object or text."""
    if type(document) is dict:
        yield document
        for name in WRAPPERS:
            inner = document.get(name)
            if type(inner) is dict or type(inner) is str:
                yield inner
