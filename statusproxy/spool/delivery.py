"""Delivers the spool's entries: one task that begins what may go, and waits for what comes next."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from statusproxy.clock import OwnClock
from statusproxy.proxy.ports import Attempt
from statusproxy.spool.spool import Spool
from statusproxy.store.errors import StoreError
from statusproxy.store.spooled import Content, Entry

__all__ = ["PARALLEL", "Delivery", "Send"]

log = logging.getLogger("statusproxy.spool")

#: Entries under way to one receiver at a time, each of another session.
PARALLEL: Final = 8

#: Seconds after which the task looks again in any case: for entries that are too old.
_LOOK: Final = 60.0

#: Seconds until the task looks again whether the store can be written, while sessions wait for that.
_SETTLE: Final = 1.0

#: Seconds until the task looks again after something went wrong that should not.
_AGAIN: Final = 5.0

Send = Callable[[Entry, Content, int], Awaitable[Attempt]]
"""Sends an entry to its receiver, with its age in seconds. Raises nothing but `CancelledError`."""


class Delivery:
    """The task, and the attempts that are under way."""

    def __init__(self, spool: Spool, clock: OwnClock, send: Send) -> None:
        self._spool = spool
        self._clock = clock
        self._send = send
        self._attempts: dict[str, set[asyncio.Task[None]]] = {}  # by receiver
        self._task: asyncio.Task[None] | None = None

    @property
    def under_way(self) -> int:
        """Attempts that have begun and not ended."""
        return sum(map(len, self._attempts.values()))

    def start(self) -> None:
        """Deliver from now on, until `finish`."""
        self._task = asyncio.create_task(self._work(), name="statusproxy-spool")

    def finish(self) -> None:
        """Begin nothing more; what is under way goes on."""
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Begin nothing more and give up what is under way: it is delivered after the next start."""
        self.finish()
        tasks = [task for attempts in self._attempts.values() for task in attempts]
        for task in tasks:
            task.cancel()
        if self._task is not None:
            tasks.append(self._task)
        if tasks:
            await asyncio.wait(tasks)

    async def _work(self) -> None:
        while True:
            self._spool.changed.clear()
            try:
                if await self._spool.open():
                    await self._spool.writing.settle()
                    await self._spool.drop_old()
                    self._begin()
                    wait = self._until_next()
                else:
                    wait = _AGAIN
            except Exception:
                log.exception("spool: the delivery failed inside the proxy")
                await asyncio.sleep(_AGAIN)
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._spool.changed.wait()
            except TimeoutError:
                pass

    def _begin(self) -> None:
        """Begin all that may go now."""
        for receiver in self._spool.receivers:
            attempts = self._attempts.setdefault(receiver, set())
            while len(attempts) < PARALLEL and (entry := self._spool.take(receiver)) is not None:
                task = asyncio.create_task(self._deliver(entry), name=f"statusproxy-spool-{entry.id}")
                attempts.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        for attempts in self._attempts.values():
            attempts.discard(task)
        self._spool.changed.set()  # only now is there a place for another
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("spool: the delivery failed inside the proxy", exc_info=error)

    def _until_next(self) -> float:
        """Seconds until something may be due."""
        now = self._clock.now()
        times = [
            at for receiver in self._spool.receivers
            if len(self._attempts.get(receiver, ())) < PARALLEL and (at := self._spool.next_at(receiver)) is not None
        ]  # fmt: skip
        look = _SETTLE if self._spool.writing.holds else _LOOK
        return max(0.0, min(look, min(times, default=now + look) - now))

    async def _deliver(self, entry: Entry) -> None:
        attempt = Attempt("queued")
        try:
            attempt = await self._attempt(entry)
        except StoreError as error:
            log.error("spool: event %s cannot be read now: %s", entry.id, error, extra={"id": entry.id})
            attempt = Attempt("failed")
        except Exception:
            log.exception("spool: event %s could not be sent", entry.id, extra={"id": entry.id})
            attempt = Attempt("failed")
        finally:
            await self._spool.tried(entry, attempt)

    async def _attempt(self, entry: Entry) -> Attempt:
        content = await self._spool.content(entry)
        if content is None:
            await self._spool.lost(entry)
            return Attempt("queued")
        return await self._send(entry, content, max(0, int(self._clock.now() - entry.received_at)))
