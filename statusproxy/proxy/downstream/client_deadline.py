"""How long a client may take before it is answered: to begin a request, and to complete its head."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from statusproxy.proxy.downstream.deadline import Deadline
from statusproxy.proxy.downstream.limits import ClientLimits


class Limited(Protocol):
    """Has the limits in force: a reload replaces them."""

    limits: ClientLimits


class ClientDeadline(Deadline):
    """The deadline of one client's connection. There is none while a request is served."""

    __slots__ = ("_opened_at", "_server")

    def __init__(self, loop: asyncio.AbstractEventLoop, passed: Callable[[], None], server: Limited) -> None:
        super().__init__(loop, passed)
        self._server = server
        self._opened_at: float | None = None  # until the first request has come, or the connection has become idle

    def opened(self) -> None:
        """The connection has a place, and nothing has come on it yet."""
        limits = self._server.limits
        self._opened_at = self._loop.time()
        times = [seconds for seconds in (limits.request_head, limits.keep_alive) if seconds]
        if times:
            self.set(self._opened_at + min(times))

    def head_begun(self) -> None:
        """A head has begun: from here on no idle connection's time counts. The first has its time from the opening."""
        request_head = self._server.limits.request_head
        if request_head is None:
            self.clear()
        else:
            self.set((self._loop.time() if self._opened_at is None else self._opened_at) + request_head)

    def request_begun(self) -> None:
        """A request has come: it has limits of its own."""
        self._opened_at = None
        self.clear()

    def idle(self) -> None:
        """The request was answered, or there was none, and no other has begun."""
        self._opened_at = None
        self.set(self._loop.time() + self._server.limits.keep_alive)
