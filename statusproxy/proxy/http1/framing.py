"""Where a body ends: its length (RFC 9112 §6) and the chunked coding (RFC 9112 §7.1), for requests and answers alike.

One reader decodes chunks for both sides; `ChunkRules` says in what the sides differ. Chunks are read here and not by
llhttp, because llhttp bounds neither extensions nor trailers, cannot stop between two chunks, and refuses the white
space around `;` and `=` that RFC 9110 §5.6.3 has every recipient read. The verdict is the same however the bytes are
cut into segments.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from statusproxy.proxy.http1 import refusals
from statusproxy.proxy.http1.head import Header
from statusproxy.proxy.http1.refusals import RefusedError

#: Bytes of a chunk's size with its extensions and line end. Extensions in use have some dozen; Go allows as many.
LONGEST_LINE: Final = 4096

#: Bytes of extensions over a whole answer's body, beyond `_FREE_LINE` bytes and twice the data of each chunk (the rule
#: of Go's `net/http`). Extensions in use, such as signatures of chunks, stay far below it.
MOST_EXTENSIONS: Final = 16 * 1024
_FREE_LINE: Final = 16

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED: Final = rb'"(?>(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]++|\\[\t\x20-\x7e\x80-\xff])*)"'

#: `chunk-size [ chunk-ext ] CRLF` by the grammar of RFC 9112 §7.1.1. 16 digits are all that fit 64 bits.
_STRICT_LINE: Final = re.compile(
    rb"([0-9A-Fa-f]{1,16}+)(?>((?:[ \t]*+;[ \t]*+%b(?>(?:[ \t]*+=[ \t]*+(?:%b|%b))?))+)?)\r\n"
    % (_TOKEN, _TOKEN, _QUOTED)
)

#: The same with any text as extensions. It is dropped, so it only matters that two parsers agree on where it ends: no
#: control character may stand in it.
_LENIENT_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,16}+)(?>([ \t]*+;[\t\x20-\x7e\x80-\xff]*+)?)\r\n")

#: What may become a `_LENIENT_LINE` when more bytes come.
_LENIENT_BEGUN: Final = re.compile(rb"(?>(?:[0-9A-Fa-f]{1,16}+[ \t]*+(?>(?:;[\t\x20-\x7e\x80-\xff]*+)?)\r?+)?)")

#: One field line of a request's trailers.
_FIELD: Final = re.compile(rb"%b:[\t\x20-\x7e\x80-\xff]*+\r\n" % _TOKEN)

#: Statuses whose answers have no body, whatever their fields say (RFC 9112 §6.3).
_BODILESS: Final = frozenset({204, 304})

#: Digits of a request's `Content-Length`: 10^18 bytes are an exabyte, and fit any integer of the next parser.
_LENGTH_DIGITS: Final = 18


# ---- the length of a body ----


def request_length(value: bytes) -> int:
    """The length that a request's `Content-Length` gives; llhttp has checked that it is all digits.

    Raises `RefusedError`.
    """
    if len(value) > _LENGTH_DIGITS:
        raise RefusedError(refusals.LENGTH_TOO_LARGE)
    return int(value)


def request_coding(value: bytes, version: tuple[int, int]) -> None:
    """Refuse a request's `Transfer-Encoding` other than `chunked` in HTTP/1.1 (RFC 9112 §6.1). Raises `RefusedError`.

    A second coding or a length beside it, which decides where a smuggled request begins, is refused by llhttp.
    """
    if value.lower() != b"chunked" or version == (1, 0):
        raise RefusedError(refusals.REQUEST_CODING)


def answer_coding(value: bytes, *, again: bool) -> None:
    """Refuse an answer's `Transfer-Encoding` other than one `chunked`; `again`: there was one. Raises `RefusedError`.

    llhttp would read `gzip, chunked` as chunks, and what it does not know up to the connection's end.
    """
    if again or value.lower() != b"chunked":
        raise RefusedError(refusals.ANSWER_CODING)


def request_has_body(method: str, *, chunked: bool, length: int | None) -> bool:
    """Whether a body follows a request's head: only where it is announced (RFC 9112 §6.3, rules 5 to 7).

    What follows CONNECT is the tunnel's, whatever its fields say (RFC 9110 §9.3.6).
    """
    return (chunked or bool(length)) and method != "CONNECT"


def answer_has_body(status: int, length: int | None, *, head_only: bool) -> bool:
    """Whether a body follows an answer's head (RFC 9112 §6.3, rules 1 and 6); `length` is None where it says none.

    `head_only` for the answer to HEAD. Without coding and length it ends with the connection (rule 8).
    """
    return not (head_only or status in _BODILESS or length == 0)


# ---- writing chunks ----

LAST_CHUNK: Final = b"0\r\n\r\n"
"""The end of a chunked body without trailers."""


def chunk(data: bytes) -> bytes:
    """`data`, at least a byte, as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def framed(data: bytes, *, chunked: bool, last: bool) -> bytes:
    """A piece of a body as the next hop gets it, with the end of the chunks where it is the last."""
    if not chunked:
        return data
    piece = chunk(data) if data else b""
    return piece + LAST_CHUNK if last else piece


def last_chunk(trailers: Iterable[Header]) -> bytes:
    """The end of a chunked body with these trailers (RFC 9112 §7.1.2)."""
    return b"0\r\n" + b"".join([name + b": " + value + b"\r\n" for name, value in trailers]) + b"\r\n"


