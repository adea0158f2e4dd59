"""The hold on the keys: whom and what it waits for, for how long, what it tells, and how it ends."""

import asyncio
import logging
from dataclasses import replace

import pytest
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as NoConnectionError
from statusproxy.store.redis_hold import Hold, RedisTiming

from statusproxy.config.state_url import Place
from statusproxy.store.batch_writer import Timing
from statusproxy.store.errors import StoreInUseError
from statusproxy.store.owner import Owner
from statusproxy.store.redis_durability import Durability
from statusproxy.store.redis_keys import Contents, Keyspace

from .samples import DAY, NOW, a_record
from .still_clock import StillClock

PLACE = Place("redis.example", 6379, prefix="p:")
TIMING = RedisTiming(answer_limit=4, open_wait=3, mark_lifetime=6, lock_wait=1)


class Server:
    """Stands in for the server: what each new connection meets there, and what is done with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, clock: StillClock) -> None:
        self.refuses: Exception | None = None
        """What connecting raises."""
        self.another_holds = False
        self.answers = True
        """Whether giving up the keys is answered."""
        self.contents: Contents | Exception = Contents()
        self.durability = Durability(waits=True)
        self.done: list[str] = []
        self.connected: list[tuple[object, ...]] = []
        self.attempts: list[float] = []
        """When (seconds after the beginning) it was connected to, or asked for the keys."""
        self.read_at: list[float] = []
        self._clock, self._began = clock, clock.now
        monkeypatch.setattr(Keyspace, "open", self._open)

    def note_attempt(self) -> None:
        self.attempts.append(self._clock.now - self._began)

    async def _open(self, place: Place, owner: Owner, lifetime: float, answer_limit: float) -> "Keys":
        self.connected.append((place, owner, lifetime, answer_limit))
        if self.refuses is not None:
            self.note_attempt()
            raise self.refuses
        return Keys(self)


class Keys(Keyspace):
    """One connection to it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.durability = server.durability

    async def take(self) -> None:
        self._server.note_attempt()
        if self._server.another_holds:
            raise StoreInUseError("in use")

    async def read(self, now: float) -> Contents:
        self._server.read_at.append(now)
        if isinstance(self._server.contents, Exception):
            raise self._server.contents
        return self._server.contents

    async def drop(self) -> None:
        self._server.done.append("dropped")

    async def leave(self) -> None:
        if not self._server.answers:
            await asyncio.Event().wait()
        self._server.done.append("left")


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> StillClock:
    return StillClock(monkeypatch)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch, clock: StillClock) -> Server:
    return Server(monkeypatch, clock)


@pytest.fixture
def hold() -> Hold:
    return a_hold(TIMING)


def a_hold(timing: RedisTiming) -> Hold:
    return Hold(PLACE, log=logging.getLogger("test"), clock=lambda: NOW, timing=timing)


async def test_it_gives_the_records_and_holds_the_keys(server: Server, hold: Hold) -> None:
    server.contents = Contents({"sales": a_record("sales")})
    held = [hold.keys is not None]
    assert await hold.take() == {"sales": a_record("sales")}
    assert [*held, hold.keys is not None] == [False, True]
    ((place, _, *times),) = server.connected
    assert (place, times, server.read_at, server.done) == (PLACE, [6, 4], [NOW], [])


async def test_it_comes_again_as_the_same_holder(server: Server, hold: Hold) -> None:
    await hold.take()
    await hold.drop()
    await hold.take_at_start()
    owners = [owner for _, owner, *_ in server.connected]
    assert len(owners) == 2
    assert owners[0] == owners[1]


# Patience --------------------------------------------------------------------------------------------------


async def test_a_holder_that_leaves_is_waited_for(server: Server, hold: Hold, clock: StillClock) -> None:
    server.another_holds = True
    taking = asyncio.ensure_future(hold.take_at_start())
    await clock.move()
    server.another_holds = False
    await clock.move(0.125)
    assert await taking == {}
    assert server.attempts == [0, 0.125]


async def test_a_holder_that_stays_is_waited_for_no_longer_than_was_said(
    server: Server, hold: Hold, clock: StillClock
) -> None:
    server.another_holds = True
    taking = asyncio.ensure_future(hold.take_at_start())
    for _ in range(7):
        await clock.move(0.125)
        assert not taking.done()
    await clock.move(0.125)
    with pytest.raises(StoreInUseError):
        await taking
    assert server.attempts == [number / 8 for number in range(9)]
    assert (hold.keys, server.done) == (None, ["dropped"])


