"""The way back: the dialog ends at the first look after the scan, and never before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from statusproxy.demo.events import status_find
from statusproxy.demo.gateway import StandInGateway
from tests.hub import Hub, channel_path, qr_code
from tests.integration.stage import HASTE, INBOUND, SESSIONS, STUBBORN, Town, tell, town
from tests.peers.processes import requires
from tests.proxy.harness import running


@pytest.fixture(params=["stand-in", pytest.param("express", marks=requires("express"))])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Town]:
    async with town(request.param, tmp_path, inside=True) as place:
        yield place


@pytest.mark.parametrize("silent", [True, False], ids=["its-word-lost", "its-word-heard"])
async def test_both_variants_of_the_story_end_at_the_first_poll_after_the_scan(place: Town, silent: bool) -> None:
    for session, deletes in (("sales", 0), (STUBBORN, 1)):
        await place.phones.unlink(session)
        assert (await place.hub.channels())[session] == "disconnected"

        async def scan(session: str = session) -> None:
            await place.phones.scan(session, silent=silent)

        went = await place.hub.reconnect(session, scan)
        assert went.outcome == "connected"
        assert went.polls_after_scan == 1
        assert (went.deletes, went.rounds) == (deletes, 1)
        assert set(went.seen[:-1]) == {"qr_required"}, "with a code on the screen the list says so"
        assert await place.hub.channels() == dict.fromkeys(SESSIONS, "connected")
    assert await place.hub.alerts() == []


async def test_a_gateway_that_restarts_repeats_its_stale_word_in_vain(place: Town) -> None:
    await place.phones.unlink("sales")
    for _ in range(3):
        await place.phones.restart()
        first = await place.hub.channels()
        assert first["support"] == "unknown"
        assert first["sales"] == "disconnected"
        for _ in range(3):
            assert await place.hub.channels() == {**dict.fromkeys(SESSIONS, "connected"), "sales": "disconnected"}


async def test_after_a_restart_of_the_gateway_the_dialog_works_all_the_same(place: Town) -> None:
    await place.phones.unlink("sales")
    await place.phones.restart()
    await place.hub.channels()
    went = await place.hub.reconnect("sales", lambda: place.phones.scan("sales", silent=True))
    assert (went.outcome, went.polls_after_scan, went.deletes) == ("connected", 1, 0)


#: Where in the dialog the engine's word of the session's end comes in: it is made while the session is deleted.
MOMENTS = ("while deleting", "once deleted", "once created", "with the code shown")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("word", ["closesession", "logoutsession", "status-find"])
async def test_the_end_of_the_deleted_session_does_not_outlast_the_dialog(
    moment: str, word: str, tmp_path: Path
) -> None:
    event = status_find("sales", "browserClose") if word == "status-find" else {"event": word, "session": "sales"}
    async with (
        StandInGateway(sessions=("sales", "support")) as gateway,
        running(tmp_path, gateway.base_url) as proxy,
        Hub(proxy.url, haste=HASTE) as hub,
    ):
        gateway.engine_webhook = proxy.url + INBOUND

        async def meanwhile(now: str) -> None:
            if now == moment:
                await tell(proxy.url + INBOUND, event)
            if "sales" in (words := await hub.channels()):
                assert words["sales"] != "connected" or gateway.engine.really_connected("sales")
            assert words["support"] == "connected"

        await gateway.unlink("sales")
        await meanwhile("while deleting")
        assert (await hub.call("DELETE", channel_path("sales"))).ok
        await meanwhile("once deleted")
        assert (await hub.call("POST", "/api/channels", {"channel": "sales"})).ok
        await meanwhile("once created")
        code = None
        while code is None:
            code = qr_code((await hub.call("GET", f"{channel_path('sales')}/qr")).document)
        await meanwhile("with the code shown")
        assert (await hub.channels())["sales"] == "qr_required"
        await gateway.scan("sales", silent=True)
        assert await hub.channels() == {"sales": "connected", "support": "connected"}
        assert not proxy.server.registry.has_overrides
