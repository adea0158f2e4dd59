"""The body of a request between the parser that feeds it and the one exchange that reads it."""

import asyncio
from typing import Final, Protocol

#: Bytes below which a piece is joined to the one before it: a sender of single bytes would fill memory with objects.
_SMALL: Final = 4096


class BrokenBodyError(Exception):
    """The framing of a request's body is broken: what its reader gets in place of the rest."""


class Sender(Protocol):
    """The connection that a body comes from: it can be told to wait."""

    def pause_reading(self) -> None:
        """Take no more from the client."""

    def resume_reading(self) -> None:
        """Take more from the client again."""


class Intake:
    """How much of all the bodies of one connection is held here, and whether its client must wait.

    The client waits from twice `read_ahead` bytes on until less than `read_ahead` are left.
    """

    __slots__ = ("_high", "_low", "_sender", "full", "held")

    def __init__(self, sender: Sender, read_ahead: int) -> None:
        self._sender = sender
        self._low = read_ahead
        self._high = 2 * read_ahead
        self.held = 0
        """Bytes fed and not yet read."""
        self.full = False
        """The client was told to wait."""

    def add(self, size: int) -> None:
        """`size` bytes came."""
        self.held += size
        if self.held > self._high and not self.full:
            self.full = True
            self._sender.pause_reading()

    def remove(self, size: int) -> None:
        """`size` bytes were read, or are of no use to anyone."""
        self.held -= size
        if self.full and self.held < self._low:
            self.full = False
            self._sender.resume_reading()


class RequestBody:
    """One request's body. Read by one reader at a time; an error takes the place of all that was not read."""

    __slots__ = ("_ended", "_error", "_intake", "_loop", "_pieces", "_waiter", "size")

    def __init__(self, intake: Intake, loop: asyncio.AbstractEventLoop) -> None:
        self._intake = intake
        self._loop = loop
        self._pieces: list[bytes | bytearray] = []
        self._ended = False
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.size = 0
        """Bytes that are here and were not read yet."""

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
        self._intake.add(len(data))

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
        """What is here. Raises the error that ended the body, if one did."""
        if self._error is not None:
            raise self._error
        pieces = self._pieces
        if not pieces:
            return b""
        first = pieces[0]
        data = first if len(pieces) == 1 and isinstance(first, bytes) else b"".join(pieces)
        pieces.clear()
        self.size = 0
        self._intake.remove(len(data))
        return data

    async def readany(self) -> bytes:
        """What is here, at least a byte, as soon as there is any; b"" at the end. Raises the error that ended it."""
        while not self._pieces and not self._ended and self._error is None:
            if self._waiter is not None:
                raise RuntimeError("a body has one reader at a time")
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self.read_nowait()

    def discard(self) -> None:
        """Forget what is here: nobody will read it."""
        size, self.size = self.size, 0
        self._pieces.clear()
        if size:
            self._intake.remove(size)


class _NoBody(RequestBody):
    """The body of all requests that have none."""

    __slots__ = ()

    def __init__(self) -> None:
        self._pieces = []
        self._ended = True
        self._error = None
        self.size = 0

    def set_exception(self, error: BaseException) -> None:
        """Nothing was to come."""


NO_BODY: Final[RequestBody] = _NoBody()
