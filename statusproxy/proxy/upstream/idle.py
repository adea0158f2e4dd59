"""The idle connections to one origin: which is used next, and which may not be used any more."""

import time
from collections.abc import Iterator
from typing import Final

from statusproxy.proxy.upstream.connection import UpstreamConnection

_now: Final = time.monotonic


class IdleConnections:
    """The one idle for the shortest time is used first, so that a quiet site keeps few of them open."""

    __slots__ = ("_connections", "_most")

    def __init__(self, most: int) -> None:
        """`most`: beyond so many, another is closed and not kept."""
        self._connections: list[UpstreamConnection] = []  # the longest idle first
        self._most = most

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[UpstreamConnection]:
        return iter(self._connections)

    def add(self, connection: UpstreamConnection) -> None:
        """Keep one whose exchange has just ended."""
        connection.idle_since = _now()
        self._connections.append(connection)

    def put_back(self, connection: UpstreamConnection) -> None:
        """Keep one that was taken and not used."""
        self._connections.append(connection)

    def trim(self, connection: UpstreamConnection) -> None:
        """Close `connection` where it is one too many."""
        if len(self._connections) > self._most and self._connections[-1] is connection:
            self._connections.pop().abort()

    def pop(self, *, probe: bool) -> UpstreamConnection | None:
        """The next to be used; those that may not be any more are closed. `probe` asks the kernel as well."""
        while self._connections:
            connection = self._connections.pop()
            if connection.closed:
                continue
            if _now() - connection.idle_since >= connection.idle_limit or (probe and connection.readable):
                connection.abort()
                continue
            return connection
        return None

    def close_oldest(self) -> None:
        """Close the one that has been idle for the longest time."""
        self._connections.pop(0).abort()

    def close_overdue(self) -> None:
        """Close those that are past their time."""
        now = _now()
        for connection in [c for c in self._connections if now - c.idle_since > c.idle_limit]:
            self._connections.remove(connection)
            connection.abort()

    def close_all(self) -> None:
        """Close all of them."""
        connections, self._connections = self._connections, []
        for connection in connections:
            connection.abort()

    def discard(self, connection: UpstreamConnection) -> None:
        """It has ended by itself, if it was idle."""
        if connection in self._connections:
            self._connections.remove(connection)
