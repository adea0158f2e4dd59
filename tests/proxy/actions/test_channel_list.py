"""Corrected routes: asked for whole, answered with validators and codings of our own."""

import asyncio
import gzip
import json
import random
import zlib
from pathlib import Path
from typing import Any
from unittest import mock

import brotli
import pytest

from statusproxy.proxy.actions.answers import decode
from statusproxy.proxy.coalescing import Key, SharedCall, SharedCalls
from statusproxy.proxy.codings import encoding_gzip
from statusproxy.proxy.steps import Steps
from statusproxy.proxy.upstream.errors import UpstreamError
from tests.proxy.harness import PATIENCE, Message, Origin, Running, Wire, answer, get, reports, running, until
from tests.proxy.held_origin import Held

LIST = (
    b'{"success":true,"channels":[{"id":"sales","status":"connected"},{"id":"support","status":"connected"}],"total":2}'
)
CORRECTED = LIST.replace(b'"sales","status":"connected"', b'"sales","status":"disconnected"')
JSON = "Content-Type: application/json; charset=utf-8"
LOST = b'{"event":"status-find","session":"sales","status":"browserClose"}'


def list_answer(*fields: str, body: bytes = LIST, status: str = "200 OK") -> bytes:
    """A channel list as the gateway gives it."""
    return answer(body, JSON, *fields, status=status)


@pytest.fixture
async def lost(origin: Origin, proxy: Running) -> Running:
    """A proxy that knows that `sales` is disconnected, in front of a gateway that does not."""
    await proxy.ask(get("/v1/webhooks/receive", method="POST", body=LOST))
    origin.requests.clear()
    origin.answer = list_answer('ETag: W/"gateway"')
    return proxy


async def test_a_lost_session_reads_disconnected(lost: Running) -> None:
    got = await lost.ask(get("/api/channels"))
    assert (got.status, got.body) == (200, CORRECTED)
    assert int(got.get("Content-Length") or 0) == len(CORRECTED)


async def test_how_many_channels_were_corrected_is_reported(lost: Running) -> None:
    seen = reports(lost)
    for target in ("/api/channels", "/x"):
        await lost.ask(get(target))
    await until(lambda: len(seen) == 2)
    assert [report.corrected for report in seen] == [1, 0]


async def test_an_interim_answer_to_a_list_stays_here_and_the_gateways_id_is_kept(
    origin: Origin, lost: Running
) -> None:
    origin.answer = b"HTTP/1.1 103 Early Hints\r\n\r\n" + list_answer("X-Request-Id: own")
    got = await lost.ask(get("/api/channels"))
    assert (got.status, got.get("X-Request-Id"), got.body) == (200, b"own", CORRECTED)


@pytest.mark.parametrize(
    "target",
    [
        "/api/channels/",
        "/API/Channels",
        "/api/%63hannels",
        "/api/channels?x=1&x=2",
        "/%61%70%69/channels/?",
        "http://proxy.example/api/channels",
    ],
)
async def test_the_route_is_found_as_express_finds_it_and_asked_for_as_it_was_written(
    origin: Origin, lost: Running, target: str
) -> None:
    assert (await lost.ask(get(target))).body == CORRECTED
    assert origin.requests[0].target == target.removeprefix("http://proxy.example").encode()


@pytest.mark.parametrize(
    ("target", "body", "query"),
    [("/api/channels", b"", ""), ("/api/channels?", b"", ""), ("/api/channels?n=1&x", b"", "n=1&x"),
     ("/api/channels", b"{}", "\n")],
)  # fmt: skip
async def test_what_may_filter_a_list_is_told_to_the_registry(
    lost: Running, target: str, body: bytes, query: str
) -> None:
    registry = lost.server.registry
    with mock.patch.object(registry, "correct", wraps=registry.correct) as correct:
        await lost.ask(get(target, body=body))
    assert correct.call_args.args[-1] == query


@pytest.mark.parametrize("target", ["/api/channels2", "/api//channels", "/api/channels%2F", "/x/api/channels"])
async def test_other_routes_pass_untouched(lost: Running, target: str) -> None:
    assert (await lost.ask(get(target))).body == LIST


@pytest.mark.slow
async def test_a_long_list_is_corrected_in_steps_while_others_are_answered(origin: Origin, lost: Running) -> None:
    for number in range(0, 4_000, 2):
        event = {"event": "status-find", "session": f"s{number}", "status": "browserClose"}
        lost.server.registry.hear(json.dumps(event).encode(), "127.0.0.1")
    channels = [{"id": f"s{number}", "status": "connected"} for number in range(4_000)]
    origin.answer = list_answer(body=json.dumps({"channels": channels}).encode())
    targets = ["/api/channels", *["/other"] * 20]
    got, *others = await asyncio.gather(*(lost.ask(get(target)) for target in targets))
    words = [channel["status"] for channel in json.loads(got.body)["channels"]]
    assert words == ["disconnected", "connected"] * 2_000
    assert {other.body for other in others} == {origin_body(origin)}


