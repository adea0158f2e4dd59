"""In every state of a session the hub reads what it must, with its own rules here and with PHP's cURL alike."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from statusproxy.demo.events import iso_time, message, presence, status_find
from tests.hub import channel_path, is_connected, qr_code, statuses
from tests.integration.stage import StandIn, Town, town
from tests.peers.processes import php_hub, requires

SESSION = "sales"
CONTACT = "5500000001000@c.us"
LOST = status_find(SESSION, "browserClose")
"""The engine's browser dies: the gateway goes on saying connected."""


def said(status: str, at: float) -> dict[str, object]:
    """The gateway's own event, dated."""
    return {"event": "connection.update", "session": {"id": SESSION}, "connection": {"status": status},
            "timestamp": iso_time(at)}  # fmt: skip


async def nothing(_: Town) -> None:
    """No event has come yet."""


async def noise(place: Town) -> None:
    nameless = {"event": "status-find", "status": "browserClose"}
    await place.engine_says(presence(SESSION, CONTACT, "unavailable", time.time()), nameless)


async def lost(place: Town) -> None:
    await place.engine_says(LOST)


async def unlinked(place: Town) -> None:
    await place.phones.unlink(SESSION)


async def restarted(place: Town) -> None:
    """The gateway says `unknown` for a while, which tells the user nothing."""
    await place.engine_says(LOST)
    await place.phones.restart()


async def code_shown(place: Town) -> None:
    await place.phones.unlink(SESSION)
    assert qr_code((await place.hub.call("GET", f"{channel_path(SESSION)}/qr")).document)


async def scanned(place: Town) -> None:
    await code_shown(place)
    await place.phones.scan(SESSION)


async def scanned_silently(place: Town) -> None:
    await code_shown(place)
    await place.hub.channels()
    await place.phones.scan(SESSION, silent=True)


async def own_message(place: Town) -> None:
    await place.engine_says(LOST)
    ahead = time.time() + 120
    own = {"event": "message", "session": SESSION, "timestamp": ahead, "data": {"key": {"fromMe": "true"}}}
    await place.engine_says(own)


async def message_of_a_clock_ahead(place: Town) -> None:
    """It came in right after the disconnect, whatever its sender's clock says."""
    await place.engine_says(message(SESSION, CONTACT, "x", time.time(), 1), LOST)
    await place.engine_says(message(SESSION, CONTACT, "x", time.time() + 120, 2))


async def released(place: Town) -> None:
    await place.engine_says(LOST)
    await place.server.registry.release(SESSION)


async def lost_again_by_a_clock_behind(place: Town) -> None:
    await place.engine_says(said("open", time.time() - 10_800))
    await released(place)
    await place.engine_says(said("close", time.time() - 10_800))


async def old_loss_by_a_clock_behind(place: Town) -> None:
    old = said("close", time.time() - 10_801)
    await place.engine_says(said("open", time.time() - 10_800))
    await released(place)
    await place.engine_says(old)


STATES: list[tuple[Callable[[Town], Awaitable[None]], str]] = [
    (nothing, "connected"),
    (noise, "connected"),
    (lost, "disconnected"),
    (unlinked, "disconnected"),
    (restarted, "disconnected"),
    (code_shown, "qr_required"),
    (scanned, "connected"),
    (scanned_silently, "connected"),
    (own_message, "disconnected"),
    (message_of_a_clock_ahead, "disconnected"),
    (released, "connected"),
    (lost_again_by_a_clock_behind, "disconnected"),
    (old_loss_by_a_clock_behind, "connected"),
]


@requires("php")
@pytest.mark.parametrize(("state", "word"), STATES, ids=[state.__name__ for state, _ in STATES])
async def test_the_hub_reads_it_so_here_and_in_php(
    state: Callable[[Town], Awaitable[None]], word: str, tmp_path: Path
) -> None:
    async with town("stand-in", tmp_path, inside=True) as place:
        await state(place)
        here = await place.hub.call("GET", "/api/channels")
        there = await php_hub("GET", f"{place.base_url}/api/channels")
        assert statuses(here.document)[SESSION] == statuses(there["document"])[SESSION] == word
        assert (here.verdict, here.status) == (there["verdict"], there["status"]) == ("ok", 200)
        one = await php_hub("GET", place.base_url + channel_path(SESSION))
        assert await place.hub.connected(SESSION) == is_connected(one["document"]) == (word == "connected")
        others = {session: said for session, said in statuses(there["document"]).items() if session != SESSION}
        assert set(others.values()) <= {"connected", "unknown"}


@requires("php")
async def test_a_gateway_that_is_gone_is_an_error_that_both_can_read(tmp_path: Path) -> None:
    async with town("stand-in", tmp_path, inside=True) as place:
        await place.engine_says(LOST)
        assert isinstance(place.phones, StandIn)
        await place.phones.gateway.stop()
        here = await place.hub.call("GET", "/api/channels")
        there = await php_hub("GET", f"{place.base_url}/api/channels")
        assert (here.verdict, here.status, here.message) == (there["verdict"], there["status"], there["message"])
        assert (here.verdict, here.status) == ("error", 502)
        assert here.message
