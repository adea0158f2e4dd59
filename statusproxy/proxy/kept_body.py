"""A request's body that is here already, whole, on its way to the next hop: from memory, or from a file.

A `Body` of `upstream.call`. A file is read in pieces in a thread, at the pace at which the receiver takes them.
"""

import asyncio
import logging
import os
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

from statusproxy.proxy.http1.framing import framed
from statusproxy.proxy.upstream.connection import UpstreamConnection
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.pump import pump, stop

log = logging.getLogger("statusproxy.proxy")

#: Bytes of a file that are read at a time.
PIECE: Final = 256 * 1024


class KeptBody:
    """Use: as `Call` does, then `await stop()`, which also closes the file. Sent once. Its pump (`upstream.pump`) reads
    it as a `Source`."""

    __slots__ = ("_body", "_executor", "_file", "_framed", "_left", "_patience", "_pump", "_reading", "whole")

    unread = False
    """All of it has come."""

    watched = False
    """It is read for the receiver alone."""

    def __init__(self, body: bytes | Path, *, framed: bool, executor: Executor, patience: float | None) -> None:
        """`framed`: the head says that it comes in chunks. `executor` does the reading. `patience`: seconds that the
        receiver may take for a piece; None for no limit."""
        self._body = body
        self._framed = framed
        self._executor = executor
        self._patience = patience
        self._file: int | None = None
        self._left = 0  # bytes of the file to be read
        self._reading: asyncio.Future[bytes] | None = None
        self._pump: asyncio.Task[None] | None = None
        self.whole = False
        """Whether all of it has been read."""

    async def begin(self) -> bytes:
        """The part to send together with the head. Raises `OSError` where the file cannot be read."""
        body = self._body
        if isinstance(body, bytes):
            self.whole = True
            return framed(body, chunked=self._framed, last=True)
        opening = asyncio.get_running_loop().run_in_executor(self._executor, _open, body)
        try:
            self._file, self._left = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unused)  # a thread is not cancelled
            raise
        data = await self._read()
        return framed(data, chunked=self._framed, last=self.whole)

    async def wait(self) -> bytes:
        """There is no connection yet: nothing follows from that."""
        return b""

    async def waited(self) -> bytes:
        """There is one now, or there will be none."""
        return b""

    def carry(self, connection: UpstreamConnection) -> None:
        """Carry the rest to the receiver, in a task of its own."""
        self._pump = asyncio.create_task(pump(self, connection, chunked=self._framed, patience=self._patience))

    async def end(self) -> None:
        """It was sent whole: nothing follows from that."""

    async def stop(self) -> None:
        """Stop sending, and close the file."""
        carrying, self._pump = self._pump, None
        if carrying is not None:
            await stop(carrying)
        file, self._file = self._file, None
        if file is None:
            return
        reading = self._reading
        if reading is not None and not reading.done():
            reading.add_done_callback(lambda _: os.close(file))  # a thread is not cancelled
        else:
            os.close(file)

    # ---- what the pump asks ----

    async def read(self) -> bytes:
        """The next piece of the file. Raises `UpstreamError` where it cannot be read."""
        try:
            return await self._read()
        except (OSError, RuntimeError) as error:  # the latter: no thread can be started
            log.error("an event's body could not be read: %s", getattr(error, "strerror", None) or error)
            raise UpstreamError("internal", "the body could not be read") from error

    async def passed(self) -> None:
        """The piece was handed over: no one else wants it."""

    # ---- reading ----

    async def _read(self) -> bytes:
        """The next piece of the file. Raises `OSError`, also where the file has become shorter."""
        assert self._file is not None
        self._reading = asyncio.get_running_loop().run_in_executor(self._executor, os.read, self._file, PIECE)
        data = await asyncio.shield(self._reading)
        self._left -= len(data)
        self.whole = self._left <= 0
        if not data and not self.whole:
            raise OSError("the file has become shorter")
        return data


def _open(path: Path) -> tuple[int, int]:
    """A file open for reading, and its size."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    return file, os.fstat(file).st_size


def _close_unused(opening: asyncio.Future[tuple[int, int]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result()[0])