def origin_body(origin: Origin) -> bytes:
    """The body that the gateway gives to every request."""
    assert isinstance(origin.answer, bytes)
    return origin.answer.partition(b"\r\n\r\n")[2]


async def test_one_channel_is_corrected_by_the_id_in_its_path(origin: Origin, lost: Running) -> None:
    origin.answer = list_answer(body=b'{"success":true,"status":"connected"}')
    assert (await lost.ask(get("/api/channels/sales"))).body == b'{"success":true,"status":"disconnected"}'
    assert (await lost.ask(get("/api/channels/support"))).body == b'{"success":true,"status":"connected"}'


async def test_the_gateway_is_asked_for_the_whole_list_uncoded(origin: Origin, lost: Running) -> None:
    withheld = (
        'If-None-Match: W/"a"',
        "If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT",
        'If-Match: "a"',
        "If-Unmodified-Since: Mon, 01 Jan 2024 00:00:00 GMT",
        "Range: bytes=0-9",
        'If-Range: "a"',
        "Accept-Encoding: gzip, br",
    )
    await lost.ask(get("/api/channels", "X-Kept: yes", *withheld))
    asked = origin.requests[0]
    assert asked.all("Accept-Encoding") == [b"identity"]
    assert asked.get("X-Kept") == b"yes"
    names = {name.lower() for name, _ in asked.headers}
    assert not names & {line.partition(":")[0].lower().encode() for line in withheld if "Encoding" not in line}


async def test_a_range_is_answered_with_the_whole_list(lost: Running) -> None:
    got = await lost.ask(get("/api/channels", "Range: bytes=0-9"))
    assert (got.status, got.body) == (200, CORRECTED)


async def test_a_corrected_list_has_a_tag_of_its_own_that_changes_with_it(origin: Origin, lost: Running) -> None:
    first = (await lost.ask(get("/api/channels"))).get("ETag")
    assert first is not None
    assert first.startswith(b'W/"sp-')
    assert (await lost.ask(get("/api/channels"))).get("ETag") == first
    await lost.ask(get("/v1/webhooks/receive", method="POST", body=LOST.replace(b"sales", b"support")))
    assert (await lost.ask(get("/api/channels"))).get("ETag") != first


@pytest.mark.parametrize("shape", ["{}", '"other", {}', "*"])
async def test_a_known_tag_is_answered_304_by_the_proxy(lost: Running, shape: str) -> None:
    tag = ((await lost.ask(get("/api/channels"))).get("ETag") or b"").decode()
    got = await lost.ask(get("/api/channels", f"If-None-Match: {shape.format(tag)}"))
    assert (got.status, got.body, got.get("ETag")) == (304, b"", tag.encode())
    assert (got.get("Content-Length"), got.get("Content-Type")) == (None, None)


async def test_the_gateways_tag_for_the_uncorrected_list_is_not_a_match(lost: Running) -> None:
    """A client that knew the list before the session was lost must learn of it."""
    got = await lost.ask(get("/api/channels", 'If-None-Match: W/"gateway"'))
    assert (got.status, got.body) == (200, CORRECTED)


async def test_with_nothing_to_correct_the_gateways_own_tag_serves(origin: Origin, proxy: Running) -> None:
    origin.answer = list_answer('ETag: W/"gateway"', "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT")
    got = await proxy.ask(get("/api/channels"))
    assert (got.body, got.get("ETag")) == (LIST, b'W/"gateway"')
    assert got.get("Last-Modified") == b"Mon, 01 Jan 2024 00:00:00 GMT"
    again = await proxy.ask(get("/api/channels", 'If-None-Match: W/"gateway"'))
    assert (again.status, again.get("ETag")) == (304, b'W/"gateway"')


async def test_what_a_correction_makes_untrue_is_dropped_and_the_rest_kept(origin: Origin, lost: Running) -> None:
    untrue = (
        "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT",
        "Accept-Ranges: bytes",
        "Content-MD5: abc",
        "Digest: sha-256=abc",
        "Content-Digest: sha-256=:abc:",
        "Repr-Digest: sha-256=:abc:",
        'ETag: "strong"',
    )
    origin.answer = list_answer(*untrue, "Vary: Origin", "Cache-Control: no-cache", "X-Powered-By: Express")
    got = await lost.ask(get("/api/channels"))
    kept = [(b"Vary", b"Origin"), (b"Cache-Control", b"no-cache"), (b"X-Powered-By", b"Express")]
    assert [header for header in got.headers if header in kept] == kept
    present = {name.lower() for name, _ in got.headers}
    assert not present & {line.partition(":")[0].lower().encode() for line in untrue if not line.startswith("ETag")}
    assert len(got.all("ETag")) == 1


