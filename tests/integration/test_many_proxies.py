"""Two and five proxies on one real Redis: what one hears holds in all, whatever happens to the server between them."""

import asyncio
import json
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from statusproxy.config.load import loads
from statusproxy.demo.events import status_find
from statusproxy.observe.metrics import Metrics
from statusproxy.registry.registry import SessionRegistry
from statusproxy.status.model import Record
from statusproxy.store.condition import Timing
from statusproxy.store.redis import RedisTiming, redis_store
from statusproxy.store.redis_time import TOLERANCE, ServerClock
from tests.proxy.loop_clock import LoopClock
from tests.registry.known import records_of
from tests.store.redis_server import RedisServer, RedisStore, running
from tests.store.sentinel import Sentinels, watched
from tests.waiting import until

pytestmark = pytest.mark.divisible

_SETTINGS = loads("gateway: http://gateway.example")
_QUICK = Timing(first_retry=0.01, last_retry=0.05, save_limit=20, close_limit=5)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running(tmp_path / "redis") as server:
        yield server


@dataclass(slots=True)
class Proxy:
    """What a proxy knows, and its store."""

    registry: SessionRegistry
    store: RedisStore

    def hear(self, session: str, word: str, at: float | None = None) -> Awaitable[None]:
        """An event of a session's connection."""
        event = status_find(session, word)
        if at is not None:
            event["date_time"] = at
        durable = self.registry.hear(json.dumps(event).encode(), "192.0.2.1")
        assert durable is not None
        return durable

    def lost(self) -> list[str]:
        return sorted(record.session for record in records_of(self.registry) if record.override is not None)


async def begun(
    server: RedisServer | Sentinels,
    *,
    ahead: float = 0.0,
    journal: Path | None = None,
    answer_limit: float = 20.0,
    report_every: float = 0.05,
) -> Proxy:
    """A proxy on a host whose clock is `ahead` by so many seconds."""

    def wall() -> float:
        return time.time() + ahead

    store = redis_store(
        server.place, clock=wall, timing=_QUICK, journal=journal, server_clock=ServerClock(wall),
        server_timing=RedisTiming(answer_limit=answer_limit, open_wait=0, lock_wait=0, report_every=report_every),
    )  # fmt: skip
    rules = _SETTINGS.signal_rules(), _SETTINGS.session_rules()
    registry = SessionRegistry(*rules, store, Metrics(), wall, time.monotonic)
    await registry.open()
    return Proxy(registry, store)


@asynccontextmanager
async def proxies(
    server: RedisServer, *ahead: float, journals: Path | None = None, **times: float
) -> AsyncIterator[Sequence[Proxy]]:
    started: list[Proxy] = []
    try:
        for number, seconds in enumerate(ahead):
            journal = None if journals is None else journals / str(number)
            started.append(await begun(server, ahead=seconds, journal=journal, **times))
        yield started
    finally:
        for proxy in started:
            await proxy.registry.close()


def same(them: Sequence[Proxy]) -> bool:
    """Whether all know the same of all sessions, and have it written."""

    def known(proxy: Proxy) -> dict[str, Record]:
        return {record.session: essence(record) for record in proxy.registry.sessions.records()}

    first, *others = map(known, them)
    return all(proxy.store.healthy and proxy.store.backlog == 0 for proxy in them) and all(
        other == first for other in others
    )


def essence(record: Record) -> Record:
    """What two proxies must agree on: all but the moments, which each tells by its own clock."""
    override = record.override
    return Record(
        record.session, record.verdict, event=record.event, channel=record.channel, released=record.released,
        override=None if override is None else msgspec.structs.replace(override, since=0, at=0, began=0, lag=0,
                                                                       caught_up_at=None, seen_on=()),
    )  # fmt: skip


async def agree(them: Sequence[Proxy], lost: Sequence[str]) -> None:
    """Wait until all show the same sessions as disconnected, and know the same."""
    await until(lambda: all(proxy.lost() == sorted(lost) for proxy in them) and same(them))


async def test_valkey_is_shared_as_redis_is(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "valkey", program="valkey-server")
    server.start()
    try:
        async with proxies(server, 0.0, 300.0) as them:
            await settle(them[0].hear("one", "browserClose"), them[1].hear("two", "browserClose"))
            await agree(them, ["one", "two"])
            flush(server)
            await them[1].hear("one", "inChat")
            await agree(them, ["two"])
    finally:
        server.stop()


