"""The client's side of the proxy: aiohttp's low-level server, with what a faithful proxy needs besides.

`web.Server` keeps the connections and ends them in order. Added here: a parser of our own (`http1`), a loop that
serves a connection's requests in turn, a request object that is only what a proxy reads, error answers the hub
understands, time for a request's head, news of a client that has gone, a limit on connections, and the raw connection
for tunnels.
"""

import asyncio
import select
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.web_protocol import MAX_MSG_QUEUE_SIZE, RequestHandler, _ErrInfo

from statusproxy.proxy.client_address import LOCAL, Peer
from statusproxy.proxy.downstream.body_buffer import NO_BODY, BrokenBodyError, Intake, RequestBody
from statusproxy.proxy.downstream.descriptors import Reserve
from statusproxy.proxy.downstream.places import Places
from statusproxy.proxy.downstream.turns import FREE, Turns
from statusproxy.proxy.downstream.unplaced import LINGER, Unplaced, end_our_half
from statusproxy.proxy.http1.head import Header
from statusproxy.proxy.http1.refusals import Refusal, RefusedError
from statusproxy.proxy.http1.request_parser import END, SWITCHED, HeadLimits, RequestHead, RequestParser
from statusproxy.proxy.problems import PROBLEMS, Language, error_answer
from statusproxy.proxy.reset import reset

#: Bytes of a body held while its reader is behind; twice that, and the client is told to wait (TCP back-pressure).
_READ_AHEAD: Final = 256 * 1024


#: Seconds for which the rest of a body that nobody wants is thrown away, so that the client can read its answer.
_UNWANTED: Final = 10.0

#: Places that one newcomer may have others give up: two, so that a limit lowered by a reload is reached in time.
_ROOM_MADE: Final = 2


class ClientRequest:
    """One request as the parser gave it: raw target, raw fields, the body as a stream.

    It takes the place of aiohttp's `BaseRequest`, whose URL, cookies and decoded headers a proxy has no use for.
    """

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
        self.has_body = message.chunked or bool(message.length)
        self.connection = connection

    def _cancel(self, exc: BaseException) -> None:
        """Called by aiohttp when the client has gone: whoever reads the body learns it, unless all of it is here."""
        if not self.content.is_eof():
            self.content.set_exception(exc)


#: Serves one request, and tells whether the connection may go on after it. Raises nothing but for cancellation.
Handler = Callable[[ClientRequest], Awaitable[bool]]


