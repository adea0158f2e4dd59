"""The world of the simulation: virtual time, a network that delays, reorders and loses, and a schedule."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import NamedTuple

from statusproxy.status.clocks import NOTICEABLE, later_by
from statusproxy.status.model import Override, Record, Release
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import Reading, Signal, SignalKind, Verdict
from tests.status.maps import ALIVE, DOWN, UP, see

from .proxy import RULES, Proxy
from .shared_store import Row, SharedStore

MOST_EVENTS = 20_000
"""Events after which proxies that still write will not stop: some 600 are the most where all is well."""

MOST_LATE = 8.0
"""Seconds by which an event's delivery may be late."""

EPOCH = 1_768_500_000.0


class Operation(NamedTuple):
    """One thing that happens; `number` is its place in the whole schedule, by which the network's delays are drawn."""

    number: int
    at: float
    what: str
    proxy: int
    session: str
    kind: SignalKind = ALIVE
    sent_at: float | None = None
    """Of an event: when it happened, by the sender's clock."""
    late: float = 0.0
    twice: int | None = None
    """Of an event: another proxy that it is sent to as well."""


_OTHERS = (
    "keeps", "connected", "qr", "created", "deleted", "release", "forget", "untimed", "tick", "partition",
    "partition", "heal", "heal", "restart", "lose", "flush", "other-sender",
)  # fmt: skip
_NOT_PLAIN = {*_OTHERS[:8], "other-sender"}
_KINDS = (DOWN, DOWN, DOWN, UP, UP, ALIVE, ALIVE, SignalKind.TRANSIENT)


class Setting(NamedTuple):
    """What a seed makes: who takes part, and the schedule."""

    seed: int
    skews: tuple[tuple[float, float], ...]
    operations: tuple[Operation, ...]


def setting(seed: int) -> Setting:
    """Two to five proxies, one to three sessions, some thirty operations; one session hears of one sender alone."""
    random = Random(seed)
    proxies = random.randint(2, 5)
    skews = tuple((random.uniform(-400, 400), random.uniform(-0.02, 0.02)) for _ in range(proxies))
    sessions = ["plain", "sales", "support"][: random.randint(1, 3)]
    sender = random.choice([-3_600.0, -2.0, 0.0, 100.0])
    now, operations = EPOCH, []
    for number in range(random.randint(8, 40)):
        now += random.choice([0.001, 0.02, 0.1, 1.0, 10.0, 70.0])
        session, what = random.choice(sessions), "event"
        if random.random() < 0.5:
            what = random.choice(_OTHERS)
        if session == "plain" and what in _NOT_PLAIN:
            what = "event"
        late = random.choice([0.0, 0.01, 0.2, random.uniform(0, MOST_LATE)])
        twice = random.randrange(proxies) if random.random() < 0.2 else None
        operations.append(
            Operation(
                number, now + late, what, random.randrange(proxies), session,
                random.choice(_KINDS[:-1] if session == "plain" else _KINDS),
                round(now + sender, 3), late, twice,
            )
        )  # fmt: skip
    return Setting(seed, skews, tuple(sorted(operations, key=lambda one: one.at)))


