"""Where the session map survives a restart: `open_store` picks the store that a `state.url` names.

Each store keeps the `Store` protocol of `statusproxy.store.base`: `open`, `save`, `history`, `close`,
`healthy`, `trouble`. `memory:` keeps nothing, `sqlite:///…` is the default, `redis://…` needs the extra `redis`.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from statusproxy.config.state_url import Memory, Place, SqliteFile, StateUrl, parse_state_url
from statusproxy.store.base import Store
from statusproxy.store.errors import StoreError, StoreInUseError
from statusproxy.store.extras import missing_package
from statusproxy.store.files import resolve
from statusproxy.store.memory import MemoryStore
from statusproxy.store.sqlite import SqliteStore

__all__ = ["StoreError", "StoreInUseError", "open_store", "state_file"]


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
    match _parse(url):
        case Memory():
            return MemoryStore(history_days=history_days)
        case SqliteFile(path):
            return SqliteStore(resolve(path, environ), history_days=history_days, log=log)
        case Place() as place:
            directory = None if journal is None else resolve(journal, environ)
            return _redis_store(place, history_days, log, directory)


def state_file(url: str, environ: Mapping[str, str]) -> Path:
    """The file that a `state.url` names; `environ` as for `open_store`.

    Raises `ValueError` where the state is not in a file, with how to keep a copy of it then.
    """
    match _parse(url):
        case Memory():
            raise ValueError("the state is kept in memory only (state.url): it is gone with the process")
        case SqliteFile(path):
            return resolve(path, environ)
        case Place() as place:
            raise ValueError(
                f"the state is in {place}: back up that server, for example with: "
                f"redis-cli -h {place.host} -p {place.port} --rdb FILE"
            )


def _parse(url: str) -> StateUrl:
    try:
        return parse_state_url(url)
    except ValueError as error:
        raise ValueError(f"state.url: {error}") from None


def _redis_store(place: Place, history_days: float | None, log: logging.Logger | None, journal: Path | None) -> Store:
    missing = missing_package("redis:")
    if missing is not None:
        raise ValueError(missing)
    from statusproxy.store.redis import RedisStore

    return RedisStore(place, history_days=history_days, log=log, journal=journal)
