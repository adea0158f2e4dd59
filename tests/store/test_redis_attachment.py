"""The attachment to the keys: whom and what it waits for, for how long, what it tells, and how it ends."""

import asyncio
import logging
from dataclasses import replace

import pytest
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as NoConnectionError

from statusproxy.config.state_url import Place
from statusproxy.store.condition import Timing
from statusproxy.store.errors import StoreInUseError
from statusproxy.store.proxies import Proxy
from statusproxy.store.redis_attachment import Attachment, RedisTiming
from statusproxy.store.redis_durability import Durability
from statusproxy.store.redis_keys import Keyspace

from .samples import DAY
from .still_clock import StillClock

PLACE = Place("redis.example", 6379, prefix="p:")
TIMING = RedisTiming(answer_limit=4, open_wait=3, lock_wait=1)  # of no clock


class Server:
    """Stands in for the server: what each new connection meets there, and what is done with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, clock: StillClock) -> None:
        self.refuses: Exception | None = None
        """What connecting raises."""
        self.another_holds = False
        self.answers = True
        """Whether giving up the keys is answered."""
        self.renamed: list[tuple[str, str]] | Exception = []
        self.durability = Durability(waits=True)
        self.done: list[str] = []
        self.connected: list[tuple[object, ...]] = []
        self.attempts: list[float] = []
        """When (seconds after the beginning) it was connected to, or asked for the keys."""
        self._clock, self._began = clock, clock.now
        monkeypatch.setattr(Keyspace, "open", self._open)

    def note_attempt(self) -> None:
        self.attempts.append(self._clock.now - self._began)

    async def _open(self, place: Place, answer_limit: float) -> "Keys":
        self.connected.append((place, answer_limit))
        if self.refuses is not None:
            self.note_attempt()
            raise self.refuses
        return Keys(self)


class Keys(Keyspace):
    """One connection to it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.durability = server.durability

    async def join(self) -> list[tuple[str, str]]:
        self._server.note_attempt()
        if self._server.another_holds:
            raise StoreInUseError("in use")
        if isinstance(self._server.renamed, Exception):
            raise self._server.renamed
        return self._server.renamed

    async def drop(self) -> None:
        self._server.done.append("dropped")

    async def leave(self, me: Proxy) -> None:
        if not self._server.answers:
            await asyncio.Event().wait()
        self._server.done.append(f"left {me.id}")


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> StillClock:
    return StillClock(monkeypatch)


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch, clock: StillClock) -> Server:
    return Server(monkeypatch, clock)


ME = Proxy("me")


@pytest.fixture
def attachment() -> Attachment:
    return an_attachment(TIMING)


def an_attachment(timing: RedisTiming) -> Attachment:
    return Attachment(PLACE, log=logging.getLogger("test"), timing=timing)


async def test_it_has_the_keys_once_it_is_made(server: Server, attachment: Attachment) -> None:
    had = attachment.keys
    assert (had, await attachment.make()) == (None, attachment.keys)
    assert (server.connected, server.done) == ([(PLACE, 4)], [])


# Patience --------------------------------------------------------------------------------------------------


async def test_a_holder_that_leaves_is_waited_for(server: Server, attachment: Attachment, clock: StillClock) -> None:
    server.another_holds = True
    taking = asyncio.ensure_future(attachment.make_at_start())
    await clock.move()
    server.another_holds = False
    await clock.move(0.125)
    assert await taking is attachment.keys
    assert server.attempts == [0, 0.125]


async def test_a_holder_that_stays_is_waited_for_no_longer_than_was_said(
    server: Server, attachment: Attachment, clock: StillClock
) -> None:
    server.another_holds = True
    taking = asyncio.ensure_future(attachment.make_at_start())
    for _ in range(7):
        await clock.move(0.125)
        assert not taking.done()
    await clock.move(0.125)
    with pytest.raises(StoreInUseError):
        await taking
    assert server.attempts == [number / 8 for number in range(9)]
    assert (attachment.keys, server.done) == (None, ["dropped"])


async def test_after_a_loss_another_holder_is_not_waited_for(server: Server, attachment: Attachment) -> None:
    server.another_holds = True
    with pytest.raises(StoreInUseError):
        await attachment.make()
    assert server.attempts == [0]