class World:
    """Runs a schedule."""

    def __init__(self, made: Setting) -> None:
        self.now = EPOCH
        self.store = SharedStore(self._push)
        self._seed = made.seed
        self._random = Random(made.seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.proxies = [Proxy(self, number, *skew) for number, skew in enumerate(made.skews)]
        self.told: dict[int, Operation] = {}
        """The events that were acknowledged."""
        self.operations = made.operations
        self._by_number = {one.number: one for one in made.operations}
        self.ended: list[tuple[int, Override, float]] = []
        """Overrides that ended at a proxy: by which operation, and when they had begun in the shared time."""
        self.heard: dict[str, float] = {}
        """When each session was last heard of."""

    # ---- the network ----

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do this so many seconds from now."""
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, do))

    def _delay(self) -> float:
        return self._random.choice([0.0005, 0.002, 0.01, 0.05, 0.4])

    def send(self, proxy: Proxy, arrives: Callable[[], None], fails: Callable[[], None]) -> None:
        """A message between a proxy and the store, either way."""
        run = proxy.run

        def arrive() -> None:
            if proxy.run == run:
                (arrives if proxy.connected else fails)()

        self.later(self._delay(), arrive)

    def _push(self, writer: int, session: str, row: Row) -> None:
        for proxy in self.proxies:
            if proxy.number != writer:
                self._push_to(proxy, session, row)

    def _push_to(self, proxy: Proxy, session: str, row: Row) -> None:
        epoch = self.store.epoch

        def arrive() -> None:
            if epoch == self.store.epoch:
                proxy.learn(session, row)
                proxy.save()

        self.send(proxy, arrive, lambda: None)

    def acknowledge(self, numbers: Iterable[int]) -> None:
        """These events are durable."""
        for number in numbers:
            self.told[number] = self._by_number[number]

    # ---- the schedule ----

    def run(self) -> None:
        """All operations, and then until all is quiet."""
        for operation in self.operations:
            self._until(operation.at)
            self._random = Random(self._seed * 1_000 + operation.number)
            self._do(operation)
        self._quiet()
        self.now += 500.0
        for proxy in self.proxies:
            self._tick(proxy)
        self._quiet()

    def _until(self, moment: float) -> None:
        while self._events and self._events[0][0] <= moment:
            self.now, _, do = heapq.heappop(self._events)
            assert self._count < MOST_EVENTS, "the proxies go on writing"
            do()
        self.now = max(self.now, moment)

    def _quiet(self) -> None:
        for proxy in self.proxies:
            self._heal(proxy)
        for _ in range(12):
            self._until(self.now + 60.0)
            for proxy in self.proxies:
                proxy.save(stale=True)
            if not self._events:
                return
        raise AssertionError("the proxies go on writing")

    @staticmethod
    def _heal(proxy: Proxy) -> None:
        proxy.connected = True
        proxy.attach()

    @staticmethod
    def _tick(proxy: Proxy) -> None:
        proxy.map.judge_transient(proxy.now())
        proxy.map.expire(proxy.now())
        proxy.save()

    def _do(self, operation: Operation) -> None:
        proxy, what = self.proxies[operation.proxy], operation.what
        if what in {"event", "untimed", "other-sender"}:
            self._hear(proxy, operation)
            if operation.twice is not None:
                other = self.proxies[operation.twice]
                self.later(self._delay(), lambda: self._hear(other, operation))
        elif what == "partition":
            proxy.connected = False
        elif what == "heal":
            self._heal(proxy)
        elif what == "restart":
            proxy.restart()
        elif what == "lose":
            self.store.lose_memory()
            for one in self.proxies:
                if one.connected:
                    one.attach()
        elif what == "tick":
            self._tick(proxy)
        elif what not in {"release", "forget"} or proxy.map.get(operation.session) is not None:
            with self._noting_ends(proxy, operation):
                self._ask(proxy, what, operation.session)
            proxy.acknowledged.append(operation.number)
            proxy.save(stale=what == "flush")

    @contextmanager
    def _noting_ends(self, proxy: Proxy, operation: Operation) -> Iterator[None]:
        before = proxy.map.get(operation.session)
        yield
        after = proxy.map.get(operation.session)
        if before is not None and before.override is not None and (after is None or after.override is None):
            self.ended.append((operation.number, before.override, before.override.began + proxy.shift))

    def _ask(self, proxy: Proxy, what: str, session: str) -> None:
        now, sessions = proxy.now(), proxy.map
        if what == "qr":
            sessions.watched.qr_seen(session, now, now)
        elif what == "created":
            sessions.watched.created(session, now, now)
        elif what == "deleted":
            sessions.watched.deleted(session, now, now)
        elif what in {"keeps", "connected"}:
            see(sessions, session, says=what, keeps=what == "keeps", connected=what == "connected", asked_at=now,
                now=now, source="/api")  # fmt: skip
        elif what in {"release", "forget"}:
            (sessions.release if what == "release" else sessions.forget)(session, now)

    def _hear(self, proxy: Proxy, operation: Operation) -> None:
        """A webhook; the engine does not send it again once it is answered."""
        self.heard[operation.session] = self.now
        with self._noting_ends(proxy, operation):
            hear(proxy.map, operation, proxy.now())
        proxy.acknowledged.append(operation.number)
        proxy.save()


def hear(sessions: SessionMap, operation: Operation, arrival: float) -> None:
    """A map hears an event."""
    at = None if operation.what == "untimed" else operation.sent_at
    sender, event_id = "/in a", f"{operation.number}"
    if operation.what == "other-sender":
        sender, at = "/in b", (at or 0.0) + 37.0
    word = operation.kind.value
    signal = Signal(operation.kind, operation.session, at, "ev", word, event_id, grace=30.0)
    sessions.hear(Reading(Verdict.SIGNAL, "ev", operation.session, signal), arrival, sender)


# ---- what must hold when all is quiet ----


def check(made: Setting) -> None:
    """Run a schedule, and assert that the proxies agree, that nothing older won, and that nothing is missing."""
    world = World(made)
    world.run()
    rows = {session: row.record for session, row in world.store.rows.items() if row.record is not None}
    for proxy in world.proxies:
        assert proxy.records() == rows, f"proxy {proxy.number} has not what the store has"
        assert not proxy.journal or all(proxy.journal.values()), "the journal holds what is written"
    for number, ended, began in world.ended:
        if number in world.told:
            _stays_ended(world.told[number], ended, began, rows)
    for record in rows.values():
        if record.override is not None and record.verdict is UP:
            assert later_by(record.known, record.override.stamp) < 0, f"{record.session} is known to be connected"
    _what_was_forgotten_is_gone(world, rows)
    _no_event_is_missing(world, rows)
    if "plain" in rows:
        _one_map_knows_the_same(world, rows["plain"])


def _stays_ended(by: Operation, ended: Override, began: float, rows: dict[str, Record]) -> None:
    override = rows[by.session].override if by.session in rows else None
    heard_since = by.what == "forget" and override is not None and override.began > by.at - 0.1
    # Two deliveries of one event, and an operator who ends it in between: within what is known of a sender's clock.
    at_once = override is not None and override.at == ended.at and abs(override.began - by.at) < NOTICEABLE
    if override is not None and not heard_since and not at_once:
        newer = override.at > ended.at if override.clock == ended.clock is not None else override.began > began
        assert newer, f"an override that ended stands again, after {by}"


def _what_was_forgotten_is_gone(world: World, rows: dict[str, Record]) -> None:
    """Where nothing was heard since. A proxy that was killed has forgotten what it forgot, unless the store knows."""
    if any(one.what == "restart" for one in world.operations):
        return
    for one in world.told.values():
        if one.what == "forget" and world.heard.get(one.session, 0.0) < one.at - 0.1:
            assert one.session not in rows, f"what was forgotten is back, after {one}"


def _no_event_is_missing(world: World, rows: dict[str, Record]) -> None:
    """What is known of a session is no older than any state event that was acknowledged."""
    forgotten = {one.session for one in world.operations if one.what == "forget"}
    for one in world.told.values():
        if one.kind not in {UP, DOWN} or one.session in forgotten or one.what != "event":
            continue
        record = rows[one.session]
        assert one.sent_at is not None
        if record.known_clock == "/in a":
            assert record.known_at >= one.sent_at, f"{one} is newer than what is known"
        else:
            assert record.known.here >= one.at - one.late - MOST_LATE - 0.1, f"{one} is newer than what is known"


def _one_map_knows_the_same(world: World, record: Record) -> None:
    one_map = SessionMap(RULES)
    told = [one for one in world.told.values() if one.session == "plain" and one.what == "event"]
    for one in sorted(told, key=lambda one: one.sent_at or 0.0):
        hear(one_map, one, one.at)
        one_map.judge_transient(one.at)
    expected = one_map.get("plain")
    if expected is None or any(one.what == "restart" for one in world.operations):
        return  # what no one was told of may be known, and that a message came is written every half minute only
    if record.released is Release.EXPIRED:
        return
    assert (record.verdict, record.known_at) == (expected.verdict, expected.known_at), "one map knows something else"
    assert record.alive_at == expected.alive_at, "one map has another newest message"
    assert _shown(record) == _shown(expected), "one map shows something else"


def _shown(record: Record) -> float | None:
    return None if record.override is None else record.override.at
