"""Delivers the spool's entries: one task that begins what may go, and waits for what comes next.

Where several proxies share the spool, it says which receivers this one should hold (`store.holding`): those for which
something waits, but not one that this proxy finds away, since another may reach it, and none at the end. What is under
way is finished first.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from statusproxy.clock import OwnClock
from statusproxy.proxy.ports import Attempt
from statusproxy.spool.spool import Spool
from statusproxy.store.claims import Claims
from statusproxy.store.errors import StoreError
from statusproxy.store.holding import Holding, HoldingTiming
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

Send = Callable[[Entry, Content, int, Callable[[], bool]], Awaitable[Attempt]]
"""Sends an entry to its receiver, with its age in seconds, unless the last argument forbids it when it is about to go
out. Raises nothing but `CancelledError`."""


class Delivery:
    """The task, and the attempts that are under way."""

    def __init__(
        self,
        spool: Spool,
        clock: OwnClock,
        send: Send,
        claims: Claims | None = None,
        timing: HoldingTiming | None = None,
    ) -> None:
        """`claims` are those of the store; None where one process has it alone."""
        self._spool = spool
        self._clock = clock
        self._send = send
        self._holding = Holding(
            claims, spool.changed.set, timing, prefix="spool:", log=log, waiting="spool: stored events are waiting"
        )
        self._finishing = False
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
        """Begin nothing more; what is under way goes on. Then another proxy may."""
        self._finishing = True
        if self._task is not None:
            self._task.cancel()
        self._want(self._clock.now())

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
        await self._holding.close()

    async def _work(self) -> None:
        while True:
            self._spool.changed.clear()
            try:
                if await self._spool.open():
                    await self._spool.writing.settle()
                    await self._spool.drop_old()
                    now = self._clock.now()  # one moment for the whole turn (see `Spool.take`)
                    self._want(now)
                    self._begin(now)
                    wait = self._until_next(now)
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

    def _want(self, now: float) -> None:
        """Say which receivers this proxy should hold."""
        busy = {receiver for receiver, attempts in self._attempts.items() if attempts}
        self._holding.want(busy.union(each for each in self._spool.receivers if self._may_begin(each, now)))

    def _may_begin(self, receiver: str, now: float) -> bool:
        """Whether this proxy would send to a receiver, if no other holds it."""
        return not self._finishing and self._spool.lets(receiver, now) and not self._holding.rests(receiver)

    def _begin(self, now: float) -> None:
        """Begin all that may go now."""
        for receiver in self._spool.receivers:
            if not self._holding.holds(receiver) or self._holding.rests(receiver):
                continue
            attempts = self._attempts.setdefault(receiver, set())
            while len(attempts) < PARALLEL and (entry := self._spool.take(receiver, now)) is not None:
                task = asyncio.create_task(self._deliver(entry), name=f"statusproxy-spool-{entry.id}")
                attempts.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        for attempts in self._attempts.values():
            attempts.discard(task)
        self._spool.changed.set()  # only now is there a place for another
        if self._finishing:
            self._want(self._clock.now())
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("spool: the delivery failed inside the proxy", exc_info=error)

    def _until_next(self, now: float) -> float:
        """Seconds until something may be due."""
        times = [at for receiver in self._spool.receivers if (at := self._next_at(receiver, now)) is not None]
        look = _SETTLE if self._spool.writing.holds else _LOOK
        return max(0.0, min(look, min(times, default=now + look) - now))

    def _next_at(self, receiver: str, now: float) -> float | None:
        """When something may begin for a receiver; None where only a change brings that."""
        if len(self._attempts.get(receiver, ())) >= PARALLEL or self._holding.rests(receiver):
            return None
        if self._may_begin(receiver, now) and not self._holding.holds(receiver):
            return None
        return self._spool.next_at(receiver, now)

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
            if attempt.reason == "failed":
                self._holding.rest(entry.receiver)  # another proxy may be able to
            await self._spool.tried(entry, attempt)

    async def _attempt(self, entry: Entry) -> Attempt:
        content = await self._spool.content(entry)
        if content is None:
            await self._spool.lost(entry)
            return Attempt("queued")
        age = max(0, int(self._clock.now() - entry.received_at))
        try:
            return await self._send(entry, content, age, lambda: self._holding.holds(entry.receiver))
        finally:
            self._spool.release(content)
