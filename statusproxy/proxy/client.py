"""The client's side of the proxy: aiohttp's low-level server, with what a faithful proxy needs besides.

`web.Server` takes requests in turn and keeps connections alive. Added here: a parser of our own (`requests.py`), a
request object that is only what a proxy reads, error answers the hub understands, time for a request's head, news of
a client that has gone, a limit on connections, and the raw connection for tunnels.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import MAX_MSG_QUEUE_SIZE, RequestHandler, _ErrInfo

from statusproxy.proxy.errors import PROBLEMS, Language, error_answer
from statusproxy.proxy.forwarded import LOCAL, Peer
from statusproxy.proxy.headers import Header
from statusproxy.proxy.requests import BrokenBodyError, HeadLimits, RefusedError, RequestHead, RequestParser

#: Bytes of a body held while its reader is behind; twice that, and the client is told to wait (TCP back-pressure).
_READ_AHEAD: Final = 256 * 1024

#: Stands for what was refused before it became a request.
_NO_REQUEST: Final = RequestHead("", b"", (1, 1), ())


class ClientRequest:
    """One request as the parser gave it: raw target, raw fields, the body as a stream.

    It takes the place of aiohttp's `BaseRequest` (through the server's `request_factory`), whose URL, cookies and
    decoded headers a proxy has no use for.
    """

    __slots__ = (
        "_task",
        "connection",
        "content",
        "has_body",
        "headers",
        "keep_alive",
        "loop",
        "message",
        "method",
        "target",
        "version",
        "writer",
    )

    def __init__(
        self,
        message: RequestHead,
        content: StreamReader,
        connection: "ClientConnection",
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
        loop: asyncio.AbstractEventLoop,
    ) -> None:
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
        self.writer = writer
        self.loop = loop
        self._task = task

    @property
    def remote(self) -> str:
        """The peer's address, for aiohttp's own log lines."""
        return self.connection.peer.address

    def _cancel(self, exc: BaseException) -> None:
        """Called by aiohttp when the client has gone: whoever reads the body learns it."""
        self.content.set_exception(exc)

    def _finish(self) -> None:
        """Called by aiohttp when the handler is done; there is nothing to tidy up."""


class Finished:
    """What the handler returns once its answer is written: aiohttp needs to know only whether to go on."""

    __slots__ = ("_answer", "_writer", "keep_alive")

    def __init__(self, *, keep_alive: bool, answer: bytes = b"", writer: AbstractStreamWriter | None = None) -> None:
        self.keep_alive = keep_alive
        self._answer = answer
        self._writer = writer

    async def prepare(self, request: object) -> None:
        """Write what is left to write."""
        if self._answer and self._writer is not None:
            await self._writer.write(self._answer)

    async def write_eof(self) -> None:
        """Nothing follows."""


Handler = Callable[[ClientRequest], Awaitable[Finished]]


class ClientConnection(RequestHandler):
    """One client's connection."""

    __slots__ = ("_head_begun", "_head_timer", "_receiver", "_refused", "gone", "peer", "server", "writable")

    def __init__(self, server: "ClientServer", **kwargs: Any) -> None:
        super().__init__(server, **kwargs)
        self._parser = cast(
            Any,
            RequestParser(
                self,
                self._loop,
                server.head_limits,
                refusal=_refusal,
                at_once=MAX_MSG_QUEUE_SIZE,
                read_ahead=_READ_AHEAD,
            ),
        )
        self.server = server
        self.peer = Peer(LOCAL)
        self.gone: Callable[[], None] | None = None
        """Called once when the client leaves while its request is handled."""
        self.writable: Callable[[], None] | None = None
        """Called when the client takes more after it did not."""
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_begun = False
        self._receiver: TunnelReceiver | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        name = transport.get_extra_info("peername")
        secure = transport.get_extra_info("sslcontext") is not None
        if isinstance(name, tuple):
            self.peer = Peer(name[0], name[1], secure)
        else:
            self.peer = Peer(LOCAL, 0, secure)
        if self.server.full:
            self._refused = True
            writing = cast(asyncio.Transport, transport)
            writing.write(self._problem("overloaded"))
            writing.close()
            return
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._refused:
            return
        self._stop_head_timer()
        gone, self.gone = self.gone, None
        super().connection_lost(exc)
        if gone is not None:
            gone()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if self._messages:
            self._head_begun = False
            if self._head_timer is not None:
                self._stop_head_timer()
        elif self._current_request is None and not self._upgraded:
            self._head_begun = True
            if self._head_timer is None:
                self._start_head_timer()

    @property
    def idle(self) -> bool:
        """Whether the client was answered and has not begun to ask for more."""
        return bool(self._request_count) and not (self._current_request or self._messages or self._head_begun)

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
                self.transport.write(self._problem("request_head_too_slow"))
            self.force_close()

    def _problem(self, code: str) -> bytes:
        server = self.server
        server.refused(code)
        return error_answer(PROBLEMS[code], server.new_request_id(), server.language, close=True)

    def handle_error(
        self,
        request: Any,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> Any:
        """The answer to what the parser refused, or to a failure of our own; the connection ends with it."""
        if request.writer.output_size > 0:
            raise ConnectionError("a part of another answer is sent already") from exc
        code = exc.code if isinstance(exc, RefusedError) else "internal"
        if code == "internal":
            self.logger.error("request failed inside the proxy", exc_info=exc)
        return Finished(keep_alive=False, answer=self._problem(code), writer=request.writer)

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        """What aiohttp could not deal with; a body broken off while its rest was thrown away is no news."""
        if not isinstance(kwargs.get("exc_info"), BrokenBodyError):
            super().log_exception(*args, **kwargs)

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

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.writable is not None:
            self.writable()


def _refusal(refused: RefusedError) -> _ErrInfo:
    """What makes aiohttp call `handle_error` in the refused request's turn."""
    return _ErrInfo(status=HTTPStatus.BAD_REQUEST, exc=refused, message=str(refused))


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
        keep_alive: float,
        max_connections: int,
        head_limits: HeadLimits,
    ) -> None:
        """`refused` is told the code of each answer given before a handler ran."""
        super().__init__(
            cast(Any, handler),
            request_factory=cast(Any, self._request),
            keepalive_timeout=keep_alive,
            access_log=None,
            auto_decompress=False,
        )
        self.head_limits = head_limits
        self.language: Language = language
        self.new_request_id = new_request_id
        self.refused = refused
        self.head_timeout = head_timeout
        self.max_connections = max_connections

    @property
    def full(self) -> bool:
        """Whether as many clients are connected as may be."""
        return len(self._connections) >= self.max_connections

    def close_idle(self) -> None:
        """Close the connections on which nothing is under way."""
        for connection in self.connections:
            if isinstance(connection, ClientConnection) and connection.idle:
                connection.close()

    def __call__(self) -> RequestHandler:
        return ClientConnection(self, loop=self._loop, **self._kwargs)

    def _request(
        self,
        message: object,
        content: StreamReader,
        protocol: BaseProtocol,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> ClientRequest:
        if not isinstance(message, RequestHead):
            message = _NO_REQUEST
        return ClientRequest(message, content, cast(ClientConnection, protocol), writer, task, self._loop)
