"""Connections to the gateway: one exchange at a time each, kept alive in a pool, with the rules for reusing them.

A connection is a small asyncio protocol around llhttp (`httptools`), whose strict mode refuses what two parsers
could read differently. It speaks raw bytes both ways: nothing is decoded, renamed, decompressed or followed.
"""

import asyncio
import os
import re
import select
import socket
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast

import httptools

from statusproxy.proxy.headers import Header, first, lower, tokens

#: Bytes of an answer's body held before the gateway is told to wait (TCP back-pressure).
HIGH_WATER: Final = 512 * 1024

#: Idle connections are not reused after this many seconds unless the gateway promises longer: Node closes
#: after 5 s, and a request that meets a closing connection cannot always be repeated.
DEFAULT_IDLE: Final = 4.0

#: Seconds taken off what the gateway promises in `Keep-Alive: timeout=`, for the request's way there.
IDLE_MARGIN: Final = 1.0

#: Bytes of a body's piece that is passed on alone; smaller ones that have come meanwhile go along with it.
_WORTH_A_WRITE: Final = 64 * 1024

#: Bytes read at once from a connection that is lost already.
_SALVAGE: Final = 64 * 1024

#: A reason phrase (RFC 9112 §4).
_REASON: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*+")

_CODING_LENGTH: Final = len(b"transfer-encoding")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a pool connects to: host and port, or a Unix socket; the rest says how requests are addressed."""

    host: str = ""
    port: int = 0
    unix: str | None = None
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    base_path: bytes = b""
    """Put before every target, without a slash at its end."""

    @property
    def authority(self) -> bytes:
        """The `Host` field's value for this origin (RFC 9110 §7.2): the port only where it is not the default."""
        if self.unix is not None:
            return b"localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.tls else 80
        return host.encode("idna" if not host.isascii() else "ascii") + (
            b"" if self.port == default else b":%d" % self.port
        )


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """Times in seconds (None: no limit) and sizes in bytes for a pool's connections."""

    connect: float | None = 5.0
    response_head: float | None = 120.0
    response_body: float | None = 300.0
    head_bytes: int = 64 * 1024
    connections: int = 512
    idle: int = 64


class UpstreamError(Exception):
    """An exchange with the gateway failed.

    `code` is the `errors.PROBLEMS` entry that tells the client; `sent` says whether the request may have reached
    the gateway; `answered` whether any byte of an answer came.
    """

    def __init__(self, code: str, detail: str = "", *, sent: bool = True, answered: bool = False) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.sent = sent
        self.answered = answered


@dataclass(slots=True)
class ResponseHead:
    """The gateway's answer up to its body: status, reason phrase and raw fields as they came."""

    status: int = 0
    reason: bytes = b""
    version: tuple[int, int] = (1, 1)
    headers: list[Header] = field(default_factory=list)
    keep_alive: bool = True
    coded: bool = False
    """Whether the body comes in chunks."""