class ClientConnection(RequestHandler):
    """One client's connection."""

    __slots__ = (
        "_head_begun",
        "_head_timer",
        "_in_line",
        "_lost",
        "_receiver",
        "_requests",
        "gone",
        "peer",
        "server",
        "unfinished",
        "was_reset",
        "writable",
    )

    def __init__(self, server: "ClientServer", **kwargs: Any) -> None:
        super().__init__(server, **kwargs)
        self._requests = ParserSeam(
            self._loop, server.head_limits, Intake(self, _READ_AHEAD), server.turns, MAX_MSG_QUEUE_SIZE
        )
        self._parser = cast(Any, self._requests)
        self.server = server
        self.peer = Peer(LOCAL)
        self.gone: Callable[[], None] | None = None
        """Called once when the client leaves while its request is handled."""
        self.writable: Callable[[], None] | None = None
        """Called when the client takes more after it did not."""
        self.unfinished = False
        """Whether an answer was begun that is not whole, so that an end here would be taken for its end."""
        self.was_reset = False
        """Whether the client broke the connection off, and did not end it in order."""
        self._lost = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_begun = False
        self._in_line = False  # more is here to be read, in a later turn
        self._receiver: TunnelReceiver | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        name = transport.get_extra_info("peername")
        secure = transport.get_extra_info("sslcontext") is not None
        if isinstance(name, tuple):
            self.peer = Peer(name[0], name[1], secure)
        else:
            self.peer = Peer(LOCAL, 0, secure)
        if self.server.make_room(transport):
            self.admit(transport)
        else:
            Unplaced(self, transport, wait=self.server.may_wait)

    def admit(self, transport: asyncio.BaseTransport) -> None:
        """Serve this client: it has a place."""
        self.server.places.rest(self)
        super().connection_made(transport)
        self._start_head_timer()
        if self.server.write_timeout is not None and self.peer.port:
            # The kernel ends what nobody here waits for any more: the last bytes for a client that never reads them.
            transport.get_extra_info("socket").setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self.server.write_timeout * 1000)
            )

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_head_timer()
        self._lost = True
        self.was_reset = exc is not None
        gone, self.gone = self.gone, None
        task = self._task_handler
        super().connection_lost(exc)
        if task is None or task.done():
            self.server.places.leave(self)
        else:
            # A request that changes something is carried to its end without its client, and takes its place till then.
            task.add_done_callback(lambda _: self.server.places.leave(self))
        if gone is not None:
            gone()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages:
            self._head_begun = False
            if self._head_timer is not None:
                self._stop_head_timer()
            self.server.places.work(self)
        elif self._current_request is None and not self._upgraded:
            self._look_at_head()
        if self._requests.behind and not (self._in_line or self._close or self._force_close):
            self._in_line = True
            self._pause_reading_for_buffer()
            self.server.turns.wait(self._take_turn)

    def _take_turn(self) -> None:
        """Read on in what has come already (see `turns.py`)."""
        self._in_line = False
        if self.transport is None or self._close:
            return
        self.data_received(b"")
        if self._buffer_paused and not self._in_line and len(self._messages) < self._max_msg_queue_size:
            self._resume_reading_for_buffer()

    def _look_at_head(self) -> None:
        """Start the time for a head that has begun, if one has."""
        if self._requests.in_head and not self._head_begun:
            self._head_begun = True
            self.server.places.begin(self)
            self.keep_alive(True)  # no longer idle: from here on the time for a head counts
            if self._head_timer is None:
                self._start_head_timer()

    def give_way(self) -> None:
        """Give this connection's place to another: it has no request under way."""
        self.server.places.leave(self)
        if self._head_begun and self.transport is not None:
            self.transport.write(self.server.problem("overloaded"))
        self.force_close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - its signature is aiohttp's
        """Called by aiohttp's server when it stops: an answer that is cut off then is visibly cut off."""
        transport = self.transport
        await super().shutdown(timeout)
        # aiohttp has just closed the transport; it is lost in the loop's next turn at the earliest.
        cut_off = transport is not None and (self.unfinished or transport.get_write_buffer_size() > 0)
        if transport is not None and cut_off and not self._lost:
            reset(transport)

    @property
    def idle(self) -> bool:
        """Whether the client was answered, to the last byte, and has not begun to ask for more."""
        asking = self._current_request or self._messages or self._head_begun
        return bool(self._request_count) and not asking and not self.unsent

    @property
    def may_go(self) -> bool:
        """Whether nothing is lost by closing this connection now: no byte of an answer, and none that came unread."""
        transport = self.transport
        if transport is None:
            return True
        if self.unsent:
            return False
        return self._head_begun or not _readable(transport)

    @property
    def unsent(self) -> bool:
        """Whether bytes of an answer wait here for the client to take them."""
        return self.transport is not None and self.transport.get_write_buffer_size() > 0

    def _start_head_timer(self) -> None:
        if self.server.head_timeout is not None:
            self._head_timer = self._loop.call_later(self.server.head_timeout, self._head_too_slow)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_too_slow(self) -> None:
        """A request's head did not arrive in time (RFC 9110 §15.5.9).

        A connection that never said a word is closed without one: browsers open spare ones, and an answer nobody
        asked for could be taken for that to their next request.
        """
        self._head_timer = None
        if self.transport is not None and self._current_request is None and not self._messages:
            if self._head_begun:
                self.transport.write(self.server.problem("request_head_too_slow"))
            self.force_close()

    async def start(self) -> None:
        """Serve this connection's requests in turn.

        It takes the place of aiohttp's loop, which makes a task, a writer and a response's whole life for each request:
        a quarter of what a small exchange costs here.
        """
        server, messages = self.server, self._messages
        while not self._force_close:
            if not messages:
                self._waiter = self._loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
            message, body = messages.popleft()
            content = cast(RequestBody, body)
            server.requests_count += 1
            if isinstance(message, _ErrInfo):
                await self._answer_refused(message.exc)
                break
            request = ClientRequest(cast(RequestHead, message), content, self)
            self._request_in_progress = True
            self._current_request = cast(Any, request)
            self._requests.message_consumed()
            if self._buffer_paused and not self._in_line and len(messages) <= self._msg_queue_resume_size:
                self._resume_reading_if_drained()
            try:
                self._keepalive = await server.handler(request)
            except Exception:
                self.logger.exception("request failed inside the proxy")
                break
            finally:
                self._current_request = None
                self._request_in_progress = False
                if self._handler_waiter is not None and not self._handler_waiter.done():
                    self._handler_waiter.set_result(None)  # a shutdown waits for this request
            if self._receiver is not None:
                break  # a tunnel was all that came after its request
            if not content.is_eof() and not await self._rest_thrown_away(request):
                break
            if content.size:
                content.discard()  # whole, and not read: its client would wait for a reader for ever
            if not self._keepalive or self._close or self.transport is None:
                break
            if self._upgraded and not messages and self._payload_parser is None:
                self._stay_with_http()
            self._await_next()
            if messages:
                await asyncio.sleep(0)  # of many requests sent at once, one a turn: others wait too
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self.transport.close()

    def _await_next(self) -> None:
        """Be idle, or give the next head its time where it has begun already."""
        if not self._messages:
            self.server.places.rest(self)
            self._head_begun = False
            if self._requests.in_head:
                self._look_at_head()
                return
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)

    async def _answer_refused(self, refused: BaseException | None) -> None:
        """Answer what the parser refused; the connection ends with it."""
        transport = self.transport
        if transport is None:
            return
        transport.write(self.server.problem(refused.refusal.code if isinstance(refused, RefusedError) else "internal"))
        self._close = True
        end_our_half(transport)
        self._waiter = self._loop.create_future()  # cancelled when the client has gone
        await asyncio.wait([self._waiter], timeout=LINGER)

    def _stay_with_http(self) -> None:
        """The upgrade that was asked for was declined: what came behind the request are requests."""
        self._upgraded = False
        tail, self._message_tail = self._message_tail, b""
        if tail:
            self.data_received(tail)
        if self._buffer_paused and not self._in_line and len(self._messages) < self._max_msg_queue_size:
            self._resume_reading_if_drained()

    async def _rest_thrown_away(self, request: ClientRequest) -> bool:
        """Read the rest of a body that nobody wants, for a while, so that the client reads its answer before a reset;
        whether another request can follow."""
        content = request.content
        if self.transport is None:
            return False  # nobody is there to send more
        self._current_request = cast(Any, request)  # whose body is what comes: told when the client goes
        try:
            async with asyncio.timeout(_UNWANTED):
                while not content.is_eof() and not self._force_close:
                    await content.readany()
        except (TimeoutError, ConnectionError, BrokenBodyError):
            return False
        finally:
            self._current_request = None
        return content.is_eof()

    # ---- tunnels ----

    def take_over(self, receiver: "TunnelReceiver") -> None:
        """Hand every further byte of the client to `receiver`, first those that came early."""
        self._stop_head_timer()
        self._receiver = receiver
        self._upgraded = True
        self.set_parser(cast(Any, receiver))

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client has ended its half: a tunnel may go on the other way, an exchange may not."""
        if self._receiver is not None:
            self._receiver.feed_eof()
            return self.transport is not None and self.transport.can_write_eof()
        return False

    def hold(self) -> None:
        """Read no more from the client until `go_on`."""
        self._pause_reading_for_buffer()

    def go_on(self) -> None:
        """Read from the client again."""
        self._resume_reading_for_buffer()

    async def drain(self) -> None:
        """Wait until the client takes more of the answer. Raises `ConnectionError` when it has gone."""
        await self._drain_helper()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.writable is not None:
            self.writable()


def _readable(transport: asyncio.BaseTransport) -> bool:
    """Whether the kernel holds bytes for us, or the client's end."""
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _refusal(refused: Refusal) -> _ErrInfo:
    """What stands in the queue for the refused request, to be answered in its turn."""
    return _ErrInfo(status=HTTPStatus.BAD_REQUEST, exc=RefusedError(refused), message=refused.detail)


