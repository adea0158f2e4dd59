"""A journal's file: what waits for a server that is away, one item a line, for one process and one server.

    3f9a01bc of "redis at 10.0.0.5:6379/0, keys statusproxy:*"     which server and keys: the first line
    a81c7f20 put {"format":1,"session":"sales",…}                   a record
    0b5d9e44 drop [1768504026.5,"support"]                          a session forgotten, and when (epoch seconds)
    77aa3c19 log [1768504026500001,{"format":1,…}]                  a change for the history, and its number

Each line begins with the CRC-32 of the rest, so that a line which a crash left half written is known for what it is. A
bad line at the end was never answered for and is left out. A bad line elsewhere is damage: the others are read all the
same, and the damaged file is kept under another name.

All calls block. Nothing here decides when to write: `journal.py` does.
"""

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from statusproxy.status.model import Record
from statusproxy.store.backlog import Dropped, Entry, Item
from statusproxy.store.codec import RowError, decode_change, decode_record, encode
from statusproxy.store.errors import StoreInUseError
from statusproxy.store.file_lock import lock_file
from statusproxy.store.files import create_private, make_directory, sync_directory

__all__ = ["Found", "JournalFile", "encode_items", "file_name"]

_ENDING: Final = ".journal"

# Seconds to wait for the lock of a process that is about to end.
_LOCK_WAIT: Final = 2.0

# Items encoded without a rest (about a millisecond), and the rest in seconds.
_SLICE: Final = 50
_REST: Final = 0.0002

_LINE: Final = re.compile(rb"([0-9a-f]{8}) ((of|put|drop|log) (.*))", re.DOTALL)


class Found(msgspec.Struct):
    """What an earlier process left."""

    items: list[Item] = msgspec.field(default_factory=list)
    """In the order in which they were written."""
    damaged: int = 0
    """Lines that cannot be read, a torn last one not counted."""
    set_aside: Path | None = None
    """Where a damaged file, or one of another server, is kept."""
    others: list[Path] = msgspec.field(default_factory=list)
    """Journals in the same directory that no process uses: left behind under another `state.url`."""


def file_name(place: str) -> str:
    """The name of the journal for a server and its keys: legible, and another one for each `place`."""
    legible = re.sub(r"[^A-Za-z0-9.-]+", "-", place.partition(",")[0].removeprefix("redis at ")).strip("-.")[:80]
    return f"redis-{legible}-{hashlib.sha256(place.encode()).hexdigest()[:8]}{_ENDING}"


def encode_items(items: Iterable[Item]) -> tuple[bytes, bytes]:
    """The lines of records and forgotten sessions, and those of changes. What cannot be encoded is left out.

    For a thread: it rests between slices, so that the event loop, which wants the interpreter too, waits for none
    longer than that takes. (The server's writer meets the same item, leaves it out as well, and logs it.)
    """
    states, changes = bytearray(), bytearray()
    for number, item in enumerate(items, 1):
        if number % _SLICE == 0:
            time.sleep(_REST)
        with suppress(TypeError, ValueError):
            if isinstance(item, Record):
                states += _line("put", encode(item))
            elif isinstance(item, Dropped):
                states += _line("drop", json.dumps([item.at, item.session]))
            else:
                changes += _line("log", f"[{item.number},{encode(item.change)}]")
    return bytes(states), bytes(changes)


