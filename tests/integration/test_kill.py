"""A power cut: whatever was answered is still known afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from statusproxy.demo.events import status_find
from statusproxy.demo.gateway import StandInGateway
from tests.integration.stage import INBOUND, StandIn, Town, town_with

pytestmark = pytest.mark.divisible


MANY = tuple(f"session {number:02d}" for number in range(40))


async def burst(place: Town, word: str, kill_after: int) -> set[str]:
    """Report `word` of all sessions at once, kill the proxy when so many were answered; give those that were."""
    answered: set[str] = set()
    enough = asyncio.Event()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:

        async def say(session: str) -> None:
            try:
                async with client.post(place.base_url + INBOUND, json=status_find(session, word)) as answer:
                    await answer.read()
                    assert answer.status == 200
            except aiohttp.ClientError:
                return
            answered.add(session)
            if len(answered) >= kill_after:
                enough.set()

        sayings = [asyncio.create_task(say(session)) for session in MANY]
        await enough.wait()
        await place.process.kill()
        await asyncio.gather(*sayings)
    return answered


@pytest.mark.parametrize("kill_after", [1, 17, 40])
async def test_what_was_answered_before_the_power_cut_holds_after_it(kill_after: int, tmp_path: Path) -> None:
    async with (
        StandInGateway(sessions=MANY) as gateway,
        town_with(StandIn(gateway), tmp_path) as place,
    ):
        answered = await burst(place, "disconnectedMobile", kill_after)
        assert len(answered) >= kill_after
        await place.process.start()
        words = await place.hub.channels()
        assert {session for session in answered if words[session] != "disconnected"} == set()

        answered = await burst(place, "inChat", kill_after)
        await place.process.start()
        words = await place.hub.channels()
        assert {session for session in answered if words[session] != "connected"} == set()


async def test_what_ended_a_correction_holds_after_a_power_cut_too(tmp_path: Path) -> None:
    lost = MANY[:5]
    async with (
        StandInGateway(sessions=lost) as gateway,
        town_with(StandIn(gateway), tmp_path) as place,
    ):
        for session in lost:
            await gateway.unlink(session)
        shown_code, deleted, by_hand, gone, still_lost = lost
        await place.hub.call("GET", f"/api/channels/{shown_code.replace(' ', '%20')}/qr")
        await place.hub.call("DELETE", f"/api/channels/{deleted.replace(' ', '%20')}")
        assert (await place.admin(f"/sessions/{by_hand.replace(' ', '%20')}/release", "POST"))[0] == 200
        await gateway.scan(gone, silent=True)  # not shown a code: still lost
        await place.process.kill()
        await gateway.scan(shown_code, silent=True)
        await place.process.start()
        assert await place.hub.channels() == {
            shown_code: "connected",  # that it had caught up was known still: this word is fresh
            by_hand: "connected",
            gone: "disconnected",
            still_lost: "disconnected",
        }
        await place.process.kill()
        await place.process.start()
        assert (await place.hub.channels())[shown_code] == "connected"