def comparable(message: Message) -> list[tuple[bytes, bytes]]:
    """A message's fields except for those that differ each time."""
    return [header for header in message.headers if header[0] not in {b"X-Request-Id", b"Date"}]


@pytest.mark.parametrize("fields", [[], ["Accept-Encoding: gzip"], ['If-None-Match: W/"other"']])
async def test_head_agrees_with_get(origin: Origin, lost: Running, fields: list[str]) -> None:
    origin.answer = list_answer('ETag: W/"gateway"', body=LIST + b" " * 2000)
    wanted = await lost.ask(get("/api/channels", *fields))
    client = await lost.connect()
    await client.send(get("/api/channels", *fields, method="HEAD"))
    got = await client.message(bodiless=True)
    assert (got.status, comparable(got)) == (wanted.status, comparable(wanted))
    assert [request.start.split()[0] for request in origin.requests] == [b"GET", b"GET"]
    await client.send(get("/next"))  # and not a byte of a body came
    assert (await client.message()).status == 200


async def test_head_with_a_known_tag_is_a_304_like_get(lost: Running) -> None:
    tag = ((await lost.ask(get("/api/channels"))).get("ETag") or b"").decode()
    got = await lost.ask(get("/api/channels", f"If-None-Match: {tag}", method="HEAD"), bodiless=True)
    assert got.status == 304


def raw_deflate(body: bytes) -> bytes:
    """Deflate without zlib's wrapper."""
    folder = zlib.compressobj(wbits=-15)
    return folder.compress(body) + folder.flush()


def fold_zstd(body: bytes) -> bytes:
    """Zstandard, by whichever module this Python has."""
    zstd: Any = pytest.importorskip("backports.zstd")
    return bytes(zstd.compress(body))


@pytest.mark.parametrize(
    ("coding", "fold"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("br", brotli.compress),
        ("zstd", fold_zstd),
        ("gzip, br", lambda body: brotli.compress(gzip.compress(body))),
    ],
)
async def test_a_coded_answer_is_corrected_all_the_same(origin: Origin, lost: Running, coding: str, fold: Any) -> None:
    """Though asked for identity, a gateway may send what it likes."""
    origin.answer = list_answer(f"Content-Encoding: {coding}", body=fold(LIST))
    got = await lost.ask(get("/api/channels"))
    assert (got.body, got.get("Content-Encoding")) == (CORRECTED, None)


async def test_a_coded_answer_with_nothing_to_correct_passes_as_it_came(origin: Origin, lost: Running) -> None:
    body = gzip.compress(LIST.replace(b"sales", b"other"))
    origin.answer = list_answer("Content-Encoding: gzip", body=body)
    got = await lost.ask(get("/api/channels"))
    assert (got.body, got.get("Content-Encoding")) == (body, b"gzip")


@pytest.mark.parametrize(
    ("coding", "body", "why"),
    [
        ("gzip", gzip.compress(bytes(3 * 1024 * 1024)), "too-large"),
        ("gzip", gzip.compress(LIST)[:-4], "broken-coding"),
        ("br", b"not brotli", "broken-coding"),
        ("x-unheard-of", LIST, "unknown-coding"),
    ],
    ids=["bomb", "cut short", "not brotli", "unknown"],
)
async def test_an_answer_that_cannot_be_unfolded_passes_as_it_came(
    origin: Origin, tmp_path: Path, caplog: pytest.LogCaptureFixture, coding: str, body: bytes, why: str
) -> None:
    async with running(tmp_path, origin.url, limits={"corrected": "1MiB"}) as proxy:
        await proxy.ask(get("/v1/webhooks/receive", method="POST", body=LOST))
        origin.answer = list_answer(f"Content-Encoding: {coding}", body=body)
        got = await proxy.ask(get("/api/channels"))
    assert (got.body, got.get("Content-Encoding")) == (body, coding.encode())
    assert f"channels passed untouched: {why}" in caplog.messages


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (LIST, "206 Partial Content", "partial"),
        (b"", "200 OK", "empty"),
        (b"<html>", "200 OK", "not-json"),
        (gzip.compress(b"") * 3000, "200 OK", "too-many-members"),
    ],
)
async def test_an_answer_that_is_not_read_is_counted_and_logged(
    origin: Origin, lost: Running, caplog: pytest.LogCaptureFixture, body: bytes, status: str, why: str
) -> None:
    coding = ["Content-Encoding: gzip"] if body.startswith(b"\x1f\x8b") else []
    origin.answer = list_answer(*coding, body=body, status=status)
    assert (await lost.ask(get("/api/channels"))).body == body
    assert f"channels passed untouched: {why}" in caplog.messages


