"""A gateway's WebSocket end: switches to any protocol asked for and sends back what comes. `python echo.py PORT`."""

import asyncio
import sys
from typing import cast

import uvloop

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


class Echo(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self.head: bytes | None = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """The request's head first, then whatever comes."""
        if self.head is None:
            self.transport.write(data)
            return
        self.head += data
        if b"\r\n\r\n" in self.head:
            self.transport.write(SWITCHED + self.head.partition(b"\r\n\r\n")[2])
            self.head = None


async def serve() -> None:
    """Serve for ever."""
    await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", int(sys.argv[1]), backlog=2048)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve())
