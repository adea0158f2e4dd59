"""One session, spelt differently by its events and by the gateway's list: it is one all the same, and only that one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from statusproxy.demo.events import status_find
from statusproxy.demo.gateway import StandInGateway
from tests.integration.stage import INBOUND, OUTBOUND, StandIn, Town, tell, town_with

CHANNELS = ("Sales Team", "support", "Ünit-7", "night_shift")


def normalised(session: str, status: str) -> dict[str, Any]:
    """The gateway's own word of a session's connection, without a mark of presence."""
    return {
        "spec_version": "1.0",
        "event": "connection.update",
        "session": {"id": session, "name": session},
        "connection": {"status": status},
        "raw": {"provider": "wppconnect", "payload": {"event": "status-find", "session": session}},
    }


@asynccontextmanager
async def spelling(tmp_path: Path, *channels: str, **more: Any) -> AsyncIterator[Town]:
    async with (
        StandInGateway(sessions=channels or CHANNELS) as gateway,
        town_with(StandIn(gateway), tmp_path, inside=True, **more) as place,
    ):
        yield place


async def lost(place: Town) -> set[str]:
    return {session for session, word in (await place.hub.channels()).items() if word == "disconnected"}


@pytest.mark.parametrize(
    ("event_id", "channel"),
    [("Sales Team", "Sales Team"), ("salesteam", "Sales Team"), (" SALES\u00a0TEAM ", "Sales Team"),
     ("ünit-7", "Ünit-7"), ("NIGHT_SHIFT", "night_shift"), ("Support", "support")],
)  # fmt: skip
async def test_case_and_white_space_make_no_other_session(event_id: str, channel: str, tmp_path: Path) -> None:
    async with spelling(tmp_path) as place:
        await place.engine_says(status_find(event_id, "browserClose"))
        assert await lost(place) == {channel}
        assert not await place.hub.connected(channel), "the list has taught which channel it is"
        await place.engine_says(status_find(channel, "inChat"))
        assert await lost(place) == set()


@pytest.mark.parametrize("event_id", ["Sales-Team", "sales_team", "sales", "night-shift", "unit-7", "supp ort2"])
async def test_what_differs_in_more_is_another_session(event_id: str, tmp_path: Path) -> None:
    async with spelling(tmp_path) as place:
        await place.engine_says(status_find(event_id, "browserClose"))
        assert await lost(place) == set()


async def test_two_legs_that_spell_it_differently_tell_one_story(tmp_path: Path) -> None:
    async with spelling(tmp_path) as place:
        await tell(place.base_url + INBOUND, status_find("salesteam", "browserClose"))
        await tell(place.base_url + OUTBOUND, normalised("Sales Team", "close"))
        assert await lost(place) == {"Sales Team"}
        await tell(place.base_url + INBOUND, status_find("salesteam", "inChat"))
        assert await lost(place) == set(), "the newest word of either leg decides"
        await tell(place.base_url + OUTBOUND, normalised("Sales Team", "close"))
        assert await lost(place) == {"Sales Team"}
        await tell(place.base_url + OUTBOUND, normalised("Sales Team", "open"))
        assert await lost(place) == set()


async def test_a_name_that_two_channels_fold_to_is_neither(tmp_path: Path) -> None:
    async with spelling(tmp_path, "Sales Team", "salesTeam", "support") as place:
        await place.engine_says(status_find("SALESTEAM", "browserClose"))
        assert await lost(place) == set()
        await place.engine_says(status_find("Sales Team", "browserClose"))
        assert await lost(place) == {"Sales Team"}


async def test_an_alias_tells_what_folding_cannot(tmp_path: Path) -> None:
    aliases = {"wpp-01": "Sales Team", "Old Support": "support"}
    async with spelling(tmp_path, sessions={"aliases": aliases}) as place:
        await place.engine_says(status_find("wpp-01", "browserClose"), status_find("oldsupport", "browserClose"))
        assert await lost(place) == {"Sales Team", "support"}
        await place.engine_says(status_find("WPP-01", "inChat"))
        assert await lost(place) == {"support"}


async def test_the_way_back_works_under_the_channels_own_name(tmp_path: Path) -> None:
    async with spelling(tmp_path) as place:
        await place.phones.unlink("Sales Team")
        await place.engine_says(status_find("salesteam", "browserClose"))
        went = await place.hub.reconnect("Sales Team", lambda: place.phones.scan("Sales Team", silent=True))
        assert (went.outcome, went.polls_after_scan) == ("connected", 1)
        assert not place.server.registry.has_overrides
