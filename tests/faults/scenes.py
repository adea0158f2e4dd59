"""What the stand-in gateway answers, by the request's path and query: each kind of answer that faults need.

| path | answer |
| --- | --- |
| `/ping` | a few bytes |
| `/bytes/N` | N bytes, in one write with their head |
| `/chunked/N`, `/until-close/N` | N bytes in chunks, or ended by the connection's end |
| `/wait/SECONDS` | a few bytes, after that time |
| `/cut/FRAMING/HOW/NAME` | half an answer; FRAMING: `length`, `chunked`, `close`; HOW: `fin`, `reset`, `stall` |
| `/cut-now/NAME` | a few bytes; the half answer of that NAME ends, as its HOW says |
| `/endless/WHAT/BYTES` | `trailers`, `interim` answers, one-byte `chunks` or a `head`: so many bytes of them, no end |
| `/early` | 413 as soon as the request's head is there; the body is not read |
| `/stop-reading` | nothing; after 64 KiB the body is not read any more |
| `/tunnel/HOW` | 101; HOW: `echo`, or `end` or `reset` as soon as something was said |
| `/api/channels?channels=N` | a list of N channels, all connected; `pad`, `coding`, `repeat` as below |
| `/api/channels/ID` | one channel, connected |
| `/gateway/report` | what came so far: requests by their `X-Serial`, connections by how they ended |

Any path may stand behind a prefix `/at/WORD`. POST to any other path gets a few bytes with the body's length and hash.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import json
import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

#: Lists and bodies kept ready, so that the gateway answers a repeated request at once.
_KEPT: Final = 64

#: Longest body that is made in one piece, in bytes.
LARGEST: Final = 64 * 1024 * 1024


@lru_cache(maxsize=_KEPT)
def content(size: int) -> bytes:
    """`size` bytes that are the same each time and differ from those of any other size."""
    return random.Random(size).randbytes(size)


@lru_cache(maxsize=_KEPT)
def content_hash(size: int) -> str:
    """The SHA-256 of `content(size)`."""
    return hashlib.sha256(content(size)).hexdigest()


@lru_cache(maxsize=_KEPT)
def channel_list(channels: int, pad: int = 0, first: str = "") -> bytes:
    """A list of `channels` channels named `c0`, `c1`, …, all connected; `pad` bytes of text in each.

    `first` are further ids, separated by commas, that stand before them.
    """
    ids = [*filter(None, first.split(",")), *(f"c{number}" for number in range(channels))]
    filler = {"note": "x" * pad} if pad else {}
    listed = [{"id": one, "name": f"Channel {one}", "status": "connected", "connected": True, **filler} for one in ids]
    return json.dumps({"success": True, "channels": listed}, separators=(",", ":")).encode()


#: What one channel of a list may have very much of, or be: its id is this name.
CROWDED: Final[dict[str, Callable[[int], bytes]]] = {
    "words": lambda count: b'{"id":"words",%b"z":1}' % (b'"status":"connected",' * count),
    "nested": lambda count: b'{"id":"nested","status":"connected",%b"z":1}' % (b'"n":{"a":{"b":1}},' * count),
    "members": lambda count: b'{"id":"members","status":"connected",%b"z":1}' % (b'"x":1,' * count),
    "repeated": lambda count: b",".join([b'{"id":"repeated","status":"connected"}'] * count),
}


@lru_cache(maxsize=_KEPT)
def crowded_list(what: str, count: int) -> bytes:
    """A list with one channel, or one id, that has `count` of what its name says."""
    return b'{"success":true,"channels":[%b]}' % CROWDED[what](count)


@lru_cache(maxsize=_KEPT)
def coded(body: bytes, coding: str, empties: int = 0) -> bytes:
    """`body` in a content coding, behind `empties` empty gzip members or zstd frames."""
    if coding == "gzip":
        return gzip.compress(b"", mtime=0) * empties + gzip.compress(body, 1, mtime=0)
    if coding == "zstd":
        zstd = zstandard()
        return bytes(zstd.compress(b"")) * empties + bytes(zstd.compress(body))
    if coding == "br":
        import brotli

        return bytes(brotli.compress(body, quality=5))
    return body


def zstandard() -> Any:
    """The module with `compress` and `decompress` for zstd. Raises `ImportError` where there is none."""
    try:
        return importlib.import_module("compression.zstd")  # Python 3.14 and newer
    except ImportError:
        return importlib.import_module("backports.zstd")


@lru_cache(maxsize=_KEPT)
def list_answer(query: str) -> tuple[bytes, str]:
    """The list that a query asks for, and its coding.

    `channels`, `pad`, `first` are `channel_list`'s; `coding` is `gzip`, `zstd` or `br`; `empties` is `coded`'s; `blank`
    adds so many bytes of white space to the document, which codings make small. `crowded` and `count` are
    `crowded_list`'s.
    """
    asked = dict(part.partition("=")[::2] for part in query.split("&") if part)
    if "crowded" in asked:
        return crowded_list(asked["crowded"], int(asked["count"])), ""
    body = channel_list(int(asked.get("channels", 3)), int(asked.get("pad", 0)), asked.get("first", "sales,support"))
    blank = int(asked.get("blank", 0))
    body = body[:-1] + b" " * blank + body[-1:]
    coding = asked.get("coding", "")
    return (coded(body, coding, int(asked.get("empties", 0))) if coding else body), coding
