"""One client's connection: an `asyncio.Protocol` over the sans-I/O parser of requests.

It serves its requests in turn and reads none ahead: what comes behind a request waits, as bytes, until that request is
answered, and behind enough of them the client waits too (TCP back-pressure).
"""

import asyncio
import enum
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, cast

from statusproxy.proxy.client_address import LOCAL, Peer
from statusproxy.proxy.close_once import close_once
from statusproxy.proxy.downstream.admission import Admission
from statusproxy.proxy.downstream.body_buffer import BrokenBodyError, RequestBody
from statusproxy.proxy.downstream.client_deadline import ClientDeadline, Limited
from statusproxy.proxy.downstream.flow_control import FlowControl
from statusproxy.proxy.downstream.loop_budget import LoopBudget
from statusproxy.proxy.downstream.request_reader import RequestReader
from statusproxy.proxy.downstream.starts import Starts
from statusproxy.proxy.downstream.unplaced import LINGER, Places, Unplaced, end_our_half
from statusproxy.proxy.http1.head import Header
from statusproxy.proxy.http1.refusals import Refusal
from statusproxy.proxy.http1.request_parser import HeadLimits, RequestHead
from statusproxy.proxy.reset import reset
from statusproxy.proxy.upstream.call import SAFE

log = logging.getLogger("statusproxy.proxy")

#: Seconds for which the rest of a body that no one wants is read and discarded, so that the client gets its answer.
_UNWANTED: Final = 10.0


class ClientRequest:
    """One request as the parser gave it: raw target, raw fields, the body as a stream."""

    __slots__ = (
        "connection",
        "content",
        "has_body",
        "headers",
        "keep_alive",
        "message",
        "method",
        "target",
        "version",
    )

    def __init__(self, message: RequestHead, content: RequestBody, connection: "ClientConnection") -> None:
        self.message = message
        self.method = message.method
        self.target = message.target
        """The request target, byte for byte as it came (RFC 9112 §3.2)."""
        self.headers: tuple[Header, ...] = message.headers
        self.version = message.version
        self.keep_alive = message.keep_alive
        self.content = content
        self.has_body = message.has_body
        self.connection = connection


class Serving(Places, Limited, Protocol):
    """What a connection asks of the server that made it (`server.ClientServer`)."""

    head_limits: HeadLimits
    heads: LoopBudget
    chunks: LoopBudget
    requests_count: int

    def starts_of(self, method: str) -> Starts:
        """Who tells requests of this method when they begin."""

    @property
    def handler(self) -> Callable[[ClientRequest], Awaitable[bool]]:
        """Serves one request, and tells whether the connection may go on after it."""

    @property
    def admission(self) -> "Admission[ClientConnection]":
        """The connections that have a place, by what they are doing."""

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        """The connection `handler` has got a place."""

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        """The connection `handler` is lost, and serves nothing any more."""


class ConnectionState(enum.Enum):
    """What a connection is doing.

    IDLE ─▶ HEAD ─▶ SERVING ─▶ IDLE        SERVING ─▶ TUNNEL
    IDLE, HEAD, SERVING ─▶ LINGERING       every state ─▶ CLOSED
    """

    CLOSED = enum.auto()
    """It is not open to the client: not yet, or not any more. Its request may still be carried to its end."""
    IDLE = enum.auto()
    """No byte of a request has come since the last one was answered."""
    HEAD = enum.auto()
    """A request's head has begun and is not whole."""
    SERVING = enum.auto()
    """A request is being served, or the rest of its body is read and discarded."""
    LINGERING = enum.auto()
    """A request was refused and our half is closed; what the client still sends is discarded, so that it can read
    why. Closed with unread bytes the connection would be reset (RFC 9112 §9.6)."""
    TUNNEL = enum.auto()
    """The protocol was switched: bytes go to the tunnel that took the connection over."""


# Bound once: a look-up in an `Enum` costs more than one in a module.
CLOSED: Final = ConnectionState.CLOSED
IDLE: Final = ConnectionState.IDLE
HEAD: Final = ConnectionState.HEAD
SERVING: Final = ConnectionState.SERVING
LINGERING: Final = ConnectionState.LINGERING
TUNNEL: Final = ConnectionState.TUNNEL


