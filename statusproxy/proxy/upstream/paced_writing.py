"""Flow control of writing: the half of a connection that knows whether its transport takes more."""

import asyncio
from collections.abc import Callable


class PacedWriting(asyncio.Protocol):
    """A protocol whose writer can wait: what asyncio says of the transport's buffer, kept for the writer."""

    __slots__ = ("_drain_waiter", "closed", "transport", "writable", "writing_paused")

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._drain_waiter: asyncio.Future[None] | None = None
        self.closed = False
        """It is lost, or given up."""
        self.writing_paused = False
        """The other side accepts no more: see `drain`."""
        self.writable: Callable[[], None] | None = None
        """Called when the other side takes more after it did not."""

    async def drain(self) -> None:
        """Wait until the other side takes more; returns at once when the connection is gone. One waits at a time."""
        if self.writing_paused and not self.closed:
            self._drain_waiter = asyncio.get_running_loop().create_future()
            try:
                await self._drain_waiter
            finally:
                self._drain_waiter = None

    @property
    def unsent(self) -> bool:
        """Whether bytes wait here for the other side to take them."""
        return self.transport is not None and self.transport.get_write_buffer_size() > 0

    @property
    def draining(self) -> bool:
        """Whether someone waits in `drain`."""
        return self._drain_waiter is not None

    def pause_writing(self) -> None:
        """Called by asyncio: the transport's buffer is full."""
        self.writing_paused = True

    def resume_writing(self) -> None:
        """Called by asyncio: the transport's buffer has room again; the one who waits in `drain` goes on."""
        self.writing_paused = False
        if self.writable is not None:
            self.writable()
        self._end_drain()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio: no one waits any more for the other side to take something."""
        self.closed = True
        self._end_drain()

    def _end_drain(self) -> None:
        if self._drain_waiter is not None and not self._drain_waiter.done():
            self._drain_waiter.set_result(None)
