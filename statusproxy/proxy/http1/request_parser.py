"""The parser of requests: bytes in, events out. Bytes beyond the current request are kept within bounds.

Heads are read by `head_reader`, chunks by `framing`. Here is what follows what: requests one behind the other, their
bodies, a switch of protocols, the end. The verdict on a message never depends on where the network cuts the bytes. No
sockets, no event loop and no clock here.
"""

from enum import Enum
from typing import Final

from statusproxy.proxy.http1 import refusals
from statusproxy.proxy.http1.framing import ChunkReader
from statusproxy.proxy.http1.head_reader import HeadLimits, HeadReader, RequestHead, read_line
from statusproxy.proxy.http1.refusals import Refusal, RefusedError

__all__ = ["END", "SWITCHED", "Event", "HeadLimits", "Mark", "RequestHead", "RequestParser"]

#: Empty lines before a request (RFC 9112 §2.2). Old clients send one behind a POST.
_MOST_EMPTY_LINES: Final = 8


class Mark(Enum):
    """Events that carry nothing but their place among the others."""

    END = "end"
    """The body of the request before is whole."""
    SWITCHED = "switched"
    """The request before asks for another protocol: what follows is not read as HTTP (`RequestParser.stay`)."""


END: Final = Mark.END
SWITCHED: Final = Mark.SWITCHED

#: What a parser gives: the head of a request; pieces of its body, each at least a byte, and `END`, where it has one;
#: `SWITCHED`; or why nothing further is read. A refusal before `END` is of that body, any other stands for a request.
Event = RequestHead | bytes | Mark | Refusal


class _State(Enum):
    BETWEEN = "between two requests"
    HEAD = "in a head whose request line was read"
    SIZED = "in a body of known length"
    CHUNKED = "in a body that comes in chunks"
    SWITCHED = "behind a request for another protocol"
    ENDED = "no request may follow"


_BETWEEN: Final = _State.BETWEEN
_HEAD: Final = _State.HEAD
_SIZED: Final = _State.SIZED
_CHUNKED: Final = _State.CHUNKED


