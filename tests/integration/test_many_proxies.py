"""Two and five proxies on one real Redis: what one hears holds in all, whatever happens to the server between them."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec
import pytest

from statusproxy.config.load import loads
from statusproxy.demo.events import status_find
from statusproxy.observe.metrics import Metrics
from statusproxy.registry.registry import SessionRegistry
from statusproxy.status.model import Record
from statusproxy.store.batch_writer import Timing
from statusproxy.store.redis import RedisTiming, redis_store
from statusproxy.store.redis_time import ServerClock
from tests.store.redis_server import RedisServer, RedisStore, running

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
        return sorted(record.session for record in self.registry.records() if record.override is not None)


async def begun(
    server: RedisServer, *, ahead: float = 0.0, journal: Path | None = None, answer_limit: float = 20.0
) -> Proxy:
    """A proxy on a host whose clock is `ahead` by so many seconds."""

    def wall() -> float:
        return time.time() + ahead

    store = redis_store(
        server.place, clock=wall, timing=_QUICK, journal=journal, server_clock=ServerClock(wall),
        server_timing=RedisTiming(answer_limit=answer_limit, open_wait=0, lock_wait=0, report_every=0.05),
    )  # fmt: skip
    rules = _SETTINGS.signal_rules(), _SETTINGS.session_rules()
    registry = SessionRegistry(*rules, store, Metrics(), wall, time.monotonic)
    await registry.open()
    return Proxy(registry, store)


@asynccontextmanager
async def proxies(server: RedisServer, *ahead: float, journals: Path | None = None) -> AsyncIterator[Sequence[Proxy]]:
    started: list[Proxy] = []
    try:
        for number, seconds in enumerate(ahead):
            journal = None if journals is None else journals / str(number)
            started.append(await begun(server, ahead=seconds, journal=journal))
        yield started
    finally:
        for proxy in started:
            await proxy.registry.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop run until something came from the server (pytest bounds the wait)."""
    while not condition():  # noqa: ASYNC110 - what is waited for comes from another process
        await asyncio.sleep(0.001)


def same(them: Sequence[Proxy]) -> bool:
    """Whether all know the same of all sessions, and have it written."""

    def known(proxy: Proxy) -> dict[str, Record]:
        offset = proxy.store.backend._server.offset - (proxy.registry.clock.wall() - time.time())
        assert abs(offset) < 1e9
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


@pytest.mark.parametrize("count", [2, 5])
async def test_what_one_hears_holds_in_all_at_once(server: RedisServer, count: int) -> None:
    events = 100
    took: list[float] = []
    async with proxies(server, *[0.0] * count) as them:
        for number in range(events):
            session = f"s{number}"
            heard = time.monotonic()
            durable = asyncio.ensure_future(them[number % count].hear(session, "browserClose"))
            await until(lambda session=session: all(proxy.lost().count(session) for proxy in them))  # type: ignore[misc]
            took.append(time.monotonic() - heard)
            await durable
        await agree(them, [f"s{number}" for number in range(events)])
    print(f"{count} proxies: median {median(took) * 1000:.1f} ms, worst {max(took) * 1000:.1f} ms")
