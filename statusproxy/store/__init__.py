"""Where the session map survives a restart: `open_store` picks the store that a `state.url` names.

Every store is a `BatchWriter` over a backend of its own (`base.py`). `memory:` keeps nothing, `sqlite:///…` is the
default, `redis://…` needs the extra `redis`.
"""

import importlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from statusproxy.config.state_url import Form, Place, SqliteFile, StateUrl, find_form, parse_state_url
from statusproxy.store.base import Store, StoreOptions
from statusproxy.store.errors import StoreError, StoreInUseError
from statusproxy.store.extras import missing_package
from statusproxy.store.files import resolve

__all__ = ["Store", "StoreError", "StoreInUseError", "open_store", "state_place"]


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
    parts, form = _parse(url)
    missing = missing_package(url)
    if missing is not None:
        raise ValueError(missing)
    options = StoreOptions(history_days, log or logging.getLogger("statusproxy.store"), journal, environ)
    store: Store = importlib.import_module(form.backend).make_store(parts, options)
    return store


def state_place(url: str, environ: Mapping[str, str]) -> Path | Place:
    """The file, or the server and its keys, that a `state.url` names; `environ` as for `open_store`.

    Raises `ValueError` where the state cannot be copied (`Form.no_backup`), and where the package for a server is
    missing.
    """
    parts, form = _parse(url)
    missing = missing_package(url)
    if missing is not None:
        raise ValueError(missing)
    if isinstance(parts, SqliteFile):
        return resolve(parts.path, environ)
    if isinstance(parts, Place):
        return parts
    raise ValueError(form.no_backup)


def _parse(url: str) -> tuple[StateUrl, Form]:
    try:
        parts, form = parse_state_url(url), find_form(url)
    except ValueError as error:
        raise ValueError(f"state.url: {error}") from None
    assert form is not None
    return parts, form
