"""Compressors for the tests of decoding: each by a name, with the content coding that it makes."""

import gzip
import importlib
import zlib
from collections.abc import Callable
from typing import Any, Final

import brotli


def zstd() -> Any:
    """The zstd module of this Python."""
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        return importlib.import_module("backports.zstd")


def raw_deflate(body: bytes) -> bytes:
    """Deflate without zlib's wrapper, which is what some senders mean by the name."""
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(body) + stream.flush()


COMPRESSORS: Final[dict[str, tuple[bytes, Callable[[bytes], bytes]]]] = {
    "gzip": (b"gzip", gzip.compress),
    "zlib": (b"deflate", zlib.compress),
    "bare deflate": (b"deflate", raw_deflate),
    "br": (b"br", brotli.compress),
    "zstd": (b"zstd", lambda body: bytes(zstd().compress(body))),
}

#: Those whose bodies may be several, one behind the other.
SEVERAL: Final = ["gzip", "zstd"]