class JournalFile:
    """The one process's hold on a journal. The file exists only while something waits."""

    def __init__(self, path: Path, place: str, lock: int) -> None:
        self.path = path
        self._place = place
        self._lock = lock
        self._handle: int | None = None
        self.size = 0
        """Bytes that are known to be on disk."""

    @classmethod
    def open(cls, directory: Path, place: str) -> tuple["JournalFile", Found]:
        """Open the journal for `place` in a directory, and read it.

        Raises `StoreInUseError` where another process holds it, `OSError` where the directory cannot be written.
        """
        make_directory(directory)
        path = directory / file_name(place)
        journal = cls(path, place, _take_lock(path))
        try:
            found = journal._read()
            found.others = list(_left_behind(directory, path))
        except BaseException:
            journal.close()
            raise
        return journal, found

    def append(self, data: bytes) -> None:
        """Add lines, and return when they are on disk. Raises `OSError`; then `rewrite` before anything else."""
        if self._handle is None:
            create_private(self.path)
            self._handle = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW)
            data = self._first_line() + data
        _write_all(self._handle, data, self.size)
        os.fdatasync(self._handle)
        self.size += len(data)

    def rewrite(self, data: bytes) -> None:
        """Replace all lines by these, at once or not at all. Raises `OSError`."""
        fresh = self.path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        create_private(fresh)
        handle = os.open(fresh, os.O_RDWR | os.O_NOFOLLOW)
        try:
            data = self._first_line() + data
            _write_all(handle, data, 0)
            os.fsync(handle)
            os.rename(fresh, self.path)
            sync_directory(self.path.parent)
        except BaseException:
            os.close(handle)
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise
        self._close_file()
        self._handle, self.size = handle, len(data)

    def remove(self) -> None:
        """Delete the file: nothing waits any more. Raises `OSError`; then `rewrite` before anything else."""
        self._close_file()
        self.size = 0
        with suppress(FileNotFoundError):
            self.path.unlink()
            sync_directory(self.path.parent)

    def probe(self) -> None:
        """Raise `OSError` unless the file could be written now. Only while nothing waits in it."""
        self.rewrite(b"")
        self.remove()

    def close(self) -> None:
        """Close it; the file stays as it is."""
        self._close_file()
        os.close(self._lock)

    def _first_line(self) -> bytes:
        return _line("of", json.dumps(self._place))

    def _close_file(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def _read(self) -> Found:
        found = Found()
        try:
            self._handle = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            return found
        os.fchmod(self._handle, 0o600)
        with open(self._handle, "rb", closefd=False) as file:
            data = file.read()
        lines = data.split(b"\n")
        torn = len(lines.pop())  # what stands behind the last line's end
        parsed = [_parse(line) for line in lines]
        while parsed and parsed[-1] is None:  # written, but not all of it reached the disk
            torn += len(lines[len(parsed) - 1]) + 1
            parsed.pop()
        ours = all(item == self._place for item in parsed if isinstance(item, str))
        for item in parsed if ours else ():
            if item is None:
                found.damaged += 1
            elif not isinstance(item, str):
                found.items.append(item)
        self.size = len(data) - torn
        if found.damaged or not ours:
            found.set_aside = self._set_aside()
            states, changes = encode_items(found.items)
            self.rewrite(states + changes)
        elif torn:
            os.ftruncate(self._handle, self.size)
        if not found.items:
            self.remove()
        return found

    def _set_aside(self) -> Path:
        """Give the file a second name, never one that is taken; the first is replaced when it is rewritten."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        number = 0
        while True:
            number += 1
            aside = Path(f"{self.path}.unreadable-{stamp}" + (f".{number}" if number > 1 else ""))
            with suppress(FileExistsError):
                os.link(self.path, aside)
                return aside


def _line(kind: str, payload: str) -> bytes:
    body = f"{kind} {payload}".encode("ascii")
    return b"%08x %b\n" % (crc32(body), body)


def _parse(line: bytes) -> Item | str | None:
    """One line's item, the place that a first line names, or None for what is no line of a journal."""
    match = _LINE.fullmatch(line)
    if match is None or crc32(match[2]) != int(match[1], 16):
        return None
    kind, payload = match[3], match[4]
    try:
        if kind == b"put":
            return decode_record(payload)
        if kind == b"of":
            return str(json.loads(payload))
        first, second = json.loads(payload)
        if kind == b"drop":
            return Dropped(str(second), float(first))
        return Entry(decode_change(json.dumps(second)), int(first))
    except (RowError, ValueError, TypeError, RecursionError):
        return None


def _take_lock(path: Path) -> int:
    """A lock beside the journal, which is replaced and deleted while it is used; gone with the process."""
    handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        if not lock_file(handle, _LOCK_WAIT):
            raise StoreInUseError(f"in use: {path} is held by another statusproxy")
    except BaseException:
        os.close(handle)
        raise
    return handle


def _left_behind(directory: Path, ours: Path) -> Iterator[Path]:
    for path in sorted(directory.glob(f"redis-*{_ENDING}")):
        if path == ours:
            continue
        with suppress(OSError):
            handle = os.open(f"{path}.lock", os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
                yield path
            finally:
                os.close(handle)


def _write_all(handle: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, at)
        view, at = view[written:], at + written