class ParserSeam:
    """The parser's events as aiohttp's server asks for them: requests with their bodies, which are fed as they come."""

    __slots__ = ("_at_once", "_body", "_intake", "_loop", "_parser", "_turns", "_waiting")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limits: HeadLimits, intake: Intake, turns: Turns, at_once: int
    ) -> None:
        """`at_once`: requests that may wait to be handled."""
        self._loop = loop
        self._parser = RequestParser(limits)
        self._intake = intake
        self._turns = turns
        self._at_once = at_once
        self._waiting = 0
        self._body: RequestBody | None = None

    @property
    def in_head(self) -> bool:
        """Whether a request has begun whose head is not complete."""
        return self._parser.in_head

    @property
    def behind(self) -> bool:
        """Whether more could be read at once of what is here, but other connections go first."""
        return self._parser.behind

    def feed_data(self, data: bytes) -> tuple[list[tuple[Any, RequestBody]], bool, bytes]:
        """The requests that begin in `data`, whether the connection stops being HTTP after them, and what is left."""
        parser = self._parser
        messages: list[tuple[Any, RequestBody]] = []
        switched = False
        if self._intake.full:
            parser.keep(data)
            return messages, False, b""
        for event in parser.feed(data, self._at_once - self._waiting, max(FREE, self._turns.left)):
            if type(event) is RequestHead:
                self._waiting += 1
                if event.has_body:
                    self._body = RequestBody(self._intake, self._loop)
                messages.append((event, self._body or NO_BODY))
            elif type(event) is bytes:
                assert self._body is not None
                self._body.feed_data(event)
            elif event is END:
                assert self._body is not None
                self._body.feed_eof()
                self._body = None
            elif event is SWITCHED:
                switched = True
            elif isinstance(event, Refusal):
                body, self._body = self._body, None
                if body is not None:
                    body.set_exception(BrokenBodyError(event.detail))
                else:
                    messages.append((_refusal(event), NO_BODY))
        if parser.chunks:
            self._turns.spend(parser.chunks)
        if switched:
            rest = parser.take_rest()
            parser.stay()
            return messages, True, rest
        return messages, False, b""

    def message_consumed(self) -> None:
        """A request is being handled: another may take its place in the queue."""
        if self._waiting:
            self._waiting -= 1

    def pause_reading(self) -> None:
        """The reader of a body is behind: `Intake` says so, and `feed_data` keeps what comes."""

    def set_upgraded(self, val: bool) -> None:
        """The server goes on after an upgrade that was declined: there is nothing to undo."""

    def feed_eof(self) -> None:
        """The connection has ended; its requests learn that from the connection."""


