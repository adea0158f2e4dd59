"""A path for a database, and a store that is open and closed again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from statusproxy.store.sqlite import SqliteStore

from .samples import sqlite_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = sqlite_store(path)
    await store.open()
    yield store
    await store.close()
