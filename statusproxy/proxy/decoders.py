"""Decodes one content coding in bounded steps, over all members or frames of a body (RFC 9110 §8.4.1).

What a step reads, what it gives and how many members it begins are bounded, so that no input makes one step long:
neither a bomb, nor members without content, nor blocks without content. The rest of the input is never copied.
"""

import contextlib
import zlib
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

#: Bytes that one step gives at most, about. zlib takes 0.3 ms for them.
STEP_GIVES: Final = 128 * 1024

#: Bytes that one step reads at most. Blocks without content give nothing for what they cost: 16 KiB of them are 1 ms.
STEP_READS: Final = 16 * 1024

#: Members that one step begins at most. A zstd frame costs 20 µs with any content.
_STEP_MEMBERS: Final = 32

#: Bytes of a member's beginning that are looked at first; twice as many each time after. What stands behind a member
#: is copied by the libraries, and this keeps those copies short.
_FIRST_LOOK: Final = 512

#: Members that any body may have, and the bytes that each member beyond must give on average. Tools that work in
#: blocks write 64 KiB for each; members that hold next to nothing are made to cost time.
MEMBERS_FREE: Final = 1024
MEMBER_GIVES: Final = 256

#: The largest window of a zstd frame, as its power of two: 8 MiB, the most that the coding may ask of a receiver
#: (RFC 9659 §3). The library would take 128 MiB.
_ZSTD_WINDOW: Final = 23


class CodingError(ValueError):
    """A body cannot be decoded.

    The text says why: `unknown-coding`, `too-large`, `too-many-members` or `broken-coding`.
    """


class _Stream(Protocol):
    """One compressed stream."""

    @property
    def finished(self) -> bool:
        """Whether its end was read."""

    @property
    def full(self) -> bool:
        """Whether it has more to give without reading on."""

    def decode(self, data: memoryview, room: int) -> tuple[bytes, int]:
        """The next bytes, at most about `room`, and how much of `data` was read.

        While it is `full` it is given no data. Less than nothing is read where the stream ends before the end of what
        was given last.
        """


class Decoder:
    """Undoes one coding. `feed` it, and call `step` while it is `behind`; `end` checks that the body was whole."""

    __slots__ = ("_begin", "_fed", "_input", "_limit", "_look", "_members", "_several", "_stream", "given")

    def __init__(self, coding: bytes, limit: int) -> None:
        """`coding`: its name in lower case. Raises `CodingError` for one that is unknown or not installed.

        More than `limit` bytes of content are too large.
        """
        if coding not in _CODINGS:
            raise CodingError("unknown-coding")
        several, prepare = _CODINGS[coding]
        try:
            self._begin = prepare()
        except ImportError:
            raise CodingError("unknown-coding") from None
        self._several = several
        self._limit = limit
        self._input: deque[memoryview] = deque()
        self._fed = _NOTHING  # what the stream was given last
        self._stream: _Stream | None = None
        self._look = _FIRST_LOOK
        self._members = 0
        self.given = 0
        """Bytes of content so far."""

    def feed(self, data: bytes) -> None:
        """Take the next part of the coded body; it is not copied."""
        if data:
            self._input.append(memoryview(data))

    @property
    def behind(self) -> bool:
        """Whether a step has something to do."""
        return bool(self._input) or (self._stream is not None and self._stream.full)

    def step(self) -> bytes:
        """Decode a little. Raises `CodingError`."""
        pieces: list[bytes] = []
        read = given = 0
        members = self._members + _STEP_MEMBERS
        while self.behind and read < STEP_READS and given < STEP_GIVES and self._members <= members:
            piece, used = self._decode(min(STEP_GIVES - given, self._limit + 1 - self.given), STEP_READS - read)
            read += used
            if piece:
                given += len(piece)
                self.given += len(piece)
                pieces.append(piece)
                if self.given > self._limit:
                    raise CodingError("too-large")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def end(self) -> None:
        """Tell it that the body has ended. Raises `CodingError` if it ended too early."""
        if self._stream is not None:
            raise CodingError("broken-coding")

    def _decode(self, room: int, most: int) -> tuple[bytes, int]:
        stream = self._stream
        data = _NOTHING if stream is not None and stream.full else self._input[0][: min(self._look, most)]
        try:
            if stream is None:
                stream = self._stream = self._new_stream(data[0])
            piece, read = stream.decode(data, room)
        except CodingError:
            raise
        except Exception as error:  # each library has its own
            raise CodingError("broken-coding") from error
        self._look = min(2 * self._look, STEP_READS)
        if data:
            self._fed = data
            rest = self._input.popleft()[len(data) :]
            if rest:
                self._input.appendleft(rest)
        unread = len(data) - read
        if unread:
            self._input.appendleft(self._fed[-unread:])
        if stream.finished:
            self._stream = None
            self._look = _FIRST_LOOK
        elif data and not read and not piece:
            raise CodingError("broken-coding")  # it neither reads nor gives: it never will
        return piece, max(read, 0)

    def _new_stream(self, first: int) -> _Stream:
        if self._members and not self._several:
            raise CodingError("broken-coding")  # something stands behind the only stream
        self._members += 1
        if self._members > MEMBERS_FREE + self.given // MEMBER_GIVES:
            raise CodingError("too-many-members")
        return self._begin(first)