class UpstreamConnection(asyncio.Protocol):
    """One connection to the gateway, carrying one exchange at a time.

    Use: `begin()`, `write()` the request, `await head()`, `await read()` until it gives b"", `Pool.release()`.
    A connection is `reusable` only when request and answer were both whole and nothing came behind the answer.
    """

    __slots__ = (
        "_body",
        "_deadline",
        "_drain_waiter",
        "_head",
        "_head_bytes",
        "_head_only",
        "_in_body",
        "_informational",
        "_left",
        "_limits",
        "_loop",
        "_parser",
        "_parsing",
        "_paused",
        "_poll",
        "_size",
        "_tunnel",
        "_waiter",
        "answered",
        "closed",
        "complete",
        "error",
        "idle_limit",
        "idle_since",
        "pool",
        "request_done",
        "sent",
        "trailers",
        "transport",
        "used",
        "writable",
        "writing_paused",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pool: "Pool",
    ) -> None:
        self.pool = pool
        self._loop = loop
        self._limits = pool.limits
        self.transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._head: ResponseHead | None = None
        self._parsing = ResponseHead()
        self._head_bytes = 0
        self._head_only = False
        self._in_body = False
        self._left = 0
        """Bytes of the body that are taken past llhttp, once its length is known and it is longer than one read."""
        self._informational: Callable[[ResponseHead], None] | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._paused = False
        self.writing_paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._drain_waiter: asyncio.Future[None] | None = None
        self._poll: select.poll | None = None
        self._tunnel: Callable[[bytes | None], None] | None = None
        self._deadline: tuple[float, str] | None = None
        self.closed = False
        self.error: UpstreamError | None = None
        self.answered = False
        self.complete = False
        self.request_done = False
        self.sent = False
        self.trailers: list[Header] = []
        self.idle_since = 0.0
        self.idle_limit = DEFAULT_IDLE
        self.used = 0
        self.writable: Callable[[], None] | None = None
        """Called when the gateway takes more after it did not."""

    # ---- the exchange, as its handler drives it ----

    def begin(self, *, head_only: bool, informational: Callable[[ResponseHead], None] | None = None) -> None:
        """Make ready for the next exchange; `head_only` for HEAD, whose answer has no body whatever it says.

        `informational` is called with each 1xx answer that comes before the final one (RFC 9110 §15.2).
        """
        # A fresh parser costs less than half a microsecond, and a HEAD's answer would leave the old one waiting.
        self._parser = httptools.HttpResponseParser(self)
        self._head = None
        self._head_bytes = 0
        self._head_only = head_only
        self._in_body = False
        self._left = 0
        self._informational = informational
        self._body.clear()
        self._size = 0
        self.error = None
        self.answered = self.complete = self.request_done = self.sent = False
        self.trailers = []
        self.used += 1
        if self.closed:
            self.error = UpstreamError("gateway_closed", "closed before the request was sent", sent=False)

    def write(self, data: bytes) -> None:
        """Send a part of the request; errors surface in `head()`, since an answer may have come before them."""
        if self.transport is not None and not self.closed:
            self.sent = True
            self.transport.write(data)

    async def drain(self) -> None:
        """Wait until the gateway takes more of the request; returns at once when the connection is gone."""
        if self.writing_paused and not self.closed:
            self._drain_waiter = self._loop.create_future()
            try:
                await self._drain_waiter
            finally:
                self._drain_waiter = None

    async def head(self) -> ResponseHead:
        """The final answer's head. Raises `UpstreamError`."""
        while self._head is None:
            if self.error is not None:
                raise self.error
            await self._wait(self._limits.response_head, "gateway_timeout")
        return self._head

    async def read(self) -> bytes:
        """What came of the body since the last call, at least a byte; b"" at its end. Raises `UpstreamError`."""
        while not self._body:
            if self.error is not None:
                raise self.error
            if self.complete:
                return b""
            await self._wait(self._limits.response_body, "gateway_timeout")
        if len(self._body) > 1 and len(self._body[0]) < _WORTH_A_WRITE:
            self._body = [b"".join(self._body)]
        data = self._body.pop(0)
        self._size -= len(data)
        if self._paused and self._size <= HIGH_WATER:
            self._paused = False
            if self.transport is not None and not self.closed:
                self.transport.resume_reading()
        return data

    def ready(self) -> bytes | None:
        """The rest of the body if all of it is here, without waiting; None while any of it is to come."""
        if not self.complete or self.error is not None:
            return None
        data = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._size = 0
        return data

    def give_up(self, error: UpstreamError) -> None:
        """Fail the exchange with `error`, for trouble on the client's side of it."""
        self._fail(error)
        self.abort()

    def close(self) -> None:
        """Close the connection once what was written is sent."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Give the connection up at once; it is never used again."""
        self.closed = True
        if self.transport is not None:
            self.transport.abort()

    def tunnel(self, receive: Callable[[bytes | None], None]) -> None:
        """From here on, hand every byte (None at the end) to `receive`: the protocol was switched (RFC 9110 §7.8).

        A tunnel may last for days, so it takes no place in the pool away from requests.
        """
        self.pool.set_apart(self)
        self._tunnel = receive
        early = b"".join(self._body)
        self._body.clear()
        if early:
            receive(early)
        if self.closed:
            receive(None)

    @property
    def reusable(self) -> bool:
        """Whether another exchange may follow on this connection."""
        return (
            self.complete
            and self.request_done
            and not self.closed
            and self.error is None
            and self._tunnel is None
            and self._head is not None
            and self._head.keep_alive
        )

    @property
    def readable(self) -> bool:
        """Whether the kernel holds something for an idle connection: its end, or bytes that nobody asked for."""
        if self._poll is None:
            sock = self.transport.get_extra_info("socket") if self.transport is not None else None
            if sock is None:
                return True
            self._poll = select.poll()
            self._poll.register(sock.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return bool(self._poll.poll(0))

    # ---- waiting, with one coarse deadline a connection instead of a timer an exchange ----

    async def _wait(self, limit: float | None, code: str) -> None:
        self._waiter = self._loop.create_future()
        if limit is not None:
            self._deadline = (self._loop.time() + limit, code)
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._deadline = None

    def check_deadline(self, now: float) -> None:
        """Fail the exchange if what it waits for is overdue (called by the pool's sweep)."""
        if self._deadline is None or now < self._deadline[0]:
            return
        if self._head is None and not self.request_done:
            # The request is still on its way, and its own limits watch over that.
            self._deadline = (now + (self._limits.response_head or 0.0), self._deadline[1])
        else:
            self._fail(UpstreamError(self._deadline[1], sent=self.sent, answered=self.answered))
            self.abort()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self, error: UpstreamError) -> None:
        if self.error is None and not self.complete:
            self.error = error
        self._wake()

    # ---- asyncio's side ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel(data)
            return
        parser = self._parser
        if parser is None or self.complete:
            # Bytes that no request asked for: whose answer they are cannot be told, so nobody gets them.
            self.abort()
            return
        if self._left:
            self._take_past(data)
            return
        self.answered = True
        in_head = not self._in_body
        if in_head:
            self._head_bytes += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if rest:
                self._body.append(rest)
        except httptools.HttpParserError as error:
            self._refuse(error)
        if self._head is None and self._head_bytes > self._limits.head_bytes and self.error is None:
            self._fail(UpstreamError("gateway_bad_answer", "head too large", answered=True))
            self.abort()
        if in_head and self._head is not None:
            self._left = self._still_to_come(self._head)
        self._taken()

    def _still_to_come(self, head: ResponseHead) -> int:
        """Bytes of the body that follow what has come; 0 where chunks or the connection's end will tell."""
        if self.complete or self.error is not None or head.coded or head.status == 101:
            return 0
        length = first(head.headers, b"content-length")
        return int(length) - self._size if length is not None else 0

    def _take_past(self, data: bytes) -> None:
        """Take a piece of a body whose length is known: llhttp would only copy it."""
        if len(data) > self._left:
            # What follows is an answer that nobody asked for.
            data = data[: self._left]
            self.abort()
        self._body.append(data)
        self._size += len(data)
        self._left -= len(data)
        self.complete = not self._left
        self._taken()

    def _taken(self) -> None:
        """Something came: wake who waits for it, and have the gateway wait while too much is held."""
        self._wake()
        if self._size > HIGH_WATER and not self._paused and self.transport is not None and not self.closed:
            self._paused = True
            self.transport.pause_reading()

    def _refuse(self, error: httptools.HttpParserError) -> None:
        """llhttp does not take what came: behind a whole answer it is nobody's, else the answer is broken."""
        if not self.complete:
            cause = error.__context__ if isinstance(error.__context__, UpstreamError) else None
            self._fail(cause or UpstreamError("gateway_bad_answer", str(error), answered=True))
        self.abort()

    def eof_received(self) -> bool:
        if self._tunnel is not None:
            self._tunnel(None)
            return True  # half-closed: the tunnel closes the other half
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if exc is not None and self.answering:
            self._salvage()
        if self._tunnel is not None:
            self._tunnel(None)
        elif self._parser is not None and not self.complete:
            if exc is None and self._until_close():
                self.complete = True
            else:
                code = "gateway_closed" if self._head is None else "gateway_bad_answer"
                self._fail(UpstreamError(code, str(exc or ""), sent=self.sent, answered=self.answered))
        self._wake()
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)
        self.pool.lost(self)

    @property
    def answering(self) -> bool:
        """Whether an exchange is under way whose answer is not whole."""
        return self._parser is not None and self._tunnel is None and not self.complete and self.error is None

    def _salvage(self) -> None:
        """Read the answer that lies in the kernel behind a write that failed.

        A gateway that refuses an upload answers and closes, and what it left unread makes that a reset, which the
        write of the next piece meets before the answer is read.
        """
        transport = self.transport
        if transport is None or transport.get_extra_info("sslcontext") is not None:
            return
        sock = transport.get_extra_info("socket")
        try:
            while self.answering and (data := os.read(sock.fileno(), _SALVAGE)):
                self.data_received(data)
        except OSError:
            pass  # nothing (more) is there

    def _until_close(self) -> bool:
        """Whether the answer's body ends with the connection (RFC 9112 §6.3, rule 8)."""
        head = self._head
        return head is not None and not any(
            lower(name) in {b"content-length", b"transfer-encoding"} for name, _ in head.headers
        )

    def pause_writing(self) -> None:
        self.writing_paused = True

    def resume_writing(self) -> None:
        self.writing_paused = False
        if self.writable is not None:
            self.writable()
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)

    # ---- llhttp's side ----

    def on_message_begin(self) -> None:
        if self.complete:
            raise UpstreamError("gateway_bad_answer", "an answer nobody asked for", answered=True)
        self._parsing = ResponseHead()

    def on_status(self, reason: bytes) -> None:
        self._parsing.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        value = value.rstrip(b" \t")
        if self._in_body:
            self.trailers.append((name, value))
            return
        self._parsing.headers.append((name, value))
        if len(name) == _CODING_LENGTH and lower(name) == b"transfer-encoding":
            # llhttp would read `gzip, chunked` as chunks, and what it does not know up to the connection's end.
            if self._parsing.coded or value.lower() != b"chunked":
                raise UpstreamError("gateway_bad_answer", "a Transfer-Encoding other than chunked", answered=True)
            self._parsing.coded = True

    def on_headers_complete(self) -> None:
        parser, head = self._parser, self._parsing
        assert parser is not None
        head.status = parser.get_status_code()
        version = parser.get_http_version()
        if version != "1.1":
            if version != "1.0" or head.coded:
                raise UpstreamError("gateway_bad_answer", f"not an answer in HTTP/{version}", answered=True)
            head.version = (1, 0)
        if _REASON.fullmatch(head.reason) is None:
            raise UpstreamError("gateway_bad_answer", "control characters in the reason", answered=True)
        # The count takes in what came of the body with the head: beyond the limit it is worth being exact.
        limit = self._limits.head_bytes
        if self._head_bytes > limit and sum([len(name) + len(value) for name, value in head.headers]) > limit:
            raise UpstreamError("gateway_bad_answer", "head too large", answered=True)
        if 100 <= head.status < 200 and head.status != 101:
            return
        head.keep_alive = parser.should_keep_alive()
        self._in_body = True
        self._head = head
        if head.status == 101:
            head.keep_alive = False
        elif self._head_only:
            # llhttp would wait for the body that the fields announce and HEAD's answer does not have.
            self.complete = True
            head.keep_alive = head.version == (1, 1) and b"close" not in tokens(head.headers, b"connection")

    def on_body(self, data: bytes) -> None:
        if self._head_only:
            raise UpstreamError("gateway_bad_answer", "a body after HEAD", answered=True)
        self._body.append(data)
        self._size += len(data)

    def on_message_complete(self) -> None:
        if not self._in_body:
            if self._informational is not None:
                self._informational(self._parsing)
            return
        head = self._head
        if head is not None and head.status != 101:
            self.complete = True


