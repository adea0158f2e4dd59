"""Edit byte spans: new values between slices of the old document, everything else as it was."""

from collections.abc import Generator, Iterable, Sequence
from io import BytesIO
from typing import Final

Edit = tuple[int, int, bytes]
"""The first byte to replace, the one after the last, and what stands there instead."""

_AT_ONCE: Final = 1_024
"""Edits made between two yields: 1 ms at most."""

COPIED: Final = 4 * 1024 * 1024
"""Bytes of a document that is copied in one go, for 2 to 5 ms: each page of a large copy is new to the process."""

_COPY: Final = 1024 * 1024
"""Bytes of a longer one that are copied between two yields."""

_BLOCK: Final = 8 * 1024
"""Bytes of the document in which edits are put in order by themselves."""


def splice(document: bytes, edits: Iterable[Edit]) -> bytes:
    """The document with these edits made; they must not overlap."""
    return b"".join(_all_pieces(document, edits))


def splice_in_steps(document: bytes, edits: Sequence[Edit]) -> Generator[None, None, bytes]:
    """The same; yields after each short step."""
    if len(edits) <= _AT_ONCE:
        return (yield from _join(_all_pieces(document, edits)))
    blocks: dict[int, list[Edit]] = {}
    for first in range(0, len(edits), _AT_ONCE):
        for edit in edits[first : first + _AT_ONCE]:
            blocks.setdefault(edit[0] // _BLOCK, []).append(edit)
        yield
    view, done, position = memoryview(document), [], 0
    for block in sorted(blocks):
        pieces, position = _pieces(view, position, sorted(blocks.pop(block)))
        done.append(b"".join(pieces))
        yield
    return (yield from _join([*done, view[position:]]))


def _join(pieces: Sequence[bytes | memoryview]) -> Generator[None, None, bytes]:
    """These pieces in a row; yields after each short step where they are long."""
    if sum(map(len, pieces)) <= COPIED:
        return b"".join(pieces)
    whole, spent = BytesIO(), 0
    for piece in pieces:
        for first in range(0, len(piece), _COPY):
            part = memoryview(piece)[first : first + _COPY]
            whole.write(part)
            spent += len(part)
            if spent >= _COPY:
                spent = 0
                yield
    return whole.getvalue()


def _all_pieces(document: bytes, edits: Iterable[Edit]) -> list[bytes | memoryview]:
    """What the document becomes by these edits."""
    view = memoryview(document)
    pieces, position = _pieces(view, 0, sorted(edits))
    return [*pieces, view[position:]]


def _pieces(view: memoryview, position: int, edits: Iterable[Edit]) -> tuple[list[bytes | memoryview], int]:
    """What the document becomes from a position to the end of these edits, which are in order; and where that is."""
    pieces: list[bytes | memoryview] = []
    for start, end, value in edits:
        pieces.append(view[position:start])
        pieces.append(value)
        position = end
    return pieces, position
