"""The stand-in gateway answers as the first real gateway does, over real sockets."""

from __future__ import annotations

import asyncio
import io

import aiohttp
import pytest

from statusproxy.demo.engine import Line
from statusproxy.demo.express import weak_etag
from statusproxy.demo.gateway import StandInGateway
from tests.demo.conftest import ask


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


async def test_the_interface_wants_the_secret_and_the_webhook_does_not(client: aiohttp.ClientSession) -> None:
    async with StandInGateway(secret="hush") as gateway:
        url = f"{gateway.base_url}/api/channels"
        assert (await ask(client, "GET", url))[0] == 401
        assert (await ask(client, "GET", url, **{"X-Gateway-Secret": "hush"}))[0] == 200
        assert (await ask(client, "GET", f"{gateway.base_url}/api/health"))[0] == 200
        await gateway.unlink("sales")
        assert gateway.counts["received"] == 1


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"[]", 400), (b" " * (10 * 1024 * 1024 + 1), 413)])
async def test_a_body_the_parser_refuses_is_answered_in_json(
    gateway: StandInGateway, client: aiohttp.ClientSession, body: bytes, status: int
) -> None:
    async with client.post(f"{gateway.base_url}/v1/webhooks/receive", data=io.BytesIO(body)) as answer:
        assert answer.status == status
        assert isinstance((await answer.json())["error"], str)


async def test_what_is_not_there_is_404_in_json(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    status, answer = await ask(client, "GET", f"{gateway.base_url}/api/nothing")
    assert (status, answer["error"]) == (404, "Route not found")


async def test_an_event_for_a_gateway_that_was_not_started_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        await StandInGateway().unlink("sales")


async def test_what_was_never_started_can_be_stopped() -> None:
    gateway = StandInGateway()
    await gateway.stop()
    assert gateway.base_url == ""


async def test_a_silent_unlink_and_scan_post_nothing(gateway: StandInGateway) -> None:
    await gateway.unlink("sales", silent=True)
    await gateway.scan("night", silent=True)
    assert (gateway.engine.line("sales"), gateway.engine.line("night")) == (Line.LOST, Line.LINKED)
    assert not gateway.received


async def test_asking_the_engine_takes_its_time(monkeypatch: pytest.MonkeyPatch, gateway: StandInGateway) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    gateway.slow = 2.5
    assert (await gateway.channel("sales"))["status"] == "connected"
    assert waited == [2.5]


async def test_a_scan_is_told_by_the_engine(gateway: StandInGateway) -> None:
    await gateway.scan("night")
    assert [event["status"] for event in gateway.received] == ["qrReadSuccess", "inChat"]


async def test_a_channel_that_is_not_there_is_404(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    status, document = await ask(client, "GET", f"{gateway.base_url}/api/channels/nobody")
    assert (status, document["error"]) == (404, "Channel not found")
