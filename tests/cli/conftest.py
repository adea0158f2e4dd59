"""A proxy to be asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from statusproxy.demo.gateway import StandInGateway
from tests.ports import free_port
from tests.proxy.harness import Running, running
from tests.store import redis_server as servers


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Running]:
    """It has a token, and a gateway with two sessions behind it."""
    admin = {"listen": f"127.0.0.1:{free_port()}", "token": "s3cret"}
    async with (
        StandInGateway(sessions=("sales", "Front Desk")) as gateway,
        running(tmp_path, gateway.base_url, admin=admin) as proxy,
    ):
        yield proxy


@pytest.fixture
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.RedisServer]:
    """A Redis server."""
    with servers.running(tmp_path_factory.mktemp("redis")) as server:
        yield server
