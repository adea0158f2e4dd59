"""A whole copy of a request's body for the spool, made while the body streams by: in memory, or in a file.

Up to `IN_MEMORY` bytes the pieces are only held, which copies nothing. Beyond, they go to a file in the spool's folder,
written in a thread, so that memory stays flat.
"""

import asyncio
import logging
import os
import tempfile
from collections.abc import Awaitable
from concurrent.futures import Executor
from pathlib import Path
from typing import Final
from zlib import crc32

from statusproxy.proxy.copy_room import CopyRoom, Place
from statusproxy.proxy.ports import SpoolPort

log = logging.getLogger("statusproxy.proxy")

#: Bytes of a body that are held in memory.
IN_MEMORY: Final = 256 * 1024


class SpoolCopy:
    """Takes a copy of a body as it came, without its framing: an observer of it (`downstream.request_body`).

    `feed` only stores the piece. What `catch_up` gives writes to the file, and must be awaited after each piece. Call
    `close` at the end: it deletes the copy, unless `hand_over` was called. If the copy cannot be made, the request goes
    on without it: `failure` then says why, `no-room` or `disk`.
    """

    __slots__ = (
        "_discarding",
        "_executor",
        "_expected",
        "_file",
        "_path",
        "_pieces",
        "_place",
        "_spool",
        "_sum",
        "_writing",
        "_written",
        "failure",
        "size",
    )

    def __init__(
        self, spool: SpoolPort, executor: Executor, room: CopyRoom, *, expected: int = 0, needed: bool = False
    ) -> None:
        """`executor` does the writing, `room` is shared by all copies. `expected`: bytes of the body, as far as they
        are known before it has come. `needed`: the body will be sent from the copy, and needs no room in the spool.
        """
        self._spool = spool
        self._executor = executor
        self._expected = expected
        self._place = Place(room, spool, needed=needed)
        self._pieces: list[bytes] = []  # not written; all of them while there is no file
        self._file: int | None = None  # open for writing
        self._path: Path | None = None
        self._writing: asyncio.Future[tuple[int, Path]] | None = None
        self._discarding = False
        self._written = 0  # bytes, or about to be
        self._sum = 0  # of what was written
        self.size = 0
        """Bytes that came."""
        self.failure: str | None = None
        """Why there is no copy."""

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body."""
        if self.failure is None:
            self._pieces.append(data)
            self.size += len(data)

    def catch_up(self) -> Awaitable[None] | None:
        """The writing left to do for what was fed so far; None if there is none."""
        return None if self.size <= IN_MEMORY or not self._pieces else self._write()

    async def content(self) -> bytes | Path | None:
        """The copy, once the body is whole; None if there is none, and `failure` says why."""
        if self._writing is not None and self.failure is None:
            await self._made(self._writing)  # who waited for it may have been cancelled
        if self.size > IN_MEMORY and self._pieces:
            await self._write()
        if self.failure is not None:
            return None
        if self._path is not None:
            return self._path
        if len(self._pieces) != 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    @property
    def checksum(self) -> int:
        """CRC-32 of the copy, once there is `content`."""
        return crc32(self._pieces[0]) if self._pieces else self._sum

    def hand_over(self) -> None:
        """The file, if there is one, is another's from now on, who counts it."""
        self._path = None
        self._place.give_back()

    def close(self) -> None:
        """Leave nothing behind; a write under way is waited for, but not here."""
        self._pieces = []
        self.failure = self.failure or "closed"
        writing = self._writing
        if writing is not None:
            if not writing.done():
                writing.add_done_callback(lambda _: self.close())
                return
            self._writing = None
            if self._file is None and not writing.cancelled() and writing.exception() is None:
                self._file, self._path = writing.result()  # who waited for it was cancelled
        file, path = self._file, self._path
        self._file = self._path = None
        if file is None:
            if not self._discarding:
                self._place.give_back()
            return
        try:
            discarding = asyncio.get_running_loop().run_in_executor(self._executor, _discard, file, path)
        except RuntimeError:  # no thread can be started: it takes a little longer then
            _discard(file, path)
            self._place.give_back()
        else:
            self._discarding = True
            discarding.add_done_callback(self._discarded)

    def _discarded(self, discarding: asyncio.Future[None]) -> None:
        """The file is gone, so its place is free."""
        self._place.give_back()
        if not discarding.cancelled() and discarding.exception() is not None:
            log.error("a copy for the spool cannot be removed: %s", discarding.exception())

    async def _write(self) -> None:
        """Write what is held to the file; one call at a time."""
        pieces, self._pieces = self._pieces, []
        if self.failure is not None:
            return
        for piece in pieces:
            self._sum = crc32(piece, self._sum)
        if not self._place.take(self.size - self._written, max(self.size, self._expected) - self._written):
            self._fail("no-room")
            return
        self._written = self.size
        opened = None if self._file is None or self._path is None else (self._file, self._path)
        try:
            self._writing = asyncio.get_running_loop().run_in_executor(
                self._executor, _append, opened, self._spool.folder, pieces
            )
        except RuntimeError as error:  # no thread can be started
            self._failed(error)
        else:
            await self._made(self._writing)

    async def _made(self, writing: asyncio.Future[tuple[int, Path]]) -> None:
        """Wait for a write under way."""
        try:
            # A thread is not cancelled: the file must stay open for as long as it writes.
            self._file, self._path = await asyncio.shield(writing)
        except OSError as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        log.error("an event cannot be copied for the spool: %s", getattr(error, "strerror", None) or error)
        self._fail("disk")

    def _fail(self, why: str) -> None:
        self.failure = why
        self.close()


def _append(opened: tuple[int, Path] | None, folder: Path, pieces: list[bytes]) -> tuple[int, Path]:
    """Append to the file that is `opened`, or to a new one that only this user may read; give it."""
    if opened is None:
        file, path = _new(folder)
    else:
        file, path = opened
    try:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(file, rest) :]
    except OSError:
        if opened is None:
            _discard(file, path)
        raise
    return file, path


def _new(folder: Path) -> tuple[int, Path]:
    """A new file in a folder, which is made where it is missing: it is needed for large bodies only."""
    try:
        file, name = tempfile.mkstemp(prefix="new-", dir=folder)
    except FileNotFoundError:
        folder.mkdir(0o700, exist_ok=True)
        parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(parent)  # its name must last as long as what is kept in it
        finally:
            os.close(parent)
        file, name = tempfile.mkstemp(prefix="new-", dir=folder)
    return file, Path(name)


def _discard(file: int, path: Path | None) -> None:
    """Close a file, and remove it unless it has been handed over. What cannot be removed goes at the next start."""
    os.close(file)
    if path is not None:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            pass
