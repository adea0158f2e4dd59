"""Requests as they come off the wire: llhttp reads them, and what two parsers could read differently is refused.

llhttp (through `httptools`) is the grammar of RFC 9112 at its strictest, and gives raw bytes: names keep their case,
order and repeats, values their bytes. It reads heads only. What it leaves open is settled here: any token is a method
(RFC 9110 §9.1), one `Host`, only `chunked` as a transfer coding, only HTTP/1.0 and 1.1, limits of size. So nothing
reaches the gateway in a shape that hides a second request (request smuggling, RFC 9112 §11.2).

Each limit holds to the byte, wherever the network cuts the bytes: the verdict on a message never depends on that.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final

import httptools

from statusproxy.proxy.downstream.body_buffer import NO_BODY, Intake, RequestBody
from statusproxy.proxy.downstream.turns import FREE, Turns
from statusproxy.proxy.http1.authority import absolute, is_authority
from statusproxy.proxy.http1.head import REQUEST_ROLES, Header, Noted, lower, sort_out
from statusproxy.proxy.http1.request_chunks import ChunkError, ChunkReader

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

#: Digits of a `Content-Length`: 10^18 bytes are an exabyte, and fit any integer of the next parser.
_LENGTH_DIGITS: Final = 18

_VERSIONS: Final = {"1.1": (1, 1), "1.0": (1, 0)}


class RefusedError(Exception):
    """A request that is not served; `code` is its entry in `errors.PROBLEMS`, the text says what is wrong."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class BrokenBodyError(Exception):
    """The framing of a request's body is broken: what its reader gets in place of the rest."""


#: Heads remembered, and bytes of the largest: what polls, not what browses. Together they bound the memory.
_REMEMBERED: Final = 256
_REMEMBERED_SIZE: Final = 2048


