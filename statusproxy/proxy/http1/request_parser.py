"""Requests as they come off the wire: bytes in, events out. What two parsers could read differently is refused.

llhttp (through `httptools`) is the grammar of RFC 9112 at its strictest, and gives raw bytes: names keep their case,
order and repeats, values their bytes. It reads heads only. What it leaves open is settled here: any token is a method
(RFC 9110 §9.1), one `Host`, only `chunked` as a transfer coding, only HTTP/1.0 and 1.1, limits of size. So nothing
reaches the gateway in a shape that hides a second request (request smuggling, RFC 9112 §11.2).

Each limit holds to the byte, wherever the network cuts the bytes: the verdict on a message never depends on that. No
sockets, no event loop and no clock here.
"""

import re
from enum import Enum
from typing import Any, Final

import httptools

from statusproxy.proxy.http1 import refusals
from statusproxy.proxy.http1.authority import absolute, is_authority
from statusproxy.proxy.http1.framing import ChunkReader, request_coding, request_length, request_rules
from statusproxy.proxy.http1.head import REQUEST_ROLES, Header, WellKnown, classify_fields, lower
from statusproxy.proxy.http1.refusals import Refusal, RefusedError

#: Bytes a method may have. The longest registered has 17.
_LONGEST_METHOD: Final = 64

#: A request line (RFC 9112 §3): a token, a target without white space, controls or bytes beyond ASCII, a version.
_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}+) ([\x21-\x7e]++) HTTP/1\.[01]\r\n")

#: Its parts, for the judgement of one that is not whole, or broken.
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]*+")
_TARGET: Final = re.compile(rb"[\x21-\x7e]*+")
_LINE_ENDS: Final = (b"HTTP/1.1\r\n", b"HTTP/1.0\r\n")

#: Methods that llhttp is given as they are. It knows others, but some of them only in other protocols, and no
#: extension: those are read in the shape of a POST, and carry their own name on.
_METHODS: Final = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
}

#: Empty lines before a request (RFC 9112 §2.2). Old clients send one behind a POST.
_MOST_EMPTY_LINES: Final = 8

#: Names that rule the framing, the only fields looked at here.
_RULING: Final = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection"})

_RULING_LENGTHS: Final = frozenset(map(len, _RULING))

_VERSIONS: Final = {"1.1": (1, 1), "1.0": (1, 0)}


#: Heads remembered, and bytes of the largest: what polls, not what browses. Together they bound the memory.
_REMEMBERED: Final = 256
_REMEMBERED_SIZE: Final = 2048


class RequestHead:
    """A request up to its body; `length` is None where no length was given.

    One object may stand for many requests, as clients that poll repeat their head byte for byte: nobody changes it.
    """

    __slots__ = (
        "attachment",
        "chunked",
        "forwarded",
        "has_body",
        "headers",
        "keep_alive",
        "length",
        "method",
        "target",
        "upgrade",
        "version",
        "well_known",
    )

    def __init__(self, method: str, target: bytes, version: tuple[int, int], headers: tuple[Header, ...]) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.keep_alive = False
        self.chunked = False
        self.length: int | None = None
        self.upgrade = False
        """Whether it asks for another protocol: `Upgrade` is present, and named in `Connection` (RFC 9110 §7.8)."""
        self.has_body = False
        """Whether a body follows, which may still have no data where it comes in chunks."""
        self.forwarded: list[Header] = []
        """The end-to-end fields (`classify_fields`)."""
        self.well_known: WellKnown = {}
        self.attachment: Any = None
        """For the parser's user: what it made of this head, kept as long as the head is."""


