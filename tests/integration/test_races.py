"""Slow lists: an answer that was asked for before something happened says nothing about what came after."""

from __future__ import annotations

import asyncio
import json

import pytest

from statusproxy.demo.events import status_find
from tests.hub import Hub, statuses
from tests.integration.stage import INBOUND, tell
from tests.pictures import PNG_URL
from tests.proxy.harness import Message, Origin, Running, answer, get, until
from tests.proxy.held_origin import Held


def listed(word: str) -> bytes:
    """The list as the gateway gives it: one session and its word for it."""
    document = {"success": True, "channels": [{"id": "sales", "status": word}], "total": 1}
    return answer(json.dumps(document).encode(), "Content-Type: application/json")


def at_once(request: Message) -> bytes:
    """What the gateway answers to anything but the list; its QR route shows a code."""
    document: dict[str, object] = {"success": True}
    if request.target.endswith(b"/qr"):
        document |= {"qr": PNG_URL, "status": "QRCODE"}
    return answer(json.dumps(document).encode(), "Content-Type: application/json")


@pytest.fixture
def gateway(origin: Origin) -> Held:
    """A gateway whose lists come when the test lets them, each by itself; they say what was true when asked for."""
    gateway = Held(origin, b"GET /api/channels ", one_by_one=True)
    gateway.answer, gateway.others = listed("connected"), at_once
    return gateway


async def poll(proxy: Running, *fields: str) -> str:
    reply = await proxy.ask(get("/api/channels", *fields))
    assert reply.status == 200, reply
    return statuses(json.loads(reply.body))["sales"]


async def poll_now(proxy: Running, gateway: Held) -> str:
    """Poll, and have the gateway answer at once; other lists stay held."""
    number = gateway.asked
    polling = asyncio.create_task(poll(proxy, f"X-Poll: {number}"))  # a field of its own: it shares no other's answer
    await gateway.came(number + 1)
    gateway.turns[number].set()
    return await polling


async def lose(proxy: Running) -> None:
    await tell(proxy.url + INBOUND, status_find("sales", "disconnectedMobile"))


async def test_a_list_asked_for_before_the_code_was_shown_ends_nothing(proxy: Running, gateway: Held) -> None:
    await lose(proxy)
    stale = asyncio.create_task(poll(proxy))
    await gateway.came()  # it holds "connected", the lie
    async with Hub(proxy.url) as hub:
        assert (await hub.call("GET", "/api/channels/sales/qr")).ok
    gateway.turns[0].set()
    assert await stale == "disconnected"
    assert proxy.server.registry.has_overrides
    gateway.answer = listed("qr_required")
    assert await poll_now(proxy, gateway) == "qr_required"
    gateway.answer = listed("connected")  # scanned
    assert await poll_now(proxy, gateway) == "connected"
    assert not proxy.server.registry.has_overrides


@pytest.mark.parametrize("evidence", ["list", "created", "start-session", "qr"])
async def test_no_evidence_makes_a_list_asked_for_before_it_fresh(evidence: str, proxy: Running, gateway: Held) -> None:
    await lose(proxy)
    stale = asyncio.create_task(poll(proxy))
    await gateway.came()
    async with Hub(proxy.url) as hub:
        if evidence == "list":
            gateway.answer = listed("qr_required")
            assert await poll_now(proxy, gateway) == "qr_required"
            gateway.answer = listed("connected")
        elif evidence == "created":
            assert (await hub.call("POST", "/api/channels", {"channel": "sales"})).ok
        elif evidence == "start-session":
            assert (await hub.call("POST", "/api/channels/sales/start-session", {})).ok
        else:
            assert (await hub.call("GET", "/api/channels/sales/qr")).ok
    gateway.turns[0].set()
    assert await stale == "disconnected"
    assert await poll_now(proxy, gateway) == "connected"


async def test_evidence_asked_for_before_the_loss_is_none(proxy: Running, gateway: Held) -> None:
    gateway.answer = listed("qr_required")
    early = asyncio.create_task(poll(proxy))
    await gateway.came()
    gateway.answer = listed("connected")  # linked in between, and lost again, which only the events tell
    await lose(proxy)
    gateway.turns[0].set()
    assert await early == "qr_required"  # tells the user more than "disconnected"
    assert await poll_now(proxy, gateway) == "disconnected"


async def test_a_list_asked_for_before_the_loss_is_corrected_by_what_is_known_now(
    proxy: Running, gateway: Held
) -> None:
    early = asyncio.create_task(poll(proxy))
    await gateway.came()
    await lose(proxy)
    gateway.turns[0].set()
    assert await early == "disconnected"


async def test_a_poll_that_joins_a_list_asked_for_earlier_counts_from_then(proxy: Running, gateway: Held) -> None:
    await lose(proxy)
    first = asyncio.create_task(poll(proxy))
    await gateway.came()
    async with Hub(proxy.url) as hub:
        assert (await hub.call("GET", "/api/channels/sales/qr")).ok
    second = asyncio.create_task(poll(proxy))  # asked after the code was shown; the first one's answer is older
    await until(lambda: proxy.server.proxy.in_flight >= 2 or gateway.asked >= 2)
    gateway.turns[0].set()
    words = [await first]
    for number in range(1, gateway.asked):
        gateway.turns[number].set()
    words.append(await second)
    if gateway.asked == 1:
        assert words == ["disconnected", "disconnected"]
        assert proxy.server.registry.has_overrides
    else:
        assert words[0] == "disconnected"
    assert await poll_now(proxy, gateway) == "connected"


async def test_a_second_loss_takes_back_what_was_seen_before_it(proxy: Running, gateway: Held) -> None:
    await lose(proxy)
    async with Hub(proxy.url) as hub:
        assert (await hub.call("GET", "/api/channels/sales/qr")).ok
    await tell(proxy.url + INBOUND, status_find("sales", "browserClose"))
    assert await poll_now(proxy, gateway) == "disconnected"
