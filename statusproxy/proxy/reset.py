"""Resets a connection, so that the other side sees a break and not an end.

`transport.abort()` closes the socket, and TCP then says FIN: to the peer that is the same as an orderly end. A body
framed by the connection's end (RFC 9112 §6.3, rule 8) would look whole although it was cut short. A socket that is
closed with a linger time of 0 says RST, which the peer reads as `ECONNRESET`.
"""

import asyncio
import socket
import struct
from typing import Final

#: `struct linger`: on, 0 seconds. Closing the socket discards what is unsent and sends RST.
_NO_LINGER: Final = struct.pack("ii", 1, 0)


def reset(transport: asyncio.WriteTransport) -> None:
    """Break a connection off: the peer gets a reset, and what was not sent yet is dropped.

    Works on asyncio's and uvloop's transports, with and without TLS. Call it before the protocol's `connection_lost`:
    afterwards the descriptor may belong to another connection. A Unix socket knows no reset; it is closed at once, and
    what was unsent is dropped as well.
    """
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        except OSError:
            pass  # the socket is closed already
    transport.abort()
