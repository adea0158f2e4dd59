"""What passes through shows that the gateway has caught up: QR codes, creating, deleting."""

import asyncio
import gzip
import json
import random
from pathlib import Path

import pytest

from statusproxy.proxy.decoders import Decoder
from statusproxy.status.model import Record
from tests.pictures import PNG, PNG_URL
from tests.proxy.harness import OK, PATIENCE, Origin, Running, Wire, answer, get, running
from tests.registry.known import records_of

JSON = "Content-Type: application/json"
LIST = b'{"success":true,"channels":[{"id":"Sales Team","status":"connected"}]}'
QR = b'{"success":true,"qr":"%b"}' % PNG_URL.encode()
LOST = b'{"event":"status-find","session":"salesteam","status":"browserClose"}'
NO_QR = b'{"success":true,"qr":null,"status":"INITIALIZING"}'


@pytest.fixture
async def lost(origin: Origin, proxy: Running) -> Running:
    """A proxy that knows that `Sales Team` is disconnected."""
    await proxy.ask(get("/v1/webhooks/receive", method="POST", body=LOST))
    assert record(proxy) is not None
    return proxy


def record(proxy: Running) -> Record | None:
    """What is known of the session, while it is shown as disconnected."""
    for found in records_of(proxy.server.registry):
        if found.override is not None:
            return found
    return None


def caught_up(proxy: Running) -> str | None:
    """What showed that the gateway knows."""
    found = record(proxy)
    return found.override.caught_up if found is not None and found.override is not None else None


async def listed(origin: Origin, proxy: Running) -> str:
    """The status that the list shows while the gateway says connected."""
    origin.answer = answer(LIST, JSON)
    return str(json.loads((await proxy.ask(get("/api/channels"))).body)["channels"][0]["status"])


async def test_a_qr_code_shows_it_and_the_next_connected_is_fresh(origin: Origin, lost: Running) -> None:
    assert await listed(origin, lost) == "disconnected"
    origin.answer = answer(QR, JSON)
    assert (await lost.ask(get("/api/channels/Sales%20Team/qr"))).body == QR
    assert caught_up(lost) == "qr"
    assert await listed(origin, lost) == "connected"
    assert record(lost) is None


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_a_coded_qr_answer_is_read_and_passes_coded(origin: Origin, lost: Running, coding: str) -> None:
    folds = {"gzip": "gzip", "br": "brotli", "zstd": "backports.zstd"}
    body = pytest.importorskip(folds[coding]).compress(QR)
    origin.answer = answer(body, JSON, f"Content-Encoding: {coding}")
    got = await lost.ask(get("/api/channels/Sales%20Team/qr", f"Accept-Encoding: {coding}"))
    assert (got.body, got.get("Content-Encoding")) == (body, coding.encode())
    assert origin.requests[-1].get("Accept-Encoding") == coding.encode()
    assert caught_up(lost) == "qr"


async def test_a_qr_code_as_an_image_shows_it_too(origin: Origin, lost: Running) -> None:
    origin.answer = answer(PNG, "Content-Type: image/png")
    assert (await lost.ask(get("/api/channels/Sales%20Team/qr"))).body == PNG
    assert caught_up(lost) == "qr"


@pytest.mark.parametrize("body", [PNG[:4], b"BM" + bytes(60), b"<svg><text>Session not started</text></svg>"])
async def test_an_image_that_can_show_no_code_shows_nothing(origin: Origin, lost: Running, body: bytes) -> None:
    origin.answer = answer(body, "Content-Type: image/png")
    assert (await lost.ask(get("/api/channels/Sales%20Team/qr"))).body == body
    assert caught_up(lost) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"success":true,"qr":"data:image/png;base64,undefined"}',
        b'{"status":"CONNECTED","qr":"%b"}' % PNG_URL.encode(),
    ],
)
async def test_a_placeholder_or_an_old_code_shows_nothing(origin: Origin, lost: Running, body: bytes) -> None:
    origin.answer = answer(body, JSON)
    await lost.ask(get("/api/channels/Sales%20Team/qr"))
    assert record(lost) is not None
    assert caught_up(lost) is None


