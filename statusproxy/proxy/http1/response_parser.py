"""The parser of a gateway's answer: heads by llhttp, the body by its framing, all of it within limits.

llhttp (through `httptools`) is given heads and trailers only, cut off where they end, so their bytes are counted
exactly. Each limit gives the same verdict however the bytes are cut into segments. No sockets, no event loop and no
clock here.
"""

import re
from typing import Final

import httptools

from statusproxy.proxy.http1 import answer_head, refusals
from statusproxy.proxy.http1.answer_head import SWITCHING, ResponseHead
from statusproxy.proxy.http1.body_pieces import BodyPieces
from statusproxy.proxy.http1.framing import ANSWER_RULES, ChunkReader, answer_coding, answer_has_body
from statusproxy.proxy.http1.head import Header, tokens
from statusproxy.proxy.http1.refusals import Refusal, RefusedError

#: Chunks read in one go: about a tenth of a millisecond. The rest waits until other connections had their turn.
CHUNKS_AT_ONCE: Final = 128

#: Lines that an answer's heads (interim ones included) may have, and its trailers again. Each field costs about 2 µs on
#: its way through the proxy. Node reads 2000 fields at most, other servers send some dozen.
MOST_LINES: Final = 1000

#: Interim answers (1xx) before the final one. A gateway that says each second that it is still at work (102) reaches
#: the limit only after the two minutes that an answer's head may take by default.
MOST_INTERIM: Final = 128

#: A reason phrase (RFC 9112 §4).
_REASON: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*+")

#: How a body begins and ends that is one chunk, the everyday case, which is told at a glance.
_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"

_HEAD_END: Final = b"\r\n\r\n"
_CODING_LENGTH: Final = len(b"transfer-encoding")
_LENGTH_LENGTH: Final = len(b"content-length")
_KEEP_LENGTH: Final = len(b"keep-alive")


def head_end(before: bytes, data: bytes) -> int:
    """How many bytes of `data` belong to a head that goes on in it; -1 where the head does not end there.

    `before` are the last bytes of the head that came earlier, up to three: the empty line may be cut in two.
    """
    if before:
        across = (before + data[:3]).find(_HEAD_END)
        if across >= 0:
            return across + len(_HEAD_END) - len(before)
    found = data.find(_HEAD_END)
    return found + len(_HEAD_END) if found >= 0 else -1


