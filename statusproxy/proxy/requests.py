"""Requests as they come off the wire: the parser of the client's side (RFC 9112).

It is strict on purpose: whatever two parsers could read differently is refused, so that nothing reaches the gateway
in a shape that hides a second request (request smuggling, RFC 9112 §11.2). And it is faithful: any token is a
method, targets and values are bytes, names keep their case, order and repeats.

The grammar is held in a few regular expressions over the whole head, which is quicker than a call for each field.
"""

import asyncio
import re
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

from aiohttp import EMPTY_PAYLOAD, StreamReader

from statusproxy.proxy.headers import Header, lower

if TYPE_CHECKING:
    from aiohttp.base_protocol import BaseProtocol

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"

#: Method, target, minor version (RFC 9112 §3). One space each: what else some take for a space, others do not.
#: A target may hold raw bytes beyond ASCII: the RFC does not know them, clients send them, nginx passes them on.
_REQUEST_LINE: Final = re.compile(rb"(%b) ([\x21-\x7e\x80-\xff]++) HTTP/1\.([01])" % _TOKEN)

#: All field lines of a head (RFC 9112 §5): no space before the colon, no folding, no control but tab in a value.
_FIELDS: Final = re.compile(rb"(?:%b:[\t\x20-\x7e\x80-\xff]*+\r\n)*+" % _TOKEN)

#: One field line of those, once they are known to be good: its name, and its value but for spaces at the end.
_FIELD: Final = re.compile(rb"([^:]++):[ \t]*+([^\r]*+)\r\n")

#: What no head may hold, seen before the head is complete: controls, a line feed or a carriage return alone.
_NEVER: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")

#: `scheme://authority…` with a host (RFC 9112 §3.2.2).
_ABSOLUTE: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*://[^/?]+(?:[/?].*)?", re.DOTALL)

#: A `Host`: what RFC 3986 §3.2 lets an authority hold, without user information. Empty where there is none.
_HOST: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%\-\[\]:]*")

#: A chunk's size and extensions (RFC 9112 §7.1): bare hexadecimal digits, few enough never to overflow 64 bits.
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*)?")

#: Bytes of a chunk's size line, extensions included. Nobody uses those; 4 KiB is what Go and others allow.
_CHUNK_LINE: Final = 4096

#: Bytes of a request line besides its target: a method and the version.
_LINE_MARGIN: Final = 64

#: Digits of a `Content-Length`: 10^18 bytes are an exabyte, and fit any integer of the next parser.
_LENGTH_DIGITS: Final = 18

#: Names that rule the framing and the connection, the only fields this parser looks at.
_RULING: Final = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade"})

_RULING_LENGTHS: Final = frozenset(map(len, _RULING))

#: Registered methods that matter. One of these in another case is no other method to a lenient reader: refused.
_METHODS: Final = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
}

_MINOR: Final = {b"1": (1, 1), b"0": (1, 0)}


class RefusedError(Exception):
    """A request that is not served; `code` is its entry in `errors.PROBLEMS`, the text says what is wrong."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class BrokenBodyError(Exception):
    """The framing of a request's body is broken: what its reader gets in place of the rest."""


class RequestHead:
    """A request up to its body; `length` is None where no length was given."""

    __slots__ = ("chunked", "headers", "keep_alive", "length", "method", "target", "upgrade", "version")

    def __init__(self, method: str, target: bytes, version: tuple[int, int], headers: tuple[Header, ...]) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.keep_alive = version[1] == 1
        self.chunked = False
        self.length: int | None = None
        self.upgrade = False


class HeadLimits:
    """How large a request's head may be: bytes of the target, bytes of all field lines, and their number."""

    __slots__ = ("fields", "head", "target")

    def __init__(self, *, target: int, head: int, fields: int) -> None:
        self.target = target
        self.head = head
        self.fields = fields


def parse_head(block: bytes, limits: HeadLimits) -> RequestHead:
    """The head in `block`, which ends with the last field's CRLF. Raises `RefusedError`."""
    line, _, fields = block.partition(b"\r\n")
    head = _request_line(line, limits)
    if len(fields) > limits.head:
        raise RefusedError("head_too_large", f"more than {limits.head} bytes of header fields")
    if _FIELDS.fullmatch(fields) is None:
        raise RefusedError("bad_request", "a header field is malformed")
    headers: list[Header] = _FIELD.findall(fields)
    if b" \r" in fields or b"\t\r" in fields:
        headers = [(name, value.rstrip(b" \t")) for name, value in headers]
    if len(headers) > limits.fields:
        raise RefusedError("head_too_large", f"more than {limits.fields} header fields")
    head.headers = tuple(headers)
    _obey(head)
    return head


