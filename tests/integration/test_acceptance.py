"""What the project was asked for, over real sockets, with the real program as a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub import shown, statuses
from tests.integration.stage import INBOUND, SESSIONS, Town, tell, town
from tests.peers.processes import php_hub, requires

#: As flat as an event can be.
CLOSED = {"event": "connection.update", "session": "sales", "state": "close"}


@pytest.fixture(params=["stand-in", pytest.param("express", marks=requires("express"))])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Town]:
    async with town(request.param, tmp_path) as place:
        yield place


@pytest.fixture(params=["stand-in", pytest.param("express", marks=requires("express"))])
async def inside(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Town]:
    async with town(request.param, tmp_path, inside=True) as place:
        yield place


async def test_an_event_with_state_close_makes_the_list_say_disconnected_of_that_session_alone(place: Town) -> None:
    before = await place.hub.channels()
    assert before == dict.fromkeys(SESSIONS, "connected")
    await place.engine_says(CLOSED)
    after = await place.hub.channels()
    assert after == {**before, "sales": "disconnected"}
    assert not await place.hub.connected("sales")
    assert await place.hub.connected("support")


async def test_a_client_with_the_hubs_reading_rules_sees_it(place: Town) -> None:
    await place.phones.unlink("sales")
    page = await place.hub.page()
    assert page["sales"] == shown("disconnected")
    assert (page["sales"].colour, page["sales"].offers) == ("red", "reconnect")
    assert (page["support"].colour, page["support"].offers) == ("green", "delete session")
    assert await place.hub.alerts() == ["sales"]


async def test_a_session_of_which_no_event_came_stays_as_the_gateway_says(inside: Town) -> None:
    answer = await inside.hub.call("GET", "/api/channels")
    await tell(
        inside.base_url + INBOUND,
        {"event": "connection.update", "session": "another", "state": "close"},
        {"event": "connection.update", "state": "close"},  # about no one, so about no one here
    )
    again = await inside.hub.call("GET", "/api/channels")
    assert again.body == answer.body
    assert again.headers["ETag"] == answer.headers["ETag"]


@requires("php")
async def test_phps_own_curl_sees_it_too(inside: Town) -> None:
    await inside.phones.unlink("sales")
    said: dict[str, Any] = await php_hub("GET", inside.base_url + "/api/channels")
    assert (said["verdict"], said["status"]) == ("ok", 200)
    assert statuses(said["document"]) == {**dict.fromkeys(SESSIONS, "connected"), "sales": "disconnected"}