class ResponseParser:
    """Reads one answer with its interim ones. A new one is made for each exchange, so that no state is carried over.

    The heads together may have `limit` bytes, interim ones included, and the trailers as many again. After each `feed`
    and `go_on` the attributes say what has come.
    """

    __slots__ = (
        "_at",
        "_before",
        "_head_only",
        "_headers",
        "_interim_count",
        "_left",
        "_limit",
        "_lines",
        "_llhttp",
        "_parsing",
        "_reader",
        "_size",
        "_trailing",
        "_unread",
        "behind",
        "body",
        "complete",
        "head",
        "interim",
        "keep_alive_field",
        "trailers",
    )

    def __init__(self, limit: int, head_only: bool) -> None:
        """`head_only` for HEAD, whose answer has no body."""
        self._llhttp: httptools.HttpResponseParser | None = None  # while a head that is not known is read
        self._limit = limit
        self._head_only = head_only
        self._parsing: ResponseHead | None = None
        self._headers: list[Header] = []
        self._size = self._lines = 0  # bytes and lines of the heads so far, or of the trailers
        self._before = b""  # the last bytes of an incomplete head, or of incomplete trailers
        self._interim_count = 0
        self._left = 0  # bytes of the body that are still to come, where its length is known
        self._reader: ChunkReader | None = None
        self._unread = b""  # of a body in chunks: what came, which is read from `_at` on
        self._at = 0
        self._trailing = False
        self.interim: list[ResponseHead] = []
        """The interim answers (1xx) that have come; the one who passes them on empties the list (RFC 9110 §15.2)."""
        self.head: ResponseHead | None = None
        """The final answer's head, once it is whole."""
        self.body = BodyPieces()
        """The pieces of the body that have come and were not taken."""
        self.keep_alive_field: bytes | None = None
        """The value of the field `Keep-Alive`, if there was one, also in an interim answer."""
        self.trailers: list[Header] = []
        self.complete = False
        """The answer's last byte was read."""
        self.behind = False
        """Bytes came behind the answer: whose they are cannot be told."""

    def let_go(self) -> None:
        """No one reads this answer any more: it knows its parser, and the parser knows it."""
        self._llhttp = None

    @property
    def pending(self) -> bool:
        """Whether more can be read from the bytes that are here: call `go_on`."""
        return self._reader is not None and not self._reader.hungry

    @property
    def until_close(self) -> bool:
        """Whether the body ends with the connection (RFC 9112 §6.3, rule 8)."""
        head = self.head
        return head is not None and not (self.complete or self._left or head.coded or head.status == SWITCHING)

    def feed(self, data: bytes) -> None:
        """Read what came. Raises `RefusedError`, what was good before it having been taken."""
        if self._left:
            self._take_known(data)
        elif self.head is None:
            self._read_head(data)
        elif self.complete:
            self.behind = True
        elif self._reader is not None:
            self._unread = self._unread[self._at :] + data if self._unread else data
            self._at = 0
            self.go_on()
        elif self._trailing:
            self._read_trailers(data)
        else:
            self.body.add(data)

    def go_on(self) -> None:
        """Read the next chunks of those that are here. Raises `RefusedError`, as `feed` does."""
        reader = self._reader
        if reader is None:
            return
        pieces: list[bytes] = []
        try:
            self._at = reader.read(self._unread, self._at, pieces, CHUNKS_AT_ONCE)
        finally:
            if pieces:
                self.body.add(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if reader.done or reader.hungry:
            rest, self._unread, self._at = self._unread[self._at :], b"", 0
            if reader.done:
                self._reader = None
                self._begin_trailers(rest)
            else:
                self._unread = rest

    # ---- the head ----

    def _read_head(self, data: bytes) -> None:
        whole = b""  # of the answer's first head
        if not (self._size or self._head_only):
            end = data.find(_HEAD_END) + len(_HEAD_END)
            whole = data[:end]
            known = answer_head.find(whole)
            if known is not None and end <= self._limit:
                self._size = end
                self.head = known
                self.keep_alive_field = known.keep_alive_field
                self._begin_body(known, data[end:])
                return
        while data:
            data = self._read_section(data)
            head = self.head
            if head is not None:
                if self._size == len(whole):
                    head.keep_alive_field = self.keep_alive_field
                    answer_head.remember(whole, head)
                self._begin_body(head, data)
                return

    def _read_section(self, data: bytes) -> bytes:
        """Read on in one head, or in the trailers; give the bytes behind its end. Raises `RefusedError`."""
        llhttp = self._llhttp or self._begin_section()
        end = head_end(self._before, data) if self._before else data.find(_HEAD_END)
        if end >= 0 and not self._before:
            end += len(_HEAD_END)
        piece, rest = (data[:end], data[end:]) if end >= 0 else (data, b"")
        self._size += len(piece)
        self._lines += piece.count(b"\n")
        refused: Refusal | None = None
        if self._size > self._limit or self._lines > MOST_LINES:
            piece, refused = self._within_limits(piece)
        try:
            llhttp.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # behind a 101 the bytes are another protocol's: not llhttp's matter here
        except httptools.HttpParserError as error:
            refused = refusals.of_parser_error(error)  # raised again below
        if refused is not None:
            raise RefusedError(refused)
        self._before = (self._before + piece[-3:])[-3:] if end < 0 else b""
        return rest

    def _begin_section(self) -> httptools.HttpResponseParser:
        """Begin to read heads, or trailers."""
        self._parsing = ResponseHead()
        self._headers = self.trailers if self._trailing else self._parsing.headers
        self._llhttp = llhttp = httptools.HttpResponseParser(self)
        return llhttp

    def _within_limits(self, piece: bytes) -> tuple[bytes, Refusal]:
        """The part of `piece` within the limits, whose errors come first, and the limit that the rest exceeds."""
        section = "trailers" if self._trailing else "head"
        small = piece[: self._limit - self._size + len(piece)]  # the count holds all of the piece already
        lines = MOST_LINES - self._lines + piece.count(b"\n")
        if small.count(b"\n") <= lines:
            return small, refusals.section_too_large(section)
        end = 0
        for _ in range(lines + 1):
            end = small.index(b"\n", end) + 1
        return small[: end - 1], refusals.too_many_lines(MOST_LINES, section)

    def _begin_body(self, head: ResponseHead, data: bytes) -> None:
        """The final head is whole: settle how the body is framed (RFC 9112 §6.3), and read what came of it."""
        self._llhttp = None  # it knows this answer, which could not be freed at once if it knew it too
        if head.status == SWITCHING:
            pass
        elif not answer_has_body(head.status, head.length, head_only=self._head_only):
            self.complete = True
        elif head.coded:
            if data.endswith(_LAST_CHUNK) and (line := _CHUNK_LINE.match(data)) is not None:
                end = line.end() + int(line[1], 16)
                if end + len(_LAST_CHUNK) == len(data):
                    self.body.add(data[line.end() : end])
                    self.complete = True
                    return
            self._reader = ChunkReader(ANSWER_RULES)
        elif head.length is not None:
            self._left = head.length
            if data:
                self._take_known(data)
            return
        if data:
            self.feed(data)

    # ---- the body and what follows it ----

    def _take_known(self, data: bytes) -> None:
        """Take a piece of a body whose length is known."""
        size = len(data)
        if size > self._left:
            size = self._left
            data = data[:size]
            self.behind = True
        self.body.add(data)
        self._left -= size
        self.complete = not self._left

    def _begin_trailers(self, data: bytes) -> None:
        """The last chunk's line was read: trailers follow, or at once the empty line."""
        if data.startswith(b"\r\n"):
            self.complete = True
            self.behind = len(data) > 2
            return
        # Trailers are read as the fields of a head are, by an llhttp of their own.
        self._trailing = True
        self._begin_section().feed_data(b"HTTP/1.1 200 OK\r\n")
        self._size = self._lines = 0
        self._before = b"\r\n"
        if data:
            self._read_trailers(data)

    def _read_trailers(self, data: bytes) -> None:
        self.behind = bool(self._read_section(data))
        if self.complete:
            self._llhttp = None

    # ---- llhttp's side ----

    def on_status(self, reason: bytes) -> None:
        """A part of the reason phrase."""
        assert self._parsing is not None
        self._parsing.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of a head, or of the trailers."""
        value = value.rstrip(b" \t")
        self._headers.append((name, value))
        size = len(name)
        if size == _LENGTH_LENGTH:
            if name.lower() == b"content-length":
                assert self._parsing is not None
                self._parsing.length = int(value)  # llhttp lets digits through only
        elif size == _CODING_LENGTH and name.lower() == b"transfer-encoding" and not self._trailing:
            assert self._parsing is not None
            answer_coding(value, again=self._parsing.coded)
            self._parsing.coded = True
        elif size == _KEEP_LENGTH and name.lower() == b"keep-alive":
            self.keep_alive_field = value

    def on_headers_complete(self) -> None:
        """A head is whole, or the trailers are."""
        if self._trailing:
            self.complete = True
            return
        llhttp, head = self._llhttp, self._parsing
        assert llhttp is not None
        assert head is not None
        head.status = llhttp.get_status_code()
        version = llhttp.get_http_version()
        if version != "1.1":
            if version != "1.0" or head.coded:
                raise RefusedError(refusals.answer_version(version))
            head.version = (1, 0)
        if head.reason != b"OK" and _REASON.fullmatch(head.reason) is None:
            raise RefusedError(refusals.REASON_PHRASE)
        if 100 <= head.status < 200 and head.status != SWITCHING:
            self._pass_interim(head)
            return
        head.keep_alive = llhttp.should_keep_alive()
        if head.status == SWITCHING:
            head.keep_alive = False
        elif self._head_only:
            # llhttp would wait for the body that the fields announce and HEAD's answer does not have.
            head.keep_alive = head.version == (1, 1) and b"close" not in tokens(head.headers, b"connection")
        self.head = head

    def _pass_interim(self, head: ResponseHead) -> None:
        self._interim_count += 1
        if self._interim_count > MOST_INTERIM:
            raise RefusedError(refusals.too_many_interim(MOST_INTERIM))
        self._parsing = ResponseHead()
        self._headers = self._parsing.headers
        self.interim.append(head)
