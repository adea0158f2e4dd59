"""A request's body on its way to the gateway: reading, limits, observers and sending.

An upstream place is scarce, and a client that sends slowly must not hold one. So a small body is read whole before a
place is taken, and of a larger one a beginning. A client that then stops sending is given up.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from statusproxy.proxy.downstream.body_buffer import BrokenBodyError
from statusproxy.proxy.downstream.connection import ClientRequest
from statusproxy.proxy.http1.framing import framed
from statusproxy.proxy.min_rate import Pace
from statusproxy.proxy.site import Site
from statusproxy.proxy.upstream.connection import UpstreamConnection
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.pump import pump, stop

log = logging.getLogger("statusproxy.proxy")

#: Bytes of a body that are waited for before a place is taken. A text message or an event is whole by then, and a
#: client that sends more has shown that it sends.
ENOUGH: Final = 64 * 1024

#: Seconds that a piece of a chunked body waits for more before it is sent on: such a body may be a slow stream, whose
#: receiver wants each piece soon.
_HOLD: Final = 1.0


class BodyObserver(Protocol):
    """Someone who is given a request's body as it passes, and holds it up as little as possible."""

    def feed(self, data: bytes) -> None:
        """Take the next piece, as it came. Never raises."""

    def catch_up(self) -> Awaitable[None] | None:
        """The work that the observer is behind with, to be awaited before more is read; None if there is none."""


