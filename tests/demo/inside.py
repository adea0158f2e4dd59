"""A proxy that runs inside the test, as the demonstration's stories want one."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from tests.proxy.harness import running


class Inside:
    """Comes up with the demonstration's settings, and can be ended and started again."""

    def __init__(self, settings: dict[str, Any], folder: Path) -> None:
        self.base_url = f"http://{settings['listen']}"
        self.admin_url = f"http://{settings['admin']['listen']}"
        self.starts = 0
        self._settings = {key: value for key, value in settings.items() if key != "gateway"}
        self._gateway = settings["gateway"]
        self._folder = folder
        self._up = AsyncExitStack()

    async def start(self) -> None:
        """Start it."""
        self.starts += 1
        await self._up.enter_async_context(running(self._folder, self._gateway, **self._settings))

    async def kill(self) -> None:
        """End it."""
        await self._up.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