# ---- reading chunks ----


class ChunkRules(msgspec.Struct, frozen=True):
    """The differences between reading a request's chunks and an answer's."""

    line: re.Pattern[bytes]
    """A whole line of a chunk's size and extensions, which are the pattern's two groups."""
    begun: re.Pattern[bytes] | None
    """What may become such a line: anything else is refused at once. None: a line is judged when it is whole."""
    extensions: int | None
    """Bytes of extensions over a whole body (see `MOST_EXTENSIONS`); None: only each line is bounded."""
    trailers: tuple[int, int] | None
    """Bytes and fields of the trailers, which are read and dropped. None: the reader is done at the last chunk's line,
    and the trailers behind it are the caller's."""


def request_rules(trailer_bytes: int, trailer_fields: int) -> ChunkRules:
    """Strict: what a lenient parser behind us might read differently is refused (RFC 9112 §11.2)."""
    return ChunkRules(_STRICT_LINE, None, None, (trailer_bytes, trailer_fields))


#: Lenient in extensions, as the gateway is trusted and they are dropped.
ANSWER_RULES: Final = ChunkRules(_LENIENT_LINE, _LENIENT_BEGUN, MOST_EXTENSIONS, None)


class ChunkReader:
    """Reads one chunked body. It keeps counts only: bytes that cannot be read yet stay with the caller."""

    __slots__ = (
        "_extensions",
        "_fields",
        "_left",
        "_line_end_owed",
        "_rules",
        "_trailer_bytes",
        "chunks",
        "done",
        "hungry",
    )

    def __init__(self, rules: ChunkRules) -> None:
        self._rules = rules
        self._left = 0  # bytes of the chunk's data still to come
        self._line_end_owed = False  # a chunk's data is here, the line end behind it is not
        self._extensions = 0  # bytes of extensions that count towards their limit
        self._fields = -1  # of the trailers, once they have begun
        self._trailer_bytes = 0
        self.chunks = 0
        """Chunks begun so far: the measure of the work done."""
        self.done = False
        """The body was read to its end: see `ChunkRules.trailers`."""
        self.hungry = True
        """Nothing can be read without more bytes."""

    def read(self, data: bytes, at: int, pieces: list[bytes], most: int) -> int:
        """Read on in `data` from `at`, at most `most` chunks further; add the data found to `pieces`.

        Gives the place where it stopped. Bytes from there on must be given again, with those that follow them.
        Raises `RefusedError`; what was good before it has been added then.
        """
        if self._fields >= 0:
            return self._read_trailers(data, at)
        rules = self._rules
        left, end, most = self._left, len(data), self.chunks + most
        self.hungry = False
        while True:
            if left:
                piece = data[at : at + left]
                if piece:
                    pieces.append(piece)
                    at += len(piece)
                    left -= len(piece)
                if left:
                    break
                self._line_end_owed = True
            if self._line_end_owed:
                if not data.startswith(b"\r\n", at):
                    if not b"\r\n".startswith(data[at : at + 2]):
                        raise RefusedError(refusals.CHUNK_END)
                    break
                at += 2
                self._line_end_owed = False
            if self.chunks >= most:
                self._left = 0
                self.hungry = at >= end
                return at
            line = rules.line.match(data, at, at + LONGEST_LINE)
            if line is None:
                self._judge_begun(data, at)
                break
            self.chunks += 1
            left = int(line[1], 16)
            if line[2] is not None and rules.extensions is not None:
                self._extensions += max(line.end() - at - _FREE_LINE - 2 * left, 0)
                if self._extensions > rules.extensions:
                    raise RefusedError(refusals.TOO_MANY_EXTENSIONS)
            at = line.end()
            if not left:
                if rules.trailers is None:
                    self.done = True
                    return at
                self._fields = 0
                return self._read_trailers(data, at)
        self._left = left
        self.hungry = True
        return at

    def _judge_begun(self, data: bytes, at: int) -> None:
        """Refuse what cannot become the line of a chunk's size, or is too long for one. Raises `RefusedError`."""
        begun = self._rules.begun
        if begun is None:
            broken = data.find(b"\n", at, at + LONGEST_LINE) >= 0
        else:
            broken = begun.fullmatch(data, at, at + LONGEST_LINE) is None
        if broken:
            raise RefusedError(refusals.CHUNK_LINE)
        if len(data) - at > LONGEST_LINE:
            raise RefusedError(refusals.CHUNK_LINE_TOO_LONG)

    def _read_trailers(self, data: bytes, at: int) -> int:
        """Read and drop the trailers, as far as they are here. Raises `RefusedError`."""
        assert self._rules.trailers is not None
        most_bytes, most_fields = self._rules.trailers
        while not data.startswith(b"\r\n", at):
            line = _FIELD.match(data, at)
            if line is None:
                if data.find(b"\n", at) >= 0:
                    raise RefusedError(refusals.TRAILER)
                rest = len(data) - at
                if self._trailer_bytes + rest > most_bytes and not (rest == 1 and data.endswith(b"\r")):
                    raise RefusedError(refusals.TRAILERS_TOO_LARGE)
                self.hungry = True
                return at
            self._trailer_bytes += line.end() - at
            self._fields += 1
            if self._trailer_bytes > most_bytes or self._fields > most_fields:
                raise RefusedError(refusals.TRAILERS_TOO_LARGE)
            at = line.end()
        self.done = True
        self.hungry = False
        return at + 2