@pytest.mark.parametrize(
    ("body", "shows"),
    [
        (b'{"success":0}', None),
        (b'{"status":"500"}', None),
        (b'{"erro":"x"}', None),
        (b'{"channelStatus":"connected"}', None),
        (b'{"success":true,"code":0}', "created"),
        (b'{"success":true,"message":"Session not found, creating a new one"}', "created"),
        (b'{"QRCode":"%b"}' % PNG_URL.encode(), "created"),
    ],
)
async def test_a_start_counts_by_what_its_answer_says(
    origin: Origin, lost: Running, body: bytes, shows: str | None
) -> None:
    origin.answer = answer(body, JSON)
    await lost.ask(get("/api/channels", JSON, method="POST", body=b'{"channel":"Sales Team"}'))
    assert caught_up(lost) == shows


@pytest.mark.parametrize(
    ("body", "forgotten"),
    [
        (b'{"deletedCount":0}', False),
        (b'{"success":true,"results":[{"message":"not found"}]}', False),
        (b'{"deleted":true,"channel":{"id":"sales","status":"connected"}}', True),
    ],
)
async def test_a_deletion_counts_by_what_its_answer_says(
    origin: Origin, lost: Running, body: bytes, forgotten: bool
) -> None:
    origin.answer = answer(body, JSON)
    await lost.ask(get("/api/channels/Sales%20Team", method="DELETE"))
    assert (record(lost) is None) is forgotten


@pytest.mark.parametrize(
    ("body", "status"), [(NO_QR, "200 OK"), (QR, "500 Oops"), (b"", "200 OK"), (b"<html>", "200 OK")]
)
async def test_an_answer_without_a_qr_code_shows_nothing(
    origin: Origin, lost: Running, body: bytes, status: str
) -> None:
    origin.answer = answer(body, JSON, status=status)
    got = await lost.ask(get("/api/channels/Sales%20Team/qr"))
    assert (got.start.partition(b" ")[2], got.body) == (status.encode(), body)
    assert record(lost) is not None
    assert caught_up(lost) is None


async def test_connected_on_the_qr_route_is_stale_until_the_gateway_has_caught_up(
    origin: Origin, lost: Running
) -> None:
    origin.answer = answer(b'{"success":true,"qr":null,"status":"CONNECTED"}', JSON)
    await lost.ask(get("/api/channels/Sales%20Team/qr"))
    assert record(lost) is not None
    origin.answer = answer(QR, JSON)
    await lost.ask(get("/api/channels/Sales%20Team/qr"))
    origin.answer = answer(b'{"success":true,"qr":null,"status":"CONNECTED"}', JSON)
    await lost.ask(get("/api/channels/Sales%20Team/qr"))
    assert record(lost) is None