def _request_line(line: bytes, limits: HeadLimits) -> RequestHead:
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise RefusedError("bad_request", "the request line is malformed")
    token, target, minor = found.groups()
    method = _METHODS.get(token)
    if method is None:
        method = token.decode("ascii")
        if token.upper() in _METHODS:
            raise RefusedError("bad_request", "a method in the wrong case")
    if len(target) > limits.target:
        raise RefusedError("target_too_long", f"a target of more than {limits.target} bytes")
    if b"#" in target:
        raise RefusedError("bad_request", "a fragment in the target")
    if not target.startswith(b"/") and not (
        _ABSOLUTE.fullmatch(target) or (target == b"*" and method == "OPTIONS") or method == "CONNECT"
    ):
        raise RefusedError("bad_request", "the target has no known form")
    return RequestHead(method, target, _MINOR[minor], ())


def _obey(head: RequestHead) -> None:
    """Set what the ruling fields say of framing and connection (RFC 9112 §6, §9), and refuse what is ambiguous."""
    hosts = 0
    coding: bytes | None = None
    options: set[bytes] = set()
    upgrade = False
    for name, value in head.headers:
        if len(name) not in _RULING_LENGTHS or (key := lower(name)) not in _RULING:
            continue
        if key == b"host":
            hosts += 1
            if _HOST.fullmatch(value) is None:
                raise RefusedError("bad_request", "an invalid Host")
        elif key == b"connection":
            options.update([part.strip(b" \t") for part in value.lower().split(b",")])
        elif key == b"content-length":
            if head.length is not None or not value.isdigit() or len(value) > _LENGTH_DIGITS:
                raise RefusedError("bad_request", "an invalid or repeated Content-Length")
            head.length = int(value)
        elif key == b"upgrade":
            upgrade = upgrade or bool(value)
        else:
            if coding is not None or value.lower() != b"chunked":
                raise RefusedError("bad_request", "a Transfer-Encoding other than chunked")
            coding = value
    if hosts != 1 and (hosts or head.version == (1, 1)):
        raise RefusedError("bad_request", "Host must stand once")
    if coding is not None:
        if head.length is not None or head.version == (1, 0):
            raise RefusedError("bad_request", "Transfer-Encoding beside Content-Length, or in HTTP/1.0")
        head.chunked = True
    if options:
        if b"close" in options:
            head.keep_alive = False
        elif head.version == (1, 0):
            head.keep_alive = b"keep-alive" in options
        # HTTP/1.0 knows no Upgrade: there the field says nothing (RFC 9110 §7.8).
        head.upgrade = upgrade and b"upgrade" in options and head.version == (1, 1)


class _Part(Enum):
    """Where in a request the next byte belongs."""

    HEAD = auto()
    LENGTH = auto()
    CHUNK_LINE = auto()
    CHUNK_DATA = auto()
    CHUNK_END = auto()
    TRAILERS = auto()
    NOTHING = auto()
    """No request may follow: the connection ends after the last one, or was switched."""