class Pool:
    """The connections to one origin: those at work, those idle, and the requests waiting for a place.

    State changes in `acquire`, `release`, `set_apart` and `lost` only. The connection idle for the shortest time goes
    first, so that a quiet site keeps few of them open.
    """

    def __init__(self, origin: Origin, limits: UpstreamLimits) -> None:
        self.origin = origin
        self.limits = limits
        self.opened = 0
        """Connections opened since the start."""
        self._idle: list[UpstreamConnection] = []
        self._open: set[UpstreamConnection] = set()
        self._apart: set[UpstreamConnection] = set()  # tunnels
        self._connecting = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self.closed = False
        """Whether it takes no connection back any more."""

    @property
    def in_use(self) -> int:
        """Connections carrying an exchange now."""
        return len(self._open) + len(self._apart) - len(self._idle)

    @property
    def idle(self) -> int:
        """Connections kept alive and waiting for work."""
        return len(self._idle)

    def take(self, *, probe: bool = False) -> UpstreamConnection | None:
        """An idle connection, to be the caller's own until `release`; None where there is none fit for use.

        `probe` looks whether the gateway has closed it already, for requests that cannot be repeated.
        """
        while self._idle:
            connection = self._idle.pop()
            if connection.closed:
                continue
            idle = connection._loop.time() - connection.idle_since
            if idle >= connection.idle_limit or (probe and connection.readable):
                connection.abort()
                continue
            return connection
        return None

    async def acquire(self, *, fresh: bool = False, probe: bool = False) -> UpstreamConnection:
        """A connection of this caller's own, until `release`; `fresh` opens a new one.

        Raises `UpstreamError`, nothing having been sent.
        """
        loop = asyncio.get_running_loop()
        until = None if self.limits.connect is None else loop.time() + self.limits.connect
        while True:
            if not fresh and (connection := self.take(probe=probe)) is not None:
                return connection
            if self._full and self._idle:
                # A fresh one is asked for since an idle one was dead, and this one has been idle for longer.
                oldest = self._idle.pop(0)
                self._open.discard(oldest)
                oldest.abort()
            if not self._full:
                return await self._connect(loop)
            await self._place(loop, until)

    def release(self, connection: UpstreamConnection) -> None:
        """Give a connection back: kept if it may be used again, closed if not."""
        if not connection.reusable or self.closed or len(self._idle) >= self.limits.idle:
            connection.abort()
            return
        head = connection._head
        promised = first(head.headers, b"keep-alive") if head is not None else None
        if promised is not None:
            connection.idle_limit = _promised_idle(promised)
        connection.idle_since = connection._loop.time()
        self._idle.append(connection)
        if self._waiting:
            self._let_next_in()

    def close(self) -> None:
        """Close what is idle and whatever is released from now on."""
        self.closed = True
        for connection in self._idle:
            connection.abort()
        self._idle.clear()
        if self._sweeper is not None and not self._open:
            self._sweeper.cancel()
            self._sweeper = None  # a request that was on its way here when we closed still has its time limits

    def abort(self) -> None:
        """Break every connection, also those at work."""
        self.close()
        for connection in [*self._open, *self._apart]:
            connection.abort()

    def set_apart(self, connection: UpstreamConnection) -> None:
        """A connection has become a tunnel: its place is free for another."""
        self._open.discard(connection)
        self._apart.add(connection)
        self._let_next_in()

    @property
    def _full(self) -> bool:
        return len(self._open) + self._connecting >= self.limits.connections

    async def _place(self, loop: asyncio.AbstractEventLoop, until: float | None) -> None:
        """Wait until a connection is released or lost, at most `until`."""
        place: asyncio.Future[None] = loop.create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout_at(until):
                await place
        except TimeoutError:
            if place.done() and not place.cancelled():
                self._let_next_in()  # called in at the last moment, and too late
            raise UpstreamError("overloaded", "no upstream connection is free", sent=False) from None
        finally:
            if place in self._waiting:
                self._waiting.remove(place)

    def _let_next_in(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> UpstreamConnection:
        origin, code, detail = self.origin, "", ""
        connection: UpstreamConnection | None = None
        self._connecting += 1
        try:
            async with asyncio.timeout(self.limits.connect):
                if origin.unix is not None:
                    _, connection = await loop.create_unix_connection(self._new, origin.unix)
                else:
                    _, connection = await loop.create_connection(
                        self._new,
                        origin.host,
                        origin.port,
                        ssl=origin.tls,
                        server_hostname=(origin.server_name or origin.host) if origin.tls else None,
                    )
        except TimeoutError:
            code = "gateway_connect_slow"
        except ssl.SSLError as error:
            code, detail = "gateway_tls_failed", str(error)
        except socket.gaierror as error:
            code, detail = "gateway_name_unknown", str(error)
        except OSError as error:
            code, detail = "gateway_unreachable", str(error)
        finally:
            self._connecting -= 1
            if code:
                self._let_next_in()
        if connection is None:
            raise UpstreamError(code, detail, sent=False)
        if connection.closed:
            self._let_next_in()
            raise UpstreamError("gateway_unreachable", "closed as soon as it was open", sent=False)
        self.opened += 1
        self._open.add(connection)
        if self._sweeper is None:
            self._sweep_later(loop)
        return connection

    def _new(self) -> UpstreamConnection:
        return UpstreamConnection(asyncio.get_running_loop(), self)

    def lost(self, connection: UpstreamConnection) -> None:
        """A connection has ended, by whoever's hand."""
        self._open.discard(connection)
        self._apart.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._let_next_in()

    def _sweep_later(self, loop: asyncio.AbstractEventLoop) -> None:
        times = [t for t in (self.limits.response_head, self.limits.response_body) if t is not None]
        self._sweeper = loop.call_later(min([1.0, *(t / 4 for t in times)]), self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look for overdue exchanges and for idle connections past their time."""
        now = loop.time()
        for connection in list(self._open):
            connection.check_deadline(now)
        for connection in [c for c in self._idle if now - c.idle_since > c.idle_limit]:
            self._idle.remove(connection)
            connection.abort()
        self._sweeper = None
        if self._open:
            self._sweep_later(loop)


def _promised_idle(field_value: bytes) -> float:
    """Seconds an idle connection may be reused, by the answer's `Keep-Alive: timeout=N`."""
    for part in field_value.split(b","):
        name, _, number = part.strip().partition(b"=")
        if name.strip().lower() == b"timeout" and number.strip().isdigit():
            return max(float(number) - IDLE_MARGIN, 0.0)
    return DEFAULT_IDLE