@pytest.mark.parametrize("body", [b"<html>", b'{"qr":"' + b"A" * 300_000 + b'"}'])
async def test_while_no_session_is_disconnected_no_qr_answer_is_looked_at(
    origin: Origin, proxy: Running, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    origin.answer = answer(body, JSON)
    assert (await proxy.ask(get("/api/channels/Sales%20Team/qr"))).body == body
    assert not [message for message in caplog.messages if message.startswith("qr")]


@pytest.mark.parametrize(
    ("request_", "method", "said"),
    [
        (get("/api/channels/Sales%20Team/qr"), "qr_answered", QR),
        (get("/api/channels/Sales%20Team/start-session", method="POST"), "created", b"{}"),
        (get("/api/channels/Sales%20Team", method="DELETE"), "deleted", b"{}"),
    ],
)
async def test_the_answer_waits_until_what_it_showed_is_durable(
    origin: Origin, lost: Running, monkeypatch: pytest.MonkeyPatch, request_: bytes, method: str, said: bytes
) -> None:
    began, durable, events = asyncio.Event(), asyncio.Event(), list[str]()

    async def save() -> None:
        began.set()
        await durable.wait()
        events.append("durable")

    async def ask() -> None:
        await lost.ask(request_)
        events.append("answered")

    monkeypatch.setattr(lost.server.registry.watched, method, lambda *_: save())
    origin.answer = answer(said, JSON)
    asked = asyncio.create_task(ask())
    await began.wait()
    durable.set()
    await asked
    assert events == ["durable", "answered"]


async def test_an_answer_too_large_to_look_at_streams_by(origin: Origin, lost: Running) -> None:
    body = b'{"qr":"' + b"A" * 1_000_000 + b'"}'
    origin.answer = answer(body, JSON)
    assert (await lost.ask(get("/api/channels/Sales%20Team/qr"))).body == body


async def test_a_qr_code_of_another_session_shows_nothing(origin: Origin, lost: Running) -> None:
    origin.answer = answer(QR, JSON)
    await lost.ask(get("/api/channels/support/qr"))
    assert caught_up(lost) is None


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/api/channels", b'{"channel":"Sales Team"}'),
        ("/api/channels/", b'{ "other": [1.10, 1e400], "channel" : "sales\\u0074eam" }'),
        ("/api/channels/Sales%20Team/start-session", b""),
        ("/api/channels/SALESTEAM/Start-Session", b"{}"),
    ],
)
async def test_creating_or_starting_the_session_shows_it(
    origin: Origin, lost: Running, target: str, body: bytes
) -> None:
    origin.answer = answer(b'{"success":true}', JSON, status="201 Created")
    got = await lost.ask(get(target, JSON, method="POST", body=body))
    assert got.status == 201
    assert (origin.requests[-1].target, origin.requests[-1].body) == (target.encode(), body)
    assert caught_up(lost) == "created"
    assert await listed(origin, lost) == "connected"


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize(
    ("target", "claim"),
    [
        ("/api/channels/Sales%20Team/start-session", b'{"status":"CONNECTED","qrcode":null,"session":"Sales Team"}'),
        ("/api/channels", b'{"success":true,"channel":{"id":"Sales Team","status":"connected"}}'),
    ],
)
async def test_a_start_that_is_answered_connected_proves_nothing(
    origin: Origin, lost: Running, target: str, claim: bytes, coding: str
) -> None:
    """wppconnect-server answers so for a session whose browser has died, and does nothing."""
    body = gzip.compress(claim) if coding == "gzip" else claim
    origin.answer = answer(body, JSON, f"Content-Encoding: {coding}")
    got = await lost.ask(get(target, JSON, method="POST", body=b'{"channel":"Sales Team"}'))
    assert (got.status, got.body) == (200, body)
    assert caught_up(lost) is None
    assert await listed(origin, lost) == "disconnected"


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("target", ["/api/channels/Sales%20Team/start-session", "/api/channels"])
async def test_a_start_that_failed_and_was_answered_200_proves_nothing(
    origin: Origin, lost: Running, target: str, coding: str
) -> None:
    failure = b'{"success":false,"error":"x"}'
    body = gzip.compress(failure) if coding == "gzip" else failure
    origin.answer = answer(body, JSON, f"Content-Encoding: {coding}")
    got = await lost.ask(get(target, JSON, method="POST", body=b'{"channel":"Sales Team"}'))
    assert (got.status, got.body) == (200, body)
    assert await listed(origin, lost) == "disconnected"


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b'{"success":false,"error":"x"}', "identity"),
        (b'{"error":"not deleted"}', "identity"),
        (gzip.compress(b'{"error":"not deleted"}'), "gzip"),
        (b'{"a":"' + b"A" * 300_000 + b'"}', "identity"),
        (b"{}", "compress"),
    ],
    ids=["success false", "error", "coded", "too large", "unknown coding"],
)
async def test_a_deletion_that_may_have_failed_ends_nothing(
    origin: Origin, lost: Running, body: bytes, coding: str
) -> None:
    origin.answer = answer(body, JSON, f"Content-Encoding: {coding}")
    assert (await lost.ask(get("/api/channels/Sales%20Team", method="DELETE"))).body == body
    assert await listed(origin, lost) == "disconnected"


