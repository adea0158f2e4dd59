"""Fixtures of all tests of the traffic: an origin, and a proxy in front of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.proxy.harness import Origin, Running, running


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    """A scripted gateway, listening."""
    origin = Origin()
    await origin.start()
    yield origin
    await origin.stop()


@pytest.fixture
async def proxy(origin: Origin, tmp_path: Path) -> AsyncIterator[Running]:
    """A proxy with default settings in front of `origin`."""
    async with running(tmp_path, origin.url) as proxy:
        yield proxy
