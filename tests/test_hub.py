"""The test client reads answers as the hub does, and its story runs in both variants against the stand-in gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from aiohttp import web

from statusproxy.demo.engine import Dialog
from statusproxy.demo.gateway import StandInGateway
from tests.hub import Hub, HubCrashedError, Shown, Verdict, is_connected, qr_code, read, shown, statuses
from tests.peers.processes import express_gateway, php_hub, requires
from tests.stand_ins.served import everything, served

JSON = "application/json; charset=utf-8"


def no_pause(_seconds: float) -> Awaitable[None]:
    return asyncio.sleep(0)


@pytest.fixture
async def gateway() -> AsyncIterator[StandInGateway]:
    async with StandInGateway(dialogs={"Front Desk": Dialog.AFTER_DELETE}) as running:
        yield running


@pytest.mark.parametrize(
    ("status", "content_type", "body", "verdict"),
    [
        (200, JSON, b'{"success":true}', Verdict.OK),
        (204, "", b"", Verdict.EMPTY),
        (200, JSON, b"0", Verdict.EMPTY),
        (401, "text/html", b"<p>no</p>", Verdict.UNAUTHORISED),
        (401, JSON, b"", Verdict.EMPTY),
        (502, "text/html", b"bad gateway", Verdict.HTML),
        (200, JSON, b"\n <html>", Verdict.HTML),
        (502, "text/plain", b"bad gateway", Verdict.INVALID),
        (200, JSON, b'"connected"', Verdict.INVALID),
        (304, JSON, b"{}", Verdict.ERROR),
        (502, JSON, b'{"error":"x"}', Verdict.ERROR),
    ],
)
def test_the_order_of_the_questions(status: int, content_type: str, body: bytes, verdict: Verdict) -> None:
    assert read(status, content_type, body).verdict is verdict


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"message":"b","error":"a"}', "a"),
        (b'{"error":null,"message":"b"}', "b"),
        (b'{"details":"d"}', "d"),
        (b'{"data":{"error":"e"}}', "e"),
        (b"{}", None),
        (b"[1]", None),
    ],
)
def test_the_message_is_the_first_that_is_there(body: bytes, message: str | None) -> None:
    assert read(500, JSON, body).message == message


def test_a_message_that_is_no_string_crashes_the_hub() -> None:
    with pytest.raises(HubCrashedError):
        read(502, JSON, b'{"error":{"code":"x"}}')


@pytest.mark.parametrize(
    ("status", "error", "booked", "cause"),
    [
        (504, "Gateway Timeout", "perhaps-delivered", "timed out"),
        (500, "Session sales is disconnected", "session-lost", "unknown cause"),
        (502, "nobody answers", "failed", "container stopped"),
        (200, "", "sent", None),
    ],
)
def test_a_send_is_booked_by_the_wording(status: int, error: str, booked: str, cause: str | None) -> None:
    answer = read(status, JSON, f'{{"error":"{error}"}}'.encode())
    assert (answer.booked_as, answer.cause) == (booked, cause)


@pytest.mark.parametrize(
    "document",
    [
        {"channels": [{"id": "sales", "status": "connected"}]},
        {"data": {"channels": [{"name": "sales", "state": "connected"}]}},
        {"data": [{"channel_id": "sales", "connected": True}]},
        [{"session": "sales", "status": "connected"}],
    ],
)
def test_a_list_is_found_in_each_of_its_shapes(document: Any) -> None:
    assert statuses(document) == {"sales": "connected"}


def test_a_status_that_is_no_word_crashes_the_hub() -> None:
    with pytest.raises(HubCrashedError):
        statuses({"channels": [{"id": "sales", "status": ["connected"]}]})


def test_what_a_user_sees() -> None:
    assert shown("connected") == Shown("connected", "green", "delete session")
    assert shown("DISCONNECTED") == Shown("DISCONNECTED", "red", "reconnect")
    assert shown("qr_required") == Shown("qr_required", "red", None)


@pytest.mark.parametrize(
    ("document", "connected"),
    [
        ({"channel": {"id": "sales", "status": "connected"}}, True),
        ({"channel": {"id": "sales", "status": "disconnected", "connected": True}}, True),
        ({"id": "sales", "status": "open"}, True),
        ({"channel": "sales", "connection": "disconnected", "status": "waiting_qr"}, False),
        ({"data": {"status": "connected"}}, True),
        (None, False),
    ],
)
def test_one_channel_is_connected_if_either_field_says_so(document: Any, connected: bool) -> None:
    assert is_connected(document) is connected


def test_a_qr_code_is_found_wherever_it_stands() -> None:
    assert qr_code({"success": True, "qr": None, "result": {"base64Image": "x"}}) == "x"
    assert qr_code({"success": True, "qr": None, "status": "CONNECTED"}) is None
    assert qr_code([]) is None


async def test_the_page_shows_what_the_gateway_says(gateway: StandInGateway) -> None:
    async with Hub(gateway.base_url) as hub:
        assert (await hub.page())["sales"] == Shown("connected", "green", "delete session")
        assert await hub.connected("Front Desk")
        assert await hub.alerts() == []
        assert (await hub.send("sales")).booked_as == "sent"


async def test_calls_go_out_as_the_hub_makes_them() -> None:
    arrived: list[web.BaseRequest] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        arrived.append(request)
        return web.json_response({}, status=302, headers={"Location": "/elsewhere", "Set-Cookie": "a=1"})

    async with served(everything(answer)) as url, Hub(url, secret="hush") as hub:
        for _ in range(2):
            await hub.call("DELETE", "/api/media/x/false_550000%40c.us_ABC?", request_id="r-1")
    assert len(arrived) == 2
    names = {name.decode().lower() for name, _ in arrived[1].raw_headers}
    # cURL would leave the length out of a DELETE without a body; this client says that it is 0.
    assert names - {"content-length"} == {"host", "x-gateway-secret", "content-type", "accept", "x-request-id"}
    assert arrived[1].rel_url.raw_path == "/api/media/x/false_550000%40c.us_ABC"


async def test_no_answer_in_time_is_a_timeout_and_nobody_there_is_not() -> None:
    async with StandInGateway(slow=5) as gateway, Hub(gateway.base_url) as hub:
        assert (await hub.call("GET", "/api/channels", within=0.05)).verdict is Verdict.TIMEOUT  # only waited for
    async with Hub("http://127.0.0.1:9") as hub:
        assert (await hub.call("GET", "/health")).verdict is Verdict.UNREACHABLE


async def test_a_session_with_a_qr_code_at_once_reconnects_without_being_deleted(gateway: StandInGateway) -> None:
    await gateway.unlink("sales")
    async with Hub(gateway.base_url, sleep=no_pause) as hub:
        story = await hub.reconnect("sales", lambda: gateway.scan("sales"))
    assert (story.outcome, story.rounds, story.qr_asks, story.deletes) == ("connected", 1, 1, 0)
    assert (story.seen, story.polls_after_scan) == (("qr_required", "qr_required", "connected"), 1)


async def test_a_stubborn_session_reconnects_by_delete_and_create(gateway: StandInGateway) -> None:
    await gateway.unlink("Front Desk")
    async with Hub(gateway.base_url, sleep=no_pause) as hub:
        story = await hub.reconnect("Front Desk", lambda: gateway.scan("Front Desk"))
    assert (story.outcome, story.rounds, story.qr_asks, story.deletes) == ("connected", 1, 8, 1)
    assert (story.seen, story.polls_after_scan) == (("qr_required", "qr_required", "connected"), 1)


async def test_a_code_nobody_scans_ends_the_dialog_after_24_polls(gateway: StandInGateway) -> None:
    await gateway.unlink("sales")
    async with Hub(gateway.base_url, sleep=no_pause) as hub:
        story = await hub.reconnect("sales", lambda: asyncio.sleep(0))
    assert (story.outcome, len(story.seen)) == ("gave-up", 24)


async def test_a_false_disconnected_destroys_a_working_session(gateway: StandInGateway) -> None:
    async with Hub(gateway.base_url, sleep=no_pause) as hub:
        story = await hub.reconnect("Front Desk", lambda: asyncio.sleep(0))
    assert (story.outcome, story.deletes) == ("gave-up", 1)
    assert not gateway.engine.really_connected("Front Desk")


async def test_the_pauses_are_those_of_the_browser_divided_by_the_haste(gateway: StandInGateway) -> None:
    pauses: list[float] = []

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    await gateway.unlink("Front Desk")
    async with Hub(gateway.base_url, haste=100, sleep=note) as hub:
        await hub.reconnect("Front Desk", lambda: gateway.scan("Front Desk"), scan_after=0)
    assert pauses == [0.02] * 4 + [0.005, 0.02] + [0.02] * 2 + [0.05]


@pytest.mark.slow
@requires("express", "php")
@pytest.mark.parametrize(
    "path",
    ["/api/channels", "/ui", "/status/401", "/status/204", "/status/502", "/api/channels/no", "/static/numbers.txt"],
)
async def test_the_hub_here_reads_as_php_does(path: str) -> None:
    async with express_gateway() as base_url, Hub(base_url) as hub:
        here = await hub.call("GET", path)
        there = await php_hub("GET", base_url + path)
    assert (here.verdict, here.status, here.message) == (there["verdict"], there["status"], there["message"])
