"""The frames of an SQLite write-ahead log, and whether the log is damaged, read from the bytes alone.

SQLite takes the first frame with a wrong checksum for the end of the log and says nothing: one flipped bit makes it
forget all later commits. A power cut leaves such a frame too, but only in the last transaction, which no one was
answered for. So the log is damaged where a frame that ends a transaction *follows* a frame that cannot be read.
The format: https://www.sqlite.org/fileformat.html, section 4.
"""

import os
import struct
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Frame", "Wal", "read_wal"]

_HEADER: Final = struct.Struct(">8I")  # magic, format, page size, sequence, two salts, two checksums
_FRAME: Final = struct.Struct(">6I")  # page, pages of the database after a commit, two salts, two checksums
_MAGIC: Final = {0x377F0682: "<", 0x377F0683: ">"}
_NATIVE: Final = "<" if sys.byteorder == "little" else ">"
_MASK: Final = 0xFFFFFFFF

# Where the log's header cannot be read, its frames are looked for at this page size, SQLite's default.
_USUAL_PAGE: Final = 4096

# Checking takes some 75 µs a frame; a log that a reader let grow to 100 MB must not delay the start. What comes
# later than this is taken as it is, as SQLite does with every page it reads from the log.
_CHECK_SECONDS: Final = 1.0

_Sums = tuple[int, int]


class Frame(NamedTuple):
    """One page in the log: its number, where its bytes begin in the file, and whether its checksum holds."""

    page: int
    offset: int
    sound: bool


class Wal(NamedTuple):
    """The log up to its last commit. `broken` is the first frame that cannot be read (from 1), None if all can."""

    page_size: int
    frames: list[Frame]
    broken: int | None


def read_wal(path: Path, page_size: int | None = None) -> Wal | None:
    """Read a log; None if there is no log, or nothing of use in it. Raises `OSError`.

    `page_size` is the database's, for a log whose header cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return _read(handle, os.fstat(handle).st_size, page_size or _USUAL_PAGE)
    finally:
        os.close(handle)


def _read(handle: int, size: int, usual: int) -> Wal | None:
    head = os.pread(handle, _HEADER.size, 0)
    if len(head) < _HEADER.size:
        return None
    magic, _, page_size, _, salt1, salt2, sum1, sum2 = _HEADER.unpack(head)
    order = _MAGIC.get(magic)
    sums: _Sums | None = None
    salts: _Sums | None = None
    if order is not None and _is_page_size(page_size) and _checksum(head[:24], (0, 0), order) == (sum1, sum2):
        sums, salts = (sum1, sum2), (salt1, salt2)
    else:
        order, page_size = _NATIVE, usual
        salts = _salts_of_the_frames(handle, size, page_size)
        if salts is None:
            return None
    frames: list[Frame] = []
    committed = 0
    broken: int | None = None if sums is not None else 1
    broken_before_commit = broken
    step = _FRAME.size + page_size
    deadline = time.monotonic() + _CHECK_SECONDS
    for number in range((size - _HEADER.size) // step):
        at = _HEADER.size + number * step
        late = time.monotonic() > deadline
        data = os.pread(handle, _FRAME.size if late else step, at)
        page, pages, one, other, *stated = _FRAME.unpack_from(data)
        if (one, other) != salts or not page:
            # Damaged, or left from an earlier round of the log: then nothing of this round follows.
            broken = broken or number + 1
            sums = None
            continue
        # Unknown after a frame whose head cannot be read: this checksum continues that frame's.
        unknown = sums is None
        sound = late or (sums is not None and _frame_sums(data, sums, order) == (stated[0], stated[1]))
        sums = (stated[0], stated[1])
        if not sound:
            broken = broken or number + 1
        frames.append(Frame(page, at + _FRAME.size, sound))
        if pages and (sound or unknown):
            committed = len(frames)
            broken_before_commit = broken
    if not committed:
        return None
    return Wal(page_size, frames[:committed], broken_before_commit)


def _salts_of_the_frames(handle: int, size: int, page_size: int) -> _Sums | None:
    """The salts that the first two frames share, where the header that should name them cannot be read."""
    step = _FRAME.size + page_size
    seen: set[_Sums] = set()
    for number in range((size - _HEADER.size) // step):
        page, _, one, other, _, _ = _FRAME.unpack(os.pread(handle, _FRAME.size, _HEADER.size + number * step))
        if page and (one, other) in seen:
            return one, other
        if page and (one, other) != (0, 0):
            seen.add((one, other))
        if number >= 2:
            break
    return seen.pop() if len(seen) == 1 else None


def _frame_sums(data: bytes, sums: _Sums, order: str) -> _Sums:
    return _checksum(data[_FRAME.size :], _checksum(data[:8], sums, order), order)


def _is_page_size(size: int) -> bool:
    return 512 <= size <= 65_536 and size & (size - 1) == 0


def _checksum(data: bytes, sums: _Sums, order: str) -> _Sums:
    """The running sums over `data`, whose length is a multiple of 8 (section 4.2)."""
    one, other = sums
    # Eight words a turn, cut back to 32 bits once a turn: half the time. Pages are multiples of 32 bytes.
    whole = len(data) // 32 * 32
    for a, b, c, d, e, f, g, h in struct.iter_unpack(f"{order}8I", data[:whole]):
        one += a + other
        other += b + one
        one += c + other
        other += d + one
        one += e + other
        other += f + one
        one += g + other
        other += h + one
        one &= _MASK
        other &= _MASK
    for first, second in struct.iter_unpack(f"{order}2I", data[whole:]):
        one = one + first + other & _MASK
        other = other + second + one & _MASK
    return one, other
