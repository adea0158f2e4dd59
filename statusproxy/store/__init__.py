"""Where the session map survives a restart: `open_store` picks the store that a `state.url` names.

Each store keeps the `Store` protocol of `statusproxy.status.sessions`: `open`, `save`, `history`, `close`,
`healthy`, `trouble`. `memory:` keeps nothing, `sqlite:///…` is the default, `redis://…` needs the extra `redis`.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from statusproxy.status.sessions import Store
from statusproxy.store.errors import StoreError, StoreInUseError
from statusproxy.store.extras import missing_package
from statusproxy.store.files import resolve
from statusproxy.store.memory import MemoryStore
from statusproxy.store.place import Place
from statusproxy.store.sqlite import SqliteStore

__all__ = ["StoreError", "StoreInUseError", "open_store", "state_file"]

_SQLITE: Final = "sqlite:///"
_ALLOWED: Final = (
    "memory:, sqlite:///state.db (relative), sqlite:////var/lib/statusproxy/state.db (absolute) or "
    "redis://host:6379/0 (rediss:// for TLS)"
)


def open_store(
    url: str,
    history_days: float | None = 90,
    log: logging.Logger | None = None,
    *,
    journal: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Store:
    """The store that a `state.url` names; nothing is touched before its `open` is awaited.

    `history_days` bounds the history (None: by rows only), `log` defaults to the logger `statusproxy.store`.
    `journal` is the directory in which changes are kept while a server does not take them (None: nowhere). `environ`
    may hold systemd's `STATE_DIRECTORY`, in which relative paths lie (else: the working directory). Raises
    `ValueError` with what is allowed for a url it cannot serve.
    """
    if url in ("memory:", "memory://"):
        return MemoryStore(history_days=history_days)
    if url.startswith(_SQLITE):
        return SqliteStore(resolve(_path(url), environ), history_days=history_days, log=log)
    scheme = url.partition(":")[0].lower()
    if scheme == "sqlite":
        raise ValueError(f"state.url: found {url!r}; a path follows three slashes: {_ALLOWED}")
    if scheme in ("redis", "rediss"):
        directory = None if journal is None else resolve(journal, environ)
        return _redis_store(Place.parse(url), history_days, log, directory)
    # The scheme alone: an address may carry a password.
    raise ValueError(f"state.url: no store is called {scheme!r}; allowed: {_ALLOWED}")


def state_file(url: str, environ: Mapping[str, str]) -> Path:
    """The file that a `state.url` names; `environ` as for `open_store`.

    Raises `ValueError` where the state is not in a file, with how to keep a copy of it then.
    """
    if url.startswith(_SQLITE):
        return resolve(_path(url), environ)
    scheme = url.partition(":")[0].lower()
    if scheme == "memory":
        raise ValueError("the state is kept in memory only (state.url): it is gone with the process")
    if scheme in ("redis", "rediss"):
        place = Place.parse(url)
        raise ValueError(
            f"the state is in {place}: back up that server, for example with: "
            f"redis-cli -h {place.host} -p {place.port} --rdb FILE"
        )
    raise ValueError(f"state.url: the state is in no file; a file is written: {_SQLITE}state.db")


def _redis_store(place: Place, history_days: float | None, log: logging.Logger | None, journal: Path | None) -> Store:
    missing = missing_package("redis:")
    if missing is not None:
        raise ValueError(missing)
    from statusproxy.store.redis import RedisStore

    return RedisStore(place, history_days=history_days, log=log, journal=journal)


def _path(url: str) -> str:
    path = url.removeprefix(_SQLITE)
    if path == ":memory:":
        raise ValueError(f"state.url: found {url!r}; without a file it is written memory:")
    if not path or path.endswith("/") or any(mark in path for mark in "?#\0"):
        raise ValueError(f"state.url: found {url!r}; expected the path of a file and nothing after it: {_ALLOWED}")
    return path