class RequestHead:
    """A request up to its body; `length` is None where no length was given.

    One object may stand for many requests, as clients that poll repeat their head byte for byte: nobody changes it.
    """

    __slots__ = (
        "chunked",
        "headers",
        "keep_alive",
        "kept",
        "length",
        "method",
        "noted",
        "onward",
        "target",
        "upgrade",
        "version",
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
        self.kept: list[Header] = []
        """The end-to-end fields (`headers.sort_out`)."""
        self.noted: Noted = {}
        self.onward: object | None = None
        """What its user made of it for the next hop (`head_cache`)."""


class HeadLimits:
    """What a request's head may hold: bytes of the target, bytes of all field lines with their line ends, their number,
    and which names. Trailers may have as many bytes and fields again.

    All connections of a server share one object, so that a reload reaches those that are open already.
    """

    __slots__ = ("drop_underscores", "fields", "head", "known", "target")

    def __init__(self, *, target: int, head: int, fields: int, drop_underscores: bool = False) -> None:
        """`drop_underscores`: fields with `_` in their name are removed before anything reads them.

        A gateway that maps header names to variables (CGI, RFC 3875 §4.1.18; WSGI, Rack, PHP) cannot tell
        `X_Forwarded_For` from `X-Forwarded-For`. nginx removes such fields unless `underscores_in_headers on`.
        """
        self.target = target
        self.head = head
        self.fields = fields
        self.drop_underscores = drop_underscores
        self.known: dict[bytes, RequestHead] = {}
        """Heads that were good under these limits, by their bytes; all are dropped when they are many."""

    def change_to(self, new: "HeadLimits") -> None:
        """Take the values of `new`, for every head that begins from now on."""
        self.target, self.head, self.fields = new.target, new.head, new.fields
        self.drop_underscores = new.drop_underscores
        self.known.clear()  # read under the old limits

    def remember(self, data: bytes, head: RequestHead) -> None:
        """Spare the reading of a good head when it comes again: one on which the connection goes on, as HTTP."""
        plain = head.keep_alive and not head.upgrade and not head.chunked and head.method != "CONNECT"
        if plain and len(data) <= _REMEMBERED_SIZE:
            known = self.known
            if len(known) >= _REMEMBERED:
                known.clear()
            known[data] = head


class RequestParser:
    """Bytes in, requests out, for one connection; it has the methods that aiohttp's server asks of its parser.

    A body is fed as its bytes come; broken framing is an exception in it. What cannot be a request ends the parsing:
    `refusal` makes the message that stands for it. Bytes that cannot be taken yet are kept and come first in the next
    `feed_data`, which may bring none.
    """

    __slots__ = (
        "_allowed",
        "_at_once",
        "_body",
        "_chunks",
        "_empty_lines",
        "_ended",
        "_head",
        "_headers",
        "_in_head",
        "_intake",
        "_left",
        "_limits",
        "_llhttp",
        "_loop",
        "_messages",
        "_method",
        "_refusal",
        "_rest",
        "_tail",
        "_target",
        "_turns",
        "_waiting",
        "behind",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: HeadLimits,
        *,
        intake: Intake,
        turns: Turns,
        refusal: Callable[[RefusedError], Any],
        at_once: int,
    ) -> None:
        """`at_once`: requests that may wait to be handled."""
        self._llhttp: httptools.HttpRequestParser | None = None
        self._loop = loop
        self._limits = limits
        self._intake = intake
        self._turns = turns
        self._refusal = refusal
        self._at_once = at_once
        self._waiting = 0
        self._rest = b""  # what came and was not read
        self._messages: list[tuple[Any, RequestBody]] = []
        self._empty_lines = 0
        self._in_head = False  # a request line was read, and the head is not complete
        self._allowed = 0  # bytes that may still come of that head
        self._tail = b""  # its last bytes: its end may be cut in two
        self._method = ""
        self._target = b""
        self._headers: list[Header] = []
        self._head: RequestHead | None = None
        self._body: RequestBody | None = None
        self._left = 0  # bytes of the body still to come, where a length tells
        self._chunks: ChunkReader | None = None
        self._ended = False  # no request may follow on this connection
        self.behind = False
        """More could be read at once of what is here, but other connections go first: feed again in a later turn."""

    # ---- aiohttp's side ----

    def feed_data(self, data: bytes) -> tuple[list[tuple[Any, RequestBody]], bool, bytes]:
        """The requests that begin in `data`, whether the connection stops being HTTP after them, and what is left."""
        self.behind = False
        if self._rest:
            data = self._rest + data if data else self._rest
            self._rest = b""
        elif self._waiting == 0 and self._body is None and not self._in_head and not self._ended:
            # What polls: one known head without a body, and nothing before or behind it.
            known = self._limits.known.get(data)
            if known is not None and not known.length and not self._intake.full:
                self._empty_lines = 0
                self._head = known
                self._waiting = 1
                return [(known, NO_BODY)], False, b""
        at, switched = 0, False
        try:
            while at < len(data) and not self._ended and not switched and not self._intake.full:
                before = at
                if self._chunks is not None:
                    at, switched = self._read_chunks(data, at, self._chunks)
                elif self._body is not None:
                    at, switched = self._read_sized(data, at, self._body)
                elif self._in_head:
                    at, switched = self._read_head(data, at)
                elif self._waiting < self._at_once:
                    at, switched = self._begin(data, at)
                if at == before or self.behind:
                    break
        except RefusedError as refused:
            self._refuse(refused)
        messages, self._messages = self._messages, []
        if switched:
            return messages, True, data[at:]
        if at < len(data) and not self._ended:
            self._rest = data[at:]
        return messages, False, b""

    def message_consumed(self) -> None:
        """A request is being handled: another may take its place in the queue."""
        if self._waiting:
            self._waiting -= 1

    def pause_reading(self) -> None:
        """The reader of a body is behind: `Intake` says so, and stops the reading here."""

    def set_upgraded(self, val: bool) -> None:
        """The server goes on after an upgrade that was declined: there is nothing to undo."""

    def feed_eof(self) -> None:
        """The connection has ended; its requests learn that from the connection."""

    @property
    def in_head(self) -> bool:
        """Whether a request has begun whose head is not complete. Empty lines before it are nothing of it."""
        return self._in_head or (self._body is None and self._rest not in {b"", b"\r"})

    # ---- heads ----

    def _begin(self, data: bytes, at: int) -> tuple[int, bool]:
        """Take what stands between two requests, and the head of the next as far as it is here."""
        while data.startswith(b"\r\n", at):  # RFC 9112 §2.2: empty lines before a request are ignored
            at += 2
            self._empty_lines += 1
            if self._empty_lines > _MOST_EMPTY_LINES:
                raise RefusedError("bad_request", "too many empty lines where a request should begin")
        end = data.find(b"\r\n\r\n", at) + 4
        known = self._limits.known.get(data if not at and end == len(data) else data[at:end])
        if known is not None and len(data) >= end + (known.length or 0):
            return self._take_known(data, end, known), False
        if data.startswith(b"\r", at) and at + 1 == len(data):
            return at, False
        line = _LINE.match(data, at)
        if line is None:
            _judge_line(data, at, self._limits.target)
            return at, False
        method, target = line.groups()
        if len(target) > self._limits.target:
            raise RefusedError("target_too_long", f"a target of more than {self._limits.target} bytes")
        known_to_llhttp = method in _METHODS
        if not known_to_llhttp and method.upper() in _METHODS:
            # No other method to a lenient reader, and another one to a strict reader.
            raise RefusedError("bad_request", "a method in the wrong case")
        self._empty_lines = 0
        self._method, self._target = method.decode("ascii"), target
        self._headers = []
        self._in_head = True
        self._allowed = self._limits.head + 2
        self._tail = b"\r\n"
        # A fresh one for each head: it then knows nothing of what came before.
        self._llhttp = httptools.HttpRequestParser(self)
        if not line.end() <= end <= line.end() + self._allowed:
            self._feed_llhttp(line[0] if known_to_llhttp else b"POST" + line[0][len(method) :], ends=False)
            return self._read_head(data, line.end())
        whole = data[at:end]
        self._feed_llhttp(whole if known_to_llhttp else b"POST" + whole[len(method) :], ends=True)
        if self._head is not None:
            self._limits.remember(whole, self._head)
        return end, self._after_head()

    def _take_known(self, data: bytes, end: int, known: RequestHead) -> int:
        """Take the request whose head, which ends at `end`, is known, and whose body is all here."""
        body = NO_BODY
        if known.length:
            after = end + known.length
            body = RequestBody(self._intake, self._loop)
            body.feed_data(data[end:after])
            body.feed_eof()
            end = after
        self._empty_lines = 0
        self._head = known
        self._waiting += 1
        self._messages.append((known, body))
        return end

    def _read_head(self, data: bytes, at: int) -> tuple[int, bool]:
        """Read on in a head, at most to its end: behind that, llhttp would go on with the next."""
        end = _head_end(self._tail, data, at)
        whole = end >= 0
        if not whole:
            end = len(data)
        if end - at > self._allowed:
            self._feed_llhttp(data[at : at + self._allowed], ends=False)  # a fault in what is allowed comes first
            raise RefusedError("head_too_large", f"more than {self._limits.head} bytes of header fields")
        piece = data[at:end]
        self._feed_llhttp(piece, ends=whole)
        if not whole:
            self._allowed -= len(piece)
            self._tail = (self._tail + piece)[-3:]
            return end, False
        return end, self._after_head()

    def _feed_llhttp(self, piece: bytes, *, ends: bool) -> None:
        """Give llhttp a piece of a head, which ends with it or not: llhttp must see the end just where we do."""
        assert self._llhttp is not None
        try:
            self._llhttp.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # the end of a head that asks for another protocol
        except httptools.HttpParserError as error:
            cause = error.__context__
            raise (cause if isinstance(cause, RefusedError) else RefusedError("bad_request", str(error))) from error
        if self._in_head is ends:
            raise RefusedError("bad_request", "the head does not end with an empty line")

    def _after_head(self) -> bool:
        """Begin the body that a complete head announces; whether the connection stops being HTTP here."""
        head = self._head
        assert head is not None
        if (head.chunked or head.length) and head.method != "CONNECT":
            self._body = RequestBody(self._intake, self._loop)
            self._messages.append((head, self._body))
            if head.chunked:
                self._chunks = ChunkReader(self._limits.head, self._limits.fields)
            else:
                self._left = head.length or 0
            return False
        self._messages.append((head, NO_BODY))
        return self._after_message(head)

    def _after_message(self, head: RequestHead) -> bool:
        switched = head.upgrade or head.method == "CONNECT"
        self._ended = not (head.keep_alive or switched)
        return switched

    # ---- bodies ----

    def _read_sized(self, data: bytes, at: int, body: RequestBody) -> tuple[int, bool]:
        piece = data[at : at + self._left]
        self._left -= len(piece)
        body.feed_data(piece)
        return at + len(piece), self._end_body(body) if not self._left else False

    def _read_chunks(self, data: bytes, at: int, chunks: ChunkReader) -> tuple[int, bool]:
        body, pieces, before = self._body, list[bytes](), chunks.chunks
        assert body is not None
        try:
            at = chunks.read(data, at, pieces, max(FREE, self._turns.left))
        except ChunkError as error:
            raise RefusedError("bad_request", str(error)) from error
        finally:
            self._turns.spend(chunks.chunks - before)
            if pieces:
                body.feed_data(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if chunks.done:
            self._chunks = None
            return at, self._end_body(body)
        self.behind = not chunks.hungry
        return at, False

    def _end_body(self, body: RequestBody) -> bool:
        self._body = None
        body.feed_eof()
        assert self._head is not None
        return self._after_message(self._head)

    def _refuse(self, refused: RefusedError) -> None:
        self._ended = True
        self._in_head = False
        body, self._body, self._chunks = self._body, None, None
        if body is not None:
            body.set_exception(BrokenBodyError(str(refused)))
        else:
            self._messages.append((self._refusal(refused), NO_BODY))

    # ---- llhttp's side ----

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head."""
        if len(self._headers) >= self._limits.fields:
            raise RefusedError("head_too_large", f"more than {self._limits.fields} header fields")
        self._headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """A head is whole: a request begins, or is refused."""
        llhttp = self._llhttp
        assert llhttp is not None
        version = _VERSIONS.get(llhttp.get_http_version())
        if version is None:
            raise RefusedError("bad_request", "not HTTP/1.1 or HTTP/1.0")
        if self._limits.drop_underscores:
            self._headers = [header for header in self._headers if b"_" not in header[0]]
        head = RequestHead(self._method, self._target, version, tuple(self._headers))
        head.keep_alive = llhttp.should_keep_alive()
        _obey(head)
        # HTTP/1.0 knows no Upgrade: there the field says nothing (RFC 9110 §7.8).
        head.upgrade = llhttp.should_upgrade() and version == (1, 1) and self._method != "CONNECT"
        self._head = head
        self._in_head = False
        self._waiting += 1


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
        raise RefusedError("bad_request", "a method of more than 64 bytes")
    if token.end() == len(data):
        return
    if token.end() == at or data[token.end()] != 0x20:
        raise RefusedError("bad_request", "no method where a request should begin")
    target = _TARGET.match(data, token.end() + 1)
    assert target is not None
    if len(target[0]) > longest_target:
        raise RefusedError("target_too_long", f"a target of more than {longest_target} bytes")
    if target.end() == len(data):
        return
    if not target[0] or data[target.end()] != 0x20:
        raise RefusedError("bad_request", "the target has no known form")
    version = data[target.end() + 1 : target.end() + 11]
    if not any(line_end.startswith(version) for line_end in _LINE_ENDS):
        raise RefusedError("bad_request", "not HTTP/1.1 or HTTP/1.0")


def _obey(head: RequestHead) -> None:
    """Set what the ruling fields say of the framing (RFC 9112 §6), and refuse what llhttp leaves open."""
    if b"#" in head.target or not (
        head.target.startswith(b"/")
        or (head.target == b"*" and head.method == "OPTIONS")
        or head.method == "CONNECT"
        or absolute(head.target) is not None
    ):
        raise RefusedError("bad_request", "the target has no known form")
    hosts = 0
    for name, value in head.headers:
        if len(name) not in _RULING_LENGTHS or (key := lower(name)) not in _RULING:
            continue
        if key == b"host":
            hosts += 1
            if value and not is_authority(value):
                raise RefusedError("bad_request", "an invalid Host")
        elif key == b"connection":
            if b"close" in value.lower() and b"close" in [option.strip() for option in value.lower().split(b",")]:
                head.keep_alive = False  # whatever else it says: llhttp takes the last word
        elif key == b"content-length":
            if len(value) > _LENGTH_DIGITS:
                raise RefusedError("bad_request", "a Content-Length beyond all measure")
            head.length = int(value)
            if value.startswith(b"0") and len(value) > 1:
                # RFC 9110 §8.6 allows leading zeros; a parser that reads them as octal would see another length.
                plain = (name, b"%d" % head.length)
                head.headers = tuple(plain if header == (name, value) else header for header in head.headers)
        elif value.lower() != b"chunked" or head.version == (1, 0):
            raise RefusedError("bad_request", "a Transfer-Encoding other than chunked, or in HTTP/1.0")
        else:
            head.chunked = True
    if hosts != 1 and (hosts or head.version == (1, 1)):
        raise RefusedError("bad_request", "Host must stand once")
    head.kept, head.noted = sort_out(head.headers, REQUEST_ROLES)