@pytest.mark.parametrize("count", [2, 5])
async def test_what_one_hears_is_pushed_to_all(server: RedisServer, count: int) -> None:
    """Nobody looks for it: each look of a proxy, and each end of its wait for the server, is hours away."""
    events, hours = 50, 36_000.0
    async with proxies(server, *[0.0] * count, answer_limit=hours, report_every=hours) as them:
        for number in range(events):
            session = f"s{number}"
            durable = asyncio.ensure_future(them[number % count].hear(session, "browserClose"))
            await until(lambda session=session: all(proxy.lost().count(session) for proxy in them))
            await durable
        await agree(them, [f"s{number}" for number in range(events)])


# Whatever happens to the server --------------------------------------------------------------------------------


async def settle(*durable: Awaitable[None]) -> None:
    """Wait until what was heard is durable, or known not to be yet."""
    await asyncio.gather(*durable)


def cut(server: RedisServer) -> None:
    with server.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)


def flush(server: RedisServer) -> None:
    with server.client() as client:
        client.flushall()


def restart(server: RedisServer) -> None:
    server.stop()
    server.start()


def lose_memory(server: RedisServer) -> None:
    server.stop()
    server.forget()
    server.start()


@pytest.mark.parametrize("happen", [cut, flush, restart, lose_memory])
async def test_whatever_happens_to_the_server_all_agree_again(
    server: RedisServer, happen: Callable[[RedisServer], None]
) -> None:
    async with proxies(server, 0.0, 0.0, 0.0) as them:
        a, b, c = them
        await settle(a.hear("kept", "browserClose"), b.hear("back", "browserClose"), c.hear("gone", "browserClose"))
        await agree(them, ["back", "gone", "kept"])
        await c.registry.forget("gone")
        await agree(them, ["back", "kept"])
        happen(server)
        await settle(a.hear("back", "inChat"), b.hear("new", "browserClose"), c.hear("newer", "browserClose"))
        await agree(them, ["kept", "new", "newer"])
        with server.client() as client:
            await until(lambda: client.hlen("statusproxy:records") == 4)


async def test_what_was_forgotten_stays_so_where_the_server_loses_its_memory(server: RedisServer) -> None:
    async with proxies(server, 0.0, 0.0) as them:
        await them[0].hear("gone", "browserClose")
        await agree(them, ["gone"])
        await them[1].registry.forget("gone")
        await agree(them, [])
        flush(server)
        await them[0].hear("new", "browserClose")
        await agree(them, ["new"])
        assert [[record.session for record in records_of(proxy.registry)] for proxy in them] == [["new"], ["new"]]


async def test_while_the_server_hangs_each_goes_on_and_then_all_agree(
    server: RedisServer, loop_clock: LoopClock
) -> None:
    them = [await begun(server, answer_limit=8) for _ in range(2)]
    try:
        await them[0].hear("kept", "browserClose")
        await agree(them, ["kept"])
        server.tell(signal.SIGSTOP)
        heard = [them[0].hear("one", "browserClose"), them[1].hear("two", "browserClose"),
                 them[1].hear("kept", "inChat")]  # fmt: skip
        await loop_clock.move(9)  # less than a save may take
        await until(lambda: not any(proxy.store.healthy for proxy in them))
        assert [proxy.lost() for proxy in them] == [["kept", "one"], ["two"]]
        server.tell(signal.SIGCONT)
        await settle(*heard)
        await agree(them, ["one", "two"])
    finally:
        server.tell(signal.SIGCONT)
        for proxy in them:
            await proxy.registry.close()


async def test_two_that_start_while_the_server_is_away_agree_once_it_is_there(
    server: RedisServer, tmp_path: Path
) -> None:
    async with proxies(server, 0.0) as (before,):
        await settle(before.hear("old", "browserClose"), before.hear("back", "browserClose"))
    server.stop()
    async with proxies(server, 0.0, 0.0, journals=tmp_path / "journals") as them:
        await settle(them[0].hear("one", "browserClose"), them[1].hear("two", "browserClose"),
                     them[1].hear("back", "inChat"))  # fmt: skip
        assert [proxy.lost() for proxy in them] == [["one"], ["two"]]
        assert all(f"kept in {tmp_path}" in (proxy.store.error or "") for proxy in them)
        server.start()
        await agree(them, ["old", "one", "two"])


async def test_what_one_held_in_its_journal_when_it_died_reaches_all(server: RedisServer, tmp_path: Path) -> None:
    async with proxies(server, 0.0) as (survivor,):
        server.stop()
        async with proxies(server, 0.0, journals=tmp_path) as (dying,):
            await settle(dying.hear("sales", "browserClose"))
        server.start()
        async with proxies(server, 0.0, journals=tmp_path) as (successor,):
            await agree([survivor, successor], ["sales"])


