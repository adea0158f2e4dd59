"""A path for a database, a Redis server for all tests, and a store that is open and closed again."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from statusproxy.store import database, sqlite_wal

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
