"""Database files and logs put together byte by byte, with pages of 512 bytes, as the file format describes them.

https://www.sqlite.org/fileformat.html
"""

import struct
from collections.abc import Sequence

SIZE = 512
HEADER, FRAME = 32, 24


def varint(value: int) -> bytes:
    """Section 1.6: seven bits a byte, the highest first; a ninth byte holds eight."""
    if value >= 1 << 56:
        high, last = value >> 8, bytes([value & 0xFF])
        return bytes(0x80 | high >> shift & 0x7F for shift in range(49, -1, -7)) + last
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | value & 0x7F)
    return bytes(reversed(groups))


def a_page(kind: int, cells: Sequence[bytes] = (), *, right: int = 0, before: int = 0, size: int = SIZE) -> bytes:
    """A b-tree page whose cells stand at its end; `before` bytes stand before its header, as on page 1."""
    head = 12 if kind in (2, 5) else 8
    content, pointers = b"", []
    for cell in cells:
        content = cell + content
        pointers.append(size - len(content))
    start = struct.pack(">BHHHB", kind, 0, len(cells), size - len(content), 0) + struct.pack(">I", right)[: head - 8]
    start = bytes(before) + start + b"".join(struct.pack(">H", pointer) for pointer in pointers)
    return start + bytes(size - len(start) - len(content)) + content


def row(*values: bytes | int | None) -> bytes:
    """A record (section 2.1) of blobs, small integers and NULLs."""
    types, content = b"", b""
    for value in values:
        if isinstance(value, bytes):
            types, content = types + varint(12 + 2 * len(value)), content + value
        else:
            types, content = types + (b"\0" if value is None else b"\1"), content + (bytes([value]) if value else b"")
    return bytes([1 + len(types)]) + types + content


def table_cell(number: int, payload: bytes, overflow: int = 0, size: int | None = None) -> bytes:
    """A cell of a table's leaf; `size` where the payload goes on elsewhere."""
    whole = varint(size or len(payload)) + varint(number) + payload
    return whole + struct.pack(">I", overflow) if overflow else whole


def checksum(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    """Section 4.2, word by word."""
    one, other = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + other) % 2**32
        other = (other + second + one) % 2**32
    return one, other


def a_log(
    frames: Sequence[tuple[int, int, bytes]], *, big: bool = False, size: int = SIZE, salts: tuple[int, int] = (7, 9)
) -> bytes:
    """A write-ahead log (section 4) of frames: page, pages of the database after a commit (else 0), content."""
    order = ">" if big else "<"
    head = struct.pack(">6I", 0x377F0683 if big else 0x377F0682, 3_007_000, size, 1, *salts)
    sums = checksum(head, (0, 0), order)
    log = head + struct.pack(">2I", *sums)
    for page, pages, content in frames:
        start = struct.pack(">2I", page, pages)
        sums = checksum(content, checksum(start, sums, order), order)
        log += start + struct.pack(">4I", *salts, *sums) + content
    return log
