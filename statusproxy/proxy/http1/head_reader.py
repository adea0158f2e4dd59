"""The head of a request, read by llhttp; what two parsers could read differently is refused.

llhttp (through `httptools`) is the grammar of RFC 9112 at its strictest, and gives raw bytes: names keep their case,
order and repeats, values their bytes. It reads heads only. What it leaves open is settled here: any token is a method
(RFC 9110 §9.1), one `Host`, only `chunked` as a transfer coding, only HTTP/1.0 and 1.1, limits of size. So nothing
reaches the gateway in a shape that hides a second request (request smuggling, RFC 9112 §11.2).

Each limit holds to the byte, wherever the network cuts the bytes.
"""

import re
from typing import Any, Final, Literal, NamedTuple

import httptools

from statusproxy.proxy.http1 import refusals
from statusproxy.proxy.http1.authority import absolute, is_authority
from statusproxy.proxy.http1.framing import request_coding, request_has_body, request_length, request_rules
from statusproxy.proxy.http1.head import REQUEST_ROLES, Header, WellKnown, classify_fields, members
from statusproxy.proxy.http1.memory import keep
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

#: Names that rule the framing, the only fields looked at here.
_RULING: Final = frozenset({b"host", b"content-length", b"transfer-encoding", b"connection"})

_RULING_LENGTHS: Final = frozenset(map(len, _RULING))

_VERSIONS: Final = {"1.1": (1, 1), "1.0": (1, 0)}


#: Heads remembered, and bytes of the largest: what polls, not what browses. Together they bound the memory.
_REMEMBERED: Final = 256
_REMEMBERED_SIZE: Final = 2048

#: The id of a request as clients write it. Any such value is a good one, so that heads which differ in it alone are
#: good or bad together.
_ID: Final = re.compile(rb"\r\n([Xx]-[Rr]equest-[Ii][Dd]): ([\x21-\x7e]{1,128})\r\n")


class RequestHead:
    """A request up to its body; `length` is None where no length was given.

    One object may stand for many requests, as clients that poll repeat their head byte for byte: no one changes it.
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
        "pattern",
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
        self.pattern: HeadPattern | None = None
        """What it has in common with others; None where it is remembered as it is, or not at all."""


class HeadPattern:
    """What the heads have in common that differ in the id of their request alone, as those of a client that polls."""

    __slots__ = ("_first", "_forwarded_at", "_header_at", "_longest", "attachment")

    def __init__(self, first: RequestHead, header: Header) -> None:
        """`first` was read in full, and `header` is its id. It stays a head of its own: each would keep the other."""
        self._first = first
        self._header_at = first.headers.index(header)
        self._forwarded_at = first.forwarded.index(header)
        self._longest = len(header[1])
        self.attachment: Any = None
        """For the parser's user: what it made of one of the heads, as far as that does not depend on the id."""

    def head(self, request_id: bytes) -> RequestHead | None:
        """The head with this id; None where it may exceed the limits, which the first one was within."""
        if len(request_id) > self._longest:
            return None
        first, at = self._first, self._header_at
        header = (first.headers[at][0], request_id)
        head = RequestHead(
            first.method, first.target, first.version, (*first.headers[:at], header, *first.headers[at + 1 :])
        )
        head.keep_alive, head.length, head.has_body = first.keep_alive, first.length, first.has_body
        head.forwarded = first.forwarded.copy()
        head.forwarded[self._forwarded_at] = header
        head.well_known = first.well_known.copy()
        head.well_known[b"x-request-id"] = [request_id]
        head.pattern = self
        return head


