"""What the registry does at intervals: looks at clock and webhooks, logs what is owed, and saves what is not urgent."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from statusproxy.clock import OwnClock
from statusproxy.observe.silence import SilenceWatch
from statusproxy.observe.webhook_stats import WebhookStats
from statusproxy.registry.clock_watch import ClockWatch
from statusproxy.registry.saving import Saving

log = logging.getLogger("statusproxy.sessions")

#: Seconds between two writes of what is only useful to know after a restart (when the last event of a session came).
FLUSH_INTERVAL: Final = 30.0


class _Owing(Protocol):
    """Who counts log lines that there are too many of."""

    def overdue(self, now: float) -> None:
        """Say what is still owed from a minute that is over."""


class Intervals:
    """The task that does it, from `begin` to `close`."""

    def __init__(
        self,
        clock: OwnClock,
        clock_watch: ClockWatch,
        webhooks: WebhookStats,
        owing: Sequence[_Owing],
        judge: Callable[[], Awaitable[None] | None],
        saving: Saving,
    ) -> None:
        """`judge` takes in what time brings; what it gives is awaited before the rest is saved."""
        self._clock = clock
        self._clock_watch = clock_watch
        self._webhooks = webhooks
        self._owing = owing
        self._judge = judge
        self._saving = saving
        self._silence = SilenceWatch()
        self._working: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Do it from now on."""
        self._working = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Do it no more; what is under way is cut off."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait([self._working])

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_INTERVAL)
            now = self._clock.now()
            self._clock_watch.look(now, self._clock.wall())
            self._silence.look(self._webhooks.rhythm, now)
            for each in self._owing:
                each.overdue(now)
            try:
                durable = self._judge()
                if durable is not None:
                    await durable
                await self._saving.flush()
            except Exception:
                log.exception("writing the state at intervals failed")
