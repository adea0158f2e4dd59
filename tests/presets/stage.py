"""The stage for a preset's story: the proxy in front of a stand-in gateway, and a hub, over real sockets.

Time is the test's: it stands still until the test moves it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.proxy.harness import Running, running_by
from tests.rehearsal.golden import played, promised

NOON: Final = 1_768_478_400.0
"""2026-01-15 12:00:00 UTC."""

PRIVATE: Final = ("example-secret", "55119", "3EB0", "Example", "2@")
"""What of the made-up traffic no one may print: secrets, numbers, ids of messages, names, codes."""


def assert_told(file: Path) -> None:
    """`try` says of this traffic what its golden file promises, and nothing private of it."""
    assert played(file) == promised(file)
    _, told = promised(file).split("\n", 1)
    assert not any(private in told for private in PRIVATE)


class Clock:
    """Epoch seconds that the test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Caller:
    """Someone who sends requests to the proxy: a hub, or the gateway that posts its events."""

    def __init__(self, client: aiohttp.ClientSession, proxy: Running) -> None:
        self._client = client
        self._proxy = proxy

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The status and the JSON of an answer; None where it has no body. `body` is sent as JSON, or is a form."""
        form = body if isinstance(body, aiohttp.FormData) else None
        sent = {"data": form} if form is not None else {"json": body}
        async with self._client.request(method, self._proxy.url + path, **sent) as answer:
            return answer.status, await answer.json(content_type=None) if await answer.read() else None

    async def get(self, path: str) -> Any:
        """The JSON of a successful answer."""
        status, document = await self.ask("GET", path)
        assert status == 200, document
        return document

    async def code(self, path: str) -> None:
        """Look at a code to scan, which is an image."""
        async with self._client.get(self._proxy.url + path) as answer:
            assert answer.content_type == "image/png"
            await answer.read()

    async def tell(self, path: str, *events: Any) -> None:
        """Post events, one after the other; each must be taken."""
        for event in events:
            status, _ = await self.ask("POST", path, event)
            assert status in {200, 204}


@asynccontextmanager
async def proxied(
    folder: Path, gateway: str, preset: str, clock: Callable[[], float], **settings: Any
) -> AsyncIterator[Caller]:
    """The proxy with a preset, its state in a file of `folder`; gives who talks to it. May be entered again."""
    state = {"url": f"sqlite:///{folder / 'state.db'}"}
    async with (
        running_by(clock, folder, gateway, preset=preset, **{"state": state, **settings}) as proxy,
        aiohttp.ClientSession() as client,
    ):
        yield Caller(client, proxy)