LONG = LIST.replace(b'"total":2', b'"note":"%b"' % (b"x" * 2000))


@pytest.mark.parametrize("correcting", [True, False])
async def test_a_client_that_takes_gzip_gets_it(origin: Origin, proxy: Running, correcting: bool) -> None:
    if correcting:
        await proxy.ask(get("/v1/webhooks/receive", method="POST", body=LOST))
    origin.answer = list_answer('ETag: "strong"', "Vary: Origin", body=LONG)
    got = await proxy.ask(get("/api/channels", "Accept-Encoding: deflate, gzip"))
    assert got.get("Content-Encoding") == b"gzip"
    assert b"Accept-Encoding" in got.all("Vary")
    assert (got.get("ETag") or b"").startswith(b"W/")
    read = json.loads(gzip.decompress(got.body))
    assert read["channels"][0]["status"] == ("disconnected" if correcting else "connected")
    tag = (got.get("ETag") or b"").decode()
    again = await proxy.ask(get("/api/channels", "Accept-Encoding: gzip", f"If-None-Match: {tag}"))
    assert again.status == 304


@pytest.mark.parametrize("fields", [[], ["Accept-Encoding: identity"], ["Accept-Encoding: gzip;q=0, br"]])
async def test_a_client_that_does_not_take_gzip_gets_none(origin: Origin, lost: Running, fields: list[str]) -> None:
    origin.answer = list_answer(body=LONG)
    got = await lost.ask(get("/api/channels", *fields))
    assert got.get("Content-Encoding") is None
    assert json.loads(got.body)["channels"][0]["status"] == "disconnected"


ACCEPTS = [[], ["Accept-Encoding: identity"], ["Accept-Encoding: gzip"]]


@pytest.mark.parametrize("fields", ACCEPTS)
@pytest.mark.parametrize("correcting", [True, False])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("body", [LIST, LONG], ids=["short", "long"])
async def test_a_304_carries_the_fields_its_200_would_carry(
    origin: Origin, proxy: Running, fields: list[str], correcting: bool, method: str, body: bytes
) -> None:
    """RFC 9110 §15.4.5: a cache would otherwise serve its gzip to a client that cannot read it."""
    if correcting:
        await proxy.ask(get("/v1/webhooks/receive", method="POST", body=LOST))
    cached = ("Vary: Origin", "Cache-Control: no-cache", "Expires: 0", "Content-Location: /here", 'ETag: "strong"')
    origin.answer = list_answer(*cached, body=body)
    head = method == "HEAD"
    full = await proxy.ask(get("/api/channels", *fields, method=method), bodiless=head)
    tag = (full.get("ETag") or b"").decode()
    got = await proxy.ask(get("/api/channels", *fields, f"If-None-Match: {tag}", method=method), bodiless=head)
    assert (full.status, got.status) == (200, 304)
    for name in ("ETag", "Vary", "Cache-Control", "Expires", "Content-Location"):
        assert got.all(name) == full.all(name), name
    varies = b"Accept-Encoding" in full.all("Vary")
    assert varies == (body is LONG)


@pytest.mark.parametrize("fields", ACCEPTS)
@pytest.mark.parametrize("correcting", [True, False])
async def test_every_answer_that_could_have_been_compressed_says_so(
    origin: Origin, proxy: Running, fields: list[str], correcting: bool
) -> None:
    if correcting:
        await proxy.ask(get("/v1/webhooks/receive", method="POST", body=LOST))
    origin.answer = list_answer(body=LONG)
    assert (await proxy.ask(get("/api/channels", *fields))).all("Vary") == [b"Accept-Encoding"]
    origin.answer = list_answer("Vary: Accept-Encoding, Origin", body=LONG)
    assert (await proxy.ask(get("/api/channels", *fields))).all("Vary") == [b"Accept-Encoding, Origin"]


async def test_an_answer_that_the_gateway_coded_does_not_depend_on_us(origin: Origin, proxy: Running) -> None:
    origin.answer = list_answer("Content-Encoding: gzip", body=gzip.compress(LONG))
    assert (await proxy.ask(get("/api/channels"))).get("Vary") is None


async def test_a_short_answer_is_not_compressed(lost: Running) -> None:
    assert (await lost.ask(get("/api/channels", "Accept-Encoding: gzip"))).body == CORRECTED


@pytest.mark.parametrize(
    ("status", "body"),
    [("404 Not Found", b'{"error":"no"}'), ("500 Oops", b'{"channels":[{"id":"sales","status":"connected"}]}')],
)
async def test_other_statuses_pass_untouched(origin: Origin, lost: Running, status: str, body: bytes) -> None:
    origin.answer = list_answer('ETag: "e"', body=body, status=status)
    got = await lost.ask(get("/api/channels", 'If-None-Match: "e"'))
    assert (got.start.partition(b" ")[2], got.body) == (status.encode(), body)


