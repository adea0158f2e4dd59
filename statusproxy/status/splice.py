"""Edit byte spans: new values between slices of the old document, everything else as it was."""

from collections.abc import Iterable

Edit = tuple[int, int, bytes]
"""The first byte to replace, the one after the last, and what stands there instead."""


def splice(document: bytes, edits: Iterable[Edit]) -> bytes:
    """The document with these edits made; they must not overlap."""
    pieces: list[bytes | memoryview] = []
    view = memoryview(document)
    position = 0
    for start, end, value in sorted(edits):
        pieces.append(view[position:start])
        pieces.append(value)
        position = end
    pieces.append(view[position:])
    return b"".join(pieces)