@pytest.mark.parametrize(("wait", "attempts"), [
    (3.0, [0, 0.25, 0.75, 1.75]), (1.75, [0, 0.25, 0.75, 1.75]), (1.5, [0, 0.25, 0.75]), (0.0, [0]),
])  # fmt: skip
async def test_a_server_that_is_starting_is_tried_again_with_growing_pauses(
    server: Server, clock: StillClock, wait: float, attempts: list[float]
) -> None:
    server.refuses = NoConnectionError("refused")
    taking = asyncio.ensure_future(an_attachment(replace(TIMING, open_wait=wait)).make_at_start())
    for _ in range(16):
        await clock.move(0.25)
    with pytest.raises(NoConnectionError):
        await taking
    assert server.attempts == attempts


async def test_a_server_that_has_started_is_taken(server: Server, attachment: Attachment, clock: StillClock) -> None:
    server.refuses = NoConnectionError("refused")
    taking = asyncio.ensure_future(attachment.make_at_start())
    await clock.move()
    server.refuses = None
    await clock.move(0.25)
    assert await taking is attachment.keys


async def test_what_waiting_does_not_help_is_told_at_once(server: Server, attachment: Attachment) -> None:
    server.refuses = AuthenticationError("WRONGPASS")
    with pytest.raises(AuthenticationError):
        await attachment.make_at_start()
    assert server.attempts == [0]


async def test_what_cannot_be_read_is_let_go_of(server: Server, attachment: Attachment) -> None:
    server.renamed = ValueError("unreadable")
    with pytest.raises(ValueError, match="unreadable"):
        await attachment.make()
    assert (attachment.keys, server.done) == (None, ["dropped"])


# What is told ----------------------------------------------------------------------------------------------


async def test_what_was_not_ours_and_what_cannot_be_read_is_told(
    server: Server, attachment: Attachment, caplog: pytest.LogCaptureFixture
) -> None:
    server.renamed = [("p:records", "p:set-aside:records:1")]
    await attachment.make()
    attachment.tell_rejected(["sales"])
    assert caplog.messages == [
        f"state: {PLACE}: the key p:records held something that is not ours; it was renamed to p:set-aside:records:1",
        (
            f"state: {PLACE}: the row of session 'sales' cannot be read; it was moved to the key p:rejected, "
            "the session starts afresh"
        ),
    ]
    assert {record.levelname for record in caplog.records} == {"ERROR"}


async def test_what_the_servers_ok_is_not_worth_is_told_once_and_again_when_it_changes(
    server: Server, attachment: Attachment, caplog: pytest.LogCaptureFixture
) -> None:
    for caveats in (("a", "b"), ("a", "b"), ("c",), ()):
        server.durability = Durability(False, caveats)
        await attachment.make()
    assert caplog.messages == [f"state: {PLACE}: {caveat}" for caveat in ("a", "b", "c")]
    assert {record.levelname for record in caplog.records} == {"WARNING"}


# Letting go ------------------------------------------------------------------------------------------------


async def test_the_connection_alone_is_dropped_once(server: Server, attachment: Attachment) -> None:
    await attachment.make()
    await attachment.drop()
    await attachment.drop()
    assert (attachment.keys, server.done) == (None, ["dropped"])


async def test_the_keys_are_given_up_once(server: Server, attachment: Attachment) -> None:
    await attachment.make()
    await attachment.leave(ME)
    await attachment.leave(ME)
    assert (attachment.keys, server.done) == (None, ["left me"])


async def test_a_server_that_hangs_is_not_waited_for_at_the_end(
    server: Server, attachment: Attachment, clock: StillClock
) -> None:
    await attachment.make()
    server.answers = False
    leaving = asyncio.ensure_future(attachment.leave(ME))
    await clock.move(0.75)
    assert not leaving.done()
    await clock.move(0.25)
    await leaving
    assert server.done == ["dropped"]


def test_the_times_suit_each_other() -> None:
    timing = RedisTiming()
    assert timing.answer_limit < Timing().save_limit
    assert timing == RedisTiming(5, 10, 3, 3, 10, DAY, 15)
