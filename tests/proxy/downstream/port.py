"""A `ClientServer` whose clients are stand-ins, and whose requests are answered when a test says so."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from statusproxy.proxy.downstream.connection import ClientConnection, ClientRequest
from statusproxy.proxy.downstream.descriptors import Reserve
from statusproxy.proxy.downstream.limits import ClientLimits
from statusproxy.proxy.downstream.request_reader import RequestReader
from statusproxy.proxy.downstream.server import ClientServer
from statusproxy.proxy.http1.request_parser import HeadLimits
from tests.proxy.downstream.stand_ins import StandInTransport

GET = b"GET / HTTP/1.1\r\nHost: proxy.example\r\n\r\n"


def rests(reader: RequestReader) -> bool:
    """Whether a reader has begun nothing that is not whole, and holds nothing."""
    return not (reader.holds or reader.more or reader.in_head or reader.body.size or reader._parser.in_body)


class Port:
    """A server of at most two clients, whose requests are answered when the test says so."""

    def __init__(self) -> None:
        self.handler: Callable[[ClientRequest], Awaitable[bool]] = self.answer
        self.let_go = asyncio.Event()
        self.refused: list[str] = []
        self.transports: list[StandInTransport] = []
        self.server = ClientServer(
            self.handle,
            language="en",
            new_request_id=lambda: "id-1",
            refused=self.refused.append,
            limits=ClientLimits(request_head=None, response_body=None, keep_alive=75.0, connections=2),
            head_limits=HeadLimits(target=1000, head=4000, headers=20),
            reserve=Reserve(10_000, 10),
        )

    async def handle(self, request: ClientRequest) -> bool:
        """Serve one request by the handler of this moment."""
        return await self.handler(request)

    async def answer(self, request: ClientRequest) -> bool:
        """Wait until it may answer, and do."""
        await self.let_go.wait()
        if request.connection.transport is not None:
            request.connection.transport.write(b"answer")
        return True

    async def close(self) -> None:
        """End all connections."""
        await self.server.shutdown(0.0)
        for transport in self.transports:
            transport.free()

    def connect(self, transport: StandInTransport | None = None) -> tuple[ClientConnection, StandInTransport]:
        """A client connects."""
        transport = transport or StandInTransport()
        self.transports.append(transport)
        connection: Any = self.server()
        connection.connection_made(transport)
        return connection, transport

    async def asks(self) -> tuple[ClientConnection, StandInTransport]:
        """A client connects, and its request is being served."""
        connection, transport = self.connect()
        connection.data_received(GET)
        await asyncio.sleep(0)
        return connection, transport

    async def answered(self) -> tuple[ClientConnection, StandInTransport]:
        """A client connects and was answered."""
        connection, transport = await self.asks()
        self.let_go.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.let_go.clear()
        assert transport.written == b"answer"
        return connection, transport