class Upload:
    """The body of one request on its way to the gateway: the one place that reads, counts and limits it.

    Use: `await begin()`, and send what it gave; `carry()` unless `whole`; `stop()` at the end. In between, `wait()` and
    `waited()` where there is no connection at once. `finish()` reads what is left where no one carries it. Each
    observer is given every piece, also what the gateway does not take any more. Its pump (`upstream.pump`) reads it as
    a `Source`.
    """

    __slots__ = (
        "_chunked",
        "_content",
        "_held_back",
        "_observers",
        "_on_whole",
        "_pace",
        "_pump",
        "_request",
        "_rest",
        "_since",
        "_site",
        "_timer",
        "received",
        "whole",
    )

    def __init__(self, request: ClientRequest, site: Site) -> None:
        self._request = request
        self._content = request.content
        self._site = site
        self._observers: tuple[BodyObserver, ...] = ()
        self._on_whole: Callable[[], Awaitable[None]] | None = None
        self._chunked = request.message.chunked
        expected = request.message.well_known.get(b"expect")
        self._held_back = expected is not None and request.version >= (1, 1) and _waits(expected)
        self._pace: Pace | None = None  # from the first wait on
        self._pump: asyncio.Task[None] | None = None
        self._rest = b""  # what was read while there was no connection
        self._timer: asyncio.Timeout | None = None  # of the wait under way
        self._since = 0.0
        self.received = 0
        """Bytes of the body that were read."""
        self.whole = False
        """Whether all of it has been read."""

    def observe(self, *observers: BodyObserver, on_whole: Callable[[], Awaitable[None]] | None = None) -> None:
        """Give every piece to `observers` from now on; `on_whole` is called once, when all of the body was read."""
        self._observers, self._on_whole = observers, on_whole

    @property
    def held_back(self) -> bool:
        """Whether the client still waits for a permission to send it (`Expect: 100-continue`, RFC 9110 §10.1.1).

        Then nothing is waited for before the head is sent, and the client's minimum rate begins with `permitted`.
        """
        return self._held_back

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
        if self._content.is_eof():  # the usual case
            self._held_back = False
            data = self._content.read_nowait()
            self._count(data)
            return framed(data, chunked=self._chunked, last=True)
        pieces: list[bytes] = []
        hold: float | None = None
        while not (self._held_back or self.whole or self.received >= ENOUGH):
            piece = await self.read(hold)
            if not piece:
                break
            pieces.append(piece)
            if self._chunked and hold is None:
                hold = asyncio.get_running_loop().time() + _HOLD
        return framed(b"".join(pieces), chunked=self._chunked, last=self.whole)

    async def wait(self) -> bytes:
        """There is no connection at once: from here on an event counts as soon as all of it has come.

        Events count in the order in which they arrive, and it may be long until there is a connection. Gives what was
        read for that, to be sent behind what `begin` gave. Raises as `begin` does.
        """
        if self._on_whole is None:
            return b""
        if self.unread:
            self._pump = asyncio.create_task(self._read_come())
        elif self.whole:
            await self.end()
        else:
            await self._read_rest()
        return self._taken()

    async def waited(self) -> bytes:
        """There is a connection, or there will be none: give what `wait` had read meanwhile, in the same way."""
        if self._pump is not None and not self.whole:
            reading, self._pump = self._pump, None
            await stop(reading)
        return self._taken()

    def carry(self, connection: UpstreamConnection) -> None:
        """Carry the rest to the gateway as it comes, in a task of its own."""
        self._pump = asyncio.create_task(
            pump(self, connection, chunked=self._chunked, patience=self._site.timeouts.response_body)
        )

    async def end(self) -> None:
        """The body is whole: call `on_whole` (`observe`), at most once."""
        told, self._on_whole = self._on_whole, None
        if told is not None:
            await told()

    def permitted(self) -> None:
        """The client was told to send: from now on its time counts."""
        if not self._held_back:
            return
        self._held_back = False
        if self._timer is not None and not self._timer.expired():
            now = asyncio.get_running_loop().time()
            self._timer.reschedule(self._until(now))

    async def finish(self) -> None:
        """Read what is left for the observers alone, once the pump has ended. Raises as `begin` does."""
        if self._pump is not None:
            await self.carried_out()
            return
        while not self.whole:
            await self.read()
            await self.passed()
        await self.end()

    async def carried_out(self) -> None:
        """Wait until the pump, if there is one, has ended: all was read, or nothing more can be."""
        if self._pump is not None:
            await asyncio.wait([self._pump])

    async def stop(self) -> None:
        """Stop sending, and release the observers: they and this refer to each other, and would keep the body."""
        if self._pump is not None:
            await stop(self._pump)  # the connection reads the rest of the body itself now: two readers would clash
        self._pump = self._on_whole = None
        self._observers = ()

    # ---- while there is no connection ----

    async def _read_come(self) -> None:
        """Read the rest once all of it has come. What is wrong with it is told to who reads it next."""
        await self._content.ended()
        if not self.unread:
            try:
                await self._read_rest()
            except UpstreamError as error:
                self._content.set_exception(error)

    async def _read_rest(self) -> None:
        """Read the rest, all of which has come."""
        data = await self.read()
        self._rest = framed(data, chunked=self._chunked, last=True)
        await self.passed()
        await self.end()

    def _taken(self) -> bytes:
        rest, self._rest = self._rest, b""
        return rest

    # ---- what the pump asks ----

    @property
    def watched(self) -> bool:
        """Whether it is read to its end for the observers."""
        return bool(self._observers)

    async def read(self, hold: float | None = None) -> bytes:
        """The next piece; b"" at the end, and when nothing came until `hold`."""
        try:
            data = self._content.read_nowait()
            if not data and self.unread:
                data = await self._wait(hold)
            elif data and self._pace is not None:
                self._pace.count(len(data), 0.0)
        except BrokenBodyError as error:
            raise UpstreamError("bad_request", str(error)) from error
        except UpstreamError:
            raise
        except Exception as error:
            # The stream raises what ended the connection, such as a TCP time-out.
            if self._request.connection.transport is None:
                raise ConnectionResetError("the client has gone") from error
            raise
        self._held_back = False
        self._count(data)
        return data

    async def passed(self) -> None:
        """The piece was handed over: let the observers work off what they were given. An error of theirs costs no
        request."""
        for observer in self._observers:
            try:
                work = observer.catch_up()
                if work is not None:
                    await work
            except Exception:
                log.exception("a request's body could not be watched")

    # ---- reading, within the limits ----

    def _count(self, data: bytes) -> None:
        """Take note of what was read. Raises `UpstreamError` when that is more than a body may have."""
        limit = self._site.limits.body
        if limit is not None and self.received + len(data) > limit:
            raise UpstreamError("body_too_large")
        self.whole = self._content.is_eof()
        self.received += len(data)
        if data:
            for observer in self._observers:
                observer.feed(data)

    async def _wait(self, hold: float | None) -> bytes:
        """Wait for the client to send more, for as long as it may take; b"" at the end, and at `hold`."""
        loop = asyncio.get_running_loop()
        until = self._until(loop.time())
        held = hold is not None and (until is None or hold < until)
        data = b""
        try:
            async with asyncio.timeout_at(hold if held else until) as self._timer:
                data = await self._content.readany()
        except TimeoutError:
            data = self._content.read_nowait()  # it may have come in the same turn; an error is raised again
        finally:
            self._timer = None
            if self._pace is not None:
                self._pace.count(len(data), loop.time() - self._since)
        if data or held or self._content.is_eof():
            return data
        # Two codes: only the one says that the request may have arrived.
        sent = self._pump is not None
        raise UpstreamError("request_body_too_slow" if sent else "request_body_incomplete")

    def _until(self, now: float) -> float | None:
        """When the client is given up if nothing comes from `now` on."""
        times, rate = self._site.timeouts, self._site.limits.min_rate
        until = None if times.request_body is None else now + times.request_body
        if rate is None or self._held_back:
            return until
        self._since = now
        if self._pace is None:
            self._pace = Pace(rate, times.min_rate_grace)
            self._pace.count(self.received, 0.0)  # what came with the head
        slow = now + self._pace.left
        return slow if until is None else min(slow, until)


def _waits(expected: list[bytes]) -> bool:
    """Whether the values of `Expect` ask for a permission to send the body."""
    return any(value.lower() == b"100-continue" for value in expected)