class HeadLimits:
    """What a request's head may hold: bytes of the target, bytes of all field lines with their line ends, their number,
    and which names. Trailers may have as many bytes and fields again.

    All connections of a server share one object, so that a reload reaches those that are open already.
    """

    __slots__ = ("chunk_rules", "head", "headers", "known", "patterns", "target", "underscores_in_headers")

    def __init__(
        self, *, target: int, head: int, headers: int, underscores_in_headers: Literal["pass", "drop"] = "pass"
    ) -> None:
        """`underscores_in_headers`: with "drop", fields with `_` in their name are removed before anything reads them.

        A gateway that maps header names to variables (CGI, RFC 3875 §4.1.18; WSGI, Rack, PHP) cannot tell
        `X_Forwarded_For` from `X-Forwarded-For`. nginx removes such fields unless `underscores_in_headers on`.
        """
        self.target = target
        self.head = head
        self.headers = headers
        self.underscores_in_headers = underscores_in_headers
        self.chunk_rules = request_rules(head, headers)
        self.known: dict[bytes, RequestHead] = {}
        """Heads that were good under these limits, by their bytes; all are dropped when they are many."""
        self.patterns: dict[bytes, HeadPattern] = {}
        """The same for heads with an id, by their bytes without it."""

    def change_to(self, new: "HeadLimits") -> None:
        """Take the values of `new`, for every head that begins from now on."""
        self.target, self.head, self.headers = new.target, new.head, new.headers
        self.underscores_in_headers = new.underscores_in_headers
        self.chunk_rules = new.chunk_rules
        self.known.clear()  # read under the old limits
        self.patterns.clear()

    def find(self, data: bytes) -> RequestHead | None:
        """The head that `data` is, byte for byte, where such a one was read before: but for its id, if it has one."""
        known = self.known.get(data)
        if known is None and self.patterns and (found := _ID.search(data)) is not None:
            start, end = found.span(2)
            pattern = self.patterns.get(data[:start] + data[end:])
            if pattern is not None:
                return pattern.head(data[start:end])
        return known

    def remember(self, data: bytes, head: RequestHead) -> None:
        """Cache a good head, so that it is not read again. Only one after which the connection goes on as HTTP."""
        plain = head.keep_alive and not head.upgrade and not head.chunked and head.method != "CONNECT"
        if not plain or len(data) > _REMEMBERED_SIZE:
            return
        found = _ID.search(data)
        # Of two ids none counts, and the one found here could be either.
        if found is not None and head.well_known.get(b"x-request-id") == [found[2]]:
            start, end = found.span(2)
            keep(self.patterns, data[:start] + data[end:], HeadPattern(head, (found[1], found[2])), _REMEMBERED)
        else:
            keep(self.known, data, head, _REMEMBERED)


class RequestLine(NamedTuple):
    """A request line (RFC 9112 §3) within its limits."""

    text: bytes
    """All of it, with its line end."""
    method: bytes
    target: bytes
    end: int
    """The place behind it in the data it was read from."""


def read_line(data: bytes, at: int, longest_target: int) -> RequestLine | None:
    """The request line that begins at `at`; None while it is incomplete. Raises `RefusedError`."""
    found = _LINE.match(data, at)
    if found is None:
        _judge_line(data, at, longest_target)
        return None
    method, target = found.groups()
    if len(target) > longest_target:
        raise RefusedError(refusals.target_too_long(longest_target))
    if method not in _METHODS and method.upper() in _METHODS:
        # No other method to a lenient reader, and another one to a strict reader.
        raise RefusedError(refusals.METHOD_CASE)
    return RequestLine(found[0], method, target, found.end())


