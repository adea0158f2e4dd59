"""The admin listener's connections: how many there may be, and how long each may hold its place.

A connection stands between asyncio and aiohttp's own protocol and passes everything on. It knows whether a request is
being served (the application says so, `Connections.serving`), and ends what takes a place without using it: a client
that sends no request, half a head, or that does not read its answer.

When all places are taken, a newcomer gets the place of the connection that has rested longest, or else of the one
that has not read for longest. So silent connections lock no one out, and requests that are being served are never cut
off: only if every place is serving one, a newcomer is refused.
"""

import asyncio
import fcntl
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, cast

__all__ = ["CONNECTIONS", "HEAD_TIME", "KEEP_ALIVE", "READ_TIME", "Connections"]

#: Connections at once. Twice what status pages may take (`feed.PAGES`), so that pages leave half of the places to
#: `/readyz`, `/metrics` and the command line. Each place is a file descriptor that the proxied port cannot use.
CONNECTIONS: Final = 128

#: Seconds for a request's head, from the connection's beginning or from the head's first byte.
HEAD_TIME: Final = 30.0

#: Seconds for which a connection may rest between two requests: more than the minute between two usual scrapes.
KEEP_ALIVE: Final = 75.0

#: Seconds for which a client may take nothing of what it is sent.
READ_TIME: Final = 30.0

#: Only answers to clients that cannot be given to the application: too late (RFC 9110 §15.5.9), or one too many
#: (§15.6.4).
_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 10\r\nConnection: close\r\n\r\n"


class Connections:
    """All connections of the admin listener; a protocol factory for `loop.create_server`."""

    def __init__(self, make: Callable[[], asyncio.Protocol], limit: int = CONNECTIONS) -> None:
        """`make` gives the protocol that speaks HTTP: an `aiohttp.web.Server`."""
        self._make = make
        self._limit = limit
        self._open: dict[asyncio.BaseTransport, _Connection] = {}

    def __call__(self) -> asyncio.Protocol:
        """A protocol for one accepted connection."""
        return _Connection(self, self._make())

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def serving(self, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """A request that came over `transport` is being served, up to its answer's last byte."""
        connection = self._open.get(transport) if transport is not None else None
        if connection is None:  # the client has gone
            yield
            return
        connection.serve()
        try:
            yield
        finally:
            connection.rest()

    def admit(self, transport: asyncio.Transport, connection: "_Connection") -> bool:
        """Give a new connection a place, if need be that of another; False where every place serves a request."""
        if len(self._open) >= self._limit:
            weakest = min(self._open.values(), key=lambda one: one.claim)
            if weakest.claim >= _SERVING:
                return False
            weakest.abort()
        self._open[transport] = connection
        return True

    def remove(self, transport: asyncio.BaseTransport) -> None:
        """A connection has ended, or is about to."""
        self._open.pop(transport, None)


#: How strong a connection's claim to its place is, before the time at which it came to be so.
_RESTING, _STALLED = 0, 1
_SERVING: Final = (2, 0.0)


class _Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, all_of_them: Connections, http: asyncio.Protocol) -> None:
        self._all = all_of_them
        self._http = http
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        """None before the connection has a place, and once it has given it up."""
        self._admitted = False
        self._rests_since: float | None = None
        self._rest_ends = 0.0
        self._stalled_since: float | None = None
        self._stall_ends = 0.0
        self._unread = 0
        self._head_begun = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def claim(self) -> tuple[int, float]:
        """The sort key of connections: a newcomer takes the place of the lowest one."""
        if self._rests_since is not None:
            return _RESTING, self._rests_since
        if self._stalled_since is not None:
            return _STALLED, self._stalled_since
        return _SERVING

    # ---- what the application says ----

    def serve(self) -> None:
        """A request's head is whole: from here on only a client that does not read is at fault."""
        self._rests_since = None
        self._head_begun = False
        self._watch()

    def rest(self) -> None:
        """The answer is sent; what has come since the request began may be the next head's first bytes."""
        self._rest(HEAD_TIME if self._head_begun else KEEP_ALIVE)

    def abort(self) -> None:
        """End the connection now, and give its place away."""
        transport = self._transport
        if transport is not None:
            self._forget()
            transport.abort()

    # ---- what asyncio says ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self._admitted = self._all.admit(transport, self)
        if not self._admitted:
            transport.write(_FULL)
            transport.close()
            return
        self._transport = transport
        self._rest(HEAD_TIME)
        self._http.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        if self._admitted:
            self._http.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._admitted:
            return
        if self._rests_since is not None and not self._head_begun:
            self._rest_ends = min(self._rest_ends, self._loop.time() + HEAD_TIME)
            self._watch()
        self._head_begun = True
        self._http.data_received(data)

    def eof_received(self) -> bool | None:
        return self._http.eof_received() if self._admitted else None

    def pause_writing(self) -> None:
        self._stalled_since = self._loop.time()
        self._expect_reading()
        if self._admitted:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        self._stalled_since = None
        self._watch()
        if self._admitted:
            self._http.resume_writing()

    # ---- time ----

    def _rest(self, seconds: float) -> None:
        if self._transport is None:
            return  # it has ended meanwhile
        self._rests_since = self._loop.time()
        self._rest_ends = self._rests_since + seconds
        self._watch()

    def _expect_reading(self) -> None:
        """Give the client time to take something of what it is sent."""
        if self._transport is not None:
            self._unread = _unread(self._transport)
        self._stall_ends = self._loop.time() + READ_TIME
        self._watch()

    def _watch(self) -> None:
        """Set one timer for the deadline that comes first."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        ends = []
        if self._rests_since is not None:
            ends.append(self._rest_ends)
        if self._stalled_since is not None:
            ends.append(self._stall_ends)
        if ends and self._transport is not None:
            self._timer = self._loop.call_at(min(ends), self._too_late, self._transport)

    def _too_late(self, transport: asyncio.Transport) -> None:
        self._timer = None
        if self._stalled_since is not None and _unread(transport) < self._unread:
            self._expect_reading()  # slow, but it reads
            return
        if self._stalled_since is not None or transport.get_write_buffer_size():
            self.abort()  # closing would wait for the client to read
            return
        if self._head_begun:
            transport.write(_TOO_SLOW)
        self._forget()
        transport.close()

    def _forget(self) -> None:
        if self._transport is not None:
            self._all.remove(self._transport)
            self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _unread(transport: asyncio.Transport) -> int:
    """Bytes that the client has not taken: those held here, and those that the kernel holds (tcp(7), `SIOCOUTQ`).

    The kernel may hold megabytes, and asks for more only when a third of them are gone.
    """
    held = bytes(4)
    with suppress(OSError, ValueError):
        held = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, held)
    return transport.get_write_buffer_size() + int.from_bytes(held, sys.byteorder)
