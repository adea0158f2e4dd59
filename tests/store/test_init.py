"""`state.url` picks the store."""

import importlib.util
import logging
import re
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from statusproxy import store as store_module
from statusproxy.config.state_url import STATE_ALLOWED, Form, Place, parse_state_url
from statusproxy.store import open_store, state_place
from statusproxy.store.base import Backend
from statusproxy.store.batch_writer import BatchWriter
from statusproxy.store.memory import MemoryBackend
from statusproxy.store.redis import RedisBackend
from statusproxy.store.sqlite import SqliteBackend


def backend_of(url: str, **options: Any) -> Backend:
    store = open_store(url, **options)
    assert isinstance(store, BatchWriter)
    backend: Backend = store.backend
    return backend


def test_memory_is_a_store() -> None:
    assert isinstance(backend_of("memory:"), MemoryBackend)


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///state.db", "/srv/example/state.db"), ("sqlite:///a/state.db", "/srv/example/a/state.db"),
     ("sqlite:////var/lib/example/state.db", "/var/lib/example/state.db")],
)  # fmt: skip
def test_sqlite_paths_are_relative_with_three_slashes_and_absolute_with_four(url: str, path: str) -> None:
    backend = backend_of(url, environ={"STATE_DIRECTORY": "/srv/example"})
    assert isinstance(backend, SqliteBackend)
    assert backend.path == Path(path)


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_redis_is_a_store(scheme: str) -> None:
    backend = backend_of(f"{scheme}://:hunter2@h.example:6380/3")
    assert isinstance(backend, RedisBackend)
    assert backend.place == Place("h.example", 6380, 3, tls=scheme == "rediss", password="hunter2")


def test_without_its_package_a_redis_url_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"pip install 'hiredis>=3\.5' 'redis<9,>=8\.1'"):
        open_store("redis://h.example:6379/0")


def test_history_is_kept_for_ninety_days_unless_another_time_is_named() -> None:
    assert signature(open_store).parameters["history_days"].default == 90


def test_what_a_store_tells_goes_to_the_logger_that_is_named_or_to_that_of_the_stores() -> None:
    loggers = [open_store("memory:", log=log)._log for log in (None, logging.getLogger("test"))]  # type: ignore[attr-defined]
    assert [logger.name for logger in loggers] == ["statusproxy.store", "test"]


def test_nothing_is_touched_before_the_store_is_opened(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/a/state.db", 90, logging.getLogger("test"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["sqlite:state.db", "redis://:hunter2@h.example:port/0", "postgres://u:hunter2@h/db", ""]
)
def test_a_url_that_cannot_be_served_is_refused_with_what_is_allowed_and_no_password(url: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(f"state.url: allowed: {STATE_ALLOWED}")) as refused:
        open_store(url)
    assert "hunter2" not in str(refused.value)
    with pytest.raises(ValueError, match=r"^state\.url: allowed: "):
        state_place(url, {})


def test_the_file_of_the_state_is_where_the_store_has_it() -> None:
    assert state_place("sqlite:///state.db", {"STATE_DIRECTORY": "/srv/example"}) == Path("/srv/example/state.db")
    assert state_place("sqlite:////var/lib/state.db", {}) == Path("/var/lib/state.db")


def test_the_place_of_a_state_on_a_server_is_that_and_one_in_memory_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert state_place("redis://h.example/3", {}) == Place("h.example", database=3)
    with pytest.raises(ValueError, match=r"^the state is kept in memory only .*lost when the process ends$"):
        state_place("memory:", {})
    monkeypatch.setattr(store_module, "missing_package", lambda _: "state.url: install it")
    with pytest.raises(ValueError, match="install it"):
        state_place("redis://h.example", {})


def test_the_place_of_a_state_that_cannot_be_copied_is_refused_with_what_its_form_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = Form(("file",), "file:path", parse_state_url, "", no_backup="copy the file")
    monkeypatch.setattr(store_module, "find_form", lambda _: form)
    with pytest.raises(ValueError, match=r"^copy the file$"):
        state_place("memory:", {})
