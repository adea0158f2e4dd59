"""A proxy in this process with its admin listener on, and a scripted gateway behind it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import StrOrURL
from multidict import CIMultiDict
from pytest_aiohttp import AiohttpClient
from yarl import URL

from tests.proxy.harness import Message, Origin, Running, Wire, answer, get, running


class Listening(TestServer):
    """A server that runs already, for aiohttp's test client to ask."""

    def __init__(self, netloc: str) -> None:
        super().__init__(web.Application())
        self._url = URL(f"http://{netloc}")

    async def start_server(self, loop: asyncio.AbstractEventLoop | None = None, **options: Any) -> None:
        """It runs already."""

    def make_url(self, path: StrOrURL) -> URL:
        return self._url.join(URL(path))

    async def close(self) -> None:
        """Whoever started it stops it."""


@dataclass
class Admin:
    """The proxy, its gateway, and how to ask its admin listener."""

    proxy: Running
    gateway: Origin
    clients: AiohttpClient
    """Makes HTTP clients: pytest-aiohttp's fixture `aiohttp_client`."""
    token: str | None = None
    _client: TestClient[Any, Any] | None = None

    @property
    def netloc(self) -> str:
        """Host and port of the admin listener."""
        return urlsplit(self.proxy.server.admin.addresses[0]).netloc

    async def ask(
        self, target: str, *fields: str, method: str = "GET", host: str | None = None, token: str | None = None
    ) -> Message:
        """One request's answer; `host` in place of the address it is sent to, `token` in place of the right one."""
        if self._client is None:
            self._client = await self.clients(Listening(self.netloc), auto_decompress=False)
        token = token if token is not None else self.token
        headers: CIMultiDict[str] = CIMultiDict()
        for field in fields:
            name, _, value = field.partition(": ")
            headers.add(name, value)
        headers["Connection"] = "close"
        if host is not None:
            headers["Host"] = host
        if token:
            headers["Authorization"] = f"Bearer {token}"
        async with self._client.request(
            method,
            URL(target, encoded=True),
            headers=headers,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            allow_redirects=False,
        ) as answer:
            start = f"HTTP/1.1 {answer.status} {answer.reason}".encode()
            return Message(start, list(answer.raw_headers), await answer.read())

    async def json(self, target: str, *fields: str, **options: Any) -> Any:
        """One request's answer, which must be JSON."""
        return json.loads((await self.ask(target, *fields, **options)).body)

    async def connect(self) -> Wire:
        """A connection to the admin listener."""
        host, _, port = self.netloc.rpartition(":")
        return Wire(*await asyncio.open_connection(host, int(port), limit=2**24))

    async def event(self, **event: Any) -> None:
        """One webhook, as the engine posts it."""
        body = json.dumps(event).encode()
        said = await self.proxy.ask(
            get("/v1/webhooks/receive", "Content-Type: application/json", method="POST", body=body)
        )
        assert said.status == 200

    async def lose(self, session: str, word: str = "disconnectedMobile") -> None:
        """The engine says that a session is lost."""
        await self.event(event="status-find", session=session, status=word)

    async def regain(self, session: str) -> None:
        """The engine says that a session is connected."""
        await self.event(event="status-find", session=session, status="inChat")

    async def list_channels(self, **words: str) -> Any:
        """Have the gateway's list say these words, and ask for it through the proxy."""
        channels = [{"id": session, "name": session, "status": word} for session, word in words.items()]
        document = json.dumps({"success": True, "channels": channels}).encode()
        self.gateway.answer = answer(document, "Content-Type: application/json")
        return json.loads((await self.proxy.ask(get("/api/channels"))).body)


@asynccontextmanager
async def running_admin(folder: Path, clients: AiohttpClient, **settings: Any) -> AsyncIterator[Admin]:
    """A proxy with its admin listener on a free port, and these settings (config.yaml's keys)."""
    gateway = Origin()
    await gateway.start()
    settings["admin"] = {"listen": "127.0.0.1:0", **settings.get("admin", {})}
    try:
        async with running(folder, gateway.url, **settings) as proxy:
            yield Admin(proxy, gateway, clients, settings["admin"].get("token"))
    finally:
        await gateway.stop()
