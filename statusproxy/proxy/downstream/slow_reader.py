"""Waits for a client to read its answer, and resets the connection when it reads too slowly.

What the kernel has taken says little: its buffers hold megabytes. So the pace of a reader is measured by what its side
has acknowledged (`tcpi_bytes_acked`, Linux 4.1 and newer). It is looked up every `_STEP` seconds, and only while an
exchange waits.
"""

import asyncio
import socket
import struct
from typing import Final

from statusproxy.proxy.downstream.connection import ClientConnection
from statusproxy.proxy.min_rate import Pace
from statusproxy.proxy.reset import reset

#: Seconds between two looks at a client that is waited for. With `AHEAD_LIMIT` a client that stops reading is given up
#: within 20 s.
_STEP: Final = 2.0

#: `tcpi_bytes_acked` in Linux's `struct tcp_info`: its place and the size that has to be asked for.
_ACKED_AT: Final = 120
_INFO_SIZE: Final = 128


class SlowReader:
    """The client of one exchange, from the first time that it accepts no more."""

    __slots__ = ("_connection", "_handle", "_loop", "_moved_at", "_pace", "_seen", "_since", "_stall", "stopped")

    def __init__(self, connection: ClientConnection, pace: Pace | None, stall: float | None) -> None:
        """`pace`: the minimum rate, None for none; `stall`: seconds without any progress, None for no limit."""
        self._connection = connection
        self._pace = pace
        self._stall = stall
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._since = self._moved_at = 0.0
        self._seen = progress(connection.transport)
        self.stopped = False
        """Whether the client was too slow, so that its connection was reset."""

    async def wait(self) -> None:
        """Wait until the client takes more. Returns as well when the connection was reset for its slowness.

        Raises `ConnectionError` when the client has gone.
        """
        self._since = self._moved_at = self._loop.time()
        self._look_later()
        try:
            await self._connection.drain()
        finally:
            assert self._handle is not None
            self._handle.cancel()
            self._count(self._loop.time())

    def _look_later(self) -> None:
        step = _STEP
        if self._pace is not None:
            step = min(step, self._pace.left)
        if self._stall is not None:
            step = min(step, self._moved_at + self._stall - self._loop.time())
        self._handle = self._loop.call_later(max(step, 0.0), self._look)

    def _look(self) -> None:
        now = self._loop.time()
        if self._count(now):
            self._moved_at = now
        stalled = self._stall is not None and now - self._moved_at >= self._stall
        slow = self._pace is not None and self._pace.left <= 0
        transport = self._connection.transport
        if (stalled or slow) and transport is not None:
            self.stopped = True
            reset(transport)
        else:
            self._look_later()

    def _count(self, now: float) -> bool:
        """Count what the client has taken since the last look; whether it was anything."""
        seen = progress(self._connection.transport)
        taken, self._seen = seen - self._seen, seen
        if self._pace is not None:
            self._pace.count(max(taken, 0), now - self._since)
        self._since = now
        return taken > 0


def progress(transport: asyncio.WriteTransport | None) -> int:
    """A number that grows by the bytes the peer takes.

    Where the system does not count them (Unix sockets, other systems than Linux) it grows while our own buffer shrinks.
    """
    if transport is None:
        return 0
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in {socket.AF_INET, socket.AF_INET6} and hasattr(socket, "TCP_INFO"):
        try:
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
        except OSError:
            info = b""
        if len(info) >= _INFO_SIZE:
            acked: int = struct.unpack_from("=Q", info, _ACKED_AT)[0]
            return acked
    return -transport.get_write_buffer_size()
