"""A stand-in gateway that runs, and a client that asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from statusproxy.demo import keeping, proxy
from statusproxy.demo.engine import Dialog
from statusproxy.demo.gateway import StandInGateway
from tests.ports import free_port


@pytest.fixture
async def gateway() -> AsyncIterator[StandInGateway]:
    async with StandInGateway(
        sessions=("sales", "support"), waiting=("night",), dialogs={"support": Dialog.AFTER_DELETE}
    ) as running:
        yield running


@pytest.fixture
def own_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports of this process for the demonstration. Its usual ones are the same for tests that run beside this one."""
    monkeypatch.setattr(keeping, "_PORTS", (free_port(), free_port(), free_port()))
    monkeypatch.setattr(proxy, "_PORTS", [free_port() for _ in range(9)])


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def ask(
    client: aiohttp.ClientSession, method: str, url: str, body: object = None, **headers: str
) -> tuple[int, Any]:
    async with client.request(method, URL(url, encoded=True), json=body, headers=headers) as answer:
        return answer.status, await answer.json()
