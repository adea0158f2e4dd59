"""What the status page is told as it happens: server-sent events, for as many pages as are open.

One task looks after all of them, and only while there are any. It looks at the sessions that changed since it looked
last; all of them are compared only where the gateway's answers differ, or a minute has passed. A page that reads
slowly is told less often, not later: it is owed the names of the sessions that changed, never a queue of their states.
A session's report is written once for all pages. All of this is done some sessions at a time, one page after the
other, so that thousands of sessions on many pages hold nothing else up.

Events: `hello` (a new beginning, with `total` sessions to come), `sessions` (some sessions' reports), `gone` (ids
forgotten), `health`, `clock` (nothing new, but still here). Each carries `now`, this host's time.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Any, Final

from statusproxy import __version__
from statusproxy.admin.health import Health
from statusproxy.admin.report import moment, session_text
from statusproxy.registry.gateway_view import Word
from statusproxy.registry.registry import SessionRegistry
from statusproxy.status.model import Change, Record
from statusproxy.status.unsaved import Watch

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

#: Reports in one event: a page can show the first while the next is on its way. Writing so many takes 3 ms.
BATCH: Final = 250

#: Ids in one event of sessions that are gone.
GONE: Final = 2_000

#: Sessions looked at before others have their turn; some 6 µs each.
LOOKED_AT: Final = 250

#: Pages served at once: a page left open on many screens must not add up.
PAGES: Final = 64


class _Shown:
    """What pages are told of one session."""

    __slots__ = ("_shown", "_text", "record", "word")

    def __init__(self, record: Record, word: Word | None, shown: Callable[[Record], Record]) -> None:
        """`shown` gives a record in the system's time."""
        self._shown = shown
        self.record = record
        self.word = word
        self._text = ""

    @property
    def text(self) -> str:
        """The report as JSON, written when the first page is told."""
        if not self._text:
            self._text = session_text(self._shown(self.record), self.word)
        return self._text


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

    def owe(self, sessions: Sequence[str]) -> None:
        """These sessions changed."""
        self.stale.update(dict.fromkeys(sessions))
        for session in sessions:
            self.gone.pop(session, None)
        self.something.set()

    def forget(self, sessions: Sequence[str]) -> None:
        """These sessions are gone."""
        if sessions:
            self.gone.update(dict.fromkeys(sessions))
            self.something.set()


class Feed:
    """Tells pages what changes. `site` gives what stands above the list: the gateway's address."""

    def __init__(self, registry: SessionRegistry, health: Health, site: Callable[[], dict[str, Any]]) -> None:
        self._registry = registry
        self._health = health
        self._site = site
        self._pages: set[_Page] = set()
        self._shown: dict[str, _Shown] = {}
        self._state: dict[str, Any] = {}
        self._watch: Watch | None = None
        self._all = True  # whether every session is to be looked at
        self._versions = (0, 0)
        self._all_at = 0.0
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
            if self._task is None:
                try:
                    await self._look()
                except BaseException:
                    self._rest()
                    raise
                self._task = asyncio.create_task(self._go_on(), name="feed of the status page")
        page = _Page(list(self._shown))
        self._pages.add(page)
        try:
            yield _event("hello", version=__version__, total=len(page.stale), **self._site())
            while not self._closed:
                page.something.clear()
                if page.health:
                    page.health = False
                    yield _event("health", **self._state, **self._heard())
                gone = list(page.gone)
                page.gone.clear()
                for start in range(0, len(gone), GONE):
                    yield _event("gone", sessions=gone[start : start + GONE])
                stale = self._in_order(page.stale)
                page.stale.clear()
                for start in range(0, len(stale), BATCH):
                    async with self._writing:  # one page at a time, one batch at a time
                        piece = self._sessions(stale[start : start + BATCH])
                        await asyncio.sleep(0)
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
        if self._watch is not None:
            self._registry.sessions.unwatch(self._watch)
            self._watch = None
        self._shown = {}
        self._all = True

    def _in_order(self, sessions: Iterable[str]) -> list[str]:
        """Those that need attention come first, so that a page of thousands shows them first."""
        shown = self._shown
        known = [session for session in sessions if session in shown]
        known.sort(key=lambda session: shown[session].record.override is None)
        return known

    def _sessions(self, sessions: Sequence[str]) -> bytes:
        """The event that tells of these sessions as they are now."""
        texts = [shown.text for session in sessions if (shown := self._shown.get(session)) is not None]
        rest = json.dumps({**self._heard(), "now": moment(time.time())}, separators=(",", ":"))
        return f'event: sessions\ndata: {{"sessions":[{",".join(texts)}],{rest[1:]}\n\n'.encode("ascii")

    def _heard(self) -> dict[str, Any]:
        return {
            "webhook_last_heard": moment(self._registry.heard_at),
            "webhooks": self._registry.seen.totals(),
            "started": moment(self._registry.started_at),
        }

    # ---- the one task ----

    async def _go_on(self) -> None:
        looked_at = time.monotonic()
        stop = self._registry.listen(self._stirred)
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
                    self._all = True  # what was taken from the watch is lost
                    log.exception("what the status page is told could not be refreshed")
        finally:
            stop()

    def _stirred(self, changes: Sequence[Change]) -> None:
        self._stir.set()

    async def _look(self, *, health: bool = True) -> None:
        """Find what differs from what was told, and owe it to every page."""
        if self._watch is None:
            self._watch = self._registry.sessions.watch()
        known = self._registry.records()
        changed, gone = self._watch.take()
        versions = self._registry.gateway_versions
        now = time.monotonic()
        if (
            self._all
            or versions[0] != self._versions[0]  # other words
            or (versions != self._versions and now - self._all_at >= SAME_AGAIN)  # the same, later
        ):
            self._all, self._versions, self._all_at = False, versions, now
            changed = [record.session for record in known]
        was_shown = [session for session in gone if self._shown.pop(session, None) is not None]
        for page in self._pages:
            page.forget(was_shown)
        for start in range(0, len(changed), LOOKED_AT):
            different = [session for session in changed[start : start + LOOKED_AT] if self._differs(session)]
            for page in self._pages if different else ():
                page.owe(different)
            await asyncio.sleep(0)
        state = await self._health.report() if health else self._state
        news, self._state = state != self._state, state
        for page in self._pages if news else ():
            page.health = True
            page.something.set()

    def _differs(self, session: str) -> bool:
        """Whether a session is other than it was told; noted as it is now."""
        record = self._registry.sessions.get(session)
        if record is None:  # gone meanwhile
            return False
        before = self._shown.get(session)
        word = _word(self._registry.gateway_word(session), before.word if before is not None else None)
        # Records and words are values that are replaced, so that the same object means that nothing is new.
        if before is not None and before.record is record and before.word is word:
            return False
        self._shown[session] = _Shown(record, word, self._registry.in_system_time)
        return True


def _word(word: Word | None, old: Word | None) -> Word | None:
    """The gateway's word to show: the same again is news only once a minute, or each list would resend all."""
    if word is None or old is None or word.said != old.said or word.at - old.at >= SAME_AGAIN:
        return word
    return old


def _event(name: str, **data: Any) -> bytes:
    data["now"] = moment(time.time())
    # JSON's own escapes leave no line break in it, which would end the event (and no lone surrogate either).
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode("ascii")