@pytest.mark.parametrize(
    ("body", "coding"), [(b"", "identity"), (gzip.compress(b'{"success":true}'), "gzip")], ids=["empty", "coded"]
)
async def test_a_deletion_that_succeeded_ends_it(origin: Origin, lost: Running, body: bytes, coding: str) -> None:
    origin.answer = answer(body, JSON, f"Content-Encoding: {coding}")
    assert (await lost.ask(get("/api/channels/Sales%20Team", method="DELETE"))).body == body
    assert await listed(origin, lost) == "connected"


@pytest.mark.parametrize("qr", [b'{"qr":"null"}', b'{"error":"Session not started","image":"/logo.png"}'])
async def test_what_cannot_be_a_qr_code_shows_nothing(origin: Origin, lost: Running, qr: bytes) -> None:
    origin.answer = answer(qr, JSON)
    assert (await lost.ask(get("/api/channels/Sales%20Team/qr"))).body == qr
    assert await listed(origin, lost) == "disconnected"


async def test_what_is_called_an_image_and_is_none_shows_nothing(origin: Origin, lost: Running) -> None:
    origin.answer = answer(b"no code", "Content-Type: image/png")
    await lost.ask(get("/api/channels/Sales%20Team/qr"))
    assert await listed(origin, lost) == "disconnected"


@pytest.mark.parametrize(
    ("body", "fields", "why"),
    [
        (b'{"a":"' + b"A" * 300_000 + b'"}', [], "too-large"),
        (b"{}", ["Content-Encoding: compress"], "unknown-coding"),
    ],
)
async def test_an_answer_to_a_start_that_cannot_be_read_passes_and_proves_nothing(
    origin: Origin, lost: Running, caplog: pytest.LogCaptureFixture, body: bytes, fields: list[str], why: str
) -> None:
    origin.answer = answer(body, JSON, *fields)
    assert (await lost.ask(get("/api/channels/Sales%20Team/start-session", method="POST"))).body == body
    assert caught_up(lost) is None
    assert f"create passed untouched: {why}" in caplog.messages


async def test_what_one_route_shows_is_no_evidence_about_another(origin: Origin, lost: Running) -> None:
    """`browserClose`; the other list says so itself; the cached one goes on saying connected."""
    origin.answer = answer(b'{"sessions":[{"id":"Sales Team","status":"disconnected"}]}', JSON)
    await lost.ask(get("/api/available-sessions"))
    assert caught_up(lost) == "list"
    assert await listed(origin, lost) == "disconnected"
    origin.answer = answer(b'{"sessions":[{"id":"Sales Team","status":"connected"}]}', JSON)
    await lost.ask(get("/api/available-sessions"))
    assert await listed(origin, lost) == "connected"


async def test_evidence_outlives_a_reload(origin: Origin, lost: Running) -> None:
    origin.answer = answer(LIST.replace(b"connected", b"qr_required"), JSON)
    await lost.ask(get("/api/channels"))
    assert await lost.server.reload()
    assert await listed(origin, lost) == "connected"


@pytest.mark.parametrize(
    "fields", [["Content-Encoding: gzip"], ["Content-Encoding: identity", "Content-Encoding: gzip"]]
)
async def test_a_compressed_request_to_create_is_read(origin: Origin, lost: Running, fields: list[str]) -> None:
    body = gzip.compress(b'{"channel":"Sales Team"}')
    await lost.ask(get("/api/channels", *fields, method="POST", body=body))
    assert caught_up(lost) == "created"