class TunnelReceiver:
    """What `ClientConnection.take_over` feeds: aiohttp's seam for switched protocols."""

    __slots__ = ("_receive",)

    def __init__(self, receive: Callable[[bytes | None], None]) -> None:
        self._receive = receive

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Bytes from the client."""
        self._receive(data)
        return False, b""

    def feed_eof(self) -> None:
        """The client's connection has ended."""
        self._receive(None)


class ClientServer(web.Server):
    """aiohttp's low-level server with this proxy's connections and requests."""

    def __init__(
        self,
        handler: Handler,
        *,
        language: Language,
        new_request_id: Callable[[], str],
        refused: Callable[[str], None],
        head_timeout: float | None,
        write_timeout: float | None,
        keep_alive: float,
        max_connections: int,
        head_limits: HeadLimits,
        reserve: Reserve,
    ) -> None:
        """`refused` is told the code of each answer given before a handler ran."""
        super().__init__(
            cast(Any, handler),
            keepalive_timeout=keep_alive,
            access_log=None,
            auto_decompress=False,
        )
        self.handler = handler
        self.head_limits = head_limits
        self.language: Language = language
        self.new_request_id = new_request_id
        self.refused = refused
        self.head_timeout = head_timeout
        self.write_timeout = write_timeout
        self.max_connections = max_connections
        self.turns = Turns(self._loop)
        self.places: Places[ClientConnection] = Places()
        self.waiting: set[Unplaced] = set()
        """Clients that got no place and have not asked for anything yet."""
        self._reserve = reserve

    def make_room(self, transport: asyncio.BaseTransport) -> bool:
        """Whether a newcomer may have a place, for which others that have no request under way may have to go."""
        short = self._reserve.short(transport.get_extra_info("socket").fileno())
        for _ in range(_ROOM_MADE):
            if not short and len(self.places) < self.max_connections:
                return True
            leaving = self.places.first_to_go(lambda client: client.may_go)
            if leaving is None:
                return False
            leaving.give_way()
            self._reserve.freed()
            short = False
        return True

    @property
    def may_wait(self) -> bool:
        """Whether another client without a place may wait for its refusal: too many would take all descriptors."""
        return len(self.waiting) < self._reserve.refused_at_once

    def problem(self, code: str) -> bytes:
        """The answer to a client whose request was not handled, counted; its connection ends with it."""
        self.refused(code)
        return error_answer(PROBLEMS[code], self.new_request_id(), self.language, close=True)

    def close_idle(self) -> None:
        """Close the connections on which nothing is under way."""
        for connection in self._clients:
            if connection.idle:
                connection.force_close()

    @property
    def sending(self) -> bool:
        """Whether any client has yet to take the rest of its answer."""
        return any(connection.unsent for connection in self._clients)

    @property
    def expecting(self) -> bool:
        """Whether any connection has just been opened to ask for something, or has begun to."""
        return any(not connection.idle for connection in self._clients)

    @property
    def _clients(self) -> list["ClientConnection"]:
        return [connection for connection in self.connections if isinstance(connection, ClientConnection)]

    def __call__(self) -> RequestHandler:
        return ClientConnection(self, loop=self._loop, **self._kwargs)
