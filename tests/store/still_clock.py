"""A clock of the event loop that stands still until the test moves it: for code that waits for nothing but time."""

import asyncio
from typing import Final

import pytest

#: Turns of the loop in which a task that was woken comes to its next wait.
_TURNS: Final = 20


class StillClock:
    """The time of the running loop. What a timer is set for happens when the test says that it is due."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)

    async def move(self, seconds: float = 0.0) -> None:
        """Let so much time pass, once all tasks wait, and have what that causes happen."""
        await self._settle()
        self.now += seconds
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
