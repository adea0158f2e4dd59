"""What other proxies did to entries, and several spools over one state: nothing is lost, and sessions stay in order."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from statusproxy.proxy.ports import Attempt, NotKeptError
from statusproxy.spool.ids import Ids
from statusproxy.spool.order import Order
from statusproxy.spool.others import Others
from statusproxy.spool.schedule import SpoolRules
from statusproxy.spool.spool import Spool
from statusproxy.spool.times import shifted
from statusproxy.store.errors import StoreError
from statusproxy.store.spooled import Entry, EntryState, Removed, SpoolNews
from tests.spool.entries import entry
from tests.spool.fakes import FAILED, NO_ANSWER, NOT_SENT, QUEUED, TAKEN, Clock, Counts, parcel, refused
from tests.spool.shared_state import SharedState, SharedStore


class Bench:
    """What is told, and what becomes of it."""

    def __init__(self) -> None:
        self.order, self.ids = Order(), Ids()
        self.vanished: list[str] = []
        self.changes = 0
        self.others = Others(self.order, self.ids, lambda each: shifted(each, 7.0), self.vanished.extend, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    @property
    def known(self) -> Sequence[Entry]:
        return sorted(self.order.entries(), key=lambda each: each.id)


def test_what_others_kept_changed_and_removed_is_known_here_on_our_clock() -> None:
    it = Bench()
    it.others.follow()
    it.others.tell(SpoolNews([entry(1), entry(2), entry(3)]))
    it.others.tell(SpoolNews([entry(2, state=EntryState.DEAD)], ["000003", "never seen"]))
    assert it.known == [shifted(entry(1), 7.0), shifted(entry(2, state=EntryState.DEAD), 7.0)]
    assert (it.changes, it.vanished) == (2, [])


def test_what_the_server_lost_is_told_as_lost() -> None:
    it = Bench()
    it.others.follow()
    it.others.tell(SpoolNews(lost=["000001"]))
    assert (it.vanished, it.changes) == (["000001"], 1)


def test_what_is_kept_here_sorts_after_what_others_kept() -> None:
    it = Bench()
    it.others.follow()
    far = entry(1, id="00060000000000" + "f" * 14)
    it.others.tell(SpoolNews([far]))
    assert it.ids.new(5.0) > far.id


def test_what_is_told_while_the_entries_are_read_comes_after_them() -> None:
    it = Bench()
    it.others.tell(SpoolNews([entry(2, state=EntryState.DEAD)], ["000001"]))
    assert (it.known, it.changes) == ([], 0)
    for number in (1, 2):
        it.others.take_in(entry(number))
    it.others.follow()
    assert (it.known, it.changes) == ([shifted(entry(2, state=EntryState.DEAD), 7.0)], 1)


# ---- several spools over one state ----


ATTEMPTS = st.sampled_from([TAKEN, TAKEN, TAKEN, NOT_SENT, NO_ANSWER, refused(503), refused(404), refused(429, 9.0)])
SESSIONS = ("a", "b", None)
PROXIES = 3


class Attempted:
    """An entry that a proxy has taken; `sent` once its first byte has gone out."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.sent = False


class One:
    """A proxy: its spool, and what it has under way."""

    def __init__(self, state: SharedState, clock: Clock, ahead: float, rules: SpoolRules) -> None:
        self.clock, self.ahead, self.rules, self.state = clock, ahead, rules, state
        self.counts = Counts()
        self.store: SharedStore = state.store(ahead)
        self.restart()

    def restart(self) -> None:
        """The process dies, and another begins: what did not reach the server is gone, but for removals."""
        self.clock.restart()
        self.store.late = [op for op in self.store.late if isinstance(op, Removed)]
        self.under_way: list[Attempted] = []
        self.spool = Spool(self.store, self.clock.own, self.rules, self.counts, chance=lambda: 0.5)


