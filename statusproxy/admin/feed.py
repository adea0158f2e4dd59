"""The status page's live updates: a stream of server-sent events for each open page.

One task serves all of them, and runs only while there are any. A page that reads slowly gets updates less often, but
never old ones: what is stored for it is the names of the sessions that changed, not a queue of their states. The task
handles some sessions at a time, one page after the other, so that thousands of sessions on many pages do not block
anything else.

Events: `hello` (a new beginning, with `total` sessions to come), `sessions` (some sessions' reports), `gone` (ids of
forgotten sessions), `health`, `spool` (totals of the stored events; not sent if events are never stored), `clock`
(nothing new, but the proxy is still there). Each carries `now`, this host's time.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

import msgspec

from statusproxy import __version__
from statusproxy.admin.alerts import AlertAnswers
from statusproxy.admin.gateway_words import GatewayWords
from statusproxy.admin.health import HealthCheck
from statusproxy.admin.messages import Gone, Health, Heard, Hello, to_text
from statusproxy.admin.report import moment
from statusproxy.admin.session_reports import SessionReports
from statusproxy.admin.spool_messages import SpoolNow, SpoolTotals
from statusproxy.registry.registry import SessionRegistry
from statusproxy.status.model import Change

log = logging.getLogger("statusproxy.admin")

#: Seconds between two looks at what has changed; the start and end of a correction is told at once.
TICK: Final = 1.0

#: Seconds between two pieces sent to one page: a burst of events becomes one.
REST: Final = 0.2

#: Seconds between two looks at gateway and store.
HEALTH_EVERY: Final = 5.0

#: Seconds of silence after which a page is shown that the stream lives; it gives the stream up after three such.
CLOCK_EVERY: Final = 5.0

#: Reports in one event: a page can show the first while the next is on its way.
BATCH: Final = 250

#: Reports written before others have their turn: some milliseconds where each session was lost thousands of times.
WRITTEN: Final = 5

#: Ids in one event of sessions that are gone.
GONE: Final = 2_000

#: Pages served at once: a page left open on many screens must not add up.
PAGES: Final = 64


class FeedFullError(Exception):
    """`PAGES` pages are being served."""


class _Page:
    """One open page, and what it has not been sent yet."""

    __slots__ = ("gone", "health", "something", "spool", "stale")

    def __init__(self, sessions: Sequence[str], *, spool: bool) -> None:
        self.stale = dict.fromkeys(sessions)
        self.gone: dict[str, None] = {}
        self.health = True
        self.spool = spool
        self.something = asyncio.Event()
        self.something.set()

    def owe(self, sessions: Sequence[str]) -> None:
        """These sessions changed."""
        if sessions:
            self.stale.update(dict.fromkeys(sessions))
            for session in sessions:
                self.gone.pop(session, None)
            self.something.set()

    def forget(self, sessions: Sequence[str]) -> None:
        """These sessions are gone."""
        if sessions:
            self.gone.update(dict.fromkeys(sessions))
            self.something.set()

    def owe_health(self) -> None:
        """Store or gateway changed."""
        self.health = True
        self.something.set()

    def owe_spool(self) -> None:
        """What is kept of events changed."""
        self.spool = True
        self.something.set()


class Feed:
    """Tells pages what changes; a subscriber of the sessions' changes while there are any pages."""

    def __init__(
        self,
        registry: SessionRegistry,
        health: HealthCheck,
        gateway: Callable[[], GatewayWords],
        spool: Callable[[], SpoolTotals | None],
        alerts: AlertAnswers | None = None,
    ) -> None:
        """`gateway` gives what the settings in force say of the gateway, `spool` what is kept now.

        `alerts` know when sessions were told.
        """
        self._registry = registry
        self._health = health
        self._gateway = gateway
        self._spool = spool
        self._pages: set[_Page] = set()
        self._reports = SessionReports(registry, lambda: gateway().rule, alerts)
        self._state: Health | None = None
        self._kept: SpoolTotals | None = None
        self._task: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._beginning = asyncio.Lock()
        self._stir = asyncio.Event()
        self._closed = False

    async def follow(self) -> AsyncGenerator[bytes, None]:
        """One page's stream, from the whole of it on, until the page goes or the feed is closed.

        Raises `FeedFullError` before the first piece.
        """
        if len(self._pages) >= PAGES:
            raise FeedFullError
        async with self._beginning:
            await self._begin()
        page = _Page(self._reports.ids(), spool=self._kept is not None)
        self._pages.add(page)
        try:
            gateway = self._gateway()
            yield _event("hello", Hello(__version__, len(page.stale), gateway.gateway_url, gateway.guidance))
            while not self._closed:
                page.something.clear()
                if page.health and self._state is not None:
                    page.health = False
                    yield _event("health", self._state, self._heard())
                if page.spool:
                    page.spool = False
                    yield _event("spool", SpoolNow(self._kept))
                gone = list(page.gone)
                page.gone.clear()
                for start in range(0, len(gone), GONE):
                    yield _event("gone", Gone(gone[start : start + GONE]), self._heard())
                    await self._registry.pacer.step()
                owed, page.stale = page.stale, {}
                stale = await self._reports.in_order(owed)
                for start in range(0, len(stale), BATCH):
                    async with self._writing:  # one page at a time, one batch at a time
                        batch = stale[start : start + BATCH]
                        for part in range(0, len(batch), WRITTEN):
                            self._reports.texts(batch[part : part + WRITTEN])  # written once, and kept
                            await self._registry.pacer.step()
                        piece = self._sessions(batch)
                        await self._registry.pacer.step()
                    yield piece
                await asyncio.sleep(REST)
                try:
                    async with asyncio.timeout(CLOCK_EVERY):
                        await page.something.wait()
                except TimeoutError:
                    yield _event("clock", self._heard())
        finally:
            self._pages.discard(page)
            if not self._pages:
                self._rest()

    async def _begin(self) -> None:
        """Look for the first page; the others find it done."""
        if self._task is not None:
            return
        try:
            await self._look()
        except BaseException:
            self._rest()
            raise
        self._task = asyncio.create_task(self._go_on(), name="feed of the status page")

    def changed(self, changes: Sequence[Change], now: float) -> None:
        """Look at once: a correction began or ended."""
        self._stir.set()

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        for page in self._pages:
            page.something.set()
        self._rest()

    def _rest(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._reports.end()

    def _sessions(self, sessions: Sequence[str]) -> bytes:
        """The event with the present state of these sessions."""
        texts = self._reports.texts(sessions)
        rest = to_text(self._heard(), compact=True, now=moment(time.time()))
        return f'event: sessions\ndata: {{"sessions":[{",".join(texts)}],{rest[1:]}\n\n'.encode("ascii")

    def _heard(self) -> Heard:
        webhooks = self._registry.webhooks
        return Heard(
            moment(webhooks.last_heard),
            webhooks.totals(),
            moment(self._registry.started_at),
            moment(self._registry.list_seen_at),
            self._reports.counts(),
        )

    # ---- the one task ----

    async def _go_on(self) -> None:
        looked_at = time.monotonic()
        unsubscribe = self._registry.changes.subscribe(self)
        try:
            while True:
                try:
                    async with asyncio.timeout(TICK):
                        await self._stir.wait()
                except TimeoutError:
                    pass
                self._stir.clear()
                health = time.monotonic() - looked_at >= HEALTH_EVERY
                if health:
                    looked_at = time.monotonic()
                try:
                    await self._look(health=health)
                except Exception:
                    self._reports.look_at_all()
                    log.exception("the data for the status page could not be refreshed")
        finally:
            unsubscribe()

    async def _look(self, *, health: bool = True) -> None:
        """Find what changed since the last event, and queue it for every page."""
        self._reports.begin()
        await self._registry.rows.read()
        for gone, different in self._reports.look():
            for page in self._pages if gone or different else ():
                page.forget(gone)
                page.owe(different)
            await self._registry.pacer.step()
        kept, self._kept = self._kept, self._spool()
        for page in self._pages if self._kept != kept else ():
            page.owe_spool()
        before = self._state
        if health:
            self._state = await self._health.report()
        for page in self._pages if self._state != before else ():
            page.owe_health()


def _event(name: str, *messages: msgspec.Struct) -> bytes:
    # JSON's own escapes leave no line break in it, which would end the event (and no lone surrogate either).
    data = to_text(*messages, compact=True, now=moment(time.time()))
    return f"event: {name}\ndata: {data}\n\n".encode("ascii")
