"""`state.url` picks the store."""

import logging
import sys
from pathlib import Path

import pytest

from statusproxy.state_url import Place
from statusproxy.store import open_store
from statusproxy.store.memory import MemoryStore
from statusproxy.store.redis import RedisStore
from statusproxy.store.sqlite import SqliteStore


@pytest.mark.parametrize("url", ["memory:", "memory://"])
def test_memory_is_a_store(url: str) -> None:
    assert isinstance(open_store(url), MemoryStore)


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///state.db", "/srv/example/state.db"), ("sqlite:///a/state.db", "/srv/example/a/state.db"),
     ("sqlite:////var/lib/example/state.db", "/var/lib/example/state.db")],
)  # fmt: skip
def test_sqlite_paths_are_relative_with_three_slashes_and_absolute_with_four(url: str, path: str) -> None:
    store = open_store(url, environ={"STATE_DIRECTORY": "/srv/example"})
    assert isinstance(store, SqliteStore)
    assert store.path == Path(path)


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_redis_is_a_store(scheme: str) -> None:
    store = open_store(f"{scheme}://:hunter2@h.example:6380/3")
    assert isinstance(store, RedisStore)
    assert store.place == Place("h.example", 6380, 3, tls=scheme == "rediss", password="hunter2")


def test_without_its_package_a_redis_url_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "statusproxy.store.redis")
    monkeypatch.delitem(sys.modules, "statusproxy.store.keyspace")
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    monkeypatch.setitem(sys.modules, "redis.exceptions", None)
    with pytest.raises(ValueError, match=r"pip install 'statusproxy\[redis\]'"):
        open_store("redis://h.example:6379/0")


def test_nothing_is_touched_before_the_store_is_opened(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/a/state.db", 90, logging.getLogger("test"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:state.db", "a path follows three slashes"),
        ("sqlite://state.db", "a path follows three slashes"),
        ("sqlite:///", "expected the path of a file"),
        ("sqlite:///state/", "expected the path of a file"),
        ("sqlite:///state.db?mode=ro", "expected the path of a file and nothing after it"),
        ("sqlite:///:memory:", "without a file it is written memory:"),
        ("redis://h.example:port/0", "the address of the Redis server cannot be read; allowed: redis://"),
        ("postgres://h.example/db", "no store is called 'postgres'; allowed: memory:, sqlite:///"),
        ("state.db", "no store is called 'state.db'"),
        ("", "no store is called ''"),
    ],
)
def test_a_url_that_cannot_be_served_is_refused_with_what_is_allowed(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"^state\.url: ") as refused:
        open_store(url)
    assert told in str(refused.value)


def test_a_refusal_does_not_repeat_a_password() -> None:
    with pytest.raises(ValueError, match="no store") as refused:
        open_store("postgres://u:hunter2@h.example/db")
    assert "hunter2" not in str(refused.value)