class HeadReader:
    """Reads one head whose request line is here. A new one is made for each head, so that no state is carried over."""

    __slots__ = ("_headers", "_limits", "_line", "_llhttp", "_tail", "allowed", "head")

    def __init__(self, limits: HeadLimits, line: RequestLine) -> None:
        self._limits = limits
        self._line = line
        self._headers: list[Header] = []
        self._tail = b"\r\n"  # the last bytes that came: the head's end may be cut in two
        self._llhttp: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self.allowed = limits.head + 2
        """Bytes that may still come, the empty line among them."""
        self.head: RequestHead | None = None
        """The head, once it is whole."""

    def feed_line(self) -> None:
        """Read the request line, behind which fields follow. Raises `RefusedError`."""
        self._feed_part(self._in_known_shape(self._line.text))

    def feed_whole(self, data: bytes) -> RequestHead:
        """Read all of the head at once, from its request line to its empty line. Raises `RefusedError`."""
        return self._feed_end(self._in_known_shape(data))

    def feed(self, data: bytes, at: int) -> int:
        """Read on behind the request line, at most to the head's end: behind that, llhttp would go on with the next.

        Gives the place where it stopped. Raises `RefusedError`.
        """
        end = _head_end(self._tail, data, at)
        whole = end >= 0
        if not whole:
            end = len(data)
        if end - at > self.allowed:
            self._feed_part(data[at : at + self.allowed])  # a fault in what is allowed comes first
            raise RefusedError(refusals.head_too_large(self._limits.head))
        piece = data[at:end]
        if whole:
            self._feed_end(piece)
        else:
            self._feed_part(piece)
            self.allowed -= len(piece)
            self._tail = (self._tail + piece)[-3:]
        return end

    def _in_known_shape(self, data: bytes) -> bytes:
        """`data`, which begins with the request line, with a method that llhttp reads as any other."""
        method = self._line.method
        return data if method in _METHODS else b"POST" + data[len(method) :]

    def _feed_part(self, piece: bytes) -> None:
        """Give llhttp a piece of a head that is not its last. Raises `RefusedError`, also where llhttp sees the end."""
        self._feed_llhttp(piece)
        if self.head is not None:
            raise RefusedError(refusals.HEAD_END)

    def _feed_end(self, piece: bytes) -> RequestHead:
        """Give llhttp the last piece of a head. Raises `RefusedError`, also where llhttp does not see the end."""
        self._feed_llhttp(piece)
        self._llhttp = None  # it knows us, and we could not be freed at once if we knew it too
        if self.head is None:
            raise RefusedError(refusals.HEAD_END)
        return self.head

    def _feed_llhttp(self, piece: bytes) -> None:
        assert self._llhttp is not None
        refused: Refusal | None = None
        try:
            self._llhttp.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # the end of a head that asks for another protocol
        except httptools.HttpParserError as error:
            refused = refusals.of_parser_error(error)
        if refused is not None:
            raise RefusedError(refused)

    # ---- llhttp's side ----

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head."""
        if len(self._headers) >= self._limits.headers:
            raise RefusedError(refusals.too_many_fields(self._limits.headers))
        self._headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """A head is whole: a request begins, or is refused."""
        llhttp = self._llhttp
        assert llhttp is not None
        version = _VERSIONS[llhttp.get_http_version()]  # the request line was found to have one of them
        if self._limits.underscores_in_headers == "drop":
            self._headers = [header for header in self._headers if b"_" not in header[0]]
        head = RequestHead(self._line.method.decode("ascii"), self._line.target, version, tuple(self._headers))
        head.keep_alive = llhttp.should_keep_alive()
        _obey(head)
        # HTTP/1.0 knows no Upgrade: there the field says nothing (RFC 9110 §7.8).
        head.upgrade = llhttp.should_upgrade() and version == (1, 1) and head.method != "CONNECT"
        self.head = head


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
    """Take the framing from the fields that rule it (RFC 9112 §6), and refuse what llhttp does not check."""
    if b"#" in head.target or not (
        head.target.startswith(b"/")
        or (head.target == b"*" and head.method == "OPTIONS")
        or head.method == "CONNECT"
        or absolute(head.target) is not None
    ):
        raise RefusedError(refusals.TARGET_FORM)
    hosts = 0
    for name, value in head.headers:
        if len(name) not in _RULING_LENGTHS or (key := name.lower()) not in _RULING:
            continue
        if key == b"host":
            hosts += 1
            if value and not is_authority(value):
                raise RefusedError(refusals.HOST_INVALID)
        elif key == b"connection":
            if b"close" in value.lower() and b"close" in members([value.lower()]):
                head.keep_alive = False  # `close` wins; llhttp goes by the last word
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
    head.has_body = request_has_body(head.method, chunked=head.chunked, length=head.length)
    head.forwarded, head.well_known = classify_fields(head.headers, REQUEST_ROLES)
