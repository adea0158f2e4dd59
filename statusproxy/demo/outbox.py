"""The gateway's outbox: its own events on the way to the hub, one after the other, a few attempts each."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from typing import Final

import aiohttp

from statusproxy.demo.events import NormalisedEvent

PAUSES: Final = (0.1, 0.4)
"""Seconds between the attempts to deliver an event to the hub. The engine, unlike it, tries only once."""


class Outbox:
    """Delivers events to `url`; without one they are dropped."""

    def __init__(self, counts: Counter[str]) -> None:
        """`counts` gets what happened: `delivered`, `undelivered`."""
        self.url: str | None = None
        """Where the events go (`POST /api/webhooks` sets it)."""
        self.secret: str | None = None
        """Sent as `X-Gateway-Secret`."""
        self._counts = counts
        self._events: asyncio.Queue[NormalisedEvent] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self, client: aiohttp.ClientSession) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._run(client), name="outbox of the stand-in gateway")

    async def stop(self) -> None:
        """Deliver no more; what waits is dropped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def put(self, event: NormalisedEvent) -> None:
        """Queue an event for delivery, if there is a `url` now."""
        if self.url is not None:
            self._events.put_nowait(event)

    async def settled(self, within: float) -> bool:
        """Wait until all events are handled. True if they are; False if none left the queue for `within` seconds."""
        while True:
            waiting = self._events.qsize()
            try:
                await asyncio.wait_for(self._events.join(), within)
            except TimeoutError:
                if self._events.qsize() == waiting:
                    return False
            else:
                return True

    async def _run(self, client: aiohttp.ClientSession) -> None:
        while True:
            event = await self._events.get()
            try:
                self._counts["delivered" if await self._delivered(client, event) else "undelivered"] += 1
            finally:
                self._events.task_done()

    async def _delivered(self, client: aiohttp.ClientSession, event: NormalisedEvent) -> bool:
        url = self.url
        if url is None:
            return False
        headers = {"X-Gateway-Secret": self.secret} if self.secret else {}
        for pause in (*PAUSES, math.inf):
            try:
                async with client.post(url, json=event, headers=headers) as answer:
                    await answer.read()
                    if answer.ok:
                        return True
            except (aiohttp.ClientError, TimeoutError):
                pass
            if pause is not math.inf:
                await asyncio.sleep(pause)
        return False
