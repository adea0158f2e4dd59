"""A transport and a clock that do nothing by themselves, so that a test says what happens and when."""

import asyncio
import heapq
import socket
from collections.abc import Callable
from typing import Any


class StandInTransport(asyncio.Transport):
    """Notes what it is told. Its socket is `near`, or one end of a pair of Unix sockets of which `far` is the other."""

    def __init__(self, peer: Any = "", secure: object = None, near: socket.socket | None = None) -> None:
        self.near, self.far = socket.socketpair()
        if near is not None:
            self.near.close()
            self.near = near
        super().__init__({"peername": peer, "sslcontext": secure, "socket": self.near})
        self.reading = True
        self.written = b""
        self.unsent = 0
        self.ended = self.closed = self.aborted = False

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_reading(self) -> bool:
        return self.reading

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def can_write_eof(self) -> bool:
        return self.get_extra_info("sslcontext") is None

    def write_eof(self) -> None:
        self.ended = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        assert not self.closed, "asyncio's TLS transport does not bear a second close"
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def free(self) -> None:
        """Close the sockets."""
        self.near.close()
        self.far.close()


class StandInClock:
    """An event loop whose time stands still until it is moved; all else it leaves to a real loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.loop = loop
        self.now = 100.0
        self.timers: list[asyncio.TimerHandle] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loop, name)

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, (), self)  # type: ignore[arg-type]
        heapq.heappush(self.timers, handle)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self.timers.remove(handle)

    def move(self, seconds: float) -> None:
        """Let time pass, and what is due with it."""
        until = self.now + seconds
        while self.timers and self.timers[0].when() <= until:
            handle = heapq.heappop(self.timers)
            self.now = handle.when()
            handle._run()
        self.now = until
