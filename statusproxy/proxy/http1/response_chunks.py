"""The chunked coding of an answer's body (RFC 9112 §7.1): bytes in, data out, a bounded number of chunks at a time.

Read here and not by llhttp, because llhttp bounds neither extensions nor trailers and cannot stop between two chunks.
The verdict is the same however the bytes are cut into segments.
"""

import re
from typing import Final

#: Bytes of a chunk's size with its extensions and line end. Go's client and server allow as many.
LONGEST_LINE: Final = 4096

#: Bytes of extensions over a whole body, beyond `_FREE_LINE` bytes and twice the data of each chunk (the rule of Go's
#: `net/http`). Extensions that are in use, such as signatures of chunks, stay far below it.
MOST_EXTENSIONS: Final = 16 * 1024
_FREE_LINE: Final = 16

#: `chunk-size [ chunk-ext ] CRLF`. 16 digits are all that fit 64 bits. What the extensions say is dropped, so it only
#: matters that two parsers agree on where they end: no control character may stand in them.
_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,16}+)([ \t]*+;[\t\x20-\x7e\x80-\xff]*+)?+\r\n")

#: What may become such a line when more bytes come.
_BEGUN: Final = re.compile(rb"(?:[0-9A-Fa-f]{1,16}+(?:[ \t]*+(?:;[\t\x20-\x7e\x80-\xff]*+)?+)\r?+)?+")


class ChunkError(ValueError):
    """The framing is broken, or larger than it may be; the text says how."""


class ChunkDecoder:
    """One chunked body, up to the line of its last chunk. What comes behind that (the trailers) is `rest()`."""

    __slots__ = ("_at", "_buffer", "_extensions", "_left", "_line_end_owed", "ended", "pending")

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0  # bytes of the buffer that have been read
        self._left = 0  # bytes of the present chunk's data still to come
        self._line_end_owed = False  # its data is whole, and the line end behind it has not come
        self._extensions = 0
        self.pending = False
        """More could be read from what is here: call `decode` again."""
        self.ended = False
        """The last chunk's line was read."""

    def feed(self, data: bytes) -> None:
        """Take bytes in; nothing is read before `decode`."""
        self._buffer = self._buffer[self._at :] + data if self._at < len(self._buffer) else data
        self._at = 0
        self.pending = True

    def rest(self) -> bytes:
        """The bytes behind the last chunk's line, which are the caller's from now on."""
        rest, self._buffer, self._at = self._buffer[self._at :], b"", 0
        return rest

    def decode(self, pieces: list[bytes], most: int) -> None:
        """Add the data of at most `most` chunks to `pieces`. Raises `ChunkError`, what was good having been added."""
        buffer, at, left = self._buffer, self._at, self._left
        end = len(buffer)
        self.pending = False
        try:
            while True:
                if left:
                    piece = buffer[at : at + left]
                    if not piece:
                        return
                    pieces.append(piece)
                    at += len(piece)
                    left -= len(piece)
                    if left:
                        return
                    self._line_end_owed = True
                if self._line_end_owed:
                    if not buffer.startswith(b"\r\n", at):
                        if b"\r\n".startswith(buffer[at : at + 2]):
                            return
                        raise ChunkError("no line end behind a chunk's data")
                    at += 2
                    self._line_end_owed = False
                if not most:
                    self.pending = at < end
                    return
                line = _LINE.match(buffer, at, at + LONGEST_LINE)
                if line is None:
                    if _BEGUN.fullmatch(buffer, at, at + LONGEST_LINE) is None:
                        raise ChunkError("an invalid chunk size or extension")
                    if end - at > LONGEST_LINE:
                        raise ChunkError("a chunk's extensions are too long")
                    return
                left = int(line[1], 16)
                if line[2] is not None:
                    self._extensions += max(line.end() - at - _FREE_LINE - 2 * left, 0)
                    if self._extensions > MOST_EXTENSIONS:
                        raise ChunkError("too many chunk extensions for too little body")
                at = line.end()
                most -= 1
                if not left:
                    self.ended = True
                    return
        finally:
            self._at, self._left = at, left
