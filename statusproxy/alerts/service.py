"""Alerts as one thing to start, change and end: targets and rules of the settings, the sender, and the heartbeat."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from aiohttp import ClientSession

from statusproxy.alerts.bookkeeping import Bookkeeping
from statusproxy.alerts.compose import composer
from statusproxy.alerts.dispatch import Dispatch, Line, Result
from statusproxy.alerts.heartbeat import Heartbeat
from statusproxy.alerts.http_client import open_session
from statusproxy.alerts.rules import alert_rules
from statusproxy.alerts.sender import Sender
from statusproxy.alerts.sightings import Sessions, Vitals
from statusproxy.alerts.text import Reader
from statusproxy.alerts.trial import TEST, channel_of
from statusproxy.alerts.values import Book, DeliveryState, Message, Target, outage_key
from statusproxy.config.alerts import Alerts as AlertSettings
from statusproxy.observe.alert_counts import AlertCounts
from statusproxy.status.model import Change
from statusproxy.store.claims import Claims
from statusproxy.store.outbox import Outbox

__all__ = ["Alerts", "Surroundings", "TargetResult", "new_id"]


class Surroundings(Protocol):
    """What alerts look at and where they keep what they told (`alerting.Site`)."""

    @property
    def registry(self) -> Sessions:
        """The sessions."""

    @property
    def outbox(self) -> Outbox | None:
        """The store's place for the book."""

    @property
    def claims(self) -> Claims | None:
        """The store's claims."""

    def vitals(self) -> Vitals:
        """How things stand beside the sessions."""

    async def works(self) -> str | None:
        """`store` or `gateway`, whichever does not answer now; None where both do."""

    def wall(self) -> float:
        """The system's time, epoch seconds."""

    @property
    def shift(self) -> float:
        """Seconds by which the system's clock is ahead of the proxy's own."""


class TargetResult(NamedTuple):
    """A test message to one target."""

    number: int
    """The target's place in the configuration, from 1."""
    target: str
    error: str | None


class Alerts:
    """Made where the settings have alerts. `configure`, then `start` in the event loop; `close` ends it."""

    def __init__(self, surroundings: Surroundings, counts: AlertCounts) -> None:
        self._surroundings = surroundings
        self._counts = counts
        self._session: ClientSession | None = None
        self._books = Bookkeeping(surroundings.outbox)
        self._reader = Reader()
        self._dispatch = Dispatch(composer(lambda: self._reader), counts, surroundings.wall)
        self._sender = Sender(surroundings, self._books, self._dispatch, surroundings.claims, surroundings.wall, new_id)
        self._settings: AlertSettings | None = None
        self._lines: list[Line] = []
        self._heartbeat: Heartbeat | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._started = False

    def configure(self, settings: AlertSettings, reader: Reader) -> None:
        """Go by these settings from now on; `reader` is for whom the words are."""
        before, self._settings, self._reader = self._settings, settings, reader
        rules = alert_rules(settings)
        self._lines = [
            Line(target, channel_of(written, self._client, self._surroundings.wall))
            for target, written in zip(rules.targets, settings.to, strict=True)
        ]
        self._counts.configured([target.name for target in rules.targets])
        self._dispatch.configure({line.target.id: line for line in self._lines})
        self._sender.configure(rules)
        if self._started and (before is None or before.heartbeat != settings.heartbeat):
            self._beat()

    def start(self) -> None:
        """Look, send and beat from now on."""
        self._started = True
        self._sender.start()
        self._beat()

    async def close(self) -> None:
        """Send nothing more; what is not sent stays in the book. Takes some seconds at most."""
        self._stop_beating()
        await self._sender.close()
        if self._ending:
            await asyncio.wait(self._ending)
        if self._session is not None:
            await self._session.close()

    # ---- what happens ----

    def changed(self, changes: Sequence[Change], now: float) -> None:
        """As `registry.changes.Subscriber.changed`."""
        self._sender.changed(changes, now)

    def wake(self) -> None:
        """Something beside the sessions may have changed."""
        self._sender.wake()

    # ---- what operators see and do ----

    @property
    def book(self) -> Book:
        """What was told, and the messages on their way: at a proxy that does not send, as it was some seconds ago."""
        return self._books.book

    @property
    def leading(self) -> bool:
        """Whether this proxy is the one that sends, of those that share a state."""
        return self._sender.leading

    @property
    def store_fails(self) -> bool:
        """Whether the book could not be read or written when that was last tried."""
        return self._books.failed

    @property
    def targets(self) -> list[Target]:
        """In the order of the configuration."""
        return [line.target for line in self._lines]

    def last_result(self, target: Target) -> Result | None:
        """The result of the last attempt to reach a target since the start; None if there was none."""
        return self._dispatch.results.get(target.id)

    @property
    def names(self) -> dict[str, str]:
        """What people call each target, by its id."""
        return {line.target.id: line.target.name for line in self._lines}

    @property
    def waiting(self) -> dict[str, int]:
        """Messages that are not delivered yet, by the id of the target."""
        return Counter(
            delivery.target
            for message in self.book.messages
            for delivery in message.deliveries
            if delivery.state is DeliveryState.WAITING
        )

    @property
    def beats(self) -> bool:
        """Whether there is a heartbeat."""
        return self._heartbeat is not None

    def alerted_at(self, session: str) -> float | None:
        """When the newest message about a session's present outage was made; None if there was none."""
        told = self.book.told.get(outage_key(session))
        return None if told is None else told.at

    async def test(self, number: int | None = None) -> list[TargetResult]:
        """Send a test message to all targets, or to one by its number from 1. Raises `LookupError` for no such one."""
        chosen = list(enumerate(self._lines, 1))
        if number is not None:
            chosen = [each for each in chosen if each[0] == number]
            if not chosen:
                raise LookupError(number)
        return list(await asyncio.gather(*(self._test(place, line.target) for place, line in chosen)))

    async def _test(self, number: int, target: Target) -> TargetResult:
        message = Message(new_id(), TEST, self._surroundings.wall(), (), ())
        outcome = await self._dispatch.send(message, target.id)
        return TargetResult(number, target.name, outcome.error)

    # ---- the parts ----

    def _client(self) -> ClientSession:
        """The session of all requests; made with the first one."""
        if self._session is None:
            self._session = open_session()
        return self._session

    def _beat(self) -> None:
        self._stop_beating()
        if self._settings is not None and self._settings.heartbeat is not None:
            self._heartbeat = Heartbeat(
                self._settings.heartbeat, self._client, self._surroundings.works, self._counts.heartbeat,
                self._surroundings.wall,
            )  # fmt: skip
            self._heartbeat.start()

    def _stop_beating(self) -> None:
        if self._heartbeat is not None:
            task = asyncio.create_task(self._heartbeat.close())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            self._heartbeat = None


def new_id() -> str:
    """A new message's id: those of one proxy sort by the time they were made, and no other proxy makes the same."""
    return f"msg_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"