class ClientConnection(FlowControl):
    """One client's connection, served by one task from its first request on.

    `ClientServer` makes it and knows it from `admit` to its end. It has the methods that an `aiohttp.web.Server` calls
    on its connections: `close` and `shutdown`.
    """

    __slots__ = (
        "_deadline",
        "_last",
        "_loop",
        "_lost",
        "_receive",
        "_request",
        "_started",
        "_task",
        "_wake",
        "gone",
        "peer",
        "reader",
        "server",
        "state",
        "unfinished",
        "used",
    )

    def __init__(self, server: Serving, loop: asyncio.AbstractEventLoop) -> None:
        self.reader = RequestReader(server.head_limits, server.heads, server.chunks, loop)
        super().__init__(self.reader.holds)
        self.server = server
        self.state = CLOSED
        """Changed by this class alone."""
        self.peer = Peer(LOCAL)
        self.used = False
        """Whether a request has come."""
        self.gone: Callable[[], None] | None = None
        """Called once when the client leaves while its request is handled."""
        self.unfinished = False
        """Whether an answer was begun that is not whole, so that an end here would look like its end."""
        self._loop = loop
        self._deadline = ClientDeadline(loop, self._too_late, server)
        self._request: ClientRequest | None = None  # the one being served, or waiting for its start
        self._started = False  # it may be served
        self._task: asyncio.Task[None] | None = None
        self._wake: asyncio.Future[None] | None = None  # what the task waits for between two requests
        self._receive: Callable[[bytes | None], None] | None = None
        self._last = False  # no request is served after the one under way
        self._lost = False

    # ---- the connection's life ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio. The client is served if there is a place for it."""
        self.peer = _peer(transport)
        if self.server.make_room(transport):
            self.admit(transport)
        else:
            Unplaced(self.server, transport, self, self.admit)

    def admit(self, transport: asyncio.BaseTransport) -> None:
        """Serve this client: it has a place."""
        server = self.server
        self.transport = transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self.holds.transport = transport
        self.state = IDLE
        server.connection_made(self, transport)
        _configure(transport.get_extra_info("socket"), server.limits.response_body)
        self._deadline.opened()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Called by asyncio. What reads the body, waits to write, or serves the request is told."""
        self._lost = True
        self.read_head()
        self.holds.transport = None
        self._end()
        self.writing_lost(was_reset=exc is not None)
        request = self._request
        if request is None:
            self.server.connection_lost(self, exc)
        elif not request.content.is_eof():
            request.content.set_exception(exc or ConnectionResetError("the client has gone"))
        # A request that changes something is carried to its end without its client, and takes its place till then.
        receive, gone = self._receive, self.gone
        self._receive = self.gone = None
        if receive is not None:
            receive(None)
        if gone is not None:
            gone()

    def _end(self) -> None:
        self.state = CLOSED
        self._deadline.close()
        self._wake_task()

    def force_close(self) -> None:
        """Close now; the client still gets what was written for it."""
        transport, self.transport = self.transport, None
        self._end()
        if transport is not None:
            close_once(transport)

    def close(self) -> None:
        """Close as soon as no request is being served. Called by a `web.Server` that is about to stop."""
        self._last = True
        self.read_head()
        if self.state in {IDLE, HEAD}:
            self.force_close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - a web.Server calls it so
        """Close within three times `timeout` seconds: first the request under way may end, then it waits no longer for
        its body, then it is cancelled and may save what must not be lost. A cut-off answer is visibly cut off."""
        self._last = True
        transport, task, request = self.transport, self._task, self._request
        if task is not None:
            if request is not None:
                await _end_within(timeout, task, request.content)
            task.cancel()
        self.force_close()
        # A transport that was closed just now is lost in the loop's next turn at the earliest.
        if transport is not None and not self._lost and (self.unfinished or transport.get_write_buffer_size() > 0):
            reset(transport)
        if task is not None:
            await asyncio.wait([task], timeout=timeout)

    def give_way(self) -> None:
        """Give this connection's place to another: it has no request under way."""
        self.server.admission.leave(self)
        if self.state is HEAD:
            self._say("overloaded")
        self.force_close()

    # ---- reading ----

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        state = self.state
        if state is IDLE or state is HEAD:
            found = self.reader.read(data, self.read_head)
            if found is not None:
                self._begin(found)
            elif state is IDLE and self.reader.in_head:
                self._begin_head()
        elif state is SERVING:
            self.reader.follow(data)
        elif state is TUNNEL:
            assert self._receive is not None
            self._receive(data)
        # else it is discarded

    def eof_received(self) -> bool:
        """Called by asyncio. A tunnel may go on the other way, an exchange may not; whether to stay open."""
        if self.state is TUNNEL:
            assert self._receive is not None
            self._receive(None)
            return self.transport is not None and self.transport.can_write_eof()
        return False

    # ---- one request after another ----

    def _begin_head(self) -> None:
        """Wait for the rest of a head."""
        self.state = HEAD
        self.server.admission.begin(self)
        self._deadline.head_begun()

    def read_head(self) -> None:
        """Read what has come and waits for a later turn: this is that turn, or the last moment for it."""
        if not self.reader.waits:
            return
        found = self.reader.read_on()
        if self.state is HEAD:
            if found is not None:
                self._begin(found)
            elif not self.reader.in_head:
                self._rest()  # those were empty lines

    def _rest(self) -> None:
        """Wait for the next request, of which nothing has come."""
        self.state = IDLE
        self.server.admission.rest(self)
        self._deadline.idle()

    def _begin(self, found: RequestHead | Refusal) -> None:
        """Serve a request that has come, or refuse invalid data."""
        if isinstance(found, RequestHead):
            self.state = SERVING
            self.used = True
            self._deadline.request_begun()
            self.server.admission.work(self)
            self._request = ClientRequest(found, self.reader.body, self)
            self._started = False
            self.server.starts_of(found.method).ask(self._start)
        elif not self._lost:
            self._refuse(found.code)

    def _start(self) -> None:
        """The request's turn has come."""
        self._started = True
        self._task = self._task or self._loop.create_task(self._serve())  # none for a client that says nothing
        self._wake_task()

    def _refuse(self, code: str) -> None:
        """Answer what cannot be a request (`code` is its problem); the connection ends with it."""
        transport = self.transport
        assert transport is not None
        self.state = LINGERING
        self.used = True
        self.server.admission.work(self)
        self.server.requests_count += 1
        self._say(code)
        self._deadline.set(self._loop.time() + LINGER)
        end_our_half(transport)

    def _too_late(self) -> None:
        """The deadline has passed: of an idle connection, a head, or a refused client that still sends.

        A connection that never said a word is closed without one: browsers open spare ones, and would read an answer
        that no one asked for as that to their next request.
        """
        waited = self.reader.waits
        self.read_head()
        if waited and self.state in {SERVING, LINGERING}:
            return  # a request, or a refusal, has come in time
        if self.state is HEAD:
            self._say("request_head_too_slow")  # RFC 9110 §15.5.9
        self.force_close()

    def _say(self, code: str) -> None:
        """Answer for a problem where no exchange is under way: while one is, its `Response` alone writes."""
        if self.transport is not None:
            self.transport.write(self.server.problem(code))

    async def _serve(self) -> None:
        """Serve this connection's requests in turn."""
        server = self.server
        try:
            while self._request is not None or self.state is not CLOSED:
                request = self._request
                if request is None or not self._started:
                    self._wake = self._loop.create_future()
                    await self._wake
                    continue
                server.starts_of(request.method).begun()
                if self.state is CLOSED and request.method in SAFE:
                    break  # any other request is carried to its end, though its client has gone
                server.requests_count += 1
                keep_alive = await server.handler(request)
                if self.state is not SERVING:
                    break
                content = request.content
                if not content.is_eof() and not await _throw_away(content):
                    break
                if content.size:
                    content.discard()  # whole, and not read: its client would wait for a reader for ever
                if not keep_alive or self._last or self.transport is None:
                    break
                self._await_next()
                if self._request is not None:
                    await asyncio.sleep(0)  # of many requests sent at once, one a turn: others wait too
        except Exception:
            log.exception("request failed inside the proxy")
        finally:
            self._request = self._task = self._wake = self._receive = None
            self.reader.end()
            self._end()
            if self._lost:
                server.connection_lost(self)
            elif self.transport is not None:
                close_once(self.transport)  # and it stays, for as long as the client takes to read the rest

    def _await_next(self) -> None:
        """Begin the next request if it has come, or the time of its head, or become idle."""
        self._request = None
        reader = self.reader
        found = reader.next() if reader.more else None
        if found is not None:
            self._begin(found)
            return
        self._rest()
        if reader.in_head:
            self._begin_head()

    def _wake_task(self) -> None:
        wake = self._wake
        if wake is not None and not wake.done():
            wake.set_result(None)

    # ---- tunnels ----

    def take_over(self, receive: Callable[[bytes | None], None]) -> None:
        """Hand every further byte of the client to `receive`, first those that came early; None for its end."""
        if self.state is not SERVING:
            return  # the client has gone
        self.state = TUNNEL
        self._receive = receive
        if early := self.reader.switch():
            receive(early)


