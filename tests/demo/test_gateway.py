"""The stand-in gateway answers as the first real gateway does, over real sockets."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from statusproxy.demo.engine import Dialog, Line
from statusproxy.demo.express import weak_etag
from statusproxy.demo.gateway import StandInGateway


@pytest.fixture
async def gateway() -> AsyncIterator[StandInGateway]:
    async with StandInGateway(
        sessions=("sales", "support"), waiting=("night",), dialogs={"support": Dialog.AFTER_DELETE}
    ) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def ask(
    client: aiohttp.ClientSession, method: str, url: str, body: object = None, **headers: str
) -> tuple[int, Any]:
    async with client.request(method, URL(url, encoded=True), json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_the_list_is_compact_json_with_a_weak_etag(
    gateway: StandInGateway, client: aiohttp.ClientSession
) -> None:
    async with client.get(f"{gateway.base_url}/api/channels") as answer:
        body = await answer.read()
    assert body == (
        b'{"success":true,"channels":[{"id":"sales","name":"sales","status":"connected"},'
        b'{"id":"support","name":"support","status":"connected"},'
        b'{"id":"night","name":"night","status":"qr_required"}],"total":3}'
    )
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["ETag"] == weak_etag(body)


def test_an_etag_is_made_as_express_makes_it() -> None:
    # Express's own, for res.json({}) and res.send("hello"), as its current release answers them.
    assert weak_etag(b"{}") == 'W/"2-vyGp6PvFo4RvsFtPoIWeCReyIC8"'
    assert weak_etag(b"hello") == 'W/"5-qvTGHdzF6KLavt4PO0gs2a6pQ00"'


async def test_a_list_that_is_known_is_not_sent_again(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    url = f"{gateway.base_url}/api/channels"
    async with client.get(url) as answer:
        etag = answer.headers["ETag"]
    async with client.get(url, headers={"If-None-Match": etag}) as again:
        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", etag)


async def test_an_unlinked_phone_stays_connected_in_the_list_and_the_etag_stays_too(
    gateway: StandInGateway, client: aiohttp.ClientSession
) -> None:
    url = f"{gateway.base_url}/api/channels"
    async with client.get(url) as answer:
        etag = answer.headers["ETag"]
    await gateway.unlink("sales")
    assert gateway.received[-1]["status"] == "disconnectedMobile"
    async with client.get(url, headers={"If-None-Match": etag}) as again:
        assert again.status == 304
    assert gateway.engine.line("sales") is Line.LOST


@pytest.mark.parametrize("path", ["/api/channels/", "/API/Channels", "/api/%63hannels", "//api/channels?x=1"])
async def test_paths_are_read_as_express_reads_them(
    gateway: StandInGateway, client: aiohttp.ClientSession, path: str
) -> None:
    status, document = await ask(client, "GET", gateway.base_url + path)
    assert (status, document["total"]) == (200, 3)


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


async def test_a_restart_says_unknown_once_and_then_the_stale_word(
    gateway: StandInGateway, client: aiohttp.ClientSession
) -> None:
    await gateway.unlink("sales")
    gateway.restart()
    url = f"{gateway.base_url}/api/channels"
    seen = [(await ask(client, "GET", url))[1]["channels"][0]["status"] for _ in range(2)]
    assert seen == ["unknown", "connected"]


async def test_presence_is_passed_on_to_the_hub(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    hub = f"{gateway.base_url}/demo/hub-inbox"
    assert (await ask(client, "POST", f"{gateway.base_url}/api/webhooks", {"url": hub, "secret": "s"}))[0] == 200
    await gateway.contacts_move("sales", contacts=3)
    await gateway.settled()
    assert gateway.counts["received"] == gateway.counts["hub_inbox"] == 6
    assert {event["connection"]["status"] for event in gateway.hub_inbox} == {"available", "unavailable"}


async def test_what_the_engine_cannot_deliver_is_lost(gateway: StandInGateway) -> None:
    gateway.engine_webhook = "http://127.0.0.1:9/nobody-listens"
    await gateway.unlink("sales")
    assert gateway.counts["lost_events"] == 1


async def test_a_lost_session_sends_nothing(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    url = f"{gateway.base_url}/api/messages"
    text = {"channel": "sales", "to": "5500000000000", "text": "hello"}
    assert (await ask(client, "POST", url, text))[0] == 200
    await gateway.unlink("sales")
    status, answer = await ask(client, "POST", url, text)
    assert (status, answer["error"]) == (500, "Session sales is disconnected")
    assert gateway.counts["sent"] == 1


async def test_the_interface_wants_the_secret_and_the_webhook_does_not(client: aiohttp.ClientSession) -> None:
    async with StandInGateway(secret="hush") as gateway:
        url = f"{gateway.base_url}/api/channels"
        assert (await ask(client, "GET", url))[0] == 401
        assert (await ask(client, "GET", url, **{"X-Gateway-Secret": "hush"}))[0] == 200
        assert (await ask(client, "GET", f"{gateway.base_url}/api/health"))[0] == 200
        await gateway.unlink("sales")
        assert gateway.counts["received"] == 1


async def test_the_page_for_people_is_html(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{gateway.base_url}/ui/sessoes") as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_media_has_the_length_asked_for(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    url = URL(f"{gateway.base_url}/api/media/sales/false_550000%40c.us_ABC?bytes=100001", encoded=True)
    async with client.get(url) as answer:
        assert len(await answer.read()) == 100_001


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"[]", 400), (b" " * (10 * 1024 * 1024 + 1), 413)])
async def test_a_body_the_parser_refuses_is_answered_in_json(
    gateway: StandInGateway, client: aiohttp.ClientSession, body: bytes, status: int
) -> None:
    async with client.post(f"{gateway.base_url}/v1/webhooks/receive", data=io.BytesIO(body)) as answer:
        assert answer.status == status
        assert isinstance((await answer.json())["error"], str)


async def test_the_controls_can_be_reached_by_curl(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    base = f"{gateway.base_url}/demo"
    await ask(client, "POST", f"{base}/unlink/sales?word=browserClose")
    assert gateway.received[-1]["status"] == "browserClose"
    await ask(client, "GET", f"{gateway.base_url}/api/channels/sales/qr")
    await ask(client, "POST", f"{base}/scan/sales")
    await ask(client, "POST", f"{base}/presence/sales?contacts=2")
    await ask(client, "POST", f"{base}/restart")
    assert (await ask(client, "GET", f"{base}/truth"))[1]["sales"] == "linked"


async def test_what_is_not_there_is_404_in_json(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    status, answer = await ask(client, "GET", f"{gateway.base_url}/api/nothing")
    assert (status, answer["error"]) == (404, "Route not found")
