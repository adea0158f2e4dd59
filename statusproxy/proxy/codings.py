"""Content codings: unfolding an answer that must be corrected, folding one the client wants small (RFC 9110 §8.4)."""

import gzip
import zlib
from collections.abc import Callable
from typing import Any, Final

#: Answers shorter than this, in bytes, are not compressed: it gains nothing on the wire.
WORTHWHILE: Final = 1024

#: gzip's effort: at 5, JSON lists shrink to a tenth, at a third of the time that 9 takes.
_EFFORT: Final = 5


class CodingError(ValueError):
    """A body cannot be unfolded; the text says why: `unknown-coding`, `too-large` or `broken-coding`."""


#: Codings applied one over another that are undone; one is usual, two were seen.
_LAYERS: Final = 3


def decode(body: bytes, coding: bytes, limit: int) -> bytes:
    """`body` with its `Content-Encoding` undone, all of its layers; never more than `limit` bytes.

    Raises `CodingError`, also for a bomb (a body that unfolds beyond `limit`).
    """
    names = [part.strip().lower() for part in coding.split(b",") if part.strip()]
    if len(names) > _LAYERS:
        raise CodingError("unknown-coding")
    for name in reversed(names):
        if name == b"identity":
            continue
        unfold = _UNFOLDERS.get(name)
        if unfold is None:
            raise CodingError("unknown-coding")
        try:
            body = unfold(body, limit)
        except CodingError:
            raise
        except ImportError:
            raise CodingError("unknown-coding") from None
        except Exception as error:
            raise CodingError("broken-coding") from error
    return body


def accepts_gzip(accept: list[bytes]) -> bool:
    """Whether a client that sent these `Accept-Encoding` values takes gzip (RFC 9110 §12.5.3)."""
    wanted: dict[bytes, float] = {}
    for part in b",".join(accept).lower().split(b","):
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


def encode_gzip(body: bytes) -> bytes:
    """`body` as gzip; the same bytes for the same body, so that a validator over it holds."""
    return gzip.compress(body, _EFFORT, mtime=0)


def _unfold(body: bytes, limit: int, decompress: Callable[[bytes, int], bytes], unfolder: Any) -> tuple[bytes, bytes]:
    """One compressed stream at the beginning of `body`, unfolded, and what stands behind it."""
    data = decompress(body, limit + 1)
    if len(data) > limit:
        raise CodingError("too-large")
    if not unfolder.eof:
        raise CodingError("broken-coding")
    return data, unfolder.unused_data


def _one(body: bytes, limit: int, wbits: int) -> bytes:
    unfolder = zlib.decompressobj(wbits=wbits)
    data, behind = _unfold(body, limit, unfolder.decompress, unfolder)
    if behind:
        raise CodingError("broken-coding")
    return data


def _all(body: bytes, limit: int, begin: Callable[[], tuple[Callable[[bytes, int], bytes], Any]]) -> bytes:
    """All the streams that make up `body`: gzip's members and zstd's frames may follow one another."""
    pieces: list[bytes] = []
    while body:
        piece, body = _unfold(body, limit, *begin())
        limit -= len(piece)
        pieces.append(piece)
    return b"".join(pieces)


def _gzip(body: bytes, limit: int) -> bytes:
    def begin() -> tuple[Callable[[bytes, int], bytes], Any]:
        unfolder = zlib.decompressobj(wbits=31)
        return unfolder.decompress, unfolder

    return _all(body, limit, begin)


def _deflate(body: bytes, limit: int) -> bytes:
    # "deflate" means zlib's format, and some senders leave its wrapper out.
    try:
        return _one(body, limit, 15)
    except zlib.error:
        return _one(body, limit, -15)


def _brotli(body: bytes, limit: int) -> bytes:
    import brotli

    unfolder = brotli.Decompressor()
    data: bytes = unfolder.process(body, output_buffer_limit=limit + 1)
    if len(data) > limit or not unfolder.can_accept_more_data():
        raise CodingError("too-large")
    if not unfolder.is_finished():
        raise CodingError("broken-coding")
    return data


def _zstd(body: bytes, limit: int) -> bytes:
    zstd: Any
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore, no-redef]
    except ImportError:
        from backports import zstd

    def begin() -> tuple[Callable[[bytes, int], bytes], Any]:
        unfolder = zstd.ZstdDecompressor()
        return unfolder.decompress, unfolder

    return _all(body, limit, begin)


_UNFOLDERS: Final[dict[bytes, Callable[[bytes, int], bytes]]] = {
    b"gzip": _gzip,
    b"x-gzip": _gzip,
    b"deflate": _deflate,
    b"br": _brotli,
    b"zstd": _zstd,
}
