"""Slow lists: an answer that was asked for before something happened says nothing about what came after."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from statusproxy.demo.events import status_find
from tests.hub import Hub, statuses
from tests.integration.stage import INBOUND, tell
from tests.pictures import PNG_URL
from tests.proxy.harness import PATIENCE, Message, Origin, Running, Wire, answer, get, running


class SlowGateway(Origin):
    """A gateway whose list answers come when the test lets them: `held` has those waiting, oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self.script = self.slow
        self.word = "connected"
        self.qr: dict[str, Any] = {"success": True, "qr": PNG_URL, "status": "QRCODE"}
        self.held: list[asyncio.Future[None]] = []
        self._more = asyncio.Condition()

    async def slow(self, wire: Wire) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await self.take(wire)
                await wire.send(await self.respond(request))

    async def respond(self, request: Message) -> bytes:
        document: Any = {"success": True}
        if request.target == b"/api/channels" and request.start.startswith(b"GET"):
            word = self.word  # the engine is asked now, the answer comes later
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            async with self._more:
                self.held.append(turn)
                self._more.notify_all()
            await turn
            document = {"success": True, "channels": [{"id": "sales", "status": word}], "total": 1}
        elif request.target.endswith(b"/qr"):
            document = self.qr
        return answer(json.dumps(document).encode(), "Content-Type: application/json")

    async def asked(self, count: int = 1) -> None:
        """Wait until so many lists were asked for in all."""
        async with asyncio.timeout(PATIENCE), self._more:
            await self._more.wait_for(lambda: len(self.held) >= count)

    def answer_list(self, number: int) -> None:
        """Let the answer to this list (from 0) go."""
        if not self.held[number].done():
            self.held[number].set_result(None)


@pytest.fixture
async def gateway() -> AsyncIterator[SlowGateway]:
    gateway = SlowGateway()
    await gateway.start()
    yield gateway
    await gateway.stop()


@pytest.fixture
async def proxy(gateway: SlowGateway, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, gateway.url) as proxy:
        yield proxy


async def poll(proxy: Running, *fields: str) -> str:
    reply = await proxy.ask(get("/api/channels", *fields))
    assert reply.status == 200, reply
    return statuses(json.loads(reply.body))["sales"]


async def poll_now(proxy: Running, gateway: SlowGateway) -> str:
    """Poll, and have the gateway answer at once; other lists stay held."""
    number = len(gateway.held)
    polling = asyncio.create_task(poll(proxy, f"X-Poll: {number}"))  # a field of its own: it shares no other's answer
    await gateway.asked(number + 1)
    gateway.answer_list(number)
    return await polling


async def lose(proxy: Running) -> None:
    await tell(proxy.url + INBOUND, status_find("sales", "disconnectedMobile"))


async def test_a_list_asked_for_before_the_code_was_shown_ends_nothing(proxy: Running, gateway: SlowGateway) -> None:
    await lose(proxy)
    stale = asyncio.create_task(poll(proxy))
    await gateway.asked(1)  # it holds "connected", the lie
    async with Hub(proxy.url) as hub:
        assert (await hub.call("GET", "/api/channels/sales/qr")).ok
    gateway.answer_list(0)
    assert await stale == "disconnected"
    assert proxy.server.registry.has_overrides
    gateway.word = "qr_required"
    assert await poll_now(proxy, gateway) == "qr_required"
    gateway.word = "connected"  # scanned
    assert await poll_now(proxy, gateway) == "connected"
    assert not proxy.server.registry.has_overrides


@pytest.mark.parametrize("evidence", ["list", "created", "start-session", "qr"])
async def test_no_evidence_makes_a_list_asked_for_before_it_fresh(
    evidence: str, proxy: Running, gateway: SlowGateway
) -> None:
    await lose(proxy)
    stale = asyncio.create_task(poll(proxy))
    await gateway.asked(1)
    async with Hub(proxy.url) as hub:
        if evidence == "list":
            gateway.word = "qr_required"
            assert await poll_now(proxy, gateway) == "qr_required"
            gateway.word = "connected"
        elif evidence == "created":
            assert (await hub.call("POST", "/api/channels", {"channel": "sales"})).ok
        elif evidence == "start-session":
            assert (await hub.call("POST", "/api/channels/sales/start-session", {})).ok
        else:
            assert (await hub.call("GET", "/api/channels/sales/qr")).ok
    gateway.answer_list(0)
    assert await stale == "disconnected"
    assert await poll_now(proxy, gateway) == "connected"


async def test_evidence_asked_for_before_the_loss_is_none(proxy: Running, gateway: SlowGateway) -> None:
    gateway.word = "qr_required"
    early = asyncio.create_task(poll(proxy))
    await gateway.asked(1)
    gateway.word = "connected"  # linked in between, and lost again, which only the events tell
    await lose(proxy)
    gateway.answer_list(0)
    assert await early == "qr_required"  # tells the user more than "disconnected"
    assert await poll_now(proxy, gateway) == "disconnected"


async def test_a_list_asked_for_before_the_loss_is_corrected_by_what_is_known_now(
    proxy: Running, gateway: SlowGateway
) -> None:
    early = asyncio.create_task(poll(proxy))
    await gateway.asked(1)
    await lose(proxy)
    gateway.answer_list(0)
    assert await early == "disconnected"


async def test_a_poll_that_joins_a_list_asked_for_earlier_counts_from_then(
    proxy: Running, gateway: SlowGateway
) -> None:
    await lose(proxy)
    first = asyncio.create_task(poll(proxy))
    await gateway.asked(1)
    async with Hub(proxy.url) as hub:
        assert (await hub.call("GET", "/api/channels/sales/qr")).ok
    second = asyncio.create_task(poll(proxy))  # asked after the code was shown; the first one's answer is older
    async with asyncio.timeout(PATIENCE):
        while proxy.server.proxy.in_flight < 2 and len(gateway.held) < 2:  # noqa: ASYNC110 - the event is the proxy's
            await asyncio.sleep(0)
    gateway.answer_list(0)
    words = [await first]
    for number in range(1, len(gateway.held)):
        gateway.answer_list(number)
    words.append(await second)
    if len(gateway.held) == 1:
        assert words == ["disconnected", "disconnected"]
        assert proxy.server.registry.has_overrides
    else:
        assert words[0] == "disconnected"
    assert await poll_now(proxy, gateway) == "connected"


async def test_a_second_loss_takes_back_what_was_seen_before_it(proxy: Running, gateway: SlowGateway) -> None:
    await lose(proxy)
    async with Hub(proxy.url) as hub:
        assert (await hub.call("GET", "/api/channels/sales/qr")).ok
    await tell(proxy.url + INBOUND, status_find("sales", "browserClose"))
    assert await poll_now(proxy, gateway) == "disconnected"
