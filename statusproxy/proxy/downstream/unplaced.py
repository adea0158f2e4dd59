"""Clients beyond `limits.connections`: each waits until it sends a request, then gets a place or is refused."""

import asyncio
from typing import TYPE_CHECKING, Final, cast

from statusproxy.proxy.close_once import close_once

if TYPE_CHECKING:
    from statusproxy.proxy.downstream.connection import ClientConnection

#: Seconds for which what a client still sends is thrown away, so that it can read why it was refused.
LINGER: Final = 2.0


def end_our_half(transport: asyncio.Transport) -> None:
    """End a connection on which more may be coming.

    Closed with unread bytes it would be reset, and the client would see that in place of its answer.
    """
    if transport.can_write_eof():
        transport.write_eof()
    else:
        close_once(transport)


class Unplaced(asyncio.Protocol):
    """The protocol of an accepted connection without a place. It is cut off after `LINGER` seconds."""

    __slots__ = ("_connection", "_refused", "_timer", "_transport")

    def __init__(self, connection: "ClientConnection", transport: asyncio.BaseTransport, *, wait: bool) -> None:
        """`connection` would serve the client. Without `wait` the client is refused at once."""
        self._connection = connection
        self._transport = cast(asyncio.Transport, transport)
        self._timer = asyncio.get_running_loop().call_later(LINGER, self._transport.abort)
        self._refused = not wait
        self._transport.set_protocol(self)
        if self._refused:
            self._transport.write(connection.server.problem("overloaded"))
            self._transport.close()
        else:
            connection.server.waiting.add(self)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio: the client has sent something, so it gets a place now or is refused."""
        if self._refused:
            return
        connection, transport = self._connection, self._transport
        self._refused = True
        if connection.server.make_room(transport):
            self._done()
            transport.set_protocol(connection)
            connection.admit(transport)
            connection.data_received(data)
        else:
            transport.write(connection.server.problem("overloaded"))
            end_our_half(transport)

    def eof_received(self) -> bool:
        """Called by asyncio: the client has ended its half, and so the connection ends."""
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        """Called by asyncio: the connection is over, and waits for nothing any more."""
        self._done()

    def _done(self) -> None:
        self._timer.cancel()
        self._connection.server.waiting.discard(self)
