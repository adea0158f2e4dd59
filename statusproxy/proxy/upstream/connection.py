"""One connection to the gateway: one exchange at a time, kept alive between them by its pool (`pool.py`).

A connection speaks raw bytes both ways: nothing is decoded, renamed, decompressed or followed. What belongs to one
exchange only is a `ResponseParser` made for it, so that nothing of it can reach the next.
"""

import asyncio
import functools
import os
import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from statusproxy.observe.network_errors import in_words
from statusproxy.proxy.http1.head import Header
from statusproxy.proxy.http1.refusals import RefusedError
from statusproxy.proxy.http1.response_parser import ResponseHead, ResponseParser
from statusproxy.proxy.reset import reset

if TYPE_CHECKING:
    from statusproxy.proxy.upstream.pool import Pool

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
    """Times in seconds (None: no limit), sizes in bytes and numbers of things for a pool's connections."""

    connect: float | None = 5.0
    response_head: float | None = 120.0
    response_body: float | None = 300.0
    head_bytes: int = 64 * 1024
    """Of an answer's heads, interim ones included, and again of its trailers."""
    connections: int = 512
    idle: int = 64
    reserved: int = 64
    """Of `connections`: kept for webhooks and corrected lists."""
    per_client: int = 256
    """Of `connections`: what one client address may hold at a time."""


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


