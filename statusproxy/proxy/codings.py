"""Content codings of whole bodies: decoding an answer that must be corrected, compressing it for the client.

RFC 9110 §8.4, §12.5.3. Both work in steps, as bodies may be large.
"""

import gzip
import io
import zlib
from typing import Final

from statusproxy.proxy.decoders import WIDE, CodingError, Decoder
from statusproxy.proxy.http1.head import members
from statusproxy.proxy.steps import Steps
from statusproxy.status.steps import at_once

#: Answers shorter than this, in bytes, are not compressed: it gains nothing on the wire.
WORTHWHILE: Final = 1024

#: gzip's effort: at 5, JSON lists shrink to a tenth, at a third of the time that 9 takes.
_EFFORT: Final = 5

#: Bytes that are compressed in one step: 1 ms.
_STEP: Final = 64 * 1024

#: Bytes of `Accept-Encoding` that are read, below a millisecond. Browsers send some 30.
_LONGEST_ACCEPT: Final = 1024

#: Codings applied one over another that are undone; one is usual, two were seen.
_LAYERS: Final = 3


def decode(body: bytes, coding: bytes, limit: int) -> bytes:
    """`body` with its `Content-Encoding` undone, all of its layers; never more than `limit` bytes.

    Raises `CodingError`, also for a bomb (a body whose content, in any layer, is larger than `limit`).
    """
    return at_once(decoding(body, coding, limit))


def decoding(body: bytes, coding: bytes, limit: int) -> Steps[bytes]:
    """What `decode` does, in steps."""
    names = layers(coding)
    if len(names) > _LAYERS:
        raise CodingError("unknown-coding")
    for name in reversed(names):
        decoder = Decoder(name, limit)
        decoder.feed(body)
        decoded = io.BytesIO()  # which gives what was written without another copy, unlike a join of pieces
        while decoder.behind:
            decoded.write(decoder.step())
            if decoder.behind:
                yield
        decoder.end()
        body = decoded.getvalue()
    return body


def layers(coding: bytes) -> list[bytes]:
    """The codings that a `Content-Encoding` names, in lower case and in the order they were applied."""
    return [name for name in members([coding.lower()]) if name != b"identity"]


def is_wide(coding: bytes) -> bool:
    """Whether undoing a `Content-Encoding` may hold a large window in memory."""
    return not WIDE.isdisjoint(layers(coding))


def accepts_gzip(accept: list[bytes]) -> bool:
    """Whether a client that sent these `Accept-Encoding` values takes gzip (RFC 9110 §12.5.3).

    One that sends more than `_LONGEST_ACCEPT` bytes gets none: an uncoded answer suits everyone.
    """
    wanted: dict[bytes, float] = {}
    said = b",".join(accept)
    if len(said) > _LONGEST_ACCEPT:
        return False
    for part in said.lower().split(b","):
        name, _, parameters = part.partition(b";")
        quality = 1.0
        for parameter in parameters.split(b";"):
            key, _, value = parameter.partition(b"=")
            if key.strip() == b"q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        wanted[name.strip()] = quality
    return wanted.get(b"gzip", wanted.get(b"x-gzip", wanted.get(b"*", 0.0))) > 0


def encoding_gzip(body: bytes) -> Steps[bytes]:
    """`body` as gzip, in steps; the same bytes for the same body, so that a validator over it holds."""
    if len(body) <= _STEP:
        return gzip.compress(body, _EFFORT, mtime=0)
    stream = zlib.compressobj(_EFFORT, wbits=31)
    view = memoryview(body)
    pieces: list[bytes] = []
    for at in range(0, len(view), _STEP):
        pieces.append(stream.compress(view[at : at + _STEP]))
        yield
    pieces.append(stream.flush())
    return b"".join(pieces)
