"""What the status page is told as it happens: server-sent events, for as many pages as are open.

One task looks after all of them, and only while there are any. It compares what is known now with what was told
last, so nothing is asked of the traffic, and a page that reads slowly is told less often, not later: it is owed the
names of the sessions that changed, never a queue of their states.

Events: `hello` (a new beginning, with `total` sessions to come), `sessions` (some sessions' reports), `gone` (ids
forgotten), `health`, `clock` (nothing new, but still here). Each carries `now`, this host's time.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Final

from statusproxy import __version__
from statusproxy.admin.health import Health
from statusproxy.admin.report import moment, session_report
from statusproxy.hearsay import Word
from statusproxy.ledger import Ledger
from statusproxy.status.sessions import Change, Record

log = logging.getLogger("statusproxy.admin")

#: Seconds between two looks at what has changed; the start and end of a correction is told at once.
TICK: Final = 1.0

#: Seconds between two pieces sent to one page: a burst of events becomes one.
REST: Final = 0.2

#: Seconds between two looks at gateway and store.
HEALTH_EVERY: Final = 5.0

#: Seconds of silence after which a page is shown that the stream lives; it gives the stream up after three such.
CLOCK_EVERY: Final = 5.0

#: Seconds within which the gateway saying the same again is no news.
SAME_AGAIN: Final = 60.0

#: Reports in one event: a page can show the first while the next is on its way.
BATCH: Final = 250

#: Pages served at once. Each costs a comparison a second; a page left open on many screens must not add up.
PAGES: Final = 64

_Shown = tuple[Record, Word | None]


class FeedFullError(Exception):
    """`PAGES` pages are being served."""


class _Page:
    """What one open page is still owed."""

    __slots__ = ("gone", "health", "something", "stale")

    def __init__(self, sessions: Sequence[str]) -> None:
        self.stale = dict.fromkeys(sessions)
        self.gone: dict[str, None] = {}
        self.health = True
        self.something = asyncio.Event()
        self.something.set()


class Feed:
    """Tells pages what changes. `site` gives what stands above the list: the gateway's address."""

    def __init__(self, ledger: Ledger, health: Health, site: Callable[[], dict[str, Any]]) -> None:
        self._ledger = ledger
        self._health = health
        self._site = site
        self._pages: set[_Page] = set()
        self._shown: dict[str, _Shown] = {}
        self._state: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
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
            if self._task is None:
                await self._look()
                self._task = asyncio.create_task(self._watch(), name="feed of the status page")
        page = _Page(list(self._shown))
        self._pages.add(page)
        try:
            yield _event("hello", version=__version__, total=len(page.stale), **self._site())
            while not self._closed:
                for piece in self._owed(page):
                    yield piece
                await asyncio.sleep(REST)
                try:
                    async with asyncio.timeout(CLOCK_EVERY):
                        await page.something.wait()
                except TimeoutError:
                    yield _event("clock", **self._heard())
        finally:
            self._pages.discard(page)
            if not self._pages:
                self._rest()

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
        self._shown.clear()

    def _owed(self, page: _Page) -> list[bytes]:
        """The events that bring a page up to date; it owes nothing afterwards."""
        pieces: list[bytes] = []
        page.something.clear()
        if page.health:
            page.health = False
            pieces.append(_event("health", **self._state, **self._heard()))
        if page.gone:
            pieces.append(_event("gone", sessions=list(page.gone)))
            page.gone.clear()
        stale = [self._shown[session] for session in page.stale if session in self._shown]
        page.stale.clear()
        # Those that need attention come first, so that a page of thousands shows them first.
        stale.sort(key=lambda shown: shown[0].override is None)
        for start in range(0, len(stale), BATCH):
            reports = [session_report(record, word) for record, word in stale[start : start + BATCH]]
            pieces.append(_event("sessions", sessions=reports, **self._heard()))
        return pieces

    def _heard(self) -> dict[str, Any]:
        return {
            "webhook_last_heard": moment(self._ledger.heard_at),
            "started": moment(self._ledger.started_at),
        }

    # ---- the one task ----

    async def _watch(self) -> None:
        looked_at = time.monotonic()
        stop = self._ledger.listen(self._stirred)
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
                    log.exception("what the status page is told could not be refreshed")
        finally:
            stop()

    def _stirred(self, changes: Sequence[Change]) -> None:
        self._stir.set()

    async def _look(self, *, health: bool = True) -> None:
        """Find what differs from what was told, and owe it to every page."""
        words = await self._ledger.gateway_words()
        before = self._shown
        self._shown = now = {
            record.session: (record, _word(words.get(record.session), before.get(record.session)))
            for record in self._ledger.records()
        }
        # Records are values that are replaced, so that the same object means that nothing is new.
        changed = [
            session
            for session, shown in now.items()
            if (old := before.get(session)) is None or old[0] is not shown[0] or old[1] is not shown[1]
        ]
        gone = [session for session in before if session not in now]
        state = await self._health.report() if health else self._state
        news = state != self._state
        self._state = state
        for page in self._pages:
            page.stale.update(dict.fromkeys(changed))
            for session in changed:
                page.gone.pop(session, None)
            page.gone.update(dict.fromkeys(gone))
            page.health = page.health or news
            if changed or gone or news:
                page.something.set()


def _word(word: Word | None, before: _Shown | None) -> Word | None:
    """The gateway's word to show: the same again is news only once a minute, or each list would resend all."""
    old = before[1] if before is not None else None
    if word is None or old is None or word.said != old.said or word.at - old.at >= SAME_AGAIN:
        return word
    return old


def _event(name: str, **data: Any) -> bytes:
    data["now"] = moment(time.time())
    # JSON's own escapes leave no line break in it, which would end the event (and no lone surrogate either).
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode("ascii")
