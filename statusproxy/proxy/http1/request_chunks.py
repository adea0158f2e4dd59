"""The chunked coding of a request's body (RFC 9112 §7.1): bytes in, pieces of data out, nothing kept but counts.

Read here and not by llhttp, because llhttp bounds neither extensions nor trailers, and refuses the white space around
`;` and `=` that RFC 9110 §5.6.3 has every recipient read.
"""

import re
from typing import Final

#: Bytes of a chunk's size with its extensions and line end. Extensions that are in use have some dozen.
LONGEST_LINE: Final = 4096

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED: Final = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*+"'

#: `chunk-size [ chunk-ext ] CRLF` (RFC 9112 §7.1, §7.1.1). 16 digits are all that fit 64 bits.
_SIZE: Final = re.compile(
    rb"([0-9A-Fa-f]{1,16}+)(?:[ \t]*+;[ \t]*+%b(?:[ \t]*+=[ \t]*+(?:%b|%b))?+)*+\r\n" % (_TOKEN, _TOKEN, _QUOTED)
)

#: One field line of the trailers.
_FIELD: Final = re.compile(rb"%b:[\t\x20-\x7e\x80-\xff]*+\r\n" % _TOKEN)


class ChunkError(ValueError):
    """The framing is broken, or larger than it may be; the text says how."""


class ChunkReader:
    """Reads one chunked body."""

    __slots__ = ("_fields", "_left", "_line_end_owed", "_trailer_bytes", "_trailer_limits", "chunks", "done", "hungry")

    def __init__(self, trailer_bytes: int, trailer_fields: int) -> None:
        """Trailers may have as many bytes and fields as a head."""
        self._left = 0  # bytes of the chunk's data still to come
        self._line_end_owed = False  # a chunk's data is here, the line end behind it is not
        self._fields = -1  # of the trailers, once they have begun
        self._trailer_bytes = 0
        self._trailer_limits = (trailer_bytes, trailer_fields)
        self.chunks = 0
        """Chunks begun so far: the measure of the work done."""
        self.done = False
        """The last line end of the body was read."""
        self.hungry = False
        """Nothing can be read without more bytes."""

    def read(self, data: bytes, at: int, pieces: list[bytes], most: int) -> int:
        """Read on in `data` from `at`, at most `most` chunks further; add the data found to `pieces`.

        Gives the place where it stopped. Bytes from there on must be given again, with those that follow them.
        Raises `ChunkError`.
        """
        self.hungry = False
        end, most = len(data), self.chunks + most
        while True:
            if self._left:
                piece = data[at : at + self._left]
                if piece:
                    pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    self.hungry = True
                    return at
                self._line_end_owed = True
            if self._line_end_owed:
                if not data.startswith(b"\r\n", at):
                    if not b"\r\n".startswith(data[at : at + 2]):
                        raise ChunkError("no line end behind a chunk's data")
                    self.hungry = True
                    return at
                at += 2
                self._line_end_owed = False
            if self._fields >= 0:
                return self._read_trailers(data, at)
            if self.chunks >= most:
                return at
            line = _SIZE.match(data, at)
            if line is None:
                self._look_at_incomplete(data, at, end)
                return at
            if line.end() - at > LONGEST_LINE:
                raise ChunkError("a chunk's extensions are too long")
            self.chunks += 1
            at = line.end()
            self._left = int(line[1], 16)
            if not self._left:
                self._fields = 0

    def _look_at_incomplete(self, data: bytes, at: int, end: int) -> None:
        """Refuse what cannot become the line of a chunk's size; else wait for more. Raises `ChunkError`."""
        if data.find(b"\n", at, at + LONGEST_LINE) >= 0:
            raise ChunkError("an invalid chunk size or extension")
        if end - at >= LONGEST_LINE:
            raise ChunkError("a chunk's extensions are too long")
        self.hungry = True

    def _read_trailers(self, data: bytes, at: int) -> int:
        most_bytes, most_fields = self._trailer_limits
        while not data.startswith(b"\r\n", at):
            line = _FIELD.match(data, at)
            if line is None:
                if data.find(b"\n", at) >= 0:
                    raise ChunkError("an invalid trailer")
                rest = len(data) - at
                if self._trailer_bytes + rest > most_bytes and not (rest == 1 and data.endswith(b"\r")):
                    raise ChunkError("trailers of more bytes than a head may have")
                self.hungry = True
                return at
            self._trailer_bytes += line.end() - at
            self._fields += 1
            if self._trailer_bytes > most_bytes or self._fields > most_fields:
                raise ChunkError("trailers of more bytes or fields than a head may have")
            at = line.end()
        self.done = True
        return at + 2