class UpstreamConnection(asyncio.Protocol):
    """One connection to the gateway, carrying one exchange at a time.

    Use: `begin()`, `write()` the request, `await head()`, `await read()` until it gives b"", `Pool.release()`.
    """

    __slots__ = (
        "_answer",
        "_deadline",
        "_drain_waiter",
        "_informational",
        "_limits",
        "_loop",
        "_lost",
        "_paused",
        "_poll",
        "_tunnel",
        "_waiter",
        "answered",
        "closed",
        "error",
        "idle_limit",
        "idle_since",
        "pool",
        "request_done",
        "sent",
        "transport",
        "used",
        "whole",
        "writable",
        "writing_paused",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: "Pool") -> None:
        self.pool = pool
        self._loop = loop
        self._limits = pool.limits
        self.transport: asyncio.Transport | None = None
        self._answer: ResponseParser | None = None
        """The exchange's answer; None while no exchange is under way."""
        self._informational: Callable[[ResponseHead], None] | None = None
        self._paused = False
        """The gateway is not read: enough is held, or what is held has yet to be parsed."""
        self.writing_paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._drain_waiter: asyncio.Future[None] | None = None
        self._poll: select.poll | None = None
        self._tunnel: Callable[[bytes | None], None] | None = None
        self._deadline: tuple[float, str] | None = None
        self._lost: tuple[Exception | None] | None = None
        """What the connection was lost by, once it is."""
        self.closed = False
        self.error: UpstreamError | None = None
        self.answered = False
        self.request_done = False
        self.sent = False
        self.idle_since = 0.0
        self.idle_limit = DEFAULT_IDLE
        self.used = 0
        self.writable: Callable[[], None] | None = None
        """Called when the gateway takes more after it did not."""
        self.whole: Callable[[], None] | None = None
        """Called when the answer's last byte has come."""

    # ---- the exchange, as its handler drives it ----

    def begin(self, *, head_only: bool, informational: Callable[[ResponseHead], None] | None = None) -> None:
        """Begin an exchange; `head_only` for HEAD, whose answer has no body whatever it says.

        `informational` is called with each 1xx answer that comes before the final one (RFC 9110 §15.2).
        """
        if self._answer is not None:
            raise RuntimeError("the exchange before was not ended")
        self._answer = ResponseParser(self._limits.head_bytes, head_only)
        self._informational = informational
        self.error = None
        self.answered = self.request_done = self.sent = False
        self.used += 1
        if self.closed:
            self.error = UpstreamError("gateway_closed", "closed before the request was sent", sent=False)

    def end_exchange(self) -> bool:
        """Leave nothing of the exchange behind; False where another may not follow, and the connection must be closed.

        This is the one place that decides about reuse. All that belongs to an exchange is dropped with its parser, set
        back, or a reason to say no: then the next exchange finds the connection as a fresh one would be.
        """
        answer, self._answer = self._answer, None
        if answer is not None and not answer.complete:
            answer.let_go()
        error, self.error = self.error, None  # its traceback holds the exchange, and a frame of ours that holds us
        transport = self.transport
        self._deadline = None
        self.writable = self.whole = self._informational = None
        if transport is None or self.closed or transport.is_closing():
            return False
        if answer is None:  # nothing was asked since it was taken
            return self.used > 0
        head = answer.head
        whole = answer.complete and not answer.behind and error is None and self.request_done
        if not whole or head is None or not head.keep_alive or self._tunnel is not None:
            return False
        if self._waiter is not None or self._drain_waiter is not None:
            return False  # somebody still waits for something on it
        if self.writing_paused or transport.get_write_buffer_size():
            return False  # answered early: the gateway has not taken the request, and may never do
        if self._paused:
            self._paused = False
            transport.resume_reading()
        self.idle_limit = DEFAULT_IDLE if answer.keep_alive_field is None else promised_idle(answer.keep_alive_field)
        return True

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
        answer = self._answer
        assert answer is not None
        while answer.head is None:
            if self.error is not None:
                raise self.error
            await self._wait(self._limits.response_head, "gateway_timeout")
        return answer.head

    async def read(self) -> bytes:
        """What came of the body since the last call, at least a byte; b"" at its end. Raises `UpstreamError`."""
        answer = self._answer
        assert answer is not None
        while not answer.body:
            if self.error is not None:
                raise self.error
            if answer.complete:
                return b""
            await self._wait(self._limits.response_body, "gateway_timeout")
        data = answer.take(_WORTH_A_WRITE)
        if self._paused:
            self._set_reading(answer)
        return data

    def ready(self) -> bytes | None:
        """The rest of the body if all of it is here, without waiting; None while any of it is to come."""
        answer = self._answer
        assert answer is not None
        return answer.take_all() if answer.complete and self.error is None else None

    def give_up(self, error: UpstreamError) -> None:
        """Fail the exchange with `error`, for trouble on the client's side of it."""
        self._fail(error)
        self.abort()

    def close(self) -> None:
        """Close the connection once what was written is sent."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Give the connection up at once; it is never used again. A half-sent request ends with a reset."""
        if self.sent and not self.request_done:
            self.reset()
            return
        self.closed = True
        if self.transport is not None:
            self.transport.abort()

    def reset(self) -> None:
        """Break the connection off so that the gateway does not take it for an end; nothing where it is lost."""
        self.closed = True
        if self.transport is not None and self._lost is None:
            reset(self.transport)

    @property
    def unsent(self) -> bool:
        """Whether bytes wait here for the gateway to take them."""
        return self.transport is not None and self.transport.get_write_buffer_size() > 0

    @property
    def was_reset(self) -> bool:
        """Whether the connection was lost by a reset or another failure, and not ended in order."""
        return self._lost is not None and self._lost[0] is not None

    @property
    def held(self) -> int:
        """Bytes that the part of the answer takes which waits here to be read."""
        return self._answer.held if self._answer is not None else 0

    def tunnel(self, receive: Callable[[bytes | None], None]) -> None:
        """From here on, hand every byte (None at the end) to `receive`: the protocol was switched (RFC 9110 §7.8).

        A tunnel may last for days, so it takes no place in the pool away from requests.
        """
        self.pool.set_apart(self)
        self._tunnel = receive
        assert self._answer is not None
        early = self._answer.take_all()
        self._set_reading(self._answer)
        if early:
            receive(early)
        if self.closed:
            receive(None)

    @property
    def complete(self) -> bool:
        """Whether the answer's last byte is here."""
        return self._answer is not None and self._answer.complete

    @property
    def trailers(self) -> list[Header]:
        """The fields behind the answer's body, once it is complete."""
        assert self._answer is not None
        return self._answer.trailers

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
        if not self.request_done and self._answer is not None and self._answer.head is None:
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
        answer = self._answer
        if answer is None or answer.complete:
            # Bytes that no request asked for: whose answer they are cannot be told, so nobody gets them.
            self.abort()
            return
        self.answered = True
        try:
            answer.feed(data)
        except RefusedError as error:
            self._pass_interim(answer)
            self._refuse(error)
        else:
            if answer.interim:
                self._pass_interim(answer)
            self._taken(answer)

    def _pass_interim(self, answer: ResponseParser) -> None:
        """Hand over the interim answers that have come."""
        interim, answer.interim = answer.interim, []
        if self._informational is not None:
            for head in interim:
                self._informational(head)

    def _go_on(self) -> None:
        """Parse the next of what came and was too much work for one turn of the loop."""
        answer = self._answer
        if answer is None or self.error is not None:
            return
        try:
            answer.go_on()
        except RefusedError as error:
            self._refuse(error)
            return
        self._taken(answer)
        if self._lost is not None and not answer.pending:
            self._finish(answer, self._lost[0])

    def _taken(self, answer: ResponseParser) -> None:
        """Something came: wake who waits for it, and see whether the gateway has to wait."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if answer.behind:
            self.abort()
        elif answer.pending:
            self._loop.call_soon(self._go_on)
        if self._paused or not answer.complete:
            self._set_reading(answer)
        if answer.complete and self.whole is not None:
            self.whole()

    def _set_reading(self, answer: ResponseParser) -> None:
        """Have the gateway wait while enough is held here; never once the answer is whole.

        Whoever keeps the connection then must learn of its end, and the next exchange must find it reading.
        """
        waits = not answer.complete and (answer.held > HIGH_WATER or answer.pending)
        if waits == self._paused:
            return
        transport = self.transport
        if transport is None or self.closed or transport.is_closing():
            return
        self._paused = waits
        if waits:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def _refuse(self, error: RefusedError) -> None:
        self._fail(UpstreamError("gateway_bad_answer", str(error), answered=True))
        self.abort()

    def eof_received(self) -> bool:
        if self._tunnel is not None:
            self._tunnel(None)
            return True  # half-closed: the tunnel closes the other half
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._lost = (exc,)
        if self._tunnel is not None:
            self._tunnel(None)
        elif self._answer is not None:
            if exc is not None:
                self._salvage(self._answer)
            if not self._answer.pending:
                self._finish(self._answer, exc)
        self._wake()
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)
        self.pool.lost(self)

    def _finish(self, answer: ResponseParser, exc: Exception | None) -> None:
        """The connection is lost, and all that had come was read: is the answer whole?"""
        if exc is None and answer.until_close:
            answer.complete = True
        elif not answer.complete:
            code = "gateway_closed" if answer.head is None else "gateway_bad_answer"
            self._fail(UpstreamError(code, in_words(exc) if exc else "", sent=self.sent, answered=self.answered))
        self._wake()
        if answer.complete and self.whole is not None:
            self.whole()

    def _salvage(self, answer: ResponseParser) -> None:
        """Read the answer that lies in the kernel behind a write that failed.

        A gateway that refuses an upload answers and closes, and what it left unread makes that a reset, which the
        write of the next piece meets before the answer is read. The kernel's buffer bounds how much that is; it is
        parsed in turns, as everything that comes.
        """
        transport = self.transport
        if transport is None or answer.complete or self.error is not None:
            return
        if transport.get_extra_info("sslcontext") is not None:
            return
        sock = transport.get_extra_info("socket")
        pieces: list[bytes] = []
        try:
            while data := os.read(sock.fileno(), _SALVAGE):
                pieces.append(data)
        except OSError:
            pass  # nothing (more) is there
        if pieces:
            self.data_received(b"".join(pieces))

    def pause_writing(self) -> None:
        self.writing_paused = True

    def resume_writing(self) -> None:
        self.writing_paused = False
        if self.writable is not None:
            self.writable()
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)


@functools.lru_cache(maxsize=64)  # a gateway says the same each time
def promised_idle(field_value: bytes) -> float:
    """Seconds an idle connection may be reused, by the answer's `Keep-Alive: timeout=N`."""
    for part in field_value.split(b","):
        name, _, number = part.strip().partition(b"=")
        if name.strip().lower() == b"timeout" and number.strip().isdigit():
            return max(float(number) - IDLE_MARGIN, 0.0)
    return DEFAULT_IDLE
