"""One connection to the gateway: one exchange at a time, kept alive between them by its pool (`pool.py`).

A connection speaks raw bytes both ways: nothing is decoded, renamed, decompressed or followed. What belongs to the
answer of one exchange only is an `AnswerReader` made for it. Here is what belongs to the transport: writing, its
back-pressure in both directions, its end, and whether it may be used again.
"""

import asyncio
import select
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, cast

from statusproxy.proxy.close_once import close_once
from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.reset import reset
from statusproxy.proxy.upstream.answer_reader import AnswerReader
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.keep_alive import DEFAULT_IDLE, promised_idle
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.paced_writing import PacedWriting
from statusproxy.proxy.upstream.receive_buffer import unread


class Owner(Protocol):
    """Who keeps a connection between its exchanges, and is told what becomes of it: its pool."""

    @property
    def limits(self) -> UpstreamLimits:
        """The limits of every exchange."""

    def release(self, connection: "UpstreamConnection") -> None:
        """The exchange is over."""

    def set_apart(self, connection: "UpstreamConnection") -> None:
        """It has become a tunnel."""

    def lost(self, connection: "UpstreamConnection") -> None:
        """It has ended, closed by either side."""


class UpstreamConnection(PacedWriting):
    """One connection to the gateway, carrying one exchange at a time.

    Use: `begin()`, `write()` the request, `await head()`, `await answer.read()` until it gives b"", `Pool.release()`.
    """

    __slots__ = (
        "_answer",
        "_loop",
        "_lost",
        "_paused",
        "_poll",
        "_request_done",
        "_sent",
        "_tunnel",
        "idle_limit",
        "idle_since",
        "pool",
        "used",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: Owner) -> None:
        super().__init__()
        self.pool = pool
        self._loop = loop
        self._answer: AnswerReader | None = None  # None while no exchange is under way
        self._paused = False  # the gateway is not read
        self._sent = False  # anything of the request was written
        self._request_done = False  # all of it was
        self._poll: select.poll | None = None
        self._tunnel: Callable[[bytes | None], None] | None = None
        self._lost: tuple[Exception | None] | None = None  # what the connection was lost by, once it is
        self.idle_since = 0.0
        """When the last exchange ended, by `time.monotonic`."""
        self.idle_limit = DEFAULT_IDLE
        """Seconds for which it may be idle."""
        self.used = 0
        """Exchanges begun."""

    # ---- the exchange ----

    def begin(self, *, head_only: bool, informational: Callable[[ResponseHead], None] | None = None) -> None:
        """Begin an exchange; `head_only` for HEAD, whose answer has no body.

        `informational` is called with each 1xx answer that comes before the final one (RFC 9110 §15.2).
        """
        if self._answer is not None:
            raise RuntimeError("the previous exchange was not ended")
        self._answer = AnswerReader(self._loop, self.pool.limits, head_only, informational, self._answer_taken)
        self._request_done = self._sent = False
        self.used += 1
        if self.closed:
            self._answer.fail(UpstreamError("gateway_closed", "closed before the request was sent"))

    def end_exchange(self) -> bool:
        """Leave nothing of the exchange behind; False where another may not follow, and the connection must be closed.

        This is the one place that decides about reuse. All that belongs to an exchange is dropped with its answer, set
        back, or a reason to say no: then the next exchange finds the connection as a fresh one would be.
        """
        answer, self._answer = self._answer, None
        reusable = answer is None or answer.reusable()
        self.writable = None
        transport = self.transport
        if transport is None or self.closed or transport.is_closing():
            return False
        if answer is None:  # nothing was asked since it was taken
            return self.used > 0
        if not (reusable and self._request_done) or self._tunnel is not None or self.draining or self._paused:
            return False
        if self.writing_paused or transport.get_write_buffer_size():
            return False  # answered early: the gateway has not taken the request, and may never do
        promised = answer.parser.keep_alive_field
        self.idle_limit = DEFAULT_IDLE if promised is None else promised_idle(promised)
        return True

    def write(self, data: bytes, *, last: bool = False) -> None:
        """Send a part of the request; errors surface in `head()`, since an answer may have come before them.

        `last`: the request is whole with it. Only behind a whole request another one may follow on this connection: its
        head would be read as the rest of a body otherwise.
        """
        if self.transport is not None and not self.closed:
            self._sent = True
            self.transport.write(data)
        if last:
            self._request_done = True

    @property
    def answer(self) -> AnswerReader:
        """The answer of the exchange under way."""
        assert self._answer is not None, "no exchange was begun"
        return self._answer

    def head(self) -> Coroutine[Any, Any, ResponseHead]:
        """The final answer's head. Raises `UpstreamError`."""
        return self.answer.head()

    @property
    def complete(self) -> bool:
        """Whether the answer's last byte is here."""
        return self._answer is not None and self._answer.parser.complete

    def give_up(self, error: UpstreamError) -> None:
        """Fail the exchange with `error`, which came from the client's side of it."""
        if self._answer is not None:
            self._answer.fail(error)
        self.abort()

    def check_deadline(self, now: float) -> None:
        """Fail the exchange if what it waits for is overdue (called by the pool's sweep: one timer for all)."""
        answer = self._answer
        if answer is not None and answer.overdue(now, request_done=self._request_done):
            self.give_up(UpstreamError("gateway_timeout", answered=answer.answered))

    # ---- the connection ----

    def close(self) -> None:
        """Close the connection once what was written is sent."""
        if self.transport is not None:
            close_once(self.transport)

    def abort(self) -> None:
        """Give the connection up at once; it is never used again. An incomplete request ends with a reset."""
        if self._sent and not self._request_done:
            self.reset()
            return
        self.closed = True
        if self.transport is not None:
            self.transport.abort()

    def reset(self) -> None:
        """Reset the connection, so that the gateway does not treat it as an ordinary end; no effect if it is lost."""
        self.closed = True
        if self.transport is not None and self._lost is None:
            reset(self.transport)

    @property
    def was_reset(self) -> bool:
        """Whether the connection was lost by a reset or another failure, and not ended in order."""
        return self._lost is not None and self._lost[0] is not None

    @property
    def readable(self) -> bool:
        """Whether the kernel holds something for an idle connection: its end, or bytes that no one asked for."""
        if self._poll is None:
            sock = self.transport.get_extra_info("socket") if self.transport is not None else None
            if sock is None:
                return True
            self._poll = select.poll()
            self._poll.register(sock.fileno(), select.POLLIN)  # errors and a hang-up are told in any case
        return bool(self._poll.poll(0))

    def tunnel(self, receive: Callable[[bytes | None], None]) -> None:
        """From here on, hand every byte (None at the end) to `receive`: the protocol was switched (RFC 9110 §7.8).

        A tunnel may last for days, so it takes no place in the pool away from requests.
        """
        self.pool.set_apart(self)
        self._tunnel = receive
        early = self.answer.take_early()
        self._set_reading(self.answer)
        if early:
            receive(early)
        if self.closed:
            receive(None)

    # ---- reading ----

    def data_received(self, data: bytes) -> None:
        """Called by asyncio: a part of the answer, or of a tunnel; anything else ends the connection."""
        if self._tunnel is not None:
            self._tunnel(data)
            return
        answer = self._answer
        if answer is None or answer.parser.complete:
            # Bytes that no request asked for. They could be the answer to any request, so they are dropped.
            self.abort()
            return
        answer.feed(data)
        self._look(answer)

    def _go_on(self) -> None:
        """Parse the next of what came and was too much work for one turn of the loop."""
        answer = self._answer
        if answer is None or answer.error is not None:
            return
        answer.go_on()
        self._look(answer)
        if self._lost is not None and not answer.parser.pending:
            answer.finish(self._lost[0])

    def _look(self, answer: AnswerReader) -> None:
        """Something came: see whether it is in order, whether it is all, and whether the gateway has to wait."""
        parser = answer.parser
        if answer.error is not None or parser.behind:
            self.abort()
        elif parser.pending:
            self._loop.call_soon(self._go_on)
        if self._paused or not parser.complete:
            self._set_reading(answer)
        if parser.complete and answer.whole is not None:
            answer.whole()

    def _answer_taken(self) -> None:
        """Some of what is held was read."""
        if self._paused and self._answer is not None:
            self._set_reading(self._answer)

    def _set_reading(self, answer: AnswerReader) -> None:
        """Have the gateway wait while enough is held here; never once the answer is whole.

        The pool, which keeps the connection then, must learn of its end, and the next exchange must find it reading.
        """
        waits = answer.congested
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

    # ---- asyncio's side ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio: the connection stands; small writes go at once, and a dead peer is noticed."""
        self.transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def eof_received(self) -> bool:
        """Called by asyncio: the gateway has ended its half; whether ours stays open, as a tunnel's does."""
        if self._tunnel is not None:
            self._tunnel(None)
            return True  # half-closed: the tunnel closes the other half
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio: what came before the end is still parsed, and the one who waits for the answer is told."""
        self.closed = True
        self._lost = (exc,)
        answer = self._answer
        if self._tunnel is not None:
            self._tunnel(None)
        elif answer is not None:
            if exc is not None and self.transport is not None and not answer.complete and answer.error is None:
                # The kernel's buffer bounds how much that is; it is parsed in turns, as everything that comes.
                left = unread(self.transport)
                if left:
                    self.data_received(left)
            if not answer.parser.pending:
                answer.finish(exc)
        if answer is not None:
            answer.wake()
        super().connection_lost(exc)
        self.pool.lost(self)
