"""Each route answers as the first real gateway does; the engine behind it decides what is said."""

from __future__ import annotations

import aiohttp
import pytest
from yarl import URL

from statusproxy.demo.engine import Line
from statusproxy.demo.gateway import StandInGateway
from statusproxy.demo.routes import ROUTES
from tests.demo.conftest import ask


def test_everything_under_api_but_its_health_wants_the_secret() -> None:
    open_ones = {"/".join(route.pattern) for route in ROUTES if not route.wants_secret}
    assert "api/health" in open_ones
    assert not any(path.startswith("api/") for path in open_ones - {"api/health"})


async def test_one_channel_and_a_missing_one(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    base = f"{gateway.base_url}/api/channels"
    assert await ask(client, "GET", f"{base}/sales") == (
        200,
        {"success": True, "channel": {"id": "sales", "name": "sales", "status": "connected"}},
    )
    status, document = await ask(client, "GET", f"{base}/nobody")
    assert status == 404
    assert isinstance(document["error"], str)


async def test_a_plain_session_reconnects_with_a_qr_code_at_once(
    gateway: StandInGateway, client: aiohttp.ClientSession
) -> None:
    url = f"{gateway.base_url}/api/channels/sales"
    await gateway.unlink("sales")
    _, answer = await ask(client, "GET", f"{url}/qr")
    assert answer["qr"].startswith("data:image/png;base64,")
    assert (await ask(client, "GET", url))[1]["channel"]["status"] == "qr_required"
    await gateway.scan("sales")
    assert (await ask(client, "GET", url))[1]["channel"]["status"] == "connected"
    assert [event.get("status") for event in gateway.received] == [
        "disconnectedMobile",
        None,
        "qrReadSuccess",
        "inChat",
    ]


async def test_a_stubborn_session_reconnects_after_delete_and_create(
    gateway: StandInGateway, client: aiohttp.ClientSession
) -> None:
    base = f"{gateway.base_url}/api/channels"
    await gateway.unlink("support")
    nothing = {"success": True, "qr": None, "status": "CONNECTED"}
    assert await ask(client, "GET", f"{base}/support/qr") == (200, nothing)
    assert (await ask(client, "DELETE", f"{base}/support"))[0] == 200
    assert (await ask(client, "GET", f"{base}/support/qr"))[0] == 404
    assert (await ask(client, "POST", base, {"channel": "support"}))[0] == 201
    assert (await ask(client, "GET", f"{base}/support/qr"))[1]["status"] == "INITIALIZING"
    assert (await ask(client, "GET", f"{base}/support"))[1]["channel"]["status"] == "unknown"
    assert (await ask(client, "GET", f"{base}/support/qr"))[1]["status"] == "INITIALIZING"
    assert (await ask(client, "GET", f"{base}/support/qr"))[1]["qr"]


async def test_a_lost_session_sends_nothing(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    url = f"{gateway.base_url}/api/messages"
    text = {"channel": "sales", "to": "5500000000000", "text": "hello"}
    assert (await ask(client, "POST", url, text))[0] == 200
    await gateway.unlink("sales")
    status, answer = await ask(client, "POST", url, text)
    assert (status, answer["error"]) == (500, "Session sales is disconnected")
    assert gateway.counts["sent"] == 1


async def test_the_page_for_people_is_html(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{gateway.base_url}/ui/sessoes") as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_media_has_the_length_asked_for(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    url = URL(f"{gateway.base_url}/api/media/sales/false_550000%40c.us_ABC?bytes=100001", encoded=True)
    async with client.get(url) as answer:
        assert len(await answer.read()) == 100_001


async def test_the_controls_can_be_reached_by_curl(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    base = f"{gateway.base_url}/demo"
    await ask(client, "POST", f"{base}/unlink/sales?word=browserClose")
    assert gateway.received[-1]["status"] == "browserClose"
    await ask(client, "GET", f"{gateway.base_url}/api/channels/sales/qr")
    await ask(client, "POST", f"{base}/scan/sales")
    await ask(client, "POST", f"{base}/presence/sales?contacts=2")
    await ask(client, "POST", f"{base}/restart")
    assert (await ask(client, "GET", f"{base}/truth"))[1]["sales"] == "linked"


async def test_lists_by_another_name_have_the_same_sessions(
    gateway: StandInGateway, client: aiohttp.ClientSession
) -> None:
    _, document = await ask(client, "GET", f"{gateway.base_url}/api/available-sessions")
    assert [one["id"] for one in document["sessions"]] == ["sales", "support", "night"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/api/channels", "channel is required"),
        ("/api/messages", "channel is required"),
        ("/api/webhooks", "url is required"),
        ("/api/channels/sales/webhook", "url is required"),
    ],
)
async def test_what_a_body_must_name_is_said(
    gateway: StandInGateway, client: aiohttp.ClientSession, path: str, error: str
) -> None:
    status, document = await ask(client, "POST", gateway.base_url + path, {"channel": 5})
    assert (status, document["error"]) == (400, error)


async def test_a_session_is_started_by_its_path(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    status, document = await ask(client, "POST", f"{gateway.base_url}/api/channels/new/start-session")
    assert (status, document["channel"]["id"]) == (201, "new")
    assert gateway.engine.line("new") is Line.STARTING


async def test_a_webhook_is_set_with_or_without_a_secret(
    gateway: StandInGateway, client: aiohttp.ClientSession
) -> None:
    url = f"{gateway.base_url}/api/channels/sales/webhook"
    await ask(client, "POST", url, {"url": "http://hub.example", "secret": "hush"})
    assert (gateway.outbox.url, gateway.outbox.secret) == ("http://hub.example", "hush")
    await ask(client, "POST", url, {"url": "http://hub.example/2", "secret": 5})
    assert (gateway.outbox.url, gateway.outbox.secret) == ("http://hub.example/2", None)


async def test_a_contact_has_an_id_of_its_own(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    _, document = await ask(client, "GET", f"{gateway.base_url}/api/sales/contact/pn-lid/5500000000000")
    assert document == {"success": True, "session": "sales", "lid": "5500000000000@lid"}


async def test_media_is_announced_to_a_head_and_not_sent(
    gateway: StandInGateway, client: aiohttp.ClientSession
) -> None:
    async with client.head(f"{gateway.base_url}/api/media/sales/m?bytes=7") as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, "7")


async def test_the_health_routes_say_ok(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    for path in ("/health", "/api/health"):
        assert await ask(client, "GET", gateway.base_url + path) == (200, {"status": "ok"})


async def test_events_of_the_engine_and_of_the_gateway_are_taken(
    gateway: StandInGateway, client: aiohttp.ClientSession
) -> None:
    raw = {"event": "status-find", "session": "sales", "status": "inChat"}
    _, document = await ask(client, "POST", f"{gateway.base_url}/v1/webhooks/receive", raw)
    assert document == {"success": True, "received": True}
    await ask(client, "POST", f"{gateway.base_url}/demo/hub-inbox", {"event": "message"})
    assert ([*gateway.received], [*gateway.hub_inbox]) == ([raw], [{"event": "message"}])


async def test_the_list_has_every_session(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    _, document = await ask(client, "GET", f"{gateway.base_url}/api/channels")
    assert ([one["id"] for one in document["channels"]], document["total"]) == (["sales", "support", "night"], 3)