async def test_a_204_stays_one(origin: Origin, lost: Running) -> None:
    origin.answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    got = await lost.ask(get("/api/channels"))
    assert (got.status, got.body, got.get("Content-Length")) == (204, b"", None)


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"channels": [', b"null", b'{"channels": "none"}'])
async def test_what_is_no_list_passes_untouched(origin: Origin, lost: Running, body: bytes) -> None:
    origin.answer = list_answer(body=body)
    assert (await lost.ask(get("/api/channels"))).body == body


async def test_a_chunked_list_is_corrected(origin: Origin, lost: Running) -> None:
    cut = len(LIST) // 2
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (LIST[:cut], LIST[cut:]))
    origin.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"
    assert (await lost.ask(get("/api/channels"))).body == CORRECTED


async def test_posts_to_the_same_path_are_not_corrected(origin: Origin, lost: Running) -> None:
    assert (await lost.ask(get("/api/channels", method="POST", body=b"{}"))).body == LIST


async def test_an_http_1_0_client_gets_a_length(lost: Running) -> None:
    got = await lost.ask(b"GET /api/channels HTTP/1.0\r\n\r\n")
    assert (got.body, got.get("Transfer-Encoding")) == (CORRECTED, None)


async def test_polls_on_one_connection_do_not_get_into_each_others_way(lost: Running) -> None:
    client = await lost.connect()
    await client.send(get("/api/channels") * 3)
    async with asyncio.timeout(PATIENCE):
        assert [(await client.message()).body for _ in range(3)] == [CORRECTED] * 3


def long_list(channels: int) -> bytes:
    """A list of so many channels, all connected; the first is the lost one."""
    noise = random.Random(1)
    made = [{"id": f"made-up-{n}", "status": "connected", "note": noise.randbytes(12).hex()} for n in range(channels)]
    made[0]["id"] = "sales"
    return json.dumps({"success": True, "channels": made}).encode()


@pytest.mark.parametrize("fields", [[], ["Accept-Encoding: gzip"]], ids=["identity", "gzip"])
@pytest.mark.parametrize("coding", [None, "gzip"])
@pytest.mark.slow
async def test_a_list_of_megabytes_is_corrected_whole(
    origin: Origin, lost: Running, coding: str | None, fields: list[str]
) -> None:
    body = long_list(20_000)
    assert len(body) > 1_500_000
    coded = [f"Content-Encoding: {coding}"] if coding else []
    origin.answer = list_answer(*coded, body=gzip.compress(body, 1) if coding else body)
    got = await lost.ask(get("/api/channels", *fields))
    assert got.get("Content-Encoding") == (b"gzip" if fields else None)
    read = json.loads(gzip.decompress(got.body) if fields else got.body)
    assert [channel["status"] for channel in read["channels"]] == ["disconnected"] + 19_999 * ["connected"]


