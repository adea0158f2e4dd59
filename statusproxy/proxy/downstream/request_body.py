"""A request's body on its way to the gateway: what is waited for before it is sent, its limits, and the carrying.

An upstream place is scarce, and a client that sends slowly must not hold one. So a small body is read whole before a
place is taken, and of a larger one a beginning. Whoever then stops sending is given up.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from statusproxy.proxy.downstream.body_buffer import RequestBody
from statusproxy.proxy.downstream.connection import ClientRequest
from statusproxy.proxy.http1.request_parser import BrokenBodyError
from statusproxy.proxy.min_rate import Pace
from statusproxy.proxy.site import Site
from statusproxy.proxy.upstream.connection import UpstreamConnection, UpstreamError

log = logging.getLogger("statusproxy.proxy")

#: Bytes of a body that are waited for before a place is taken: a text message or an event is whole by then, and who
#: sends more has shown that it sends.
ENOUGH: Final = 64 * 1024

#: Seconds that a piece of a chunked body waits for more before it is sent on: such a body may be a slow stream, whose
#: receiver wants each piece soon.
_HOLD: Final = 1.0

LAST_CHUNK: Final = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """`data`, at least a byte, as one chunk (RFC 9112 §7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def read_whole(content: RequestBody, limit: int | None) -> bytes:
    """A body that is all here already. Raises `UpstreamError` where it has more than `limit` bytes."""
    if limit is not None and content.size > limit:
        raise UpstreamError("body_too_large", sent=False)
    return content.read_nowait()


class Upload:
    """The body of one request that is still coming.

    Use: `begin()`, send what it gave; `carry()` unless `whole`; `stop()` at the end. `finish()` reads what is left
    where nobody carries it.
    """

    __slots__ = (
        "_at_once",
        "_catch_up",
        "_content",
        "_observe",
        "_pace",
        "_pump",
        "_request",
        "_since",
        "_site",
        "_timer",
        "framed",
        "received",
        "whole",
    )

    def __init__(
        self,
        request: ClientRequest,
        site: Site,
        observe: Callable[[bytes], None] | None,
        catch_up: Callable[[], Awaitable[None] | None],
        *,
        at_once: bool,
    ) -> None:
        """`observe` is given each piece, and gets the rest as well when the gateway takes no more; before more is read
        in the background, what `catch_up` gives is awaited, so that an observer is never far behind.

        `at_once`: the client holds the body back for the gateway's permission (`Expect: 100-continue`), so nothing is
        waited for before the head is sent, and the client's minimum rate begins with `permitted`.
        """
        self._request = request
        self._content = request.content
        self._site = site
        self._observe = observe
        self._catch_up = catch_up
        self._at_once = at_once
        self._pace: Pace | None = None  # from the first wait on
        self._pump: asyncio.Task[None] | None = None
        self._timer: asyncio.Timeout | None = None  # of the wait under way
        self._since = 0.0
        self.framed = request.message.chunked
        self.received = 0
        self.whole = False
        """Whether all of it has been read."""

    @property
    def withheld(self) -> bool:
        """Whether the client still waits for a permission to send it (RFC 9110 §10.1.1)."""
        return self._at_once

    @property
    def unread(self) -> bool:
        """Whether a part of it has not come yet."""
        return not self._content.is_eof()

    @property
    def carried(self) -> asyncio.Task[None] | None:
        """The task that carries it, once there is one."""
        return self._pump

    async def begin(self) -> bytes:
        """The part of the body to send together with the head, framed, once that is here.

        Raises `UpstreamError` where the client is too slow, sends too much or breaks the framing, and `ConnectionError`
        where it has gone; nothing has been sent to the gateway then.
        """
        pieces: list[bytes] = []
        hold: float | None = None
        while not (self._at_once or self.whole or self.received >= ENOUGH):
            piece = await self._next(hold)
            if piece is None:
                break
            pieces.append(piece)
            if self.framed and hold is None:
                hold = asyncio.get_running_loop().time() + _HOLD
        return self._frame(b"".join(pieces))

    def carry(self, connection: UpstreamConnection, done: Callable[[], Awaitable[None]]) -> None:
        """Carry the rest to the gateway as it comes, in a task of its own; `done` is called when all has come."""
        self._pump = asyncio.create_task(self._carry(connection, done))

    def permitted(self) -> None:
        """The client was told to send: from now on its time counts."""
        if not self._at_once:
            return
        self._at_once = False
        if self._timer is not None and not self._timer.expired():
            now = asyncio.get_running_loop().time()
            self._timer.reschedule(self._until(now))

    async def finish(self) -> None:
        """Read what is left, for `observe` alone. Raises as `begin` does."""
        while not self.whole:
            await self._next()
            await self._watched()

    async def stop(self) -> None:
        """Carry no more, and let go of the observer: the two would keep each other, and the body, in memory."""
        if self._pump is not None and not self._pump.done():
            # The connection reads the rest of the body itself now, and two readers at once would clash.
            self._pump.cancel()
            await asyncio.wait([self._pump])
        self._pump = self._observe = None
        self._catch_up = _nothing

    async def _carry(self, connection: UpstreamConnection, done: Callable[[], Awaitable[None]]) -> None:
        """Carry the body at the pace of the slower side; when the gateway takes no more, read on for the observer."""
        try:
            while not self.whole:
                if _over(connection) and self._observe is None:
                    return
                data = await self._next()
                if data is None or _over(connection):
                    await self._watched()
                    continue
                connection.write(self._frame(data))
                # Never said of a request that was not sent whole: the next one's head would be read as its body.
                connection.request_done = self.whole
                await self._watched()
                if connection.writing_paused and not self.whole:
                    await self._taken(connection)
        except UpstreamError as error:
            self._give_up(connection, error)
        except ConnectionError as error:
            self._give_up(connection, UpstreamError("client_gone", str(error)))
        except Exception:
            log.exception("a request's body could not be carried")
            self._give_up(connection, UpstreamError("internal"))
        else:
            await done()

    def _give_up(self, connection: UpstreamConnection, error: UpstreamError) -> None:
        """The request stays incomplete. Once it is complete the connection may serve another exchange already."""
        if not self.whole:
            connection.give_up(error)

    async def _watched(self) -> None:
        """Let the observer work off what it was given; an error of its own costs no request."""
        try:
            behind = self._catch_up()
            if behind is not None:
                await behind
        except Exception:
            log.exception("a request's body could not be watched")

    async def _taken(self, connection: UpstreamConnection) -> None:
        """Wait until the gateway takes more; give it up when it does not."""
        try:
            async with asyncio.timeout(self._site.timeouts.response_body):
                await connection.drain()
        except TimeoutError:
            connection.give_up(UpstreamError("gateway_timeout", "the gateway stopped reading the request"))

    async def _next(self, hold: float | None = None) -> bytes | None:
        """The next piece; b"" only at the end; None when nothing came until `hold`."""
        try:
            data: bytes | None = self._content.read_nowait()
            if not data and self.unread:
                data = await self._wait(hold)
            elif data and self._pace is not None:
                self._pace.count(len(data), 0.0)
        except BrokenBodyError as error:
            raise UpstreamError("bad_request", str(error), sent=self._pump is not None) from error
        except UpstreamError:
            raise
        except Exception as error:
            # The connection's own end stands in the stream, whatever it was: a time-out of TCP's as well.
            if self._request.connection.transport is None:
                raise ConnectionResetError("the client has gone") from error
            raise
        if data is not None:
            self._at_once = False
            self._count(data)
        return data

    def _count(self, data: bytes) -> None:
        """Take note of what was read. Raises `UpstreamError` when that is more than a body may have."""
        limit = self._site.limits.body
        if limit is not None and self.received + len(data) > limit:
            raise UpstreamError("body_too_large", sent=self._pump is not None)
        self.whole = self._content.is_eof()
        self.received += len(data)
        if data and self._observe is not None:
            self._observe(data)

    async def _wait(self, hold: float | None) -> bytes | None:
        """Wait for the client to send more, for as long as it may take; None when nothing came until `hold`."""
        loop = asyncio.get_running_loop()
        until = self._until(loop.time())
        held = hold is not None and (until is None or hold < until)
        data = b""
        try:
            async with asyncio.timeout_at(hold if held else until) as self._timer:
                data = await self._content.readany()
        except TimeoutError:
            if self._timer is None or not self._timer.expired():
                raise  # the connection's own
            data = self._content.read_nowait()  # it may have come in the same turn
        finally:
            self._timer = None
            if self._pace is not None:
                self._pace.count(len(data), loop.time() - self._since)
        if data or self._content.is_eof():
            return data
        if held:
            return None
        # Two codes: only the one says that the request may have arrived.
        sent = self._pump is not None
        raise UpstreamError("request_body_too_slow" if sent else "request_body_incomplete", sent=sent)

    def _until(self, now: float) -> float | None:
        """When the client is given up if nothing comes from `now` on."""
        times, rate = self._site.timeouts, self._site.limits.min_rate
        until = None if times.request_body is None else now + times.request_body
        if rate is None or self._at_once:
            return until
        self._since = now
        if self._pace is None:
            self._pace = Pace(rate, times.min_rate_grace)
            self._pace.count(self.received, 0.0)  # what came with the head
        slow = now + self._pace.left
        return slow if until is None else min(slow, until)

    def _frame(self, data: bytes) -> bytes:
        """`data` as the next hop gets it, with the end of the chunks when it is the last."""
        if not self.framed:
            return data
        framed = chunk(data) if data else b""
        return framed + LAST_CHUNK if self.whole else framed


def _nothing() -> None:
    """What there is to catch up with when nobody observes."""


def _over(connection: UpstreamConnection) -> bool:
    """Whether the gateway takes no more of this request: it has answered, or is lost."""
    return connection.closed or connection.complete
