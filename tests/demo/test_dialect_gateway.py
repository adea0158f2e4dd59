"""The stand-in that speaks a dialect: what it answers, what it posts, and the controls over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from statusproxy.config.addresses import parse_gateway
from statusproxy.demo.dialect import State
from statusproxy.demo.dialect_gateway import HUB_INBOX, DialectGateway
from statusproxy.demo.dialects.table import DIALECTS, dialect
from statusproxy.detection.catalogue import shipped
from statusproxy.detection.probe import probe
from statusproxy.detection.signs import Fit
from tests.demo.conftest import ask
from tests.stand_ins.served import served


@asynccontextmanager
async def standing_in(name: str) -> AsyncIterator[tuple[DialectGateway, list[tuple[str, Any]]]]:
    """The gateway, and what it posts: the path and the body."""
    posted: list[tuple[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        is_form = request.content_type == "application/x-www-form-urlencoded"
        posted.append((request.path, dict(await request.post()) if is_form else await request.json()))
        return web.Response()

    async with (
        served(web.post("/{path:.*}", take)) as url,
        DialectGateway(dialect(name), ("sales", "support")) as gateway,
    ):
        gateway.proxy_url = url
        yield gateway, posted


async def test_a_dead_browser_is_told_once_and_the_answer_stays_stale(client: aiohttp.ClientSession) -> None:
    async with standing_in("wppconnect-server") as (gateway, posted):
        await gateway.lose("sales")
        assert posted == [
            ("/v1/webhooks/receive/sales", {"event": "status-find", "status": "browserClose", "session": "sales"})
        ]
        _, answer = await ask(client, "GET", f"{gateway.base_url}/api/sales/status-session")
        assert answer["status"] == "CONNECTED"
        _, answer = await ask(client, "GET", f"{gateway.base_url}/api/sales/check-connection-session")
        assert answer == {"status": False, "message": "Disconnected"}
        _, answer = await ask(client, "GET", f"{gateway.base_url}/api/support/check-connection-session")
        assert answer == {"status": True, "message": "Connected"}
        _, answer = await ask(client, "POST", f"{gateway.base_url}/api/sales/start-session")
        assert (answer["status"], answer["qrcode"]) == ("CONNECTED", None)
        assert gateway.states["sales"] is State.LOST
        await ask(client, "POST", f"{gateway.base_url}/api/sales/close-session")
        _, answer = await ask(client, "POST", f"{gateway.base_url}/api/sales/start-session")
        assert answer["status"] == "QRCODE"
        await gateway.scan("sales")
        assert posted[-1][1] == {"event": "status-find", "status": "inChat"}


@pytest.mark.parametrize("name", sorted(DIALECTS))
async def test_init_knows_each_of_them(name: str) -> None:
    async with standing_in(name) as (gateway, _):
        found = await probe(parse_gateway(gateway.base_url), shipped(), "example-secret")
    assert [finding.gateway.preset for finding in found.of(Fit.YES)] == [name]


async def test_what_is_no_secret_is_refused_in_a_path(client: aiohttp.ClientSession) -> None:
    async with standing_in("wppconnect-server") as (gateway, _):
        refused = await ask(client, "GET", f"{gateway.base_url}/api/-/show-all-sessions")
        assert refused == (400, {"response": False, "message": "The token is incorrect"})
        listed = await ask(client, "GET", f"{gateway.base_url}/api/example-secret/show-all-sessions")
        assert listed == (200, {"response": ["sales", "support"]})


async def test_a_session_is_chosen_by_the_header_where_the_path_names_none(client: aiohttp.ClientSession) -> None:
    async with standing_in("wuzapi") as (gateway, posted):
        await gateway.lose("sales")
        form = posted[0][1]
        assert json.loads(form["jsonData"]) == {"type": "LoggedOut", "event": {}}
        assert (form["userID"], form["instanceName"], form["token"]) == ("1", "sales", "token-of-sales")
        url = f"{gateway.base_url}/session/qr"
        _, answer = await ask(client, "GET", url, token="token-of-sales")
        assert answer["data"]["QRCode"] == gateway.seen("sales").code
        status, _ = await ask(client, "GET", url)
        assert status == 404


async def test_a_deleted_session_leaves_the_list_until_it_is_added(client: aiohttp.ClientSession) -> None:
    async with standing_in("baileys-api") as (gateway, _):
        await ask(client, "DELETE", f"{gateway.base_url}/sessions/sales")
        _, listed = await ask(client, "GET", f"{gateway.base_url}/sessions")
        assert listed == [{"id": "support", "status": "connected"}]
        for body, status in ([1], 404), ({"sessionId": "other"}, 404), ({"sessionId": "sales"}, 200):
            assert (await ask(client, "POST", f"{gateway.base_url}/sessions/add", body))[0] == status
        assert gateway.states["sales"] is State.SCANNING


async def test_each_new_code_is_another_and_stays_while_it_waits(client: aiohttp.ClientSession) -> None:
    async with standing_in("waha") as (gateway, _):
        await gateway.lose("sales")
        url = f"{gateway.base_url}/api/sales/auth/qr"
        codes = [(await ask(client, "GET", url))[1]["data"] for _ in range(2)]
        await gateway.scan("sales")
        await gateway.lose("sales")
        codes.append((await ask(client, "GET", url))[1]["data"])
        assert codes[0] == codes[1] != codes[2]


async def test_the_events_of_the_last_loss_are_sent_again_unchanged() -> None:
    async with standing_in("waha") as (gateway, posted):
        await gateway.send_again("sales")
        assert posted == []
        await gateway.lose("sales")
        await gateway.scan("sales")
        await gateway.send_again("sales")
        assert posted[0] == posted[2] != posted[1]
        assert gateway.posted == 3


async def test_phones_are_controlled_over_http(client: aiohttp.ClientSession) -> None:
    async with standing_in("waha") as (gateway, _):
        for what, state in ("drop", "reconnecting"), ("lose", "lost"), ("scan", "connected"):
            _, answer = await ask(client, "POST", f"{gateway.base_url}/demo/{what}/support")
            assert answer == {"session": "support", "really": state}
        assert (await ask(client, "POST", f"{gateway.base_url}/demo/lose/other"))[0] == 404
        await gateway.drop("sales")
        _, truth = await ask(client, "GET", f"{gateway.base_url}/demo/truth")
        assert truth == {"sales": "reconnecting", "support": "connected"}


async def test_the_gateway_is_healthy_whatever_became_of_its_sessions(client: aiohttp.ClientSession) -> None:
    async with standing_in("waha") as (gateway, _):
        await gateway.lose("sales")
        assert await ask(client, "GET", f"{gateway.base_url}/health") == (200, {"status": "ok"})


async def test_what_the_hub_receives_is_counted(client: aiohttp.ClientSession) -> None:
    async with standing_in("waha") as (gateway, _):
        for path in (HUB_INBOX, f"{HUB_INBOX}/below"):
            await ask(client, "POST", gateway.base_url + path, {"event": "message"})
        assert gateway.counts["hub"] == 2


async def test_an_event_that_cannot_be_delivered_is_counted_and_lost() -> None:
    async with standing_in("waha") as (gateway, posted):
        gateway.proxy_url = "http://127.0.0.1:1"
        await gateway.lose("sales")
        gateway.proxy_url = None
        await gateway.scan("sales")
        assert (gateway.posted, gateway.counts["undelivered"], posted) == (1, 1, [])


async def test_a_gateway_that_does_not_run_posts_nothing() -> None:
    gateway = DialectGateway(dialect("waha"), ("sales",))
    await gateway.stop()
    with pytest.raises(RuntimeError, match="not started"):
        await gateway.lose("sales")
