"""Requests as they come off the wire: llhttp reads them, and what two parsers could read differently is refused.

llhttp (through `httptools`) is the grammar of RFC 9112 at its strictest, and gives raw bytes: names keep their case,
order and repeats, values their bytes. What it leaves open is settled here: any token is a method (RFC 9110 §9.1),
one `Host`, only `chunked` as a transfer coding, only HTTP/1.0 and 1.1, limits of size. So nothing reaches the gateway
in a shape that hides a second request (request smuggling, RFC 9112 §11.2).
"""

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import httptools
from aiohttp import EMPTY_PAYLOAD, StreamReader

from statusproxy.proxy.headers import REQUEST_ROLES, Header, Noted, lower, sort_out

if TYPE_CHECKING:
    from aiohttp.base_protocol import BaseProtocol

    from statusproxy.proxy.onward import Onward

#: A request's first token and the one space behind it.
_METHOD: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]++)( ?)(?! )")

#: Methods that llhttp is given as they are. It knows others, but some of them only in other protocols, and no
#: extension: those are read in the shape of a POST, and carry their own name on.
_METHODS: Final = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
}

#: How a request line ends. llhttp would wait for the rest of one that names no version (HTTP/0.9).
_PROTOCOLS: Final = (b" HTTP/1.1", b" HTTP/1.0")

#: Bytes of a request line besides its target: a method and the version.
_LINE_MARGIN: Final = 80

#: Bytes a method may have. The longest registered has 17.
_LONGEST_METHOD: Final = 64

#: `scheme://authority…` with a host (RFC 9112 §3.2.2).
_ABSOLUTE: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*://[^/?]+(?:[/?].*)?", re.DOTALL)

#: A `Host`: what RFC 3986 §3.2 lets an authority hold, without user information. Empty where there is none.
_HOST: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%\-\[\]:]*")

#: Names that rule the framing, the only fields looked at here.
_RULING: Final = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection"})

_RULING_LENGTHS: Final = frozenset(map(len, _RULING))

#: Digits of a `Content-Length`: 10^18 bytes are an exabyte, and fit any integer of the next parser.
_LENGTH_DIGITS: Final = 18

#: Bytes of framing between two pieces of a body's data (a chunk's size with its extensions, trailers) before it is
#: taken for an attack; llhttp bounds the size itself, not what stands behind it.
_FRAMING: Final = 64 * 1024

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
        self.onward: Onward | None = None
        """What was made of it for the next hop."""


