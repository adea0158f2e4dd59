"""The proxied port: aiohttp's low-level server, with connections of our own and a limit on their number.

`ClientServer` is an `aiohttp.web.Server` by its public methods: it makes the connections, knows those that are open,
and shuts them down. It keeps its own record of them, because aiohttp's looks at private attributes of its own
connections when one is lost.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from aiohttp import web

from statusproxy.proxy.downstream.admission import Admission
from statusproxy.proxy.downstream.connection import ClientConnection, ClientRequest
from statusproxy.proxy.downstream.descriptors import Reserve
from statusproxy.proxy.downstream.eviction import is_idle, may_evict
from statusproxy.proxy.downstream.limits import ClientLimits
from statusproxy.proxy.downstream.loop_budget import CHUNKS, HEADS, LoopBudget
from statusproxy.proxy.downstream.starts import ASKED_AT_ONCE, AT_ONCE, Starts
from statusproxy.proxy.downstream.unplaced import Unplaced
from statusproxy.proxy.http1.request_parser import HeadLimits
from statusproxy.proxy.problems import PROBLEMS, Language, error_answer
from statusproxy.proxy.upstream.call import SAFE

#: Places that one newcomer may have others give up: two, so that a limit lowered by a reload is reached in time.
_ROOM_MADE: Final = 2

#: Serves one request, and tells whether the connection may go on after it. Raises nothing but for cancellation.
Handler = Callable[[ClientRequest], Awaitable[bool]]


class ClientServer(web.Server):
    """The connections of all clients; a protocol factory for `loop.create_server`."""

    def __init__(
        self,
        handler: Handler,
        *,
        language: Language,
        new_request_id: Callable[[], str],
        refused: Callable[[str], None],
        limits: ClientLimits,
        head_limits: HeadLimits,
        reserve: Reserve,
    ) -> None:
        """`refused` is told the code of each answer given before a handler ran."""
        super().__init__(cast(Any, handler))
        self.handler = handler
        self.head_limits = head_limits
        self.language: Language = language
        self.new_request_id = new_request_id
        self.refused = refused
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.heads, self.chunks = LoopBudget(self.loop, HEADS), LoopBudget(self.loop, CHUNKS)
        self._changes, self._asks = Starts(AT_ONCE), Starts(ASKED_AT_ONCE)
        self.admission: Admission[ClientConnection] = Admission(self.loop.time)
        self.waiting: set[Unplaced] = set()
        """Clients that got no place and have not asked for anything yet."""
        self.reserve = reserve
        self._admitted: dict[ClientConnection, asyncio.Transport] = {}

    # ---- web.Server's methods ----

    def __call__(self) -> Any:
        """A `ClientConnection` for one accepted connection."""
        return ClientConnection(self, self.loop)

    @property
    def connections(self) -> list[Any]:
        """Every `ClientConnection` that has a place, in the order in which they got one."""
        return list(self._admitted)

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        """Called by a `ClientConnection` that has got a place."""
        self._admitted[handler] = transport
        self.admission.arrive(handler)

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        """Called by a `ClientConnection` that is lost and serves nothing any more. It gives up its place."""
        self._admitted.pop(handler, None)
        self.admission.leave(handler)

    def pre_shutdown(self) -> None:
        """Close each connection as soon as it serves nothing."""
        for connection in self.connections:
            connection.close()

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - its signature is aiohttp's
        """Close all connections; the requests under way get `timeout` seconds, and as long again to give up."""
        for connection in self.connections:
            connection.read_head()
        self._changes.all()
        self._asks.all()
        await asyncio.gather(*(connection.shutdown(timeout) for connection in self.connections))
        self._admitted.clear()

    def starts_of(self, method: str) -> Starts:
        """Who tells requests of this method when they begin."""
        return self._asks if method in SAFE else self._changes

    # ---- places ----

    def make_room(self, transport: asyncio.BaseTransport) -> bool:
        """Whether a newcomer gets a place; clients without a request under way may be closed for it."""
        short = self.reserve.short(transport.get_extra_info("socket").fileno())
        for _ in range(_ROOM_MADE):
            if not short and len(self.admission) < self.limits.connections:
                return True
            leaving = self.admission.first_to_go(may_evict)
            if leaving is None:
                return False
            leaving.give_way()
            self.reserve.freed()
            short = False
        return True

    @property
    def may_wait(self) -> bool:
        """Whether another client without a place may wait for its refusal: too many would take all descriptors."""
        return len(self.waiting) < self.reserve.refused_at_once

    def problem(self, code: str) -> bytes:
        """The answer to a client whose request was not handled, counted; its connection ends with it."""
        self.refused(code)
        return error_answer(PROBLEMS[code], self.new_request_id(), self.language, close=True)

    # ---- what the end waits for ----

    def close_idle(self) -> None:
        """Close the connections on which nothing is under way."""
        for connection in self.connections:
            if is_idle(connection):
                connection.force_close()

    @property
    def sending(self) -> bool:
        """Whether any client has yet to take the rest of its answer."""
        return any(connection.unsent for connection in self._admitted)

    @property
    def expecting(self) -> bool:
        """Whether any connection has just been opened to ask for something, or has begun to."""
        return any(not is_idle(connection) for connection in self._admitted)
