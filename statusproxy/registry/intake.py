"""Takes in what webhooks say: one event at once, a body of many in slices, and every body in the order of arrival.

An event without a time of its own is as new as its arrival. So while a body of many events is taken in, what comes
after it waits for its turn. All of it goes on when the sender leaves, and `close` waits for it.
"""

import asyncio
import gc
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final, NamedTuple

from statusproxy.registry.webhook_outcomes import Arrival, WebhookOutcomes
from statusproxy.status import signals
from statusproxy.status.clocks import sender_of
from statusproxy.status.events import Event, each_emptied, read_each
from statusproxy.status.many_members import has_many
from statusproxy.status.model import DUPLICATE, Change, Outcome
from statusproxy.status.packing import Unread
from statusproxy.status.sessions import NOTHING, SessionMap
from statusproxy.status.signals import Reading, SignalRules, Verdict

log = logging.getLogger("statusproxy.sessions")

#: Events that are taken in before others get their turn, and the seconds after which they do in any case.
SLICE: Final = 64
SLICE_SECONDS: Final = 0.005

#: Bytes of bodies of many events that may wait. More come only from a sender that leaves before it is answered.
MOST_WAITING: Final = 16 * 1024 * 1024

#: Seconds by which an event comes after the one before it in the same body.
_TICK: Final = 1e-6

_BATCH: Final = Verdict.BATCH
_IN_STEPS: Final = Reading(_BATCH)


class _Body(NamedTuple):
    body: bytes
    arrival: Arrival
    durable: asyncio.Future[None]


class Intake:
    """The one way of webhooks into the map."""

    def __init__(
        self,
        sessions: SessionMap,
        rules: SignalRules,
        outcomes: WebhookOutcomes,
        follow: Callable[[Sequence[Change]], Awaitable[None] | None],
        earlier: Callable[[], Awaitable[None]],
        unreadable: Callable[[str, str, int], None],
    ) -> None:
        """`follow` publishes and saves changes; `earlier` gives what to await until all before is durable."""
        self.rules = rules
        self._sessions = sessions
        self._outcomes = outcomes
        self._follow = follow
        self._earlier = earlier
        self._unreadable = unreadable
        self._waiting: deque[_Body] = deque()  # the first is being taken in
        self._waiting_bytes = 0
        self._task: asyncio.Task[None] | None = None

    def hear(self, body: bytes, arrival: Arrival) -> Awaitable[None] | None:
        """Take in a webhook's body; give what to await until it is durable, None where nothing must be."""
        reading = self._read(body, arrival.wall, arrival.session)
        if reading.verdict is _BATCH or self._waiting:
            return self._queue(body, arrival, many=reading.verdict is _BATCH)
        at, sender, now = None, self._sender(arrival), arrival.now
        due = self._sessions.clocks.due
        if reading.signal is None and reading.session is not None and due(reading.session, sender, now):
            at = signals.stated_time(body, self.rules.dialect, arrival.wall)
        outcome = self._take(reading, sender, at, now, arrival)
        if outcome is NOTHING:
            return None
        durable = self._follow(outcome.changes)
        if durable is None and outcome.verdict == DUPLICATE:
            # The first delivery may still be on its way to the disk: this one is answered no sooner.
            return self._earlier()
        return durable

    def identify(self, body: bytes, wall: float, path_session: str | None) -> tuple[str | None, str | None]:
        """The session and the event's name in a webhook's body. Takes nothing in.

        The session is None where the body names none or several. What cannot be read is of the path's session.
        """
        reading = self._read(body, wall, path_session)
        if reading.verdict is _BATCH:
            return None, None
        return reading.session or path_session, reading.event

    def _read(self, body: bytes, wall: float, path_session: str | None) -> Reading:
        return _IN_STEPS if has_many(body) else signals.read(body, self.rules, wall, path_session)

    async def close(self) -> None:
        """Wait until all that came has been taken in."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def _sender(self, arrival: Arrival) -> str:
        return sender_of(arrival.path, arrival.source, self.rules.dialect.own_clock)

    def _take(
        self, reading: Reading, sender: str, at: float | None, now: float, arrival: Arrival, first: bool = True
    ) -> Outcome:
        """Take in one event; `first` of its body."""
        if reading.verdict in signals.UNREADABLE:
            self._unreadable("webhook", reading.verdict.value, 1)
        outcome = self._sessions.hear(reading, now, sender, at)
        self._outcomes.heard(arrival, reading, outcome, now, self.rules.dialect, first=first)
        return outcome

    # Bodies of many events

    def _queue(self, body: bytes, arrival: Arrival, *, many: bool) -> Awaitable[None] | None:
        """Have a body taken in after those before it."""
        if many and self._waiting and self._waiting_bytes + len(body) > MOST_WAITING:
            self._unreadable("webhook", "too-many", 1)
            return None
        durable = asyncio.get_running_loop().create_future()
        self._waiting.append(_Body(body, arrival, durable))
        self._waiting_bytes += len(body)
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._take_waiting())
        return asyncio.shield(durable)

    async def _take_waiting(self) -> None:
        while self._waiting:
            body, arrival, durable = self._waiting[0]
            events = read_each(body, self.rules, arrival.wall, arrival.session)
            try:
                if has_many(body):
                    with _no_collection():
                        await self._take_each(each_emptied(events), arrival)
                else:
                    await self._take_each(events, arrival)
            except Exception:
                log.exception("a webhook with several events could not be read")
                self._unreadable("webhook", "internal", 1)
            asyncio.ensure_future(self._earlier()).add_done_callback(partial(_tell, durable))
            self._waiting.popleft()
            self._waiting_bytes -= len(body)

    async def _take_each(self, events: Iterator[Event | Unread | None], arrival: Arrival) -> None:
        """Take in the events of one body, in slices."""
        changes: list[Change] = []
        taken = number = 0
        sender, until = self._sender(arrival), time.perf_counter() + SLICE_SECONDS
        try:
            for event in events:
                if isinstance(event, Unread):
                    self._unreadable("webhook", event.why, event.count)
                elif event is not None:
                    now = arrival.now + number * _TICK
                    try:
                        changes += self._take_one(event, sender, now, arrival, first=number == 0)
                    except Exception:  # it must not cost the others of its body
                        log.exception("an event of a webhook with several could not be taken in")
                        self._unreadable("webhook", "internal", 1)
                    number += 1
                    taken += 1
                if taken >= SLICE or time.perf_counter() >= until:
                    self._follow(changes)  # `_earlier` waits for all of it at the end
                    changes, taken = [], 0
                    await asyncio.sleep(0)
                    until = time.perf_counter() + SLICE_SECONDS
        finally:
            self._follow(changes)

    def _take_one(self, event: Event, sender: str, now: float, arrival: Arrival, *, first: bool) -> Sequence[Change]:
        reading, at = event.reading, None
        due = self._sessions.clocks.due
        if reading.signal is None and reading.session is not None and due(reading.session, sender, now):
            at = event.stated_time(self.rules, arrival.wall)
        return self._take(reading, sender, at, now, arrival, first).changes


@contextmanager
def _no_collection() -> Iterator[None]:
    """Have Python look for no garbage meanwhile.

    A document of very many members is as many objects, all freed with it. A collection in between looks at each of
    them, for 40 ms, and finds none to free.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _tell(durable: asyncio.Future[None], _: asyncio.Future[None]) -> None:
    durable.set_result(None)
