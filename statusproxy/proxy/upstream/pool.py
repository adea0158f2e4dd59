"""The connections to one origin: those at work, those idle, and who gets the next."""

import asyncio

from statusproxy.proxy.upstream.connection import UpstreamConnection
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.idle import IdleConnections
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.origin import Origin
from statusproxy.proxy.upstream.places import UpstreamPlaces, Waiter

#: What an exchange holds: a place, accounted to a client address and a class (`UpstreamPlaces`).
_Place = tuple[str, bool]


class Pool:
    """The connections to one origin.

    An exchange first gets a place, then a connection for it: the one idle for the shortest time, so that a quiet site
    keeps few of them open, or a new one. `UpstreamPlaces` decides who gets a place; places come back in `release`,
    `set_apart`, `lost`, and where connecting fails. Connections at work and idle ones together are never more than
    there are places.
    """

    def __init__(self, origin: Origin, limits: UpstreamLimits) -> None:
        self.origin = origin
        self.limits = limits
        self.opened = 0
        """Connections opened since the start."""
        self._places = UpstreamPlaces(limits.upstream_connections, limits.reserved, limits.per_client)
        self._idle = IdleConnections(limits.upstream_idle)
        self._busy: dict[UpstreamConnection, _Place] = {}
        self._apart: set[UpstreamConnection] = set()  # tunnels
        self._sweeper: asyncio.TimerHandle | None = None
        self.closed = False
        """Whether it takes no connection back any more."""

    @property
    def in_use(self) -> int:
        """Connections carrying an exchange now."""
        return len(self._busy) + len(self._apart)

    @property
    def idle(self) -> int:
        """Connections kept alive and waiting for work."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return self._places.waiting

    def take(self, *, probe: bool = False, client: str = "", reserved: bool = False) -> UpstreamConnection | None:
        """An idle connection for this caller alone, until `release`; None if none is available at once.

        `probe` looks whether the gateway has closed it already, for requests that cannot be repeated. The place is
        accounted to `client`, an address; `reserved` is for webhooks and corrected lists, which may have the places
        kept for them as well.
        """
        if not self._idle or not self._places.take(client, reserved):
            return None
        connection = self._idle.pop(probe=probe)
        if connection is None:
            self._places.give_back(client, reserved)
        else:
            self._busy[connection] = (client, reserved)
        return connection

    async def acquire(
        self, *, fresh: bool = False, probe: bool = False, client: str = "", reserved: bool = False
    ) -> UpstreamConnection:
        """A connection of this caller's own, until `release`; `fresh` opens a new one. The rest is as for `take`.

        Waits for a place for as long as connecting may take. Raises `UpstreamError`, nothing having been sent.
        """
        if not fresh and (connection := self.take(probe=probe, client=client, reserved=reserved)) is not None:
            return connection
        place = (client, reserved)
        if not self._places.take(client, reserved):
            connection = await self._wait(fresh, probe, place)
            if connection is not None:
                return self._hold(connection, place)
        return self._hold(await self._connect(place), place)

    def release(self, connection: UpstreamConnection) -> None:
        """Give a connection back: kept if it may be used again, closed if not."""
        if not connection.end_exchange() or self.closed or connection not in self._busy:
            connection.abort()  # its place comes back when it is lost
            return
        place = self._busy.pop(connection)
        self._idle.add(connection)
        self._places.give_back(*place)  # the first who waits gets it, and with it this connection
        self._idle.trim(connection)

    def close(self) -> None:
        """Close what is idle now, and what is released later."""
        self.closed = True
        self._idle.close_all()
        if self._sweeper is not None and not self._busy:
            self._sweeper.cancel()
            self._sweeper = None  # a request that was on its way here when we closed still has its time limits

    def abort(self) -> None:
        """Break every connection, also those at work."""
        self.close()
        for connection in [*self._busy, *self._apart]:
            connection.abort()

    def set_apart(self, connection: UpstreamConnection) -> None:
        """A connection has become a tunnel: its place is free for another."""
        if not connection.closed:  # else `lost` was called already
            self._apart.add(connection)
        self._free(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        """A connection has ended, closed by either side."""
        self._apart.discard(connection)
        if connection in self._busy:
            self._free(connection)
        else:
            self._idle.discard(connection)

    def _free(self, connection: UpstreamConnection) -> None:
        place = self._busy.pop(connection, None)
        if place is not None:
            self._places.give_back(*place)

    async def _wait(self, fresh: bool, probe: bool, place: _Place) -> UpstreamConnection | None:
        """Wait for a place, and an idle connection with it unless `fresh`; None: one must be opened in that place."""
        served: asyncio.Future[UpstreamConnection | None] = asyncio.get_running_loop().create_future()

        def serve() -> None:
            served.set_result(None if fresh else self._idle.pop(probe=probe))

        waiter = Waiter(*place, serve)
        self._places.wait(waiter)
        try:
            if not served.done():
                async with asyncio.timeout(self.limits.connect):
                    await asyncio.wait([served])
        except TimeoutError:
            if not served.done():
                raise UpstreamError("overloaded", "no upstream connection is free") from None
        except BaseException:
            if served.done():  # cancelled at the last moment: the next one gets what was given
                self._put_back(served.result())
                self._places.give_back(*place)
            raise
        finally:
            self._places.leave(waiter)
        connection = served.result()
        return connection if connection is not None and not connection.closed else None

    def _put_back(self, connection: UpstreamConnection | None) -> None:
        """Put back an idle connection that was reserved for a caller which no longer waits for it."""
        if connection is not None and not connection.closed:
            if self.closed:
                connection.abort()
            else:
                self._idle.put_back(connection)

    async def _connect(self, place: _Place) -> UpstreamConnection:
        """A new connection for a place that is held; the place is given back where it fails. Raises `UpstreamError`."""
        try:
            while self._places.taken + len(self._idle) > self.limits.upstream_connections:
                # A fresh one is asked for since an idle one was dead, and the oldest has been idle for longer.
                self._idle.close_oldest()
                await asyncio.sleep(0)  # it is closed in the next turn, before another is opened
            connection = await self.origin.connect(self._new, self.limits.connect)
            if connection.closed:
                raise UpstreamError("gateway_unreachable", "closed as soon as it was open")
        except BaseException:
            self._places.give_back(*place)
            raise
        self.opened += 1
        return connection

    def _hold(self, connection: UpstreamConnection, place: _Place) -> UpstreamConnection:
        """From here on `connection` is at work in `place`."""
        self._busy[connection] = place
        if self._sweeper is None:
            self._sweep_later(asyncio.get_running_loop())
        return connection

    def _new(self) -> UpstreamConnection:
        return UpstreamConnection(asyncio.get_running_loop(), self)

    def _sweep_later(self, loop: asyncio.AbstractEventLoop) -> None:
        times = [t for t in (self.limits.response_head, self.limits.response_body) if t is not None]
        self._sweeper = loop.call_later(min([1.0, *(t / 4 for t in times)]), self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look for overdue exchanges and for idle connections past their time."""
        for connection in list(self._busy):
            connection.check_deadline(loop.time())
        self._idle.close_overdue()
        self._sweeper = None
        if self._busy or self._idle:
            self._sweep_later(loop)
