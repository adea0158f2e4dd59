"""Whether bytes or a text are a picture that can show a QR code: PNG, JPEG, GIF, WebP or SVG.

Gateways put placeholders where they have no code (`data:image/png;base64,undefined`), and error pages under the type
of an image. So a picture is known by its whole header. Only the beginning is looked at.
"""

from __future__ import annotations

import re
import struct
from base64 import b64decode
from typing import Final
from urllib.parse import unquote_to_bytes

LOOKED_AT: Final = 16_000
"""Bytes or characters at the beginning of a picture that are looked at. An SVG starts drawing within them."""

FEWEST_BYTES: Final = 32
"""Bytes of the shortest beginning of a picture. A PNG's header alone has 33."""

FEWEST_PIXELS: Final = 21
"""Width and height of the smallest QR code, in modules. Smaller pictures are placeholders."""

_DATA_URL: Final = re.compile(r"data:image/[\w.+-]{1,32}((?:;[\w=.-]{1,32}){0,4}),", re.ASCII | re.IGNORECASE)
_BASE64: Final = re.compile(r"[\w+/-]+={0,2}", re.ASCII)
_JPEG: Final = re.compile(rb"\xff\xd8\xff[\xc0-\xc4\xdb\xdd\xe0-\xef\xfe]")
_WEBP: Final = re.compile(rb"RIFF.{4}WEBPVP8[ LX]", re.DOTALL)
_SVG: Final = re.compile(rb"(?:\xef\xbb\xbf)?(?>(?:\s|<[?!][^>]*+>)*)<svg[\s>]")
_DRAWN: Final = re.compile(rb"<(?:path|rect|image|polygon|circle|use)[\s/]")


def is_image(body: bytes) -> bool:
    """Whether these bytes begin a picture that can show a code, as the QR route may answer instead of JSON."""
    body = body[:LOOKED_AT]
    if len(body) < FEWEST_BYTES:
        return False
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        sides: tuple[int, int] = struct.unpack_from(">II", body, 16)
        return body[12:16] == b"IHDR" and min(sides) >= FEWEST_PIXELS
    if body.startswith((b"GIF87a", b"GIF89a")):
        sides = struct.unpack_from("<HH", body, 6)
        return min(sides) >= FEWEST_PIXELS
    if _JPEG.match(body) or _WEBP.match(body):
        return True
    return _SVG.match(body) is not None and _DRAWN.search(body) is not None


def shown(text: str) -> bool:
    """Whether a text is such a picture: a data URL, base64, or SVG as it is."""
    text = text[:LOOKED_AT].strip()
    address = _DATA_URL.match(text)
    if address is None:
        return is_image(text.encode(errors="replace") if text.startswith("<") else _decoded(text))
    data = text[address.end() :]
    if data.lstrip().startswith("<") or not address[1].casefold().endswith(";base64"):
        return is_image(unquote_to_bytes(data).lstrip())
    return is_image(_decoded(unquote_to_bytes(data).decode(errors="replace")))


def _decoded(text: str) -> bytes:
    """The bytes that base64 stands for, of either alphabet, up to its last whole group; none if it is not base64."""
    text = "".join(text.split())
    if _BASE64.fullmatch(text) is None:
        return b""
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    return b64decode(text[: len(text) // 4 * 4])