# Clocks -------------------------------------------------------------------------------------------------------


async def test_between_hosts_whose_clocks_are_five_minutes_apart_nothing_older_wins(server: RedisServer) -> None:
    async with proxies(server, 300.0, 0.0, -300.0) as them:
        ahead, right, behind = them
        await ahead.hear("a", "browserClose")
        await agree(them, ["a"])
        await behind.hear("a", "inChat")  # later, though its host's clock says ten minutes earlier
        await agree(them, [])
        await behind.hear("b", "browserClose")
        await agree(them, ["b"])
        await right.hear("b", "inChat")
        await ahead.hear("b", "browserClose")
        await agree(them, ["b"])
        began = [proxy.registry.sessions.get("b").override.began for proxy in them]  # type: ignore[union-attr]
        offsets = [proxy.store.backend._server.offset for proxy in them]
        assert offsets == pytest.approx([-300.0, 0.0, 300.0], abs=TOLERANCE)  # as well as a busy server can tell
        in_servers_time = [moment + offset for moment, offset in zip(began, offsets, strict=True)]
        assert in_servers_time == pytest.approx([in_servers_time[1]] * 3, abs=2e-6, rel=0)
        for proxy in them:
            await settle(proxy.hear("b", "inChat"))
        await agree(them, [])


# History ------------------------------------------------------------------------------------------------------


async def test_history_is_one_whoever_is_asked_and_a_decision_of_all_is_in_it_once(server: RedisServer) -> None:
    async with proxies(server, 0.0, 0.0) as them:
        await them[0].hear("sales", "browserClose")
        await agree(them, ["sales"])
        await settle(them[0].hear("sales", "inChat"), them[1].hear("sales", "inChat"))  # at the same time
        await agree(them, [])
        for proxy in them:
            changes = await proxy.store.history("sales", 9)
            assert [(change.what, change.reason) for change in changes] == [
                ("released", "connected-event"), ("started", "status-find browserClose")
            ]  # fmt: skip


# Who is there -------------------------------------------------------------------------------------------------


async def test_each_knows_who_shares_the_map(server: RedisServer) -> None:
    async with proxies(server, 0.0) as (first,):
        async with proxies(server, 300.0, -300.0) as others:
            them = [first, *others]
            await until(lambda: all(len(proxy.store.sharing.proxies) == 3 for proxy in them))  # type: ignore[union-attr]
        await until(lambda: len(first.store.sharing.proxies) == 1)  # type: ignore[union-attr]


# Sentinels ----------------------------------------------------------------------------------------------------


async def test_after_a_failover_all_agree_on_the_new_master(tmp_path: Path) -> None:
    with watched(tmp_path) as sentinels:
        them = [await begun(sentinels, answer_limit=2) for _ in range(2)]
        try:
            await settle(them[0].hear("kept", "browserClose"), them[1].hear("back", "browserClose"))
            await agree(them, ["back", "kept"])
            sentinels.master.stop()
            await settle(them[0].hear("back", "inChat"), them[1].hear("new", "browserClose"))
            await agree(them, ["kept", "new"])
            with sentinels.replica.client() as client:
                assert client.role()[0] == b"master"
                assert client.hlen("statusproxy:records") == 3
        finally:
            for proxy in them:
                await proxy.registry.close()


# Anything, in any order ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 5, 9])
async def test_whatever_comes_in_whatever_order_all_agree_in_the_end(server: RedisServer, seed: int) -> None:
    chance = random.Random(seed)
    happens = [cut] * 6 + [flush] * 3 + [restart] * 2 + [lose_memory]
    async with proxies(server, 0.0, 0.0, 0.0) as them:
        durable: list[asyncio.Future[None]] = []
        for _ in range(100):
            proxy, session, kind = chance.choice(them), f"s{chance.randrange(12)}", chance.random()
            if kind < 0.75:
                word = chance.choice(["browserClose", "inChat"])
                durable.append(asyncio.ensure_future(proxy.hear(session, word)))
            elif kind < 0.83:
                if proxy.registry.sessions.get(session) is not None:
                    await proxy.registry.forget(session)
            elif kind < 0.9:
                chance.choice(happens)(server)
            else:
                await asyncio.sleep(0)
        await settle(*durable)
        await until(
            lambda: (
                len({tuple(proxy.lost()) for proxy in them}) == 1
                and all(proxy.store.healthy and proxy.store.backlog == 0 for proxy in them)
            )
        )
