"""What listens in tests of listening: it says hello to whoever connects."""

import asyncio


class Greeter(asyncio.Protocol):
    """Says hello to whoever connects, and closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"hello")
        transport.close()
