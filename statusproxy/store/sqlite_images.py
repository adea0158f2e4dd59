"""The pages of an SQLite file and its log, each for itself, for a file that SQLite refuses to read.

Nothing is written. No SQLite connection to the file may be open in this process: closing ours would drop its locks
(https://www.sqlite.org/howtocorrupt.html, section 2.2).
"""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from statusproxy.store import sqlite_page
from statusproxy.store.sqlite_page import FILE_HEADER, LEAF_TABLE, MAGIC, Column
from statusproxy.store.sqlite_wal import read_wal

__all__ = ["PageFile"]

_USUAL_PAGE: Final = 4096


class _Image(NamedTuple):
    """Where one version of a page stands. `sound` is False where the log's checksum says that it is damaged."""

    handle: int
    offset: int
    sound: bool


class PageFile:
    """A database file and its log, open for reading. Use it in a `with` block; its methods raise no `OSError`."""

    def __init__(self, path: Path) -> None:
        """Open the file and its log; either may be missing. Raises `OSError`."""
        self._handles: list[int] = []
        self._logged: dict[int, list[_Image]] = {}
        try:
            self._set_up(path)
        except BaseException:
            self.close()
            raise

    def _set_up(self, path: Path) -> None:
        self._main = self._open(path)
        header = os.pread(self._main, FILE_HEADER, 0) if self._main is not None else b""
        size = _page_size(header)
        wal = read_wal(Path(f"{path}-wal"), size)
        self._page_size = size or (wal.page_size if wal is not None else _USUAL_PAGE)
        length = os.fstat(self._main).st_size if self._main is not None else 0
        self._in_file = -(-length // self._page_size)
        self.pages = self._in_file
        """How many pages there are."""
        log = self._open(Path(f"{path}-wal"))
        if wal is not None and log is not None and wal.page_size == self._page_size:
            for frame in wal.frames:
                self._logged.setdefault(frame.page, []).insert(0, _Image(log, frame.offset, frame.sound))
            # A damaged number must not make us look at four thousand million pages.
            self.pages = max(self.pages, *(page for page in self._logged if page <= self.pages + len(wal.frames)), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for handle in self._handles:
            os.close(handle)
        self._handles.clear()

    def newest(self, number: int) -> tuple[bytes, bool]:
        """The newest version of a page, and whether the log's checksum holds where it stands there."""
        images = self._images(number)
        return (self._read(images[0]), images[0].sound) if images else (bytes(self._page_size), False)

    def versions(self, number: int) -> list[bytes]:
        """The newest version of a page; where that one is damaged, the older ones too, until one is sound."""
        found: list[bytes] = []
        for image in self._images(number):
            page = self._read(image)
            found.append(page)
            if image.sound and sqlite_page.kind(page, number) is not None:
                break
        return found

    def free_pages(self) -> frozenset[int]:
        """The pages of the free list (section 1.5), as far as it can be followed: what stands there was deleted."""
        header, _ = self.newest(1)
        trunk = int.from_bytes(header[32:36], "big") if header.startswith(MAGIC) else 0
        free: set[int] = set()
        while 1 < trunk <= self.pages and trunk not in free:
            page, _ = self.newest(trunk)
            free.add(trunk)
            count = min(int.from_bytes(page[4:8], "big"), self._page_size // 4 - 2)
            free.update(int.from_bytes(page[8 + 4 * each : 12 + 4 * each], "big") for each in range(count))
            trunk = int.from_bytes(page[:4], "big")
        return frozenset(free)

    def rows(self, page: bytes, number: int) -> Iterator[tuple[int | None, list[Column]] | None]:
        """The rows on a page with their number, if they have one; None for each that cannot be read."""
        for cell in sqlite_page.cells(page, number):
            payload = None if cell is None else self._payload(cell)
            values = None if payload is None else sqlite_page.columns(payload)
            yield None if cell is None or values is None else (cell.rowid, values)

    def table_rows(self, page: bytes, number: int) -> Iterator[tuple[int, list[Column]]]:
        """The rows on a page of a table with numbers; nothing for other pages."""
        if page[FILE_HEADER if number == 1 else 0] == LEAF_TABLE:
            for row in self.rows(page, number):
                if row is not None and row[0] is not None:
                    yield row[0], row[1]

    def _payload(self, cell: sqlite_page.Cell) -> bytes | None:
        """A cell's whole payload, with the pages it goes on to (section 1.7); None where one of them is missing."""
        pieces = [cell.local]
        missing, number = cell.size - len(cell.local), cell.overflow
        if missing > self.pages * self._page_size:
            return None
        while missing > 0:
            if not 1 < number <= self.pages:
                return None
            page, _ = self.newest(number)
            pieces.append(page[4 : 4 + missing])
            missing -= len(pieces[-1])
            number = int.from_bytes(page[:4], "big")
        return b"".join(pieces)

    def _images(self, number: int) -> list[_Image]:
        """Every version of a page, the newest first: those in the log, then the one in the file."""
        images = list(self._logged.get(number, ()))
        if self._main is not None and number <= self._in_file:
            images.append(_Image(self._main, (number - 1) * self._page_size, sound=True))
        return images

    def _open(self, path: Path) -> int | None:
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        self._handles.append(handle)
        return handle

    def _read(self, image: _Image) -> bytes:
        try:
            page = os.pread(image.handle, self._page_size, image.offset)
        except OSError:  # a sector that cannot be read
            page = b""
        return page.ljust(self._page_size, b"\0")


def _page_size(header: bytes) -> int | None:
    """The page size that a file's header names (section 1.3.2); None where it is none."""
    if len(header) < FILE_HEADER:
        return None
    size = int.from_bytes(header[16:18], "big")
    size = 65_536 if size == 1 else size
    return size if header.startswith(MAGIC) and 512 <= size <= 65_536 and size & (size - 1) == 0 else None
