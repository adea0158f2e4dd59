"""The bytes of the peers' downloads, made again here so that a test can tell what should have arrived."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

BLOCK: Final = bytes((index * 131 + 7) & 255 for index in range(65521))
"""One period of the pattern; a prime length, so that a piece lost, doubled or moved changes the hash (wire.mjs)."""


def blocks(size: int) -> Iterator[bytes]:
    """The first `size` bytes of the pattern, in pieces."""
    while size > 0:
        yield BLOCK[:size]
        size -= len(BLOCK)


def pattern(size: int) -> bytes:
    """The first `size` bytes of the pattern."""
    return b"".join(blocks(size))


def pattern_sha256(size: int) -> str:
    """The SHA-256, in hexadecimal, of the first `size` bytes; a gigabyte takes about half a second."""
    digest = hashlib.sha256()
    for block in blocks(size):
        digest.update(block)
    return digest.hexdigest()
