"""The body of a gateway's answer, and the moment at which its connection is free for the next request.

The connection is given back as soon as the whole answer is on our side, not when the client has taken it. So a client
that reads slowly keeps no place at the gateway, unless the answer is larger than what is read ahead.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from statusproxy.proxy.http1.head import Header
from statusproxy.proxy.upstream.answer_reader import AnswerReader
from statusproxy.proxy.upstream.connection import UpstreamConnection

#: A rest of at most so many bytes needs no room: it is written together with the head, and it is what a transport
#: holds in any case.
SMALL: Final = 64 * 1024

#: Bytes of collected pieces that are joined on the event loop: 1 to 5 ms, a list of 20 000 channels. 32 MiB take 40 ms,
#: in a thread that lets the loop go on meanwhile.
_JOINED_AT_ONCE: Final = 4 * 1024 * 1024


class Room:
    """How many bytes of answers may wait for their clients after their connections were given back.

    Beyond it an answer keeps its connection, so the number of those bounds the memory again.
    """

    __slots__ = ("_left",)

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self, size: int) -> bool:
        """Take room for `size` bytes; False when there is not enough, and nothing is taken then."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give_back(self, size: int) -> None:
        """Give back what `take` took."""
        self._left += size


class AnswerBody:
    """One answer's body; `close` it when the exchange is over."""

    __slots__ = (
        "_answer",
        "_begun",
        "_collected",
        "_give_back",
        "_reading",
        "_rest",
        "_room",
        "_trailers",
        "room_taken",
    )

    def __init__(self, connection: UpstreamConnection, give_back: Callable[[], None], room: Room) -> None:
        """`give_back` is called once, when the answer needs its connection no more."""
        self._begun: list[bytes] = []  # read already, and put back
        answer = connection.answer
        come = answer.parser
        self._trailers = come.trailers
        self.room_taken = 0
        """Bytes of room that the rest of the answer has."""
        self._answer: AnswerReader | None = None  # until the connection is given back
        if come.complete and come.body.held <= SMALL:  # the everyday case, which costs no more than this
            self._rest = answer.ready() or b""
            give_back()
            return
        self._rest = b""  # what was left when the connection was given back
        self._answer = answer
        self._give_back = give_back
        self._room = room
        self._collected = 0
        self._reading = False
        if come.complete:
            self._take_over()
        else:
            answer.whole = self._take_over

    @property
    def trailers(self) -> list[Header]:
        """The fields that came behind the body; known once it is whole."""
        return self._trailers

    def ready(self) -> bytes | None:
        """All that is left to read, if it is here; None while any of it is to come, or where it is much."""
        if self._begun:
            return None
        if self._answer is not None:
            return self._answer.ready()
        rest, self._rest = self._rest, b""
        return rest

    async def read(self) -> bytes:
        """What came since the last call, at least a byte; b"" at the end. Raises `UpstreamError`."""
        if self._begun:
            return self._begun.pop(0)
        if self._answer is None:
            data, self._rest = self._rest, b""
            return data
        self._reading = True
        try:
            data = await self._answer.read()
        finally:
            self._reading = False
        if self._answer.complete:
            self._take_over()
        return data

    async def collect(self, limit: int) -> bytes | None:
        """The whole body; None where it is longer than `limit` bytes, and then all of it can still be read.

        Raises `UpstreamError`.
        """
        ready = self.ready()
        if ready is not None and len(ready) <= limit:
            return ready
        pieces = [ready] if ready else []
        size = len(ready or b"")
        while size <= limit:
            self._collected = size
            piece = await self.read()
            if not piece:
                return b"".join(pieces) if size <= _JOINED_AT_ONCE else await _joined(pieces)
            pieces.append(piece)
            size += len(piece)
        self._begun = pieces
        return None

    def close(self) -> None:
        """The exchange is over: give back the room."""
        if self._answer is not None:
            self._answer.whole = None
        if self.room_taken:
            self._room.give_back(self.room_taken)
            self.room_taken = 0

    def _take_over(self) -> None:
        """The answer is whole: hold its rest here, and give the connection back."""
        answer = self._answer
        if answer is None or self._reading:
            return  # the reader does it then
        if answer.error is not None:
            return  # it failed; the end of the connection must not count as the end of the answer
        size = self._collected + answer.parser.body.held
        if size > SMALL:
            if not self._room.take(size):
                return
            self.room_taken = size
        self._rest = answer.ready() or b""
        answer.whole = None
        self._answer = None
        self._give_back()


async def _joined(pieces: list[bytes]) -> bytes:
    """Long pieces as one, joined in a thread."""
    try:
        return await asyncio.get_running_loop().run_in_executor(None, b"".join, pieces)
    except RuntimeError:  # no thread can be started
        return b"".join(pieces)