_NOTHING: Final = memoryview(b"")


class _Zlib:
    """gzip (RFC 1952), zlib (RFC 1950) or bare deflate (RFC 1951), by zlib's `wbits`."""

    __slots__ = ("_stream", "full")

    def __init__(self, wbits: int) -> None:
        self._stream = zlib.decompressobj(wbits=wbits)
        self.full = False

    @property
    def finished(self) -> bool:
        return self._stream.eof

    def decode(self, data: memoryview, room: int) -> tuple[bytes, int]:
        stream = self._stream
        piece = stream.decompress(data, room)
        used = len(data) - len(stream.unused_data if stream.eof else stream.unconsumed_tail)
        # All is read and no more fitted: a repetition may be half written.
        self.full = not stream.eof and used == len(data) and len(piece) >= room
        return piece, used


class _Zstd:
    """One frame of zstd (RFC 8878), skippable ones too."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    @property
    def finished(self) -> bool:
        return bool(self._stream.eof)

    @property
    def full(self) -> bool:
        return not self._stream.eof and not self._stream.needs_input

    def decode(self, data: memoryview, room: int) -> tuple[bytes, int]:
        piece: bytes = self._stream.decompress(data, room)
        return piece, len(data) - (len(self._stream.unused_data) if self._stream.eof else 0)


class _Brotli:
    """One stream of brotli (RFC 7932). It may give somewhat more than it is asked for."""

    __slots__ = ("_stream", "full")

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.full = False

    @property
    def finished(self) -> bool:
        return bool(self._stream.is_finished())

    def decode(self, data: memoryview, room: int) -> tuple[bytes, int]:
        piece: bytes = self._stream.process(data, output_buffer_limit=room)
        # It notices its end only in a call that is not stopped for lack of room.
        self.full = not self.finished and (len(piece) >= room or not self._stream.can_accept_more_data())
        return piece, len(data)


def _gzip() -> Callable[[int], _Stream]:
    return lambda _: _Zlib(31)


def _deflate() -> Callable[[int], _Stream]:
    # "deflate" means zlib's format, and some senders leave its wrapper out (RFC 9110 §8.4.1.2). The first byte tells:
    # in the wrapper it names method 8 and a window, and bare deflate begins so only with stray bits in its padding.
    return lambda first: _Zlib(15 if first & 15 == 8 and first >> 4 <= 7 else -15)


def _brotli() -> Callable[[int], _Stream]:
    import brotli

    return lambda _: _Brotli(brotli.Decompressor())


def _zstd() -> Callable[[int], _Stream]:
    zstd: Any
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore, no-redef]
    except ImportError:
        from backports import zstd

    options = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW}
    return lambda _: _Zstd(zstd.ZstdDecompressor(options=options))


#: By the coding's name: whether a body may hold several streams, and what begins one (given its first byte).
_CODINGS: Final[dict[bytes, tuple[bool, Callable[[], Callable[[int], _Stream]]]]] = {
    b"gzip": (True, _gzip),
    b"x-gzip": (True, _gzip),
    b"deflate": (False, _deflate),
    b"br": (False, _brotli),
    b"zstd": (True, _zstd),
}

#: Codings whose decoder may hold a large window in memory: up to 16 MiB.
WIDE: Final = frozenset({b"br", b"zstd"})


def preload() -> None:
    """Import what is installed of what the codings need: in the midst of an upgrade its files are no longer there."""
    for _, prepare in _CODINGS.values():
        with contextlib.suppress(ImportError):
            prepare()