class Proxies(RuleBasedStateMachine):
    """Arrivals at any proxy, deliveries by whoever holds the claim, outages, deaths and operators, in any order."""

    @initialize(rules=st.lists(st.builds(
        SpoolRules, resend=st.booleans(), max_age=st.sampled_from([600.0, 86_400.0]), schedule=st.just((1.0, 5.0)),
    ), min_size=PROXIES, max_size=PROXIES))  # fmt: skip
    def begin(self, rules: list[SpoolRules]) -> None:
        self.loop = asyncio.new_event_loop()
        self.state = SharedState(lambda: 0.0)
        # The hosts' clocks differ by minutes; the server's says 1000 at first.
        self.proxies = [
            One(self.state, Clock(1000.0 - ahead), ahead, each)
            for ahead, each in zip((0.0, 300.0, -300.0), rules, strict=True)
        ]
        for proxy in self.proxies:
            self.run(proxy.spool.open)
        self.holder = 0
        self.session: dict[str, str | None] = {}  # of what was answered 202
        self.before: dict[str, set[str]] = {}  # what was known of the session where it was kept
        self.received: set[str] = set()
        self.gone: set[str] = set()  # dropped and counted
        self.aside: set[str] = set()  # once unknown or dead: out of the order

    def run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return self.loop.run_until_complete(call(*arguments))

    @rule(which=st.integers(0, PROXIES - 1), session=st.sampled_from(SESSIONS), direct=ATTEMPTS)
    def arrive(self, which: int, session: str | None, direct: Attempt) -> None:
        proxy = self.proxies[which]
        known = self.waiting(proxy, session)
        attempt = QUEUED
        if proxy.spool.quiet("gateway") or proxy.spool.admit("gateway", session):
            assert not known
            attempt = direct
            if attempt is TAKEN or attempt.status == 404:
                proxy.spool.attempted("gateway", session, attempt)
                return
        try:
            id_ = self.run(proxy.spool.keep, parcel(session), attempt)
        except NotKeptError:
            return
        assert all(id_ > each for each in known)
        self.session[id_], self.before[id_] = session, known

    def waiting(self, proxy: One, session: str | None) -> set[str]:
        """What a proxy knows to wait for its delivery."""
        entries = proxy.spool.control.entries()
        return {each.id for each in entries if each.state is EntryState.WAITING and each.session == session}

    @rule(which=st.integers(0, PROXIES - 1))
    def lose_the_claim(self, which: int) -> None:
        self.holder = which

    @rule(number=st.integers(1, 8))
    def take_and_send(self, number: int) -> None:
        proxy = self.proxies[self.holder]
        for _ in range(number):
            taken = proxy.spool.take("gateway")
            if taken is None:
                return
            proxy.under_way.append(Attempted(taken))
            self.send(self.holder, -1)

    @rule()
    def take(self) -> None:
        proxy = self.proxies[self.holder]
        taken = proxy.spool.take("gateway")
        if taken is not None:
            proxy.under_way.append(Attempted(taken))

    @rule(which=st.integers(0, PROXIES - 1), place=st.integers(0, 9))
    def send(self, which: int, place: int) -> None:
        """The content is read, the claim is looked at, and the first byte goes out."""
        proxy = self.proxies[which]
        attempted = self.pick(proxy, place, sent=False)
        if attempted is None:
            return
        try:
            content = self.run(proxy.spool.content, attempted.entry)
        except StoreError:
            self.tried(proxy, attempted, FAILED)
            return
        if content is None:
            self.run(proxy.spool.lost, attempted.entry)
            self.tried(proxy, attempted, QUEUED)
        elif which != self.holder:
            self.tried(proxy, attempted, QUEUED)
        else:
            attempted.sent = True
            id_ = attempted.entry.id
            if id_ not in self.received and id_ not in self.aside:  # else it was sent again
                assert self.before.get(id_, set()) <= self.received | self.gone | self.aside

    @rule(which=st.integers(0, PROXIES - 1), place=st.integers(0, 9), attempt=ATTEMPTS)
    def end(self, which: int, place: int, attempt: Attempt) -> None:
        proxy = self.proxies[which]
        attempted = self.pick(proxy, place, sent=True)
        if attempted is not None:
            if attempt is TAKEN:
                self.received.add(attempted.entry.id)
            self.tried(proxy, attempted, attempt)

    def pick(self, proxy: One, place: int, *, sent: bool) -> Attempted | None:
        chosen = [each for each in proxy.under_way if each.sent is sent]
        return chosen[place % len(chosen)] if chosen else None

    def tried(self, proxy: One, attempted: Attempted, attempt: Attempt) -> None:
        proxy.under_way.remove(attempted)
        self.run(proxy.spool.tried, attempted.entry, attempt)

    @rule(which=st.integers(0, PROXIES - 1), lines=st.integers(1, 5) | st.none())
    def hear(self, which: int, lines: int | None) -> None:
        self.proxies[which].store.hear(lines)

    @rule(seconds=st.sampled_from([0.5, 2.0, 31.0]))
    def wait(self, seconds: float) -> None:
        for proxy in self.proxies:
            proxy.clock.wait(seconds)

    @rule(which=st.integers(0, PROXIES - 1))
    def drop_old(self, which: int) -> None:
        proxy = self.proxies[which]
        there = {each.id for each in proxy.spool.control.entries()}
        self.run(proxy.spool.drop_old)
        self.gone |= there - {each.id for each in proxy.spool.control.entries()}

    @rule(which=st.integers(0, PROXIES - 1))
    def lose_the_server(self, which: int) -> None:
        self.proxies[which].store.fail("the server is away")

    @rule(which=st.integers(0, PROXIES - 1))
    def reach_the_server(self, which: int) -> None:
        self.proxies[which].store.heal()

    @rule(which=st.integers(0, PROXIES - 1))
    def die(self, which: int) -> None:
        proxy = self.proxies[which]
        proxy.restart()
        proxy.store.heal()
        self.run(proxy.spool.open)

    @rule(which=st.integers(0, PROXIES - 1), place=st.integers(0, 9), drop=st.booleans())
    def operate(self, which: int, place: int, drop: bool) -> None:
        control = self.proxies[which].spool.control
        ids = sorted(each.id for each in control.entries())
        if not ids or not self.proxies[which].store.healthy:
            return
        id_ = ids[place % len(ids)]
        self.run(control.drop if drop else control.replay, [id_])
        if drop:
            self.gone.add(id_)

    @invariant()
    def nothing_that_was_answered_202_vanishes(self) -> None:
        if not hasattr(self, "proxies"):
            return
        rows = self.state.rows
        self.aside |= {id_ for id_, (each, _) in rows.items() if each.state is not EntryState.WAITING}
        for proxy in self.proxies:
            entries = proxy.spool.control.entries()
            self.aside |= {each.id for each in entries if each.state is not EntryState.WAITING}
            assert proxy.counts.all["dropped lost"] == 0
        assert set(self.session) <= rows.keys() | self.received | self.gone

    def teardown(self) -> None:
        """Once all is quiet all know the same, and what waits is delivered by whoever holds the claim."""
        if not hasattr(self, "proxies"):
            return
        for proxy in self.proxies:
            proxy.store.heal()
        self.settle()
        rows = {id_: each.state for id_, (each, _) in self.state.rows.items()}
        for proxy in self.proxies:
            assert {each.id: each.state for each in proxy.spool.control.entries()} == rows
        for _ in range(100):
            self.take_and_send(8)
            while self.proxies[self.holder].under_way:
                self.end(self.holder, 0, TAKEN)
            if not self.proxies[self.holder].spool.control.totals.waiting:
                break
            self.wait(31.0)
        self.settle()
        self.nothing_that_was_answered_202_vanishes()
        assert [proxy.spool.control.totals.waiting for proxy in self.proxies] == [0] * PROXIES
        self.loop.close()

    def settle(self) -> None:
        """What is under way ends, and all hear of it."""
        for which, proxy in enumerate(self.proxies):
            while proxy.under_way:
                attempted = proxy.under_way[0]
                if attempted.sent:
                    self.tried(proxy, attempted, QUEUED)
                else:
                    self.send(which, 0)
            self.run(proxy.spool.writing.settle)
        for proxy in self.proxies:
            proxy.store.hear()


TestProxies = Proxies.TestCase
TestProxies.settings = settings(stateful_step_count=50)