class HeadLimits:
    """What a request's head may hold: bytes of the target, bytes of all field lines, their number, and which names.

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


class RequestParser:
    """Bytes in, requests out, for one connection; it has the methods that aiohttp's server asks of its parser.

    A body is a `StreamReader` that is fed as bytes come; broken framing is an exception in it. What cannot be a
    request ends the parsing: `refusal` makes the message that stands for it.
    """

    __slots__ = (
        "_apart",
        "_at_once",
        "_ended",
        "_framing",
        "_head",
        "_headers",
        "_in_head",
        "_left",
        "_limits",
        "_llhttp",
        "_loop",
        "_messages",
        "_method",
        "_payload",
        "_pending",
        "_protocol",
        "_read_ahead",
        "_refusal",
        "_size",
        "_target",
        "_waiting",
    )

    def __init__(
        self,
        protocol: "BaseProtocol",
        loop: asyncio.AbstractEventLoop,
        limits: HeadLimits,
        *,
        refusal: Callable[[RefusedError], Any],
        at_once: int,
        read_ahead: int,
    ) -> None:
        """`at_once`: requests that may wait to be handled; `read_ahead`: bytes of a body held before TCP waits."""
        self._llhttp = httptools.HttpRequestParser(self)
        self._protocol = protocol
        self._loop = loop
        self._limits = limits
        self._refusal = refusal
        self._at_once = at_once
        self._read_ahead = read_ahead
        self._waiting = 0
        self._pending = b""  # what waits for a place in the queue, or for the rest of a method
        self._messages: list[tuple[Any, StreamReader]] = []
        self._in_head = False  # a head has begun and is not complete
        self._size = 0  # bytes that have come of that head
        self._method = ""  # an extension method, while llhttp reads another in its place
        self._target = b""
        self._headers: list[Header] = []
        self._head: RequestHead | None = None
        self._payload: StreamReader | None = None
        self._left: int | None = 0  # bytes of the body still to come; None where chunks tell
        self._framing = 0
        self._apart = False  # a body is read by an llhttp of its own
        self._ended = False  # no request may follow on this connection

    # ---- aiohttp's side ----

    def feed_data(self, data: bytes) -> tuple[list[tuple[Any, StreamReader]], bool, bytes]:
        """The requests that begin in `data`, whether the connection stops being HTTP after them, and what is left."""
        if self._pending:
            data = self._pending + data
            self._pending = b""
        switched = False
        begun = data if self._payload is None and not self._in_head else b""
        try:
            while data and not self._ended and not switched:
                if self._payload is None and not self._in_head:
                    if self._waiting >= self._at_once:
                        self._pending = data
                        break
                    rest = self._recognise(data)
                    if rest is not None:
                        begun, data = b"", rest
                        continue
                    data = self._translate(data)
                    if not data:
                        break
                data, switched = self._step(data)
            else:
                if begun and len(self._messages) == 1:
                    self._remember(begun, self._messages[0][0])
        except RefusedError as refused:
            self._refuse(refused)
        messages, self._messages = self._messages, []
        return messages, switched, data if switched else b""

    def message_consumed(self) -> None:
        """A request is being handled: another may take its place in the queue."""
        if self._waiting:
            self._waiting -= 1

    def pause_reading(self) -> None:
        """The body's reader is behind. The transport is told to wait; what has come already is held by the reader."""

    def set_upgraded(self, val: bool) -> None:
        """The server goes on after an upgrade that was declined: there is nothing to undo."""

    def feed_eof(self) -> None:
        """The connection has ended; its requests learn that from the connection."""

    def _recognise(self, data: bytes) -> bytes | None:
        """Take the request that `data` begins with, if its head is known and its body all here; what follows it."""
        end = data.find(b"\r\n\r\n") + 4
        known = self._limits.known.get(data if end == len(data) else data[:end])
        if known is None:
            return None
        payload: StreamReader = EMPTY_PAYLOAD
        if known.length:
            after = end + known.length
            if len(data) < after:
                return None
            payload = StreamReader(self._protocol, self._read_ahead, loop=self._loop)
            payload.feed_data(data[end:after])
            payload.feed_eof()
            end = after
        self._head = known
        self._waiting += 1
        self._messages.append((known, payload))
        return data[end:]

    def _remember(self, data: bytes, head: RequestHead) -> None:
        """Spare the reading of a head when it comes again: one on which the connection goes on, as HTTP."""
        end = data.find(b"\r\n\r\n") + 4
        plain = head.keep_alive and not head.upgrade and not head.chunked and head.method != "CONNECT"
        # An empty line before the head is none of it, and must not be taken for its end.
        if plain and not data.startswith(b"\r") and 4 <= end <= _REMEMBERED_SIZE:
            known = self._limits.known
            if len(known) >= _REMEMBERED:
                known.clear()
            known[data[:end]] = head

    # ---- one request at a time ----

    def _translate(self, data: bytes) -> bytes:
        """`data`, which begins a request, with an extension method in llhttp's terms; b"" until it is all here."""
        while data.startswith(b"\r\n"):  # RFC 9112 §2.2: empty lines before a request are ignored
            data = data[2:]
        end = data.find(b"\r\n")
        if end >= 0 and not data.endswith(_PROTOCOLS, 0, end):
            raise RefusedError("bad_request", "not HTTP/1.1 or HTTP/1.0")
        found = _METHOD.match(data)
        if found is None:
            if data not in {b"", b"\r"}:
                raise RefusedError("bad_request", "no method where a request should begin")
            self._pending = data
            return b""
        token, space = found.groups()
        if not space:
            if found.end() < len(data) or len(token) > _LONGEST_METHOD:
                raise RefusedError("bad_request", "the method is no token, or too long")
            self._pending = data
            return b""
        if token in _METHODS:
            self._method = ""
            return data
        if token.upper() in _METHODS:
            # No other method to a lenient reader, and another one to a strict reader.
            raise RefusedError("bad_request", "a method in the wrong case")
        self._method = token.decode("ascii")
        return b"POST" + data[found.end(1) :]

    def _step(self, data: bytes) -> tuple[bytes, bool]:
        """Read on in one request: at most to the end of its head, or of its body. What is left, and whether switched.

        llhttp cannot be told to stop between two requests, so it is given no more than one where that can be known.
        """
        piece, rest = data, b""
        if self._payload is None:
            # The head's end may be cut in two: then this piece goes on to the next head's end, which llhttp takes.
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                piece, rest = data[: end + 4], data[end + 4 :]
            self._size += len(piece)
        elif self._left is not None and len(data) > self._left:
            piece, rest = data[: self._left], data[self._left :]
        else:
            self._framing += len(piece)
        try:
            self._llhttp.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            rest = piece[upgrade.args[0] :] + rest
            if self._payload is None:
                return rest, self._switches
            self._read_body_apart()
            return rest, False
        except httptools.HttpParserError as error:
            if self._ended and self._payload is None:
                return b"", False  # bytes behind the connection's last request
            cause = error.__context__
            raise (cause if isinstance(cause, RefusedError) else RefusedError("bad_request", str(error))) from error
        if self._in_head:
            self._foresee()
        elif self._payload is not None:
            if self._framing > _FRAMING:
                raise RefusedError("bad_request", "too much framing for too little body")
        elif self._apart:
            self._apart = False
            return rest, self._switches
        return rest, False

    @property
    def _switches(self) -> bool:
        """Whether the connection may stop being HTTP behind the request that was read last."""
        head = self._head
        return head is not None and (head.upgrade or head.method == "CONNECT")

    def _read_body_apart(self) -> None:
        """Have the body of a request that asks for another protocol read: llhttp leaves that to others.

        A fresh llhttp is told the framing. (curl's `--http2` sends such requests.)
        """
        self._apart = True
        self._llhttp = httptools.HttpRequestParser(self)
        framing = b"Transfer-Encoding: chunked" if self._left is None else b"Content-Length: %d" % self._left
        self._llhttp.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing)

    def _foresee(self) -> None:
        """Refuse a head that is too large before it is complete. Raises `RefusedError`."""
        if self._size - len(self._target) > self._limits.head + _LINE_MARGIN:
            raise RefusedError("head_too_large", f"more than {self._limits.head} bytes of header fields")

    def _refuse(self, refused: RefusedError) -> None:
        self._ended = True
        payload, self._payload = self._payload, None
        if payload is not None:
            payload.set_exception(BrokenBodyError(str(refused)))
        else:
            self._messages.append((self._refusal(refused), EMPTY_PAYLOAD))

    # ---- llhttp's side ----

    def on_message_begin(self) -> None:
        """A request's first byte."""
        if self._apart:
            if self._payload is None:
                raise RefusedError("bad_request", "bytes behind chunks that ask for another protocol")
            return
        self._in_head = True
        self._target = b""
        self._headers = []

    def on_url(self, part: bytes) -> None:
        """A part of the target."""
        self._target += part
        if len(self._target) > self._limits.target:
            raise RefusedError("target_too_long", f"a target of more than {self._limits.target} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or of the trailers, which are not carried on."""
        if self._in_head:
            if len(self._headers) >= self._limits.fields:
                raise RefusedError("head_too_large", f"more than {self._limits.fields} header fields")
            self._headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """A head is whole: a request begins, or is refused."""
        if self._apart:
            return
        llhttp = self._llhttp
        version = _VERSIONS.get(llhttp.get_http_version())
        if version is None:
            raise RefusedError("bad_request", "not HTTP/1.1 or HTTP/1.0")
        size = sum([len(name) + len(value) + 4 for name, value in self._headers])
        if size > self._limits.head:
            raise RefusedError("head_too_large", f"more than {self._limits.head} bytes of header fields")
        if self._limits.drop_underscores:
            self._headers = [header for header in self._headers if b"_" not in header[0]]
        method = self._method or llhttp.get_method().decode("ascii")
        head = RequestHead(method, self._target, version, tuple(self._headers))
        head.keep_alive = llhttp.should_keep_alive()
        _obey(head)
        # HTTP/1.0 knows no Upgrade: there the field says nothing (RFC 9110 §7.8).
        head.upgrade = llhttp.should_upgrade() and version == (1, 1) and method != "CONNECT"
        self._head = head
        self._in_head = False
        self._size = 0
        self._waiting += 1
        payload: StreamReader = EMPTY_PAYLOAD
        if (head.chunked or head.length) and method != "CONNECT":
            self._payload = payload = StreamReader(self._protocol, self._read_ahead, loop=self._loop)
            self._left = None if head.chunked else head.length
            self._framing = 0
        self._messages.append((head, payload))

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        payload = self._payload
        if payload is not None:
            payload.feed_data(data)
            self._framing = 0
            if self._left is not None:
                self._left -= len(data)

    def on_message_complete(self) -> None:
        """A request's last byte."""
        head = self._head
        if self._payload is not None and not self._apart and self._llhttp.should_upgrade():
            return  # its body is still to be read, apart
        self._ended = head is not None and not (head.keep_alive or head.upgrade or head.method == "CONNECT")
        payload, self._payload = self._payload, None
        self._method = ""
        if payload is not None:
            payload.feed_eof()


def _obey(head: RequestHead) -> None:
    """Set what the ruling fields say of the framing (RFC 9112 §6), and refuse what llhttp leaves open."""
    if b"#" in head.target or not (
        head.target.startswith(b"/")
        or _ABSOLUTE.fullmatch(head.target)
        or (head.target == b"*" and head.method == "OPTIONS")
        or head.method == "CONNECT"
    ):
        raise RefusedError("bad_request", "the target has no known form")
    hosts = 0
    for name, value in head.headers:
        if len(name) not in _RULING_LENGTHS or (key := lower(name)) not in _RULING:
            continue
        if key == b"host":
            hosts += 1
            if _HOST.fullmatch(value) is None:
                raise RefusedError("bad_request", "an invalid Host")
        elif key == b"connection":
            if b"close" in value.lower() and b"close" in [option.strip() for option in value.lower().split(b",")]:
                head.keep_alive = False  # whatever else it says: llhttp takes the last word
        elif key == b"content-length":
            if len(value) > _LENGTH_DIGITS:
                raise RefusedError("bad_request", "a Content-Length beyond all measure")
            head.length = int(value)
        elif value.lower() != b"chunked" or head.version == (1, 0):
            raise RefusedError("bad_request", "a Transfer-Encoding other than chunked, or in HTTP/1.0")
        else:
            head.chunked = True
    if hosts != 1 and (hosts or head.version == (1, 1)):
        raise RefusedError("bad_request", "Host must stand once")
    head.kept, head.noted = sort_out(head.headers, REQUEST_ROLES)