async def test_after_a_loss_another_holder_is_not_waited_for(server: Server, hold: Hold) -> None:
    server.another_holds = True
    with pytest.raises(StoreInUseError):
        await hold.take()
    assert server.attempts == [0]


@pytest.mark.parametrize(("wait", "attempts"), [
    (3.0, [0, 0.25, 0.75, 1.75]), (1.75, [0, 0.25, 0.75, 1.75]), (1.5, [0, 0.25, 0.75]), (0.0, [0]),
])  # fmt: skip
async def test_a_server_that_is_starting_is_tried_again_with_growing_pauses(
    server: Server, clock: StillClock, wait: float, attempts: list[float]
) -> None:
    server.refuses = NoConnectionError("refused")
    taking = asyncio.ensure_future(a_hold(replace(TIMING, open_wait=wait)).take_at_start())
    for _ in range(16):
        await clock.move(0.25)
    with pytest.raises(NoConnectionError):
        await taking
    assert server.attempts == attempts


async def test_a_server_that_has_started_is_taken(server: Server, hold: Hold, clock: StillClock) -> None:
    server.refuses = NoConnectionError("refused")
    taking = asyncio.ensure_future(hold.take_at_start())
    await clock.move()
    server.refuses = None
    await clock.move(0.25)
    assert await taking == {}


async def test_what_waiting_does_not_help_is_told_at_once(server: Server, hold: Hold) -> None:
    server.refuses = AuthenticationError("WRONGPASS")
    with pytest.raises(AuthenticationError):
        await hold.take_at_start()
    assert server.attempts == [0]


async def test_what_cannot_be_read_is_let_go_of(server: Server, hold: Hold) -> None:
    server.contents = ValueError("unreadable")
    with pytest.raises(ValueError, match="unreadable"):
        await hold.take()
    assert (hold.keys, server.done) == (None, ["dropped"])


# What is told ----------------------------------------------------------------------------------------------


async def test_what_was_not_ours_and_what_cannot_be_read_is_told(
    server: Server, hold: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    server.contents = Contents({}, ["sales"], [("p:records", "p:set-aside:records:1")])
    await hold.take()
    assert caplog.messages == [
        f"state: {PLACE}: the key p:records held something that is not ours; it was renamed to p:set-aside:records:1",
        (
            f"state: {PLACE}: the row of session 'sales' cannot be read; it was moved to the key p:rejected, "
            "the session starts afresh"
        ),
    ]
    assert {record.levelname for record in caplog.records} == {"ERROR"}


async def test_what_the_servers_ok_is_not_worth_is_told_once_and_again_when_it_changes(
    server: Server, hold: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    for caveats in (("a", "b"), ("a", "b"), ("c",), ()):
        server.durability = Durability(False, caveats)
        await hold.take()
    assert caplog.messages == [f"state: {PLACE}: {caveat}" for caveat in ("a", "b", "c")]
    assert {record.levelname for record in caplog.records} == {"WARNING"}


# Letting go ------------------------------------------------------------------------------------------------


async def test_the_connection_alone_is_dropped_once(server: Server, hold: Hold) -> None:
    await hold.take()
    await hold.drop()
    await hold.drop()
    assert (hold.keys, server.done) == (None, ["dropped"])


async def test_the_keys_are_given_up_once(server: Server, hold: Hold) -> None:
    await hold.take()
    await hold.leave()
    await hold.leave()
    assert (hold.keys, server.done) == (None, ["left"])


async def test_a_server_that_hangs_is_not_waited_for_at_the_end(server: Server, hold: Hold, clock: StillClock) -> None:
    await hold.take()
    server.answers = False
    leaving = asyncio.ensure_future(hold.leave())
    await clock.move(0.75)
    assert not leaving.done()
    await clock.move(0.25)
    await leaving
    assert server.done == ["dropped"]


def test_the_times_suit_each_other() -> None:
    timing = RedisTiming()
    assert timing.answer_limit < Timing().save_limit
    assert timing.lock_wait > timing.mark_lifetime  # a holder that died elsewhere is waited for
    assert timing == RedisTiming(5, 10, 3, 9, 10, DAY)