def _peer(transport: asyncio.BaseTransport) -> Peer:
    """The address of the other end; `LOCAL` for a Unix socket."""
    name = transport.get_extra_info("peername")
    secure = transport.get_extra_info("sslcontext") is not None
    return Peer(name[0] if isinstance(name, tuple) else LOCAL, secure)


def _configure(sock: socket.socket, response_body: float | None) -> None:
    """Have the kernel look for clients that died, and end what no one here waits for any more: the last bytes for a
    client that never reads them, after `response_body` seconds. A Unix socket has nothing of this."""
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if response_body is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(response_body * 1000))


async def _end_within(timeout: float | None, task: asyncio.Task[None], content: RequestBody) -> None:  # noqa: ASYNC109
    """Wait `timeout` seconds for the task that serves a request, then as long again, without the rest of its body."""
    await asyncio.wait([task], timeout=timeout)
    if not (task.done() or content.is_eof()):
        content.set_exception(asyncio.CancelledError())
        await asyncio.wait([task], timeout=timeout)


async def _throw_away(content: RequestBody) -> bool:
    """Read the rest of a body that no one wants, for a while, so that the client reads its answer before a reset;
    whether all of it came."""
    try:
        async with asyncio.timeout(_UNWANTED):
            while not content.is_eof():
                await content.readany()
    except (OSError, BrokenBodyError):  # too slow, or the connection has ended, in whatever way
        return False
    return True
