"""A path for a database, a store that is open and closed again, and a Redis server for all tests with ways to it."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from statusproxy.config.state_url import Place
from statusproxy.store import database, sqlite_wal
from statusproxy.store.redis_link import Command, Link, Reply
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_side_link import SideLink

from .redis_server import RedisServer, running
from .samples import Connections, SqliteStore, sqlite_store


@pytest.fixture(autouse=True)
def enough_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check of the file is cut short by time; on a busy machine that must not decide a test."""
    for module in (database, sqlite_wal):
        monkeypatch.setattr(module, "_CHECK_SECONDS", 3600.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    """The connections of databases that are opened from here on to be written."""
    opened, connect = Connections(), partial(sqlite3.connect, check_same_thread=False)

    def noted(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        if str(arguments[0]).endswith("mode=rw"):
            opened.append(connection)
        return connection

    monkeypatch.setattr(sqlite3, "connect", noted)
    return opened


@pytest.fixture
async def store(path: Path, connections: Connections) -> AsyncIterator[SqliteStore]:
    store = sqlite_store(path)
    await store.open()
    yield store
    await store.close()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for the tests that leave it as it is; each uses keys of its own."""
    with running(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def place(redis_server: RedisServer, request: pytest.FixtureRequest) -> Place:
    """Keys of the test's own on that server."""
    return replace(redis_server.place, prefix=f"{request.node.name}:")


@pytest.fixture
def names(place: Place) -> Names:
    return Names.of(place)


@pytest.fixture
async def link(place: Place) -> AsyncIterator[Link]:
    link = await Link.open(place, 9)
    yield link
    await link.close()


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[Link]:
    """The connections to Redis that are opened from here on, whether they are closed since or not."""
    opened: list[Link] = []
    begin = Link.__init__

    def noted(self: Link, *given: Any) -> None:
        opened.append(self)
        begin(self, *given)

    monkeypatch.setattr(Link, "__init__", noted)
    return opened


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    """The commands that are sent to Redis from here on."""
    commands: list[Command] = []
    ask = Link.ask

    async def noted(self: Link, *given: Command) -> list[Reply]:
        commands.extend(given)
        return await ask(self, *given)

    monkeypatch.setattr(Link, "ask", noted)
    return commands


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator["redis.Redis"]:
    with redis_server.client() as client:
        yield client


@pytest.fixture
def begun(client: "redis.Redis", names: Names) -> "redis.Redis":
    """A client of a server whose memory has begun: it has the epoch `e`."""
    client.set(names.epoch, "e")
    return client


@pytest.fixture
async def side_link(place: Place, begun: "redis.Redis") -> AsyncIterator[SideLink]:
    """A link beside the store's own to a server whose memory has begun."""
    side = SideLink(place, 9)
    yield side
    await side.close()