class RequestParser:
    """Bytes in, requests out, for one connection; it has the methods that aiohttp's server asks of its parser.

    A body is a `StreamReader` that is fed as bytes come; broken framing is an exception in it. What cannot be a
    request ends the parsing: `refusal` makes the message that stands for it.
    """

    __slots__ = (
        "_at_once",
        "_closing",
        "_left",
        "_limits",
        "_loop",
        "_part",
        "_payload",
        "_pending",
        "_protocol",
        "_read_ahead",
        "_refusal",
        "_switch",
        "_trailers",
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
        self._protocol = protocol
        self._loop = loop
        self._limits = limits
        self._refusal = refusal
        self._at_once = at_once
        self._read_ahead = read_ahead
        self._waiting = 0
        self._pending = b""
        self._part = _Part.HEAD
        self._payload: StreamReader | None = None
        self._left = 0
        self._trailers = 0
        self._switch = False  # the request now read asks for another protocol
        self._closing = False  # the request now read is the connection's last

    def feed_data(self, data: bytes) -> tuple[list[tuple[Any, StreamReader]], bool, bytes]:
        """The requests that begin in `data`, whether the connection stops being HTTP after them, and what is left."""
        messages: list[tuple[Any, StreamReader]] = []
        if self._pending:
            data = self._pending + data
            self._pending = b""
        at = 0
        try:
            while at < len(data):
                if self._part is _Part.HEAD:
                    if self._waiting >= self._at_once:
                        self._pending = data[at:]
                        break
                    begun = self._feed_head(data, at)
                    if begun is None:
                        break
                    message, at = begun
                    messages.append(message)
                elif self._part is _Part.NOTHING:
                    break
                else:
                    at = self._feed_body(data, at)
                if self._switch and self._payload is None and self._part is _Part.HEAD:
                    self._switch = False
                    return messages, True, data[at:]
        except RefusedError as refused:
            self._pending = b""
            self._part = _Part.NOTHING
            payload, self._payload = self._payload, None
            if payload is not None:
                payload.set_exception(BrokenBodyError(str(refused)))
            else:
                messages.append((self._refusal(refused), EMPTY_PAYLOAD))
        return messages, False, b""

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

    def _feed_head(self, data: bytes, at: int) -> tuple[tuple[RequestHead, StreamReader], int] | None:
        """The request whose head begins at `at`, and where its head ends; None while it is incomplete."""
        while data.startswith(b"\r\n", at):  # RFC 9112 §2.2: empty lines before a request are ignored
            at += 2
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            self._pending = data[at:]
            self._foresee(self._pending)
            return None
        head = parse_head(data[at : end + 2], self._limits)
        self._waiting += 1
        self._switch = head.upgrade or head.method == "CONNECT"
        self._closing = not head.keep_alive
        payload: StreamReader = EMPTY_PAYLOAD
        if head.chunked or head.length:
            self._payload = payload = StreamReader(self._protocol, self._read_ahead, loop=self._loop)
            self._left = head.length or 0
            self._part = _Part.CHUNK_LINE if head.chunked else _Part.LENGTH
        elif self._closing and not self._switch:
            self._part = _Part.NOTHING
        return (head, payload), end + 4

    def _foresee(self, begun: bytes) -> None:
        """Refuse an incomplete head as soon as it cannot become a good one. Raises `RefusedError`."""
        line, complete, fields = begun.partition(b"\r\n")
        if _NEVER.search(begun) is not None:
            raise RefusedError("bad_request", "control characters in the head")
        if complete:
            _request_line(line, self._limits)
            if len(fields) > self._limits.head:
                raise RefusedError("head_too_large", f"more than {self._limits.head} bytes of header fields")
        elif len(line) > self._limits.target + _LINE_MARGIN:
            raise RefusedError("target_too_long", f"a target of more than {self._limits.target} bytes")

    def _feed_body(self, data: bytes, at: int) -> int:
        """Give the body what `data` holds of it from `at` on; where that ends. Raises `RefusedError`."""
        payload = self._payload
        assert payload is not None
        if self._part is _Part.LENGTH or self._part is _Part.CHUNK_DATA:
            piece = data[at : at + self._left] if at or len(data) > self._left else data
            payload.feed_data(piece)
            self._left -= len(piece)
            if not self._left:
                if self._part is _Part.LENGTH:
                    self._end_body(payload)
                else:
                    self._part = _Part.CHUNK_END
            return at + len(piece)
        end = data.find(b"\r\n", at, at + _CHUNK_LINE)
        if end < 0:
            rest = data[at:]
            if len(rest) >= _CHUNK_LINE or _NEVER.search(rest) or (self._part is _Part.CHUNK_END and rest != b"\r"):
                raise RefusedError("bad_request", "broken chunked framing")
            self._pending = rest
            return len(data)
        line = data[at:end]
        if self._part is _Part.CHUNK_LINE:
            size = _CHUNK.fullmatch(line)
            if size is None:
                raise RefusedError("bad_request", "an invalid chunk size")
            self._left = int(size[1], 16)
            self._trailers = 0
            self._part = _Part.CHUNK_DATA if self._left else _Part.TRAILERS
        elif self._part is _Part.CHUNK_END:
            if line:
                raise RefusedError("bad_request", "more data than the chunk's size said")
            self._part = _Part.CHUNK_LINE
        elif line:
            self._trailers += len(line)
            if self._trailers > self._limits.head or _FIELDS.fullmatch(line + b"\r\n") is None:
                raise RefusedError("bad_request", "invalid trailers")
        else:
            self._end_body(payload)
        return end + 2

    def _end_body(self, payload: StreamReader) -> None:
        self._payload = None
        self._part = _Part.NOTHING if self._closing and not self._switch else _Part.HEAD
        payload.feed_eof()