class RequestParser:
    """Bytes in, events out, for one connection. No input makes it raise."""

    __slots__ = (
        "_chunks_left",
        "_empty_lines",
        "_events",
        "_head",
        "_head_reader",
        "_left",
        "_limits",
        "_reader",
        "_requests_left",
        "_rest",
        "_state",
        "behind",
        "chunks",
    )

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self._state = _BETWEEN
        self._rest = b""  # what came and was not read
        self._events: list[Event] = []
        self._requests_left = 0  # heads that this feed may still give
        self._chunks_left = 0  # chunks that this feed may still read
        self._empty_lines = 0
        self._head_reader: HeadReader | None = None  # of a head that is incomplete
        self._head: RequestHead | None = None  # of the body that is being read, or the last
        self._left = 0  # bytes of a body of known length still to come
        self._reader: ChunkReader | None = None
        self.chunks = 0
        """Chunks that the last `feed` read: the measure of its work."""
        self.behind = False
        """More could be read of what is here, but the last `feed` has read all the chunks it may: feed again later."""

    # ---- the user's side ----

    def known(self, data: bytes) -> RequestHead | None:
        """What polls and posts: the request that `data` is, with its body, where its head is known and nothing is
        before or behind it. None: `feed` it."""
        if self._rest or self._state is not _BETWEEN:
            return None
        end = data.find(b"\r\n\r\n") + 4
        known = self._limits.find(data[:end])
        if known is None or len(data) != end + (known.length or 0):
            return None
        self._empty_lines = 0
        return known

    def feed(self, data: bytes, requests: int, chunks: int) -> list[Event]:
        """Read `data` behind what was kept, and give what it holds, in order.

        At most `requests` requests are begun and `chunks` chunks of bodies read. What may not be read now is kept, and
        comes first in the next `feed`, which may bring no bytes.
        """
        self.behind = False
        self.chunks = 0
        if self._rest:
            data = self._rest + data if data else self._rest
            self._rest = b""
        self._requests_left, self._chunks_left = requests, chunks
        events = self._events
        at = 0
        try:
            at = self._read(data)
        except RefusedError as refused:
            self._state = _State.ENDED
            self._reader = self._head_reader = None
            events.append(refused.refusal)
        if at < len(data) and self._state is not _State.ENDED:
            self._rest = data[at:]
        self._events = []
        return events

    def keep(self, data: bytes) -> None:
        """Take bytes that may not be read now: the next `feed` reads them."""
        if self._state is not _State.ENDED:
            self._rest += data

    def take_rest(self) -> bytes:
        """The bytes that were kept; they are the caller's from now on."""
        rest, self._rest = self._rest, b""
        return rest

    def stay(self) -> None:
        """The switch of protocols was declined: what follows are requests. `feed` reads those that are here already."""
        if self.switched:
            self._state = _BETWEEN

    @property
    def held(self) -> int:
        """Bytes kept and not read."""
        return len(self._rest)

    @property
    def in_head(self) -> bool:
        """Whether a request has begun whose head is not complete. Empty lines before a request do not begin one."""
        return self._state is _HEAD or (self._state is _BETWEEN and self._rest not in {b"", b"\r"})

    @property
    def in_body(self) -> bool:
        """Whether a body has begun that is not whole."""
        return self._state is _SIZED or self._state is _CHUNKED

    @property
    def switched(self) -> bool:
        """Whether `SWITCHED` was given and not declined: bytes are kept, and not read."""
        return self._state is _State.SWITCHED

    @property
    def ended(self) -> bool:
        """Whether no request may follow: further bytes are dropped."""
        return self._state is _State.ENDED

    # ---- heads ----

    def _read(self, data: bytes) -> int:
        """Read as far as this feed may; gives the place where it stopped. Raises `RefusedError`."""
        at, end = 0, len(data)
        while at < end:
            before, state = at, self._state
            if state is _SIZED:
                at = self._read_sized(data, at)
            elif state is _CHUNKED:
                at = self._read_chunks(data, at)
            elif state is _HEAD:
                at = self._read_head(data, at)
            elif state is _BETWEEN and self._requests_left > 0:
                at = self._begin(data, at)
            if at == before or self.behind:
                break
        return at

    def _begin(self, data: bytes, at: int) -> int:
        """Take what stands between two requests, and the head of the next as far as it is here."""
        while data.startswith(b"\r\n", at):  # RFC 9112 §2.2: empty lines before a request are ignored
            at += 2
            self._empty_lines += 1
            if self._empty_lines > _MOST_EMPTY_LINES:
                raise RefusedError(refusals.EMPTY_LINES)
        end = data.find(b"\r\n\r\n", at) + 4
        known = self._limits.find(data if not at and end == len(data) else data[at:end])
        if known is not None and len(data) >= end + (known.length or 0):
            return self._take_known(data, end, known)
        if data.startswith(b"\r", at) and at + 1 == len(data):
            return at
        line = read_line(data, at, self._limits.target)
        if line is None:
            return at
        self._empty_lines = 0
        reader = self._head_reader = HeadReader(self._limits, line)
        self._state = _HEAD
        if not line.end <= end <= line.end + reader.allowed:
            reader.feed_line()
            return self._read_head(data, line.end)
        whole = data[at:end]
        head = reader.feed_whole(whole)
        self._limits.remember(whole, head)
        self._after_head(head)
        return end

    def _take_known(self, data: bytes, end: int, known: RequestHead) -> int:
        """Take the request whose head, which ends at `end`, is known, and whose body is all here."""
        self._empty_lines = 0
        self._requests_left -= 1
        if not known.length:
            self._events.append(known)
            return end
        after = end + known.length
        self._events += (known, data[end:after], END)
        return after

    def _read_head(self, data: bytes, at: int) -> int:
        """Read on in a head, at most to its end."""
        reader = self._head_reader
        assert reader is not None
        at = reader.feed(data, at)
        if reader.head is not None:
            self._after_head(reader.head)
        return at

    def _after_head(self, head: RequestHead) -> None:
        """Give a complete head, and begin the body that it announces."""
        self._head_reader = None
        self._head = head
        self._requests_left -= 1
        self._events.append(head)
        if not head.has_body:
            self._after_message(head)
        elif head.chunked:
            self._state = _CHUNKED
            self._reader = ChunkReader(self._limits.chunk_rules)
        else:
            self._state = _SIZED
            self._left = head.length or 0

    def _after_message(self, head: RequestHead) -> None:
        """A request is whole: decide what may follow it."""
        if head.upgrade or head.method == "CONNECT":
            self._state = _State.SWITCHED
            self._events.append(SWITCHED)
        else:
            self._state = _BETWEEN if head.keep_alive else _State.ENDED

    # ---- bodies ----

    def _read_sized(self, data: bytes, at: int) -> int:
        piece = data[at : at + self._left]
        self._left -= len(piece)
        self._events.append(piece)
        if not self._left:
            self._end_body()
        return at + len(piece)

    def _read_chunks(self, data: bytes, at: int) -> int:
        reader, pieces = self._reader, list[bytes]()
        assert reader is not None
        before = reader.chunks
        try:
            at = reader.read(data, at, pieces, self._chunks_left)
        finally:
            self._chunks_left -= reader.chunks - before
            self.chunks += reader.chunks - before
            if pieces:
                self._events.append(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if reader.done:
            self._reader = None
            self._end_body()
        else:
            self.behind = not reader.hungry
        return at

    def _end_body(self) -> None:
        self._events.append(END)
        assert self._head is not None
        self._after_message(self._head)
