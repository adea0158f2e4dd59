"""The real Express gateway behind the real program: validators, compression, limits, its short keep-alive."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from statusproxy.demo.events import message, status_find
from tests.hub import statuses
from tests.integration.stage import INBOUND, SESSIONS, Town, gateway, town, town_with
from tests.peers.processes import node_client, requires

pytestmark = requires("express")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Town]:
    async with town("express", tmp_path, inside=True) as place:
        yield place


async def ask(place: Town, path: str = "/api/channels", **fields: str) -> tuple[int, Any, bytes]:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    async with (
        aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=("Accept-Encoding",)) as client,
        client.get(place.base_url + path, headers=headers) as answer,
    ):
        return answer.status, answer.headers, await answer.read()


async def direct(place: Town, path: str = "/api/channels") -> tuple[Any, bytes]:
    async with (
        aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=("Accept-Encoding",)) as client,
        client.get(place.phones.base_url + path) as answer,
    ):
        return answer.headers, await answer.read()


async def test_a_validator_never_hides_a_change_and_spares_what_did_not_change(place: Town) -> None:
    gateways, body = await direct(place)
    status, headers, through = await ask(place)
    assert (status, headers["ETag"], through) == (200, gateways["ETag"], body)
    assert headers["Content-Type"] == gateways["Content-Type"] == "application/json; charset=utf-8"
    for _ in range(3):
        status, _, empty = await ask(place, If_None_Match=gateways["ETag"])
        assert (status, empty) == (304, b"")

    await place.phones.unlink("sales")
    status, headers, corrected = await ask(place, If_None_Match=gateways["ETag"])
    assert status == 200, "Express would say 304: its own list has not changed"
    assert statuses(json.loads(corrected))["sales"] == "disconnected"
    ours = headers["ETag"]
    assert ours != gateways["ETag"]
    status, _, _ = await ask(place, If_None_Match=f'"other", {ours}')
    assert status == 304

    await place.engine_says(status_find("sales", "inChat"))
    status, headers, again = await ask(place, If_None_Match=ours)
    assert (status, headers["ETag"], again) == (200, gateways["ETag"], body)


async def test_a_correction_survives_the_programs_restart_with_its_validator(tmp_path: Path) -> None:
    async with town("express", tmp_path) as place:
        await place.phones.unlink("sales")
        _, headers, _ = await ask(place)
        await place.process.kill()
        await place.process.start()
        status, _, _ = await ask(place, If_None_Match=headers["ETag"])
        assert status == 304


async def test_a_json_body_beyond_the_gateways_limit_is_refused_by_the_gateway_alone(place: Town) -> None:
    async def send(path: str, document: dict[str, Any]) -> tuple[int, Any]:
        body = io.BytesIO(json.dumps({**document, "text": "x" * (11 * 1024 * 1024)}).encode())
        headers = {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as client,
            client.post(place.base_url + path, data=body, headers=headers) as answer,
        ):
            return answer.status, await answer.json()

    refusal = {"success": False, "error": "request entity too large"}
    assert await send("/api/messages", {"channel": "sales", "to": "5500000000000"}) == (413, refusal)
    # An event that large is the gateway's to refuse, and ours to understand all the same.
    assert await send(INBOUND, status_find("sales", "browserClose")) == (413, refusal)
    assert (await place.hub.channels())["sales"] == "disconnected"


async def test_what_a_gateway_says_no_to_passes_as_it_is(place: Town) -> None:
    answer = await place.hub.call("GET", "/api/channels/nobody")
    assert (answer.status, answer.message) == (404, "Channel not found")
    await place.phones.unlink("sales")
    answer = await place.hub.call("GET", "/api/channels/nobody")
    assert (answer.status, answer.message) == (404, "Channel not found")


async def test_compression_is_no_hiding_place(tmp_path: Path) -> None:
    async with gateway("express", COMPRESSION="1") as phones, town_with(phones, tmp_path, inside=True) as place:
        await place.phones.unlink("sales")
        for coding in ("gzip", "gzip, deflate, br", "br", "deflate"):
            status, headers, body = await ask(place, Accept_Encoding=coding)
            assert status == 200
            if headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert headers.get("Content-Encoding") in {None, "gzip"}
            assert statuses(json.loads(body)) == {**dict.fromkeys(SESSIONS, "connected"), "sales": "disconnected"}
        # What is not corrected keeps the coding the gateway chose.
        status, headers, body = await ask(place, "/api/media/sales/m1?bytes=65536", Accept_Encoding="gzip")
        assert status == 200
        _, headers, body = await ask(place, "/health", Accept_Encoding="gzip")
        assert headers["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(body)) == {"status": "ok"}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_gateway_that_closes_idle_connections_all_the_time_costs_no_request(
    method: str, tmp_path: Path
) -> None:
    # Node's five seconds, shortened. Before its own time Node still warns with Keep-Alive: timeout=N.
    async with gateway("express", KEEP_ALIVE_MS="20") as phones, town_with(phones, tmp_path, inside=True) as place:
        url = place.base_url + ("/api/channels" if method == "GET" else "/upload")
        seen = await node_client("keepalive-client.mjs", url, 120, 4, 21, method)
        assert seen["errors"] == {}
        assert (seen["ok"], seen["statuses"]) == (120, {"200": 120})


async def test_a_message_that_comes_in_ends_a_loss_only_after_its_grace(tmp_path: Path) -> None:
    async with (
        gateway("express") as phones,
        town_with(phones, tmp_path, inside=True, sessions={"alive_grace": "60s"}) as place,
    ):
        await place.phones.unlink("sales")
        at = 1_800_000_000.0
        await place.engine_says(message("sales", "5500000001000@c.us", "hello", at, 1))
        # In whole seconds and without a usable place for its own time: it counts as having come just now.
        assert (await place.hub.channels())["sales"] == "disconnected"
