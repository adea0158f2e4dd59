"""Clients beyond `limits.connections`: each waits until it sends a request, then gets a place or is refused."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

from statusproxy.proxy.close_once import close_once

#: Seconds for which data that a client still sends is discarded, so that the client can read why it was refused.
LINGER: Final = 2.0


def end_our_half(transport: asyncio.Transport) -> None:
    """End a connection on which more may be coming.

    Closed with unread bytes it would be reset, and the client would see that in place of its answer.
    """
    if transport.can_write_eof():
        transport.write_eof()
    else:
        close_once(transport)


class Places(Protocol):
    """Who gives places to clients: their server."""

    @property
    def waiting(self) -> "set[Unplaced]":
        """The clients that wait until they send a request."""

    @property
    def may_wait(self) -> bool:
        """Whether another client without a place may wait."""

    def make_room(self, transport: asyncio.BaseTransport) -> bool:
        """Whether a newcomer gets a place."""

    def problem(self, code: str) -> bytes:
        """The answer to a client that is refused."""


class Unplaced(asyncio.Protocol):
    """The protocol of an accepted connection without a place. It is cut off after `LINGER` seconds."""

    __slots__ = ("_admit", "_client", "_places", "_refused", "_timer", "_transport")

    def __init__(
        self,
        places: Places,
        transport: asyncio.BaseTransport,
        client: asyncio.Protocol,
        admit: Callable[[asyncio.Transport], None],
    ) -> None:
        """`client` is the protocol that serves the client once it has a place, `admit` tells it so."""
        self._places = places
        self._client = client
        self._admit = admit
        self._transport = cast(asyncio.Transport, transport)
        self._timer = asyncio.get_running_loop().call_later(LINGER, self._transport.abort)
        self._refused = not places.may_wait
        self._transport.set_protocol(self)
        if self._refused:
            self._refuse()
            self._transport.close()
        else:
            places.waiting.add(self)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio: the client has sent something, so it gets a place now or is refused."""
        if self._refused:
            return
        transport = self._transport
        self._refused = True
        if self._places.make_room(transport):
            self._done()
            transport.set_protocol(self._client)
            self._admit(transport)
            self._client.data_received(data)
        else:
            self._refuse()
            end_our_half(transport)

    def eof_received(self) -> bool:
        """Called by asyncio: the client has ended its half, and so the connection ends."""
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        """Called by asyncio: the connection is over, and waits for nothing any more."""
        self._done()

    def _refuse(self) -> None:
        self._transport.write(self._places.problem("overloaded"))

    def _done(self) -> None:
        self._timer.cancel()
        self._places.waiting.discard(self)
