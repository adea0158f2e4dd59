"""An HTTP receiver of messages on this machine: keeps what comes, and answers as a test says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web


class Received(NamedTuple):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    """With names in lower case."""
    body: bytes


class Receiver:
    """Keeps requests; `answer` makes the answers."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.came: list[Received] = []
        self.answer: Callable[[], web.StreamResponse] = lambda: web.Response(status=204)
        self.arrived: Callable[[], Awaitable[None]] | None = None
        """Awaited before the answer."""

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.came.append(Received(request.method, request.path_qs, headers, body))
        if self.arrived is not None:
            await self.arrived()
        return self.answer()


@asynccontextmanager
async def speaking(said: bytes | None) -> AsyncIterator[str]:
    """The URL of a server that answers a request with these bytes and closes; None: it says nothing."""
    conversations: list[asyncio.Task[None]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):  # a client that gives up early
            await reader.readuntil(b"\r\n\r\n")
        if said is None:
            await reader.read()
        else:
            writer.write(said)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(asyncio.create_task(talk(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"http://{host}:{port}/s3cret"
    finally:
        server.close()
        await asyncio.gather(*conversations)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver, as long as the block runs."""
    receiver = Receiver()
    runner = web.ServerRunner(web.Server(receiver.take), shutdown_timeout=0.1)  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()
