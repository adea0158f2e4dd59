"""Closes a connection in order, at most once.

A second `close()` makes asyncio's TLS transport forget its connection: asking it for anything afterwards (the size of
its buffer, its socket) raises `AttributeError`. The first one does so as well where the peer has ended the connection
and `connection_lost` is still to come. Plain transports, and uvloop's, ignore the second.
"""

import asyncio


def close_once(transport: asyncio.WriteTransport) -> None:
    """Close once what was written is sent; nothing where the transport is closing already."""
    if not transport.is_closing():
        transport.close()
