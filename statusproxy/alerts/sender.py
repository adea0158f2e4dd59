"""The sender: looks at what is wrong, has messages made and written down, sends them, and marks what was sent.

One task looks at each change, and when something is due. A message is in the store before it is sent, and marked sent
after its receiver has it. So a proxy that dies in between sends it once more, with the same id, and none is lost. Of
proxies that share a state, the holder of the claim `alerts` does it all.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from statusproxy.alerts.bookkeeping import Bookkeeping
from statusproxy.alerts.decide import Seen, decide
from statusproxy.alerts.deliveries import Attempt, attempts, delivered, failed, next_attempt_at
from statusproxy.alerts.dispatch import PAUSE, Dispatch
from statusproxy.alerts.set_clock import moved_book, moved_seen
from statusproxy.alerts.sightings import Conditions, Sessions, Vitals, endings, lost_sessions
from statusproxy.alerts.values import AlertRules
from statusproxy.pacing import apart
from statusproxy.status.model import REPEATED, Change
from statusproxy.store.claims import Claims
from statusproxy.store.holding import Holding, HoldingTiming

__all__ = ["CLAIM", "Sender"]

log = logging.getLogger("statusproxy.alerts")

#: The name of the claim.
CLAIM: Final = "alerts"

#: Seconds until the next look in any case: not everything that is looked at tells when it changes.
LOOK: Final = 10.0

#: Seconds until the book is written again that the store did not take.
_WRITE_AGAIN: Final = 3.0

#: Seconds until the task looks again after something went wrong that should not.
_AGAIN: Final = 5.0

#: Outages from which on deciding takes more than a few milliseconds.
_MANY: Final = 2_000

#: Seconds between two looks at least: so many times what the last one took, within bounds.
_REST: Final = 9.0
_LEAST_REST: Final = 0.05
_MOST_REST: Final = 2.0

#: Seconds by which the system's clock must have moved against the proxy's own to count as set.
_SET: Final = 1.0

#: Seconds that closing waits for messages under way, and then for the book to be written.
_FINISH: Final = 3.0

NewId = Callable[[], str]


class Watched(Protocol):
    """What the sender looks at."""

    @property
    def registry(self) -> Sessions:
        """The sessions."""

    @property
    def shift(self) -> float:
        """Seconds by which the system's clock is ahead of the proxy's own, which nobody sets."""

    def vitals(self) -> Vitals:
        """Everything else."""


class Sender:
    """The task, and the messages under way. `configure` it, then `start` it in the event loop."""

    def __init__(
        self,
        watched: Watched,
        books: Bookkeeping,
        dispatch: Dispatch,
        claims: Claims | None,
        wall: Callable[[], float],
        new_id: NewId,
        *,
        chance: Callable[[], float] = random.random,
        timing: HoldingTiming | None = None,
        pause: float = PAUSE,
    ) -> None:
        """`wall` gives the system's epoch seconds, `chance` numbers from 0 to 1; `pause` as in `dispatch`."""
        self.rules = AlertRules()
        self._watched = watched
        self._books = books
        self._dispatch = dispatch
        self._wall = wall
        self._new_id = new_id
        self._chance = chance
        self._pause = pause
        self._shared = claims is not None
        self._conditions = Conditions()
        self._seen = Seen()
        self._changed = asyncio.Event()
        self._holding = Holding(
            claims,
            self.wake,
            timing,
            log=log,
            waiting="alerts: the proxy that sent them continues; no other one takes over",
        )
        self._leading = False
        self._led: bool | None = None  # when the server last answered; None before it ever did
        self._started_at = 0.0  # of the proxy's own clock
        self._shift = 0.0  # as the times in the book have it
        self._read_at = 0.0  # of the loop's clock
        self._busy: dict[str, asyncio.Task[None]] = {}  # by target
        self._resting: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def configure(self, rules: AlertRules) -> None:
        """Decide by these rules from now on."""
        self.rules = rules
        self.wake()

    def start(self) -> None:
        """Look and send from now on, until `close`."""
        self._holding.want({CLAIM})
        self._task = asyncio.create_task(self._work(), name="statusproxy-alerts")

    def wake(self) -> None:
        """Something has changed: look."""
        self._changed.set()

    def changed(self, changes: Sequence[Change], now: float) -> None:
        """As `registry.changes.Subscriber.changed`."""
        if any(change.what != REPEATED for change in changes):
            self.wake()

    @property
    def leading(self) -> bool:
        """Whether this proxy is the one that sends."""
        return self._leading

    async def close(self) -> None:
        """Send nothing more. What is not sent stays in the book. Takes some seconds at most."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        under_way = list(self._busy.values())
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=_FINISH)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        if self._leading:
            try:
                async with asyncio.timeout(_FINISH):
                    await self._books.flush()
            except TimeoutError:
                log.warning("alerts: the last alerts sent could not be saved; they may be sent again after the start")
        await self._holding.close()

    # ---- the task ----

    async def _work(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            self._changed.clear()
            begun = clock()
            try:
                wait = await self._turn()
            except Exception:
                log.exception("alerts: a check failed inside the proxy")
                wait = _AGAIN
            # Looks at many lost sessions take a while; the traffic has nine tenths of the time.
            await asyncio.sleep(min(_MOST_REST, max(_LEAST_REST, _REST * (clock() - begun))))
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _turn(self) -> float:
        """Look once, have written and sent what is due; give the seconds until the next look."""
        if not self._may_lead():
            self._leading = False
            await self._books.read()
            # It told something while the store was away, and another proxy has the claim now: that one must know.
            await self._books.flush()
            return LOOK
        time = asyncio.get_running_loop().time()
        if not self._leading or (self._shared and time - self._read_at >= LOOK):
            await self._books.read()
            self._read_at = time
        if not self._leading:
            self._leading, self._seen, self._shift = True, Seen(), self._watched.shift
            self._started_at = self._wall() - self._shift
        due = await self._decide()
        if not await self._books.flush() and not self._books.failed:
            return 0.0  # another proxy wrote meanwhile, and both books are united now: look at that
        self._begin()
        now = self._now()
        times = [at for at in (due, next_attempt_at(self._books.book, now, self._reserved)) if at is not None]
        wait = min((at - now for at in times), default=LOOK)
        return max(0.0, min(wait, _WRITE_AGAIN if self._books.unsaved else LOOK))

    def _now(self) -> float:
        """The system's time; once its clock was set, the times in the book are moved with it."""
        shift = self._watched.shift
        by = shift - self._shift
        if self._leading and abs(by) >= _SET:
            self._shift = shift
            self._books.put(moved_book(self._books.book, by))
            self._seen = moved_seen(self._seen, by)
        return self._wall()

    def _may_lead(self) -> bool:
        """Whether this proxy is the one that sends; it goes on while the server with the claim does not answer."""
        held, answered = self._holding.holds(CLAIM), self._holding.answered
        if held or answered:
            self._led = held
            return held
        # A server that has not answered since the start has not named another proxy either.
        return answered is False and self._led is not False

    async def _decide(self) -> float | None:
        """Have the messages made that are due; give when to look again for others."""
        registry, vitals = self._watched.registry, self._watched.vitals()
        now = self._now()
        lost = await lost_sessions(registry, self._books.book.told.keys())
        outages = [*lost, *self._conditions.outages(vitals, now, self._shift)]
        ended = await endings(registry, self._books.book.told.values(), now)
        while True:
            book = self._books.book
            decided = partial(
                decide, book, self._seen, outages, self._wall(), self.rules,
                started_at=self._started_at + self._shift, new_id=self._new_id, ended=ended, unsure=vitals.unsure,
            )  # fmt: skip
            decision = await apart(decided, many=len(outages) + len(book.told) > _MANY)
            if self._books.book is book:  # else a delivery was marked meanwhile
                self._seen = decision.seen
                self._books.put(decision.book)
                return decision.due

    # ---- messages under way ----

    @property
    def _reserved(self) -> set[str]:
        """Targets to which nothing may begin now."""
        return self._busy.keys() | self._resting

    def _begin(self) -> None:
        """Begin all deliveries that may go now."""
        now = self._now()
        for attempt in attempts(self._books.book, now, self._reserved):
            target = attempt.delivery.target
            task = asyncio.create_task(self._deliver(attempt), name=f"statusproxy-alert-{attempt.message.id}")
            self._busy[target] = task
            task.add_done_callback(partial(self._ended, target))

    def _ended(self, target: str, _: asyncio.Task[None]) -> None:
        del self._busy[target]
        self._resting.add(target)
        asyncio.get_running_loop().call_later(self._pause, self._rested, target)
        self.wake()

    def _rested(self, target: str) -> None:
        self._resting.discard(target)
        self.wake()

    async def _deliver(self, attempt: Attempt) -> None:
        message, target = attempt.message, attempt.delivery.target
        if not self._may_lead() or not self._dispatch.knows(target):
            return
        outcome = await self._dispatch.send(message, target)
        now = self._now()
        if outcome.error is None:
            book = delivered(self._books.book, message.id, target, now)
        else:
            book = failed(
                self._books.book, message.id, target, now, outcome.error,
                retry_after=outcome.retry_after, jitter=self._chance(),
            )  # fmt: skip
        self._books.put(book)
        await self._books.flush()