class HeadLimits:
    """What a request's head may hold: bytes of the target, bytes of all field lines with their line ends, their number,
    and which names. Trailers may have as many bytes and fields again.

    All connections of a server share one object, so that a reload reaches those that are open already.
    """

    __slots__ = ("chunk_rules", "drop_underscores", "fields", "head", "known", "target")

    def __init__(self, *, target: int, head: int, fields: int, drop_underscores: bool = False) -> None:
        """`drop_underscores`: fields with `_` in their name are removed before anything reads them.

        A gateway that maps header names to variables (CGI, RFC 3875 §4.1.18; WSGI, Rack, PHP) cannot tell
        `X_Forwarded_For` from `X-Forwarded-For`. nginx removes such fields unless `underscores_in_headers on`.
        """
        self.target = target
        self.head = head
        self.fields = fields
        self.drop_underscores = drop_underscores
        self.chunk_rules = request_rules(head, fields)
        self.known: dict[bytes, RequestHead] = {}
        """Heads that were good under these limits, by their bytes; all are dropped when they are many."""

    def change_to(self, new: "HeadLimits") -> None:
        """Take the values of `new`, for every head that begins from now on."""
        self.target, self.head, self.fields = new.target, new.head, new.fields
        self.drop_underscores = new.drop_underscores
        self.chunk_rules = new.chunk_rules
        self.known.clear()  # read under the old limits

    def remember(self, data: bytes, head: RequestHead) -> None:
        """Spare the reading of a good head when it comes again: one on which the connection goes on, as HTTP."""
        plain = head.keep_alive and not head.upgrade and not head.chunked and head.method != "CONNECT"
        if plain and len(data) <= _REMEMBERED_SIZE:
            known = self.known
            if len(known) >= _REMEMBERED:
                known.clear()
            known[data] = head


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
        "_allowed",
        "_chunks_left",
        "_empty_lines",
        "_events",
        "_head",
        "_headers",
        "_left",
        "_limits",
        "_llhttp",
        "_method",
        "_reader",
        "_requests_left",
        "_rest",
        "_state",
        "_tail",
        "_target",
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
        self._llhttp: httptools.HttpRequestParser | None = None
        self._allowed = 0  # bytes that may still come of an incomplete head
        self._tail = b""  # its last bytes: its end may be cut in two
        self._method = ""
        self._target = b""
        self._headers: list[Header] = []
        self._head: RequestHead | None = None  # the last that was read; None while one is incomplete
        self._left = 0  # bytes of a body of known length still to come
        self._reader: ChunkReader | None = None
        self.chunks = 0
        """Chunks that the last `feed` read: the measure of its work."""
        self.behind = False
        """More could be read of what is here, but the last `feed` has read all the chunks it may: feed again later."""

    # ---- the user's side ----

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
        elif self._state is _BETWEEN and requests > 0:
            # What polls: one known head without a body, and nothing before or behind it.
            known = self._limits.known.get(data)
            if known is not None and not known.length:
                self._empty_lines = 0
                return [known]
        self._requests_left, self._chunks_left = requests, chunks
        events = self._events
        at = 0
        try:
            at = self._read(data)
        except RefusedError as refused:
            self._state = _State.ENDED
            self._reader = self._llhttp = None
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
        """Whether a request has begun whose head is not complete. Empty lines before it are nothing of it."""
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
        known = self._limits.known.get(data if not at and end == len(data) else data[at:end])
        if known is not None and len(data) >= end + (known.length or 0):
            return self._take_known(data, end, known)
        if data.startswith(b"\r", at) and at + 1 == len(data):
            return at
        line = _LINE.match(data, at)
        if line is None:
            _judge_line(data, at, self._limits.target)
            return at
        method, target = line.groups()
        if len(target) > self._limits.target:
            raise RefusedError(refusals.target_too_long(self._limits.target))
        known_to_llhttp = method in _METHODS
        if not known_to_llhttp and method.upper() in _METHODS:
            # No other method to a lenient reader, and another one to a strict reader.
            raise RefusedError(refusals.METHOD_CASE)
        self._empty_lines = 0
        self._method, self._target = method.decode("ascii"), target
        self._headers = []
        self._head = None
        self._state = _HEAD
        self._allowed = self._limits.head + 2
        self._tail = b"\r\n"
        # A fresh one for each head: it then knows nothing of what came before.
        self._llhttp = httptools.HttpRequestParser(self)
        if not line.end() <= end <= line.end() + self._allowed:
            self._feed_llhttp(line[0] if known_to_llhttp else b"POST" + line[0][len(method) :], ends=False)
            return self._read_head(data, line.end())
        whole = data[at:end]
        head = self._feed_llhttp(whole if known_to_llhttp else b"POST" + whole[len(method) :], ends=True)
        if head is not None:
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
        """Read on in a head, at most to its end: behind that, llhttp would go on with the next."""
        end = _head_end(self._tail, data, at)
        whole = end >= 0
        if not whole:
            end = len(data)
        if end - at > self._allowed:
            self._feed_llhttp(data[at : at + self._allowed], ends=False)  # a fault in what is allowed comes first
            raise RefusedError(refusals.head_too_large(self._limits.head))
        piece = data[at:end]
        head = self._feed_llhttp(piece, ends=whole)
        if head is not None:
            self._after_head(head)
        else:
            self._allowed -= len(piece)
            self._tail = (self._tail + piece)[-3:]
        return end

    def _feed_llhttp(self, piece: bytes, *, ends: bool) -> RequestHead | None:
        """Give llhttp a piece of a head, which ends with it or not: llhttp must see the end just where we do."""
        assert self._llhttp is not None
        try:
            self._llhttp.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # the end of a head that asks for another protocol
        except httptools.HttpParserError as error:
            cause = error.__context__
            raise (cause if isinstance(cause, RefusedError) else RefusedError(refusals.grammar(error))) from error
        if (self._head is None) is ends:
            raise RefusedError(refusals.HEAD_END)
        return self._head

    def _after_head(self, head: RequestHead) -> None:
        """Give a complete head, and begin the body that it announces."""
        self._llhttp = None
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
        """A request is whole: what may follow it?"""
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

    # ---- llhttp's side ----

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head."""
        if len(self._headers) >= self._limits.fields:
            raise RefusedError(refusals.too_many_fields(self._limits.fields))
        self._headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """A head is whole: a request begins, or is refused."""
        llhttp = self._llhttp
        assert llhttp is not None
        version = _VERSIONS.get(llhttp.get_http_version())
        if version is None:
            raise RefusedError(refusals.REQUEST_VERSION)
        if self._limits.drop_underscores:
            self._headers = [header for header in self._headers if b"_" not in header[0]]
        head = RequestHead(self._method, self._target, version, tuple(self._headers))
        head.keep_alive = llhttp.should_keep_alive()
        _obey(head)
        # HTTP/1.0 knows no Upgrade: there the field says nothing (RFC 9110 §7.8).
        head.upgrade = llhttp.should_upgrade() and version == (1, 1) and self._method != "CONNECT"
        self._head = head


def _head_end(tail: bytes, data: bytes, at: int) -> int:
    """The place behind the empty line that ends the head, which may be cut in two; -1 where it is still to come."""
    cut = (tail + data[at : at + 3]).find(b"\r\n\r\n")
    if cut >= 0:
        return at + cut + 4 - len(tail)
    found = data.find(b"\r\n\r\n", at)
    return found + 4 if found >= 0 else -1


def _judge_line(data: bytes, at: int, longest_target: int) -> None:
    """Refuse a request line that cannot become a good one (its first fault decides); else wait for more of it."""
    token = _TOKEN.match(data, at)
    assert token is not None
    if token.end() - at > _LONGEST_METHOD:
        raise RefusedError(refusals.METHOD_TOO_LONG)
    if token.end() == len(data):
        return
    if token.end() == at or data[token.end()] != 0x20:
        raise RefusedError(refusals.NO_METHOD)
    target = _TARGET.match(data, token.end() + 1)
    assert target is not None
    if len(target[0]) > longest_target:
        raise RefusedError(refusals.target_too_long(longest_target))
    if target.end() == len(data):
        return
    if not target[0] or data[target.end()] != 0x20:
        raise RefusedError(refusals.TARGET_FORM)
    version = data[target.end() + 1 : target.end() + 11]
    if not any(line_end.startswith(version) for line_end in _LINE_ENDS):
        raise RefusedError(refusals.REQUEST_VERSION)


def _obey(head: RequestHead) -> None:
    """Set what the ruling fields say of the framing (RFC 9112 §6), and refuse what llhttp leaves open."""
    if b"#" in head.target or not (
        head.target.startswith(b"/")
        or (head.target == b"*" and head.method == "OPTIONS")
        or head.method == "CONNECT"
        or absolute(head.target) is not None
    ):
        raise RefusedError(refusals.TARGET_FORM)
    hosts = 0
    for name, value in head.headers:
        if len(name) not in _RULING_LENGTHS or (key := lower(name)) not in _RULING:
            continue
        if key == b"host":
            hosts += 1
            if value and not is_authority(value):
                raise RefusedError(refusals.HOST_INVALID)
        elif key == b"connection":
            if b"close" in value.lower() and b"close" in [option.strip() for option in value.lower().split(b",")]:
                head.keep_alive = False  # whatever else it says: llhttp takes the last word
        elif key == b"content-length":
            head.length = request_length(value)
            if value.startswith(b"0") and len(value) > 1:
                # RFC 9110 §8.6 allows leading zeros; a parser that reads them as octal would see another length.
                plain = (name, b"%d" % head.length)
                head.headers = tuple(plain if header == (name, value) else header for header in head.headers)
        else:
            request_coding(value, head.version)
            head.chunked = True
    if hosts != 1 and (hosts or head.version == (1, 1)):
        raise RefusedError(refusals.HOST_ONCE)
    head.has_body = head.method != "CONNECT" and (head.chunked or bool(head.length))
    head.forwarded, head.well_known = classify_fields(head.headers, REQUEST_ROLES)
