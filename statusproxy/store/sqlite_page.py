"""One page of an SQLite file: its kind, its cells, and the columns of a row, read from the bytes alone.

For files that SQLite itself refuses to read. Whatever the bytes are, nothing here raises, and every read is bounded
by the page. The format: https://www.sqlite.org/fileformat.html, sections 1.6 (b-tree pages) and 2.1 (records).
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = [
    "FILE_HEADER",
    "INDEX_KINDS",
    "LEAF_TABLE",
    "MAGIC",
    "Cell",
    "Column",
    "cells",
    "children",
    "columns",
    "kind",
]

MAGIC: Final = b"SQLite format 3\0"
FILE_HEADER: Final = 100
"""Bytes of the file's header, which stands before page 1's own."""

INTERIOR_INDEX: Final = 0x02
INTERIOR_TABLE: Final = 0x05
LEAF_INDEX: Final = 0x0A
LEAF_TABLE: Final = 0x0D

_KINDS: Final = frozenset({INTERIOR_INDEX, INTERIOR_TABLE, LEAF_INDEX, LEAF_TABLE})
_INTERIOR: Final = frozenset({INTERIOR_INDEX, INTERIOR_TABLE})
INDEX_KINDS: Final = frozenset({INTERIOR_INDEX, LEAF_INDEX})
"""The pages of an index, and of a table WITHOUT ROWID. Both kinds hold rows."""

# Bytes of the serial types 0 to 9 (section 2.1): NULL, six widths of integers, a float, and the constants 0 and 1.
_WIDTHS: Final = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
_FLOAT_TYPE: Final = 7
_ONE_TYPE: Final = 9
_FIRST_BYTES_TYPE: Final = 12

Column = None | int | float | bytes
"""A column's value; text and blobs are both bytes."""


class Cell(NamedTuple):
    """A row as it stands in a page. `overflow` is the page on which the payload goes on, 0 where it does not."""

    rowid: int | None
    size: int
    local: bytes
    overflow: int


def kind(page: bytes, number: int) -> int | None:
    """The kind of a b-tree page; None where the header or a cell pointer is not one of a sound page."""
    start = FILE_HEADER if number == 1 else 0
    if len(page) < start + 12 or page[start] not in _KINDS:
        return None
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    first = start + (12 if page[start] in _INTERIOR else 8)
    end = first + 2 * count
    if end > len(page):
        return None
    pointers = struct.unpack_from(f">{count}H", page, first)
    return page[start] if all(end <= pointer <= len(page) - 2 for pointer in pointers) else None


def cells(page: bytes, number: int) -> Iterator[Cell | None]:
    """The cells of a page that hold a payload; None for each that cannot be read."""
    start = FILE_HEADER if number == 1 else 0
    if len(page) < start + 12 or page[start] not in _KINDS or page[start] == INTERIOR_TABLE:
        return
    for pointer in _pointers(page, start):
        yield _cell(page, pointer, page[start])


def children(page: bytes, number: int) -> list[int]:
    """The pages below an interior page, in order; nothing for a leaf."""
    start = FILE_HEADER if number == 1 else 0
    if len(page) < start + 12 or page[start] not in _INTERIOR:
        return []
    found = [_number(page, pointer) for pointer in _pointers(page, start)]
    return [*found, _number(page, start + 8)]


def columns(payload: bytes) -> list[Column] | None:
    """The columns of a row; None where the payload is not a whole row."""
    head, at = _varint(payload, 0)
    if not at or head > len(payload):
        return None
    types = []
    while at < head:
        serial, after = _varint(payload, at)
        if not after:
            return None
        types.append(serial)
        at = after
    values: list[Column] = []
    for serial in types:
        if serial >= _FIRST_BYTES_TYPE:
            width = (serial - _FIRST_BYTES_TYPE) // 2
        elif serial < len(_WIDTHS):
            width = _WIDTHS[serial]
        else:
            return None
        piece = payload[at : at + width]
        if len(piece) != width:
            return None
        at += width
        values.append(_value(serial, piece))
    return values


def _value(serial: int, piece: bytes) -> Column:
    if serial >= _FIRST_BYTES_TYPE:
        return piece
    if serial == 0:
        return None
    if serial == _FLOAT_TYPE:
        value: float = struct.unpack(">d", piece)[0]
        return value
    if not piece:
        return 1 if serial == _ONE_TYPE else 0
    return int.from_bytes(piece, "big", signed=True)


def _pointers(page: bytes, start: int) -> Iterator[int]:
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    first = start + (12 if page[start] in _INTERIOR else 8)
    # A count that is wrong must not make us read cell contents as pointers for long.
    for at in range(first, min(first + 2 * count, len(page) - 1), 2):
        yield int.from_bytes(page[at : at + 2], "big")


def _cell(page: bytes, at: int, page_kind: int) -> Cell | None:
    if page_kind == INTERIOR_INDEX:
        at += 4  # the page below
    size, at = _varint(page, at)
    if not at:
        return None
    rowid: int | None = None
    if page_kind == LEAF_TABLE:
        rowid, at = _varint(page, at)
        if not at:
            return None
    local = _local(size, len(page), page_kind in INDEX_KINDS)
    end = at + local
    if end + (4 if local < size else 0) > len(page):
        return None
    return Cell(rowid, size, page[at:end], _number(page, end) if local < size else 0)


def _local(size: int, usable: int, index: bool) -> int:
    """How many bytes of a payload stand in the page itself (section 1.6)."""
    most = (usable - 12) * 64 // 255 - 23 if index else usable - 35
    if size <= most:
        return size
    least = (usable - 12) * 32 // 255 - 23
    some = least + (size - least) % (usable - 4)
    return some if some <= most else least


def _number(page: bytes, at: int) -> int:
    return int.from_bytes(page[at : at + 4], "big")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer and the position after it; position 0 where the data end before it does."""
    if at < len(data) and data[at] < 0x80:
        return data[at], at + 1
    value = 0
    for place in range(at, min(at + 8, len(data))):
        byte = data[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    if at + 8 < len(data):
        return value << 8 | data[at + 8], at + 9
    return 0, 0
