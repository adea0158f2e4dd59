"""A proxy in this process with its admin listener on, and a scripted gateway behind it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.proxy.harness import Message, Origin, Running, Wire, answer, get, running


@dataclass
class Admin:
    """The proxy, its gateway, and how to ask its admin listener."""

    proxy: Running
    gateway: Origin
    token: str | None = None

    @property
    def netloc(self) -> str:
        """Host and port of the admin listener."""
        return urlsplit(self.proxy.server.admin.addresses[0]).netloc

    async def ask(
        self, target: str, *fields: str, method: str = "GET", host: str | None = None, token: str | None = None
    ) -> Message:
        """One request's answer; `host` in place of the address it is sent to, `token` in place of the right one."""
        token = token if token is not None else self.token
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host or self.netloc}", *fields, "Connection: close"]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        if method == "POST":
            lines.append("Content-Length: 0")
        wire = await self.connect()
        await wire.send("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))
        message = await wire.message()
        await wire.close()
        return message

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
async def running_admin(folder: Path, **settings: Any) -> AsyncIterator[Admin]:
    """A proxy with its admin listener on a free port, and these settings (config.yaml's keys)."""
    gateway = Origin()
    await gateway.start()
    settings["admin"] = {"listen": "127.0.0.1:0", **settings.get("admin", {})}
    try:
        async with running(folder, gateway.url, **settings) as proxy:
            yield Admin(proxy, gateway, settings["admin"].get("token"))
    finally:
        await gateway.stop()