async def test_many_who_ask_for_a_long_list_at_once_have_it_compressed_once(
    origin: Origin, lost: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.answer = list_answer(body=long_list(5_000))
    for _ in range(2):
        await lost.ask(get("/api/channels"))  # its correction is remembered from here on
    compressed: list[int] = []

    def note(body: bytes) -> Steps[bytes]:
        compressed.append(len(body))
        return encoding_gzip(body)

    monkeypatch.setattr("statusproxy.proxy.renditions.encoding_gzip", note)
    answers = await asyncio.gather(*[lost.ask(get("/api/channels", "Accept-Encoding: gzip")) for _ in range(8)])
    assert len({got.body for got in answers}) == 1
    assert len(compressed) == 1


# ---- identical polls share one call ----


POLLED = b'{"success":true,"channels":[{"id":"sales","status":"connected"}],"total":1}'
POLLED_LOST = json.dumps({"event": "status-find", "session": "sales", "status": "browserClose"}).encode()


@pytest.fixture
def slow(origin: Origin) -> Held:
    """A gateway whose list waits until the test lets it go."""
    return Held(origin, b"/api/channels", POLLED)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[Key, SharedCall]:
    """The newest shared call of each key."""
    calls: dict[Key, SharedCall] = {}
    start = SharedCalls.start

    def noted(self: SharedCalls, key: Key, asked_at: float, version: int) -> SharedCall:
        calls[key] = start(self, key, asked_at, version)
        return calls[key]

    monkeypatch.setattr(SharedCalls, "start", noted)
    return calls


async def ask_all(proxy: Running, requests: list[bytes]) -> list[Wire]:
    """Send every request on a connection of its own; wait until the proxy has them all."""
    wires = []
    for request in requests:
        wire = await proxy.connect()
        await wire.send(request)
        wires.append(wire)
    await until(lambda: proxy.server.proxy.in_flight >= len(requests))
    return wires


async def test_fifty_polls_of_a_slow_list_cost_the_gateway_one_call(origin: Origin, slow: Held, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url) as proxy:
        wires = await ask_all(proxy, [get("/api/channels", f"X-Request-Id: poll-{n}") for n in range(50)])
        slow.let_go.set()
        answers = [await wire.message() for wire in wires]
        assert slow.asked == 1
        assert [one.body for one in answers] == [POLLED] * 50


async def test_those_who_follow_have_the_list_made_ready_once_for_all_of_them(
    origin: Origin, slow: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of megabytes would be decoded, and held, once for each of them."""
    made: list[bytes | None] = []

    async def note(*given: Any) -> tuple[bytes | None, str | None]:
        made.append((await decode(*given))[0])
        return made[-1], None

    monkeypatch.setattr("statusproxy.proxy.actions.answers.decode", note)
    slow.answer = answer(gzip.compress(POLLED), "Content-Encoding: gzip")
    async with running(tmp_path, origin.url) as proxy:
        wires = await ask_all(proxy, [get("/api/channels")] * 5)
        slow.let_go.set()
        assert {gzip.decompress((await wire.message()).body) for wire in wires} == {POLLED}
    assert (slow.asked, made) == (1, [POLLED] * 2), "the leader's, and that of the followers"


async def test_each_poll_gets_an_id_of_its_own_and_the_one_that_asked_the_gateways(
    origin: Origin, slow: Held, tmp_path: Path
) -> None:
    slow.answer = answer(POLLED, "X-Request-Id: theirs")
    async with running(tmp_path, origin.url) as proxy:
        wires = await ask_all(proxy, [get("/api/channels", f"X-Request-Id: poll-{n}") for n in range(3)])
        slow.let_go.set()
        assert [(await wire.message()).get("X-Request-Id") for wire in wires] == [b"theirs", b"poll-1", b"poll-2"]


async def test_each_answer_is_corrected_with_the_map_as_it_is_when_it_goes_out(
    origin: Origin, slow: Held, tmp_path: Path
) -> None:
    async with running(tmp_path, origin.url) as proxy:
        wires = await ask_all(proxy, [get("/api/channels")] * 2)
        await proxy.ask(get("/v1/webhooks/receive", method="POST", body=POLLED_LOST))
        slow.let_go.set()
        answers: list[Message] = [await wire.message() for wire in wires]
        assert [json.loads(one.body)["channels"][0]["status"] for one in answers] == ["disconnected"] * 2


async def test_what_a_shared_call_brings_was_asked_for_when_it_began(
    origin: Origin, slow: Held, tmp_path: Path, started: dict[Key, SharedCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That decides whether it is fresh, also for who joined later."""
    async with running(tmp_path, origin.url) as proxy:
        asked: list[float] = []
        correct = proxy.server.registry.correct

        def note(body: bytes, rule: Any, asked_at: float, session: str | None, query: str) -> Any:
            asked.append(asked_at)
            return correct(body, rule, asked_at, session, query)

        monkeypatch.setattr(proxy.server.registry, "correct", note)
        wires = await ask_all(proxy, [get("/api/channels")] * 2)
        (call,) = started.values()
        await until(lambda: call.followers == 1)
        slow.let_go.set()
        assert [(await wire.message()).body for wire in wires] == [POLLED] * 2
        assert asked == [call.asked_at] * 2


async def test_other_credentials_make_a_call_of_their_own(origin: Origin, slow: Held, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url) as proxy:
        secrets = ["X-Gateway-Secret: one", "X-Gateway-Secret: two"]
        wires = await ask_all(proxy, [get("/api/channels", secret) for secret in secrets])
        slow.let_go.set()
        for wire in wires:
            await wire.message()
        assert slow.asked == 2


async def test_a_client_that_leaves_does_not_cancel_the_others(origin: Origin, slow: Held, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url) as proxy:
        leader, follower = await ask_all(proxy, [get("/api/channels")] * 2)
        await origin.received()
        leader.reset()
        slow.let_go.set()
        assert (await follower.message()).body == POLLED
        assert slow.asked == 1


async def test_an_error_is_shared(origin: Origin, slow: Held, tmp_path: Path) -> None:
    slow.answer = b"not HTTP at all\r\n\r\n"
    async with running(tmp_path, origin.url) as proxy:
        wires = await ask_all(proxy, [get("/api/channels")] * 2)
        slow.let_go.set()
        assert [(await wire.message()).status for wire in wires] == [502, 502]
        assert slow.asked == 1


@pytest.mark.parametrize("code", ["gateway_closed", "gateway_timeout", "gateway_bad_answer"])
async def test_what_the_gateway_did_wrong_is_answered_to_all_who_waited_and_not_tried_again(
    origin: Origin, slow: Held, tmp_path: Path, started: dict[Key, SharedCall], code: str
) -> None:
    async with running(tmp_path, origin.url) as proxy:
        await ask_all(proxy, [get("/api/channels")])
        await origin.received()
        (call,) = started.values()
        followers = [await proxy.connect() for _ in range(2)]
        for follower in followers:
            await follower.send(get("/api/channels"))
        await until(lambda: call.followers == 2)
        call.finish(UpstreamError(code))
        answers = [await follower.message() for follower in followers]
        assert [json.loads(one.body)["error_code"] for one in answers] == [code] * 2
        assert slow.asked == 1


async def test_nothing_is_kept_after_the_call(origin: Origin, slow: Held, tmp_path: Path) -> None:
    slow.let_go.set()
    async with running(tmp_path, origin.url) as proxy:
        await proxy.ask(get("/api/channels"))
        await proxy.ask(get("/api/channels"))
        assert slow.asked == 2


async def test_a_list_too_large_to_hold_is_streamed_to_each(origin: Origin, slow: Held, tmp_path: Path) -> None:
    slow.answer = answer(b"[" + b" " * 4000 + b"]")
    async with running(tmp_path, origin.url, limits={"corrected": 2048}) as proxy:
        wires = await ask_all(proxy, [get("/api/channels")] * 2)
        slow.let_go.set()
        assert [len((await wire.message()).body) for wire in wires] == [4002, 4002]


async def test_a_follower_of_a_list_too_large_to_hold_asks_for_itself(
    origin: Origin, slow: Held, tmp_path: Path
) -> None:
    slow.answer = answer(b"[" + b" " * 4000 + b"]")
    async with running(tmp_path, origin.url, limits={"corrected": 2048}) as proxy:
        leader, follower = await ask_all(proxy, [get("/api/channels")] * 2)
        await slow.came()
        slow.answer = answer(POLLED, "X-Request-Id: theirs")
        slow.let_go.set()
        got = await follower.message()
        assert (got.body, got.get("X-Request-Id")) == (POLLED, b"theirs")
        assert len((await leader.message()).body) == 4002


async def test_a_leader_that_leaves_just_as_its_list_proves_too_large_keeps_no_place_at_the_gateway(
    origin: Origin, slow: Held, tmp_path: Path, started: dict[Key, SharedCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its follower asks for itself, and wants nothing of the leader's call any more."""
    end = SharedCalls.end
    slow.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4002\r\n\r\n" + b" " * 4000
    async with running(tmp_path, origin.url, limits={"corrected": 2048}) as proxy:

        def leave(self: SharedCalls, *given: Any) -> None:
            proxy.server.clients.connections[0].transport.abort()
            end(self, *given)

        await ask_all(proxy, [get("/api/channels")])
        await slow.came()
        (call,) = started.values()
        follower = await proxy.connect()
        await follower.send(get("/api/channels"))
        await until(lambda: call.followers == 1)
        monkeypatch.setattr(SharedCalls, "end", leave)
        slow.answer = answer(POLLED)
        slow.let_go.set()
        assert (await follower.message()).body == POLLED
        await until(lambda: proxy.server.proxy.site.pool.in_use == 0)


async def test_without_share_every_poll_asks_the_gateway(origin: Origin, slow: Held, tmp_path: Path) -> None:
    channels = [{"path": "/api/channels", "share": False}]
    slow.answer = answer(POLLED, "X-Request-Id: own")
    async with running(tmp_path, origin.url, channels=channels) as proxy:
        wires = await ask_all(proxy, [get("/api/channels")] * 3)
        slow.let_go.set()
        for wire in wires:
            assert (await wire.message()).get("X-Request-Id") == b"own"
        assert slow.asked == 3


async def test_a_poll_after_a_session_changed_does_not_join_a_call_from_before(
    origin: Origin, slow: Held, tmp_path: Path
) -> None:
    async with running(tmp_path, origin.url) as proxy:
        (early,) = await ask_all(proxy, [get("/api/channels")])
        await proxy.ask(get("/v1/webhooks/receive", method="POST", body=POLLED_LOST))
        (late,) = await ask_all(proxy, [get("/api/channels")])
        await origin.received(3)
        slow.let_go.set()
        await early.message()
        await late.message()
        assert slow.asked == 2


async def test_a_leader_that_leaves_just_as_another_joins_takes_nobody_along(
    origin: Origin, slow: Held, tmp_path: Path, started: dict[Key, SharedCall]
) -> None:
    """Its call is given up in the moment it leaves, and can be joined until its task has ended it."""
    async with running(tmp_path, origin.url) as proxy:
        calls = proxy.server.proxy.shared_calls
        await ask_all(proxy, [get("/api/channels")])
        await origin.received()
        ((key, call),) = started.items()
        followers = await ask_all(proxy, [get("/api/channels")] * 2)
        await until(lambda: call.followers == 2)
        calls.end(key, call, UpstreamError("client_gone"))
        await origin.received(2)
        slow.let_go.set()
        assert [(await follower.message()).body for follower in followers] == [POLLED] * 2
        assert slow.asked == 2  # the first of them leads, the other follows


@pytest.mark.parametrize("code", ["overloaded", "internal"])
async def test_what_failed_on_our_side_for_one_poll_is_tried_again_by_the_others(
    origin: Origin, slow: Held, tmp_path: Path, started: dict[Key, SharedCall], code: str
) -> None:
    """The leader's client may have used up its share of the places; the others have theirs."""
    slow.answer = answer(POLLED, "X-Request-Id: theirs")
    async with running(tmp_path, origin.url) as proxy:
        (leader,) = await ask_all(proxy, [get("/api/channels")])
        await origin.received()
        follower = await proxy.connect()
        await follower.send(get("/api/channels"))
        (call,) = started.values()
        await until(lambda: call.followers == 1)
        call.finish(UpstreamError(code))
        await origin.received(2)
        slow.let_go.set()
        for wire in (follower, leader):
            got = await wire.message()
            assert (got.body, got.get("X-Request-Id")) == (POLLED, b"theirs")


@pytest.mark.slow
async def test_a_leader_that_reads_slowly_does_not_make_the_others_wait(
    origin: Origin, slow: Held, tmp_path: Path
) -> None:
    """A list too large to be held is streamed to its leader, at the leader's pace."""
    size = 32 * 1024 * 1024
    slow.answer = answer(b"[" + b" " * (size - 2) + b"]")
    async with running(tmp_path, origin.url, limits={"corrected": 2048}) as proxy:
        leader, follower = await ask_all(proxy, [get("/api/channels")] * 2)
        leader.writer.transport.pause_reading()  # type: ignore[attr-defined]
        slow.let_go.set()
        assert len((await follower.message()).body) == size


async def test_lists_are_learned_from_by_their_route_while_that_is_wanted(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[bytes, str, bool]] = []
    learning = proxy.server.registry.learning
    monkeypatch.setattr(
        learning, "answer", lambda body, target, *, configured: heard.append((body, target, configured))
    )
    origin.answer = answer(b'{"channels": []}', "Content-Type: application/json")
    await proxy.ask(get("/api/channels"))
    learning.start(60.0)
    origin.answer = answer(b'{"channels": [{}]}', "Content-Type: application/json")
    await proxy.ask(get("/api/channels?planted=1"))
    assert heard == [(b'{"channels": [{}]}', "/api/channels", True)]


async def test_the_list_waits_until_what_it_showed_is_durable(
    origin: Origin, lost: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, durable, events = asyncio.Event(), asyncio.Event(), list[str]()
    correct = lost.server.registry.correct

    async def save() -> None:
        began.set()
        await durable.wait()
        events.append("durable")

    async def ask() -> None:
        events.append(str((await lost.ask(get("/api/channels"))).status))

    monkeypatch.setattr(lost.server.registry, "correct", lambda *given: (correct(*given)[0], save()))
    asked = asyncio.create_task(ask())
    await began.wait()
    durable.set()
    await asked
    assert events == ["durable", "200"]


@pytest.mark.parametrize("count", [2, 800])
async def test_an_error_of_our_own_in_correcting_costs_no_answer(
    count: int, origin: Origin, lost: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fail = mock.Mock(side_effect=KeyError("of our own"))
    body = json.dumps({"channels": [{"id": f"s{number}", "status": "connected"} for number in range(count)]}).encode()
    origin.answer = list_answer(body=body)
    monkeypatch.setattr(lost.server.registry._corrections, "correct", fail)
    monkeypatch.setattr(lost.server.registry._corrections, "correct_in_steps", fail)
    got = await lost.ask(get("/api/channels"))
    assert (got.status, got.body) == (200, body)
    assert "an answer could not be looked at: channels" in caplog.messages
    assert "channels passed untouched: internal" in caplog.messages


async def test_an_error_of_our_own_in_learning_costs_no_correction(
    lost: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    learning = lost.server.registry.learning
    learning.start(60.0)
    monkeypatch.setattr(learning, "answer", mock.Mock(side_effect=KeyError("of our own")))
    assert (await lost.ask(get("/api/channels"))).body == CORRECTED
    assert "an answer could not be looked at: learning" in caplog.messages
