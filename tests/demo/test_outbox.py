"""The outbox delivers one event after the other, tries again a few times, and then gives one up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import aiohttp
import pytest
from aiohttp import web

from statusproxy.demo import outbox as module
from statusproxy.demo.outbox import Outbox
from tests.proxy.loop_clock import LoopClock
from tests.stand_ins.served import served


async def no_time() -> None:
    """Let no time pass."""


class Hub:
    """Answers with these statuses, the last one for good, and keeps what came."""

    def __init__(self) -> None:
        self.statuses = [200]
        self.came: list[tuple[str, str | None]] = []
        self.takes: Callable[[], Awaitable[None]] = no_time

    async def take(self, request: web.Request) -> web.Response:
        await self.takes()
        self.came.append(((await request.json())["event"], request.headers.get("X-Gateway-Secret")))
        return web.Response(status=self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def counts() -> Counter[str]:
    return Counter()


@pytest.fixture
async def outbox(hub: Hub, counts: Counter[str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Outbox]:
    monkeypatch.setattr(module, "PAUSES", (0.0, 0.0))
    async with served(web.post("/", hub.take)) as url, aiohttp.ClientSession() as client:
        box = Outbox(counts)
        box.url = f"{url}/"
        box.start(client)
        yield box
        await box.stop()


async def test_events_arrive_in_order_with_the_secret(outbox: Outbox, hub: Hub, counts: Counter[str]) -> None:
    outbox.secret = "hush"
    for name in ("a", "b"):
        outbox.put({"event": name})
    assert await outbox.settled(10)
    assert hub.came == [("a", "hush"), ("b", "hush")]
    assert counts == {"delivered": 2}


async def test_an_event_that_is_refused_is_tried_again(outbox: Outbox, hub: Hub, counts: Counter[str]) -> None:
    hub.statuses = [500, 500, 200]
    outbox.put({"event": "a"})
    assert await outbox.settled(10)
    assert hub.came == [("a", None)] * 3
    assert counts == {"delivered": 1}


async def test_an_event_that_is_always_refused_is_given_up(outbox: Outbox, hub: Hub, counts: Counter[str]) -> None:
    hub.statuses = [500]
    outbox.put({"event": "a"})
    outbox.put({"event": "b"})
    assert await outbox.settled(10)
    assert [name for name, _ in hub.came] == ["a"] * 3 + ["b"] * 3
    assert counts == {"undelivered": 2}


async def test_a_hub_that_is_away_is_tried_as_often(outbox: Outbox, counts: Counter[str]) -> None:
    outbox.url = "http://127.0.0.1:9/"
    outbox.put({"event": "a"})
    assert await outbox.settled(10)
    assert counts == {"undelivered": 1}


async def test_without_an_address_nothing_is_kept(outbox: Outbox, hub: Hub) -> None:
    url, outbox.url = outbox.url, None
    outbox.put({"event": "a"})
    outbox.url = url
    assert await outbox.settled(10)
    assert hub.came == []


async def test_an_event_whose_address_was_taken_away_is_dropped(outbox: Outbox, hub: Hub, counts: Counter[str]) -> None:
    outbox.put({"event": "a"})
    outbox.url = None
    assert await outbox.settled(10)
    assert (hub.came, counts) == ([], {"undelivered": 1})


async def test_a_slow_hub_is_waited_for_as_long_as_it_takes_events(
    outbox: Outbox, hub: Hub, counts: Counter[str], loop_clock: LoopClock
) -> None:
    hub.takes = partial(loop_clock.move, 8.0)
    for name in "abcd":
        outbox.put({"event": name})
    assert await outbox.settled(10)
    assert counts == {"delivered": 4}


async def test_who_waits_for_an_outbox_that_is_not_emptied_is_told_so() -> None:
    box = Outbox(Counter())
    box.url = "http://127.0.0.1:9/"
    box.put({"event": "a"})
    assert not await box.settled(0)
    await box.stop()
    assert not asyncio.all_tasks() - {asyncio.current_task()}
