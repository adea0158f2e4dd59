"""A request's body that is here already, whole, on its way to the next hop: from memory, or from a file.

A `Body` of `upstream.call`. A file is read in pieces in a thread, at the pace at which the receiver takes them.
"""

import asyncio
import logging
import os
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

from statusproxy.proxy.http1.framing import LAST_CHUNK, chunk
from statusproxy.proxy.upstream.connection import UpstreamConnection
from statusproxy.proxy.upstream.errors import UpstreamError

log = logging.getLogger("statusproxy.proxy")

#: Bytes of a file that are read at a time.
PIECE: Final = 256 * 1024


class KeptBody:
    """Use: as `Call` does, then `await stop()`, which also closes the file. Sent once."""

    __slots__ = ("_body", "_executor", "_file", "_framed", "_left", "_patience", "_pump", "_reading", "whole")

    unread = False
    """All of it has come."""

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
            return self._frame(body)
        opening = asyncio.get_running_loop().run_in_executor(self._executor, _open, body)
        try:
            self._file, self._left = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unused)  # a thread is not cancelled
            raise
        return self._frame(await self._read())

    def carry(self, connection: UpstreamConnection) -> None:
        """Carry the rest to the receiver, in a task of its own."""
        self._pump = asyncio.create_task(self._carry(connection))

    async def end(self) -> None:
        """It was sent whole: nothing follows from that."""

    async def stop(self) -> None:
        """Stop sending, and close the file."""
        pump, self._pump = self._pump, None
        if pump is not None and not pump.done():
            pump.cancel()
            await asyncio.wait([pump])
        file, self._file = self._file, None
        if file is None:
            return
        reading = self._reading
        if reading is not None and not reading.done():
            reading.add_done_callback(lambda _: os.close(file))  # a thread is not cancelled
        else:
            os.close(file)

    async def _carry(self, connection: UpstreamConnection) -> None:
        try:
            while not self.whole:
                data = await self._read()
                if connection.closed or connection.complete:
                    return  # answered early, or lost
                connection.write(self._frame(data))
                connection.request_done = self.whole
                if connection.writing_paused and not self.whole:
                    await self._taken(connection)
        except (OSError, RuntimeError) as error:  # the latter: no thread can be started
            log.error("an event's body could not be read: %s", getattr(error, "strerror", None) or error)
            connection.give_up(UpstreamError("internal", "the body could not be read"))

    async def _taken(self, connection: UpstreamConnection) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await connection.drain()
        except TimeoutError:
            connection.give_up(UpstreamError("gateway_timeout", "the gateway stopped reading the request"))

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

    def _frame(self, data: bytes) -> bytes:
        if not self._framed:
            return data
        framed = chunk(data) if data else b""
        return framed + LAST_CHUNK if self.whole else framed


def _open(path: Path) -> tuple[int, int]:
    """A file open for reading, and its size."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    return file, os.fstat(file).st_size


def _close_unused(opening: asyncio.Future[tuple[int, int]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        os.close(opening.result()[0])
