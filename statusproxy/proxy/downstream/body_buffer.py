"""The body of a request between the parser that feeds it and the one exchange that reads it."""

import asyncio
from typing import Final, Protocol

#: Bytes below which a piece is joined to the one before it: a sender of single bytes would fill memory with objects.
_SMALL: Final = 4096


class BrokenBodyError(Exception):
    """The framing of a request's body is broken: what its reader gets in place of the rest."""


class Sender(Protocol):
    """The connection that a body comes from: it can be told to wait."""

    def pause_body(self) -> None:
        """Feed no more than is at hand."""

    def resume_body(self) -> None:
        """Feed more again."""


class RequestBody:
    """One request's body. Read by one reader at a time; an error takes the place of all that was not read.

    While more than `most` bytes of it wait for the reader, the client is told to wait (TCP back-pressure).
    """

    __slots__ = ("_ended", "_error", "_loop", "_most", "_pieces", "_sender", "_waiter", "full", "size")

    def __init__(self, sender: Sender, most: int, loop: asyncio.AbstractEventLoop) -> None:
        self._sender = sender
        self._most = most
        self._loop = loop
        self._pieces: list[bytes | bytearray] = []
        self._ended = False
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.size = 0
        """Bytes that are here and were not read yet."""
        self.full = False
        """The client was told to wait."""

    # ---- the parser's side ----

    def feed_data(self, data: bytes) -> None:
        """Add a piece."""
        pieces = self._pieces
        if pieces and len(data) < _SMALL:
            last = pieces[-1]
            if isinstance(last, bytearray):
                last += data
            else:
                pieces.append(bytearray(data))
        else:
            pieces.append(data)
        self.size += len(data)
        self._wake()
        if self.size > self._most and not self.full:
            self.full = True
            self._sender.pause_body()

    def feed_eof(self) -> None:
        """The body is whole."""
        self._ended = True
        self._wake()

    def set_exception(self, error: BaseException) -> None:
        """Nothing more will come, for this reason."""
        self._error = error
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # ---- the reader's side ----

    def is_eof(self) -> bool:
        """Whether all of it has come, read or not."""
        return self._ended

    def read_nowait(self) -> bytes:
        """The bytes held. Raises the error that ended the body, if one did."""
        if self._error is not None:
            raise self._error
        pieces = self._pieces
        if not pieces:
            return b""
        first = pieces[0]
        data = first if len(pieces) == 1 and isinstance(first, bytes) else b"".join(pieces)
        self._emptied()
        return data

    async def readany(self) -> bytes:
        """The bytes held, waiting for at least one; b"" at the end. Raises the error that ended the body."""
        while not self._pieces and not self._ended and self._error is None:
            await self._wait()
        return self.read_nowait()

    async def ended(self) -> None:
        """Wait until nothing more will come: all of it has come, or an error takes the place of the rest."""
        while not self._ended and self._error is None:
            await self._wait()

    async def _wait(self) -> None:
        """Wait until something comes."""
        if self._waiter is not None:
            raise RuntimeError("a body has one reader at a time")
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def discard(self) -> None:
        """Drop the bytes held: they will not be read."""
        self._emptied()

    def _emptied(self) -> None:
        """Nothing waits for a reader any more."""
        self._pieces.clear()
        self.size = 0
        if self.full:
            self.full = False
            self._sender.resume_body()


class _NoBody(RequestBody):
    """The body of all requests that have none."""

    __slots__ = ()

    def __init__(self) -> None:
        self._pieces = []
        self._ended = True
        self._error = None
        self.size = 0
        self.full = False

    def set_exception(self, error: BaseException) -> None:
        """Nothing was to come."""


NO_BODY: Final[RequestBody] = _NoBody()
