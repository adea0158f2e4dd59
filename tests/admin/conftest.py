"""Fixtures of the admin room's tests: a proxy with its admin listener on."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest
from pytest_aiohttp import AiohttpClient

from tests.admin.harness import Admin, running_admin


class Start(Protocol):
    """Starts a proxy with settings of its own."""

    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[Admin]: ...


@pytest.fixture
def start(tmp_path: Path, aiohttp_client: AiohttpClient) -> Start:
    """A way to start a proxy with settings of its own: `async with start(admin={…}) as admin`."""
    return partial(running_admin, tmp_path, aiohttp_client)


@pytest.fixture
async def admin(start: Start) -> AsyncIterator[Admin]:
    """A proxy with default settings and its admin listener on."""
    async with start() as admin:
        yield admin