async def test_a_compressed_request_to_create_is_decoded_only_once_the_gateway_has_accepted_it(
    origin: Origin, lost: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may send one. What the gateway refuses costs no more than its bytes on the wire."""
    body = gzip.compress(b'{"channel":"Sales Team"}')
    decoded: list[bool] = []
    step = Decoder.step

    def note(decoder: Decoder) -> bytes:
        decoded.append(True)
        return step(decoder)

    monkeypatch.setattr(Decoder, "step", note)
    for status in ("401 Unauthorized", "413 Content Too Large", "500 Oops"):
        origin.answer = answer(b"{}", JSON, status=status)
        await lost.ask(get("/api/channels", "Content-Encoding: gzip", method="POST", body=body))
    assert decoded == []
    origin.answer = answer(b"{}", JSON)
    await lost.ask(get("/api/channels", "Content-Encoding: gzip", method="POST", body=body))
    assert decoded
    assert caught_up(lost) == "created"


@pytest.mark.parametrize(
    ("body", "coding", "why"),
    [
        (gzip.compress(b'{"channel":"Sales Team","a":"%b"}' % bytes(5_000_000)), "gzip", "too-large"),
        (b'{"channel":"Sales Team","a":[%b""]}' % (b'"",' * 100_000), "identity", "too-large"),
        (random.Random(1).randbytes(300_000), "gzip", "too-large"),
        (b'{"channel":"Sales Team"}', "gzip", "broken-coding"),
        (b'{"channel":"Sales Team"}', "compress", "coding"),
        (b'{"name":"Sales Team"}', "identity", "no-session"),
        (b'{"channel":["Sales Team"]}', "identity", "no-session"),
        (b"channel=Sales+Team", "identity", "not-json"),
        (b'{"channel":%b%b}' % (b"[" * 3_000, b"]" * 3_000), "identity", "too-deep"),
    ],
    ids=["bomb", "many values", "raw", "not gzip", "unknown", "no name", "a list", "form", "deep"],
)
async def test_a_request_to_create_that_cannot_be_read_is_counted_and_logged(
    lost: Running, caplog: pytest.LogCaptureFixture, body: bytes, coding: str, why: str
) -> None:
    request = get("/api/channels", f"Content-Encoding: {coding}", method="POST", body=body)
    assert (await lost.ask(request)).status == 200
    assert caught_up(lost) is None
    assert f"create passed untouched: {why}" in caplog.messages


@pytest.mark.parametrize(
    ("body", "fields", "status", "why"),
    [
        (gzip.compress(b'{"qr":"%b"}' % (b"A" * 300_000)), ["Content-Encoding: gzip"], "200 OK", "too-large"),
        (b'{"qr":"' + b"A" * 300_000 + b'"}', [], "200 OK", "too-large"),
        (QR, ["Content-Encoding: br"], "200 OK", "broken-coding"),
        (QR, ["Content-Encoding: compress"], "200 OK", "unknown-coding"),
        (b"<html>", [], "200 OK", "not-json"),
        (b"", [], "200 OK", "empty"),
        (QR, ["Content-Range: bytes 0-9/100"], "206 Partial Content", "partial"),
    ],
)
async def test_a_qr_answer_that_cannot_be_read_passes_and_is_counted_and_logged(
    origin: Origin,
    lost: Running,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    fields: list[str],
    status: str,
    why: str,
) -> None:
    origin.answer = answer(body, JSON, *fields, status=status)
    assert (await lost.ask(get("/api/channels/Sales%20Team/qr"))).body == body
    assert caught_up(lost) is None
    assert f"qr passed untouched: {why}" in caplog.messages


async def test_head_of_the_qr_route_passes_untouched(
    origin: Origin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    route = "/api/channels/{session}/qr"
    async with running(tmp_path, origin.url, reconnect={"qr": [f"GET {route}", f"HEAD {route}"]}) as proxy:
        event = b'{"event":"closesession","session":"salesteam"}'
        await proxy.ask(get("/v1/webhooks/receive", method="POST", body=event))
        origin.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\n"
        got = await proxy.ask(get("/api/channels/Sales%20Team/qr", method="HEAD"), bodiless=True)
        assert got.get("Content-Length") == b"123"
        assert not [message for message in caplog.messages if message.startswith("qr")]


@pytest.mark.parametrize("body", [b"{}", b'{"channel":7e}', b'{"channel":{}}', b'{"channel":" "}', b"", b"[" * 100_000])
async def test_creating_without_a_usable_name_shows_nothing(origin: Origin, lost: Running, body: bytes) -> None:
    assert (await lost.ask(get("/api/channels", JSON, method="POST", body=body))).status == 200
    assert origin.requests[-1].body == body
    assert caught_up(lost) is None


@pytest.mark.parametrize(("body", "status"), [(b'{"error":"no"}', "409 Conflict"), (b"{}", "300 Multiple Choices")])
async def test_a_refused_creation_shows_nothing(origin: Origin, lost: Running, body: bytes, status: str) -> None:
    origin.answer = answer(body, JSON, status=status)
    await lost.ask(get("/api/channels", JSON, method="POST", body=b'{"channel":"Sales Team"}'))
    assert caught_up(lost) is None


async def test_the_names_place_in_the_body_can_be_configured(origin: Origin, tmp_path: Path) -> None:
    reconnect = {"create": ["POST /sessions"], "body": ["name", "session"]}
    async with running(tmp_path, origin.url, reconnect=reconnect) as proxy:
        body = b'{"event":"closesession","session":"sales"}'
        await proxy.ask(get("/v1/webhooks/receive", method="POST", body=body))
        await proxy.ask(get("/sessions", method="POST", body=b'{"session":"sales"}'))
        assert caught_up(proxy) == "created"


async def test_a_deleted_session_is_forgotten(origin: Origin, lost: Running) -> None:
    origin.answer = answer(b'{"success":true}', JSON)
    assert (await lost.ask(get("/api/channels/Sales%20Team", JSON, method="DELETE"))).status == 200
    assert record(lost) is None
    assert await listed(origin, lost) == "connected"


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops"])
async def test_a_session_whose_deletion_failed_is_not_forgotten(origin: Origin, lost: Running, status: str) -> None:
    origin.answer = answer(b'{"error":"no"}', JSON, status=status)
    await lost.ask(get("/api/channels/Sales%20Team", method="DELETE"))
    assert await listed(origin, lost) == "disconnected"


async def test_a_status_that_tells_more_is_kept_and_shows_it(origin: Origin, lost: Running) -> None:
    origin.answer = answer(LIST.replace(b'"connected"', b'"qr_required"'), JSON)
    got = await lost.ask(get("/api/channels"))
    assert json.loads(got.body)["channels"][0]["status"] == "qr_required"
    assert caught_up(lost) == "list"
    assert await listed(origin, lost) == "connected"


@pytest.mark.parametrize(("other", "body"), [(None, b'{"channel":"Sales Team"}'), (LOST, b"{}")])
async def test_an_answer_to_a_creation_that_can_show_nothing_is_not_held_back(
    origin: Origin, proxy: Running, other: bytes | None, body: bytes
) -> None:
    """No session is disconnected, or the request names none."""
    begun = asyncio.Event()

    async def script(wire: Wire) -> None:
        while (await origin.take(wire)).target != b"/api/channels":
            await wire.send(OK)
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
        await begun.wait()
        await wire.send(b"}")

    origin.script = script
    if other is not None:
        await proxy.ask(get("/v1/webhooks/receive", method="POST", body=other))
    client = await proxy.connect()
    await client.send(get("/api/channels", JSON, method="POST", body=body))
    assert (await client.head()).status == 200
    async with asyncio.timeout(PATIENCE):
        assert await client.reader.readexactly(1) == b"{"
        begun.set()
        assert await client.reader.readexactly(1) == b"}"


async def test_a_qr_answer_without_content_shows_nothing_and_nothing_is_wrong(
    origin: Origin, lost: Running, caplog: pytest.LogCaptureFixture
) -> None:
    origin.answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    got = await lost.ask(get("/api/channels/Sales%20Team/qr"), bodiless=True)
    assert (got.status, caught_up(lost)) == (204, None)
    assert not [message for message in caplog.messages if message.startswith("qr")]
