"""Watched paths: what a webhook says counts, whatever becomes of it; and only if its sender may say so."""

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import brotli
import jwt
import pytest

from statusproxy.proxy.actions.webhook import request_target
from statusproxy.proxy.decoders import Decoder
from statusproxy.proxy.downstream.request_body import ENOUGH
from statusproxy.proxy.http1.framing import LAST_CHUNK, chunk
from statusproxy.proxy.problems import FOR_SENDERS, PROBLEMS
from statusproxy.proxy.sender_auth import SenderPolicy
from statusproxy.proxy.site import WebhookTarget
from statusproxy.proxy.upstream.connection import UpstreamConnection
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.status.model import Change, Record
from tests.presets.recorded import recorded
from tests.proxy.compressed import COMPRESSORS
from tests.proxy.fake_spool import FakeSpool
from tests.proxy.harness import (
    OK,
    PATIENCE,
    Message,
    Origin,
    Running,
    Wire,
    answer,
    get,
    never_accepting,
    running,
    until,
)
from tests.proxy.held_origin import Held as HeldOrigin
from tests.proxy.loop_clock import LoopClock
from tests.registry.known import records_of

PATH = "/v1/webhooks/receive"


def event(session: str = "sales", **more: Any) -> bytes:
    """The body of an event that says the session is lost."""
    return json.dumps({"event": "status-find", "session": session, "status": "browserClose", **more}).encode()


def lost(proxy: Running) -> list[str]:
    """The sessions that the proxy shows as disconnected."""
    return [record.session for record in records_of(proxy.server.registry) if record.override is not None]


async def post(proxy: Running, body: bytes, *fields: str, path: str = PATH) -> Message:
    """Send a webhook."""
    return await proxy.ask(get(path, "Content-Type: application/json", *fields, method="POST", body=body))


async def test_an_event_passes_untouched_and_counts(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b"received", "X-Engine: no")
    got = await post(proxy, event(), "X-Attempt: 1")
    assert (got.status, got.body) == (200, b"received")
    assert origin.requests[0].body == event()
    assert origin.requests[0].get("X-Attempt") == b"1"
    assert lost(proxy) == ["sales"]


@pytest.mark.parametrize(
    "path", ["/v1/webhooks/receive/", "/V1/Webhooks/Receive", "/v1/webhooks/%72eceive", PATH + "?a=1"]
)
async def test_the_path_is_known_however_it_is_spelt(origin: Origin, proxy: Running, path: str) -> None:
    await post(proxy, event(), path=path)
    assert lost(proxy) == ["sales"]
    assert origin.requests[0].target == path.encode()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_every_method_that_carries_an_event_is_watched(proxy: Running, method: str) -> None:
    await proxy.ask(get(PATH, method=method, body=event()))
    assert lost(proxy) == ["sales"]


async def test_a_chunked_event_counts(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    await client.send(get(PATH, "Transfer-Encoding: chunked", method="POST"))
    for byte in event():
        await client.send(b"1\r\n%c\r\n" % byte)
    await client.send(b"0\r\n\r\n")
    assert (await client.message()).status == 200
    assert (lost(proxy), origin.requests[0].body) == (["sales"], event())


async def test_a_compressed_event_counts_and_passes_compressed(origin: Origin, proxy: Running) -> None:
    compressed = gzip.compress(event())
    await post(proxy, compressed, "Content-Encoding: gzip")
    assert lost(proxy) == ["sales"]
    assert (origin.requests[0].body, origin.requests[0].get("Content-Encoding")) == (compressed, b"gzip")


async def test_an_event_counts_whose_coding_stands_in_two_fields(proxy: Running) -> None:
    await post(proxy, gzip.compress(event()), "Content-Encoding: identity", "Content-Encoding: gzip")
    assert lost(proxy) == ["sales"]


@pytest.mark.parametrize("coding", ["deflate", "br", "zstd"])
async def test_an_event_in_another_coding_counts_and_passes_in_it(origin: Origin, proxy: Running, coding: str) -> None:
    name = {"deflate": "zlib"}.get(coding, coding)
    compressed = COMPRESSORS[name][1](event())
    await post(proxy, compressed, f"Content-Encoding: {coding}")
    assert lost(proxy) == ["sales"]
    assert (origin.requests[0].body, origin.requests[0].get("Content-Encoding")) == (compressed, coding.encode())


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_an_event_of_several_members_counts(proxy: Running, coding: str) -> None:
    """RFC 1952 §2.2: a gzip file is a series of members. All are read."""
    compress, body = COMPRESSORS[coding][1], event()
    await post(proxy, compress(body[:20]) + compress(b"") + compress(body[20:]), f"Content-Encoding: {coding}")
    assert lost(proxy) == ["sales"]


def counted(proxy: Running, why: str) -> bool:
    """Whether the metrics say that one event passed unread, and why."""
    line = f'statusproxy_unread_total{{reason="{why}",what="webhook"}} 1.0'
    return line in proxy.server.exposition.expose().decode().splitlines()


@pytest.mark.parametrize(
    ("body", "fields", "why"),
    [
        (gzip.compress(event()) + b"behind", ["Content-Encoding: gzip"], "broken-coding"),
        (gzip.compress(event())[:-1], ["Content-Encoding: gzip"], "broken-coding"),
        (gzip.compress(event())[:5], ["Content-Encoding: gzip"], "broken-coding"),
        (event(), ["Content-Encoding: gzip"], "broken-coding"),
        (gzip.compress(b"") * 3000, ["Content-Encoding: gzip"], "too-many-members"),
        (event(), ["Content-Encoding: compress"], "coding"),
        (brotli.compress(gzip.compress(event())), ["Content-Encoding: gzip", "Content-Encoding: br"], "coding"),
        (json.dumps(["short"] * 300_000).encode(), [], "too-large"),
        (gzip.compress(json.dumps(["short"] * 300_000).encode()), ["Content-Encoding: gzip"], "too-large"),
        (b"{", [], "not-json"),
        (b"", [], "not-json"),
        (b"event=status-find&session=sales", [], "not-json"),
    ],
    ids=[
        "behind",
        "cut",
        "cut in the head",
        "not gzip",
        "members",
        "unknown",
        "two",
        "many",
        "many in gzip",
        "no",
        "nothing",
        "form",
    ],
)
async def test_an_event_that_cannot_be_read_passes_and_is_counted_and_logged(
    origin: Origin, proxy: Running, caplog: pytest.LogCaptureFixture, body: bytes, fields: list[str], why: str
) -> None:
    assert (await post(proxy, body, *fields)).status == 200
    assert origin.requests[0].body == body
    assert lost(proxy) == []
    assert f"webhook passed untouched: {why}" in caplog.messages
    assert counted(proxy, why)


async def test_a_forged_body_is_not_decoded(origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever cannot sign a body costs no more than its bytes on the wire."""

    def explode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("statusproxy.proxy.decoders.Decoder.step", explode)
    signed = {"header": "X-Signature", "secret": "key"}
    async with running(tmp_path, origin.url, webhooks=[{"path": PATH, "hmac": signed}]) as proxy:
        assert (await post(proxy, gzip.compress(event()), "Content-Encoding: gzip", "X-Signature: 00")).status == 200


@pytest.mark.slow
@pytest.mark.parametrize("path", [PATH, "/api/channels"], ids=["webhook", "create"])
async def test_others_do_not_wait_while_bodies_made_to_cost_time_are_read(
    proxy: Running, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8 KB on the wire, 8 MB decoded: others are served while the thread that decodes them stands still."""
    body = gzip.compress(b'{"a":["' + b'\\"' * 4_000_000 + b'"]}')
    step, loop, begun, go_on = Decoder.step, threading.get_ident(), threading.Event(), threading.Event()
    turns: Counter[bool] = Counter()

    def slow(decoder: Decoder, *given: Any) -> Any:
        turns[threading.get_ident() == loop] += 1
        if threading.get_ident() != loop:
            begun.set()
            assert go_on.wait(PATIENCE)
        return step(decoder, *given)

    monkeypatch.setattr(Decoder, "step", slow)
    attack = asyncio.gather(*[post(proxy, body, "Content-Encoding: gzip", path=path) for _ in range(6)])
    await until(begun.is_set)
    assert (await proxy.ask(get("/any"))).status == 200
    assert not attack.done()
    go_on.set()
    assert [got.status for got in await attack] == [200] * 6
    assert turns[True] < turns[False], "most of it was not done on the loop"


@pytest.mark.slow
async def test_a_compressed_event_with_megabytes_of_media_counts(origin: Origin, proxy: Running) -> None:
    media = base64.b64encode(random.Random(1).randbytes(4_000_000)).decode()
    body = gzip.compress(event(media=media), 1)
    assert (await post(proxy, body, "Content-Encoding: gzip")).status == 200
    assert lost(proxy) == ["sales"]
    assert origin.requests[0].body == body


@pytest.mark.slow
async def test_an_event_with_megabytes_of_media_counts(origin: Origin, proxy: Running) -> None:
    body = event(media="QUJD" * 2_000_000)
    assert (await post(proxy, body)).status == 200
    assert lost(proxy) == ["sales"]
    assert hashlib.sha256(origin.requests[0].body).digest() == hashlib.sha256(body).digest()


async def test_an_event_counts_while_the_gateway_is_down(origin: Origin, proxy: Running) -> None:
    """The engine never sends it again."""
    await origin.stop()
    got = await post(proxy, event())
    assert (got.status, json.loads(got.body)["error_code"]) == (502, "gateway_unreachable")
    assert lost(proxy) == ["sales"]


@pytest.mark.parametrize("framing", ["at once", "in two parts", "chunked"])
@pytest.mark.parametrize("spool", [False, True])
async def test_events_count_in_the_order_in_which_they_came_though_the_first_waits_for_a_connection(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock, framing: str, spool: bool
) -> None:
    """A large one as well, the end of which comes while it waits."""
    first = event(media="A" * (20 if framing == "at once" else 2 * ENOUGH))
    with never_accepting() as port:
        webhooks = [{"path": PATH}, {"path": "/hub", "spool": spool, "forward_to": f"http://127.0.0.1:{port}/"}]
        async with running(tmp_path, origin.url, webhooks=webhooks, timeouts={"connect": "5s"}) as proxy:
            if spool:
                proxy.server.proxy.spool = FakeSpool(tmp_path)
            client, connecting = await proxy.connect(), await _connecting(proxy)
            if framing == "at once":
                await client.send(get("/hub", method="POST", body=first))
            elif framing == "in two parts":
                await client.send(get("/hub", f"Content-Length: {len(first)}", method="POST") + first[:ENOUGH])
                await connecting.wait()
                await client.send(first[ENOUGH:])
            else:
                await client.send(get("/hub", "Transfer-Encoding: chunked", method="POST") + chunk(first[:ENOUGH]))
                await connecting.wait()
                await client.send(chunk(first[ENOUGH:]) + LAST_CHUNK)
            await connecting.wait()
            await loop_clock.move(1)
            assert lost(proxy) == ["sales"]
            await post(proxy, event(status="inChat"))
            assert lost(proxy) == []
            await loop_clock.move(5)
            assert (await client.message()).status == (202 if spool else 504)
            assert lost(proxy) == []


async def _connecting(proxy: Running) -> asyncio.Event:
    """Is set when a connection to another receiver is wanted."""
    site = proxy.server.proxy.site
    (pool,) = (pool for pool in site.pools.values() if pool is not site.pool)
    wanted, acquire = asyncio.Event(), pool.acquire

    async def acquired(**asked: Any) -> UpstreamConnection:
        wanted.set()
        return await acquire(**asked)

    pool.acquire = acquired  # type: ignore[method-assign]
    return wanted


async def test_an_event_still_coming_when_the_gateway_proves_to_be_down_counts(origin: Origin, proxy: Running) -> None:
    await origin.stop()
    client = await proxy.connect()
    body = event(media="A" * 200_000)
    await client.send(get(PATH, f"Content-Length: {len(body)}", method="POST") + body[:100])
    await until(lambda: proxy.server.proxy.in_flight == 1)
    await client.send(body[100:])
    assert (await client.message()).status == 502
    assert lost(proxy) == ["sales"]


@pytest.mark.parametrize("status", ["500 Oops", "404 Not Found", "401 Unauthorized", "413 Too Large"])
async def test_an_event_counts_whatever_the_gateway_thinks_of_it(origin: Origin, proxy: Running, status: str) -> None:
    origin.answer = answer(b"{}", status=status)
    assert (await post(proxy, event())).start.partition(b" ")[2] == status.encode()
    assert lost(proxy) == ["sales"]


async def test_an_event_the_gateway_refuses_unread_is_read_to_its_end(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(answer(b"no", "Connection: close", status="413 Too Large"))

    origin.script = script
    client = await proxy.connect()
    body = event(media="A" * 500_000)
    await client.send(get(PATH, f"Content-Length: {len(body)}", method="POST") + body[:ENOUGH])
    await until(lambda: origin.connections == 1)
    await client.send(body[ENOUGH:])
    assert (await client.message()).status == 413
    assert lost(proxy) == ["sales"]


async def test_an_event_counts_where_the_gateway_hangs_up(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()

    origin.script = script
    assert (await post(proxy, event())).status == 502
    assert lost(proxy) == ["sales"]


async def test_an_event_counts_though_its_sender_has_left_before_the_answer(origin: Origin, proxy: Running) -> None:
    arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(wire: Wire) -> None:
        request = await origin.take(wire)
        await until(lambda: not any(c.connected for c in proxy.server.clients.connections))
        await wire.send(answer(b"ok"))
        arrived.set_result(request.body)

    origin.script = script
    client = await proxy.connect()
    await client.send(get(PATH, method="POST", body=event()))
    await origin.received()
    client.reset()
    assert await asyncio.wait_for(arrived, PATIENCE) == event()
    assert lost(proxy) == ["sales"]


@pytest.mark.parametrize("path", [PATH, "/not/watched"])
async def test_a_whole_large_event_is_sent_and_counts_though_its_sender_leaves_while_it_waits_for_a_place(
    origin: Origin, tmp_path: Path, path: str
) -> None:
    """What the proxy does not watch is sent as well: it may be a message."""
    held, body = HeldOrigin(origin, b"/slow"), event(media="A" * 2 * ENOUGH)
    async with running(tmp_path, origin.url, limits={"upstream_connections": 1}) as proxy:
        slow = asyncio.create_task(proxy.ask(get("/slow")))
        await held.came()
        client = await proxy.connect()
        await client.send(get(path, f"Content-Length: {len(body)}", method="POST") + body[:ENOUGH])
        await until(lambda: proxy.server.proxy.site.pool.waiting == 1)
        await client.send(body[ENOUGH:])
        await client.close()
        await until(lambda: sum(c.connected for c in proxy.server.clients.connections) == 1)
        held.let_go.set()
        await slow
        assert (await origin.received(2)).body == body
        assert lost(proxy) == (["sales"] if path == PATH else [])


async def test_an_upload_broken_off_says_nothing(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    body = event()
    await client.send(get(PATH, f"Content-Length: {len(body) + 1}", method="POST") + body)
    await until(lambda: proxy.server.proxy.in_flight == 1)
    client.reset()
    await until(lambda: proxy.server.proxy.in_flight == 0)
    assert lost(proxy) == []


async def test_an_upload_with_broken_framing_says_nothing(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    body = event()
    await client.send(
        get(PATH, "Transfer-Encoding: chunked", method="POST") + b"%x\r\n%b\r\nzz\r\n" % (len(body), body)
    )
    assert (await client.message()).status == 400
    assert lost(proxy) == []


@pytest.mark.parametrize("body", [b"not json", b"", b'{"event":"status-find"}', b"\xff\xfe", b"[1]"])
async def test_what_is_no_event_passes_all_the_same(origin: Origin, proxy: Running, body: bytes) -> None:
    assert (await post(proxy, body)).status == 200
    assert origin.requests[0].body == body
    assert lost(proxy) == []


class Held:
    """A store whose writes wait until they are let go, or fail."""

    def __init__(
        self,
        proxy: Running,
        monkeypatch: pytest.MonkeyPatch,
        *,
        fails: bool = False,
        noted: list[object] | None = None,
    ) -> None:
        self._noted = noted if noted is not None else []
        self.begun, self.let_go = asyncio.Event(), asyncio.Event()
        self._fails = fails
        self._save = proxy.server.registry.store.save
        monkeypatch.setattr(proxy.server.registry.store, "save", self.save)

    async def save(self, records: list[Record], forgotten: list[str], changes: list[Change]) -> None:
        """In place of the store's own."""
        self.begun.set()
        if self._fails:
            raise OSError("disk full")
        await self.let_go.wait()
        await self._save(records, forgotten, changes)
        self._noted.append("saved")


async def test_an_event_is_answered_only_when_what_it_changed_is_on_disk(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(proxy, monkeypatch)
    client = await proxy.connect()
    await client.send(get(PATH, method="POST", body=event()))
    await asyncio.wait_for(held.begun.wait(), PATIENCE)
    await origin.received()
    answered = asyncio.ensure_future(client.message())
    assert (await proxy.ask(get("/later"))).status == 200  # what came later has been to the gateway and back
    assert not answered.done()
    held.let_go.set()
    assert (await answered).status == 200


@pytest.mark.parametrize(("path", "status"), [("/tap", 204), ("/in", 502)])
async def test_an_event_that_is_not_forwarded_is_answered_only_when_what_it_changed_is_on_disk(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, status: int
) -> None:
    events: list[object] = []
    await origin.stop()
    async with running(tmp_path, origin.url, webhooks=[{"path": "/tap", "forward": False}, {"path": "/in"}]) as proxy:
        held = Held(proxy, monkeypatch, noted=events)

        async def ask() -> None:
            request = get(path, method="POST", body=event())
            events.append((await proxy.ask(request, bodiless=status == 204)).status)

        asked = asyncio.create_task(ask())
        await held.begun.wait()
        held.let_go.set()
        await asked
    assert events == ["saved", status]


async def test_a_disk_that_refuses_never_costs_the_answer(proxy: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    Held(proxy, monkeypatch, fails=True)
    assert (await post(proxy, event())).status == 200
    assert lost(proxy) == ["sales"]


# ---- where it goes ----


async def test_an_event_for_the_hub_goes_to_the_hub(origin: Origin, tmp_path: Path) -> None:
    hub = Origin()
    await hub.start()
    webhooks = [{"path": "/hub/webhook", "forward_to": f"{hub.url}/api/whatsapp/webhook?from=proxy"}]
    async with running(tmp_path, origin.url, webhooks=webhooks) as proxy:
        assert (await post(proxy, event(), path="/hub/webhook")).status == 200
        await post(proxy, event("support"), path="/hub/webhook?attempt=2")
        assert lost(proxy) == ["sales", "support"]
    assert [request.target for request in hub.requests] == [
        b"/api/whatsapp/webhook?from=proxy",
        b"/api/whatsapp/webhook?from=proxy&attempt=2",
    ]
    assert hub.requests[0].get("Host") == hub.url.removeprefix("http://").encode()
    assert hub.requests[0].body == event()
    assert not origin.requests
    await hub.stop()


# A session in the path


def nameless(word: str = "browserClose") -> bytes:
    """An event that names no session, as wppconnect-server sends it after close and start."""
    return json.dumps({"event": "status-find", "status": word}).encode()


async def test_the_path_names_the_session_of_events_that_name_none(origin: Origin, tmp_path: Path) -> None:
    webhooks = [{"path": PATH}, {"path": f"{PATH}/{{session}}"}]
    async with running(tmp_path, origin.url, webhooks=webhooks) as proxy:
        await post(proxy, nameless(), path=f"{PATH}/Sales%20Team?x=1")
        await post(proxy, event("support"), path=f"{PATH}/ignored")
        await post(proxy, nameless(), path=PATH)
        assert lost(proxy) == ["Sales Team", "support"]
        await post(proxy, nameless("inChat"), path=f"{PATH}/Sales%20Team/")
        assert lost(proxy) == ["support"]
        seen = proxy.server.registry.webhooks.report().paths
        assert {one.path: one.count for one in seen} == {PATH: 1, f"{PATH}/{{session}}": 3}
    assert [request.target for request in origin.requests][:2] == [
        f"{PATH}/Sales%20Team?x=1".encode(), f"{PATH}/ignored".encode(),
    ]  # fmt: skip
    assert origin.requests[0].body == nameless()


@pytest.mark.parametrize("segment", ["5500000000000%40c.us", "%ff", "a" * 600, "%20", "..", "%2e%2E", "."])
async def test_a_segment_that_cannot_be_a_session_names_none(origin: Origin, tmp_path: Path, segment: str) -> None:
    async with running(tmp_path, origin.url, webhooks=[{"path": "/in/{session}"}]) as proxy:
        assert (await post(proxy, nameless(), path=f"/in/{segment}")).status == 200
        assert records_of(proxy.server.registry) == []
    assert origin.requests[0].target == f"/in/{segment}".encode()


@pytest.mark.parametrize(
    ("onward", "came", "went"),
    [
        ("/v1/webhooks/receive", "/in/Sales%20Team", "/v1/webhooks/receive"),
        ("/v1/{session}/x?from=proxy", "/in/Sales%20Team?a=1", "/v1/Sales%20Team/x?from=proxy&a=1"),
        ("/{session}", "/in/a%2Fb%3F", "/a%2Fb%3F"),
        ("/{session}", "http://other.example/in/%53ales", "/%53ales"),
    ],
)
async def test_the_session_goes_on_byte_for_byte_or_stays_here(
    origin: Origin, tmp_path: Path, onward: str, came: str, went: str
) -> None:
    webhooks = [{"path": "/in/{session}", "forward_to": origin.url + onward}]
    async with running(tmp_path, "http://127.0.0.1:9", webhooks=webhooks) as proxy:
        await post(proxy, nameless(), path=came)
        assert len(lost(proxy)) == 1
    assert origin.requests[0].target == went.encode()


async def test_a_tap_may_have_the_session_in_its_path(origin: Origin, tmp_path: Path) -> None:
    webhooks = [{"path": "/tap/{session}", "forward": False}]
    async with running(tmp_path, origin.url, webhooks=webhooks) as proxy:
        assert (await post(proxy, nameless(), path="/tap/sales")).status == 204
        assert (await proxy.ask(get("/tap/sales"))).status == 404
        assert lost(proxy) == ["sales"]


async def test_a_real_start_ends_the_correction_through_the_path(origin: Origin, tmp_path: Path) -> None:
    """wppconnect-server 2.10.4: close-session and start-session in one process, a scan, `inChat`."""
    async with running(tmp_path, origin.url, webhooks=[{"path": "/in/{session}"}]) as proxy:
        await post(proxy, event("pixel"), path="/in/pixel")
        words = []
        for body in recorded("wppconnect-server", "start-qr-scan-inchat"):
            await post(proxy, json.dumps(body).encode(), path="/in/pixel")
            words.append(lost(proxy))
    assert words == [["pixel"], ["pixel"], [], []]


def three(words: str = "browserClose") -> list[bytes]:
    """Events that say that three sessions are lost."""
    return [event(name, status=words) for name in ("sales", "support", "billing")]


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b",".join(three()) + b"]",
        b"\n".join(three()),
        b'{"sent":"now","events":[' + b",".join(three()) + b"]}",
    ],
    ids=["array", "lines", "wrapper"],
)
async def test_several_events_in_one_body_pass_untouched_and_all_count(
    origin: Origin, proxy: Running, body: bytes
) -> None:
    assert (await post(proxy, body)).status == 200
    assert origin.requests[0].body == body
    assert lost(proxy) == ["sales", "support", "billing"]


async def test_no_event_of_a_body_is_lost_when_its_sender_leaves(origin: Origin, proxy: Running) -> None:
    names = [f"s{number:03d}" for number in range(300)]
    client = await proxy.connect()
    await client.send(get(PATH, method="POST", body=b"[" + b",".join(map(event, names)) + b"]"))
    await client.close()
    await until(lambda: lost(proxy) == names)


# The hub


async def test_a_hub_that_is_down_is_named_as_the_one_that_failed(origin: Origin, tmp_path: Path) -> None:
    webhooks = [{"path": "/hub/webhook", "forward_to": "http://127.0.0.1:9/webhook"}]
    async with running(tmp_path, origin.url, webhooks=webhooks) as proxy:
        got = json.loads((await post(proxy, event(), path="/hub/webhook")).body)
        assert (got["hop"], got["error_code"]) == ("hub", "hub_unreachable")
        assert "gateway" not in got["error"].lower()
        assert lost(proxy) == ["sales"]


TAP = [{"path": "/tap", "forward": False}]


async def test_a_tap_answers_204_and_forwards_nothing(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url, webhooks=TAP) as proxy:
        client = await proxy.connect()
        for session in ("sales", "support"):
            await client.send(get("/tap", method="POST", body=event(session)))
            got = await client.message()
            assert (got.status, got.get("Content-Length"), got.get("Connection")) == (204, None, None)
        assert lost(proxy) == ["sales", "support"]
    assert not origin.requests


async def test_what_a_proxy_in_front_of_a_tap_left_out_is_noticed(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url, webhooks=TAP) as proxy:
        await proxy.ask(get("/tap", "Via: 1.1 edge", method="POST", body=event()), bodiless=True)
        found = proxy.server.registry.absences.report()
    assert [(one.missing, one.count, one.webhooks) for one in found] == [("client", 1, 1)]


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
async def test_a_tap_asked_for_anything_else_is_a_404(origin: Origin, tmp_path: Path, method: str) -> None:
    async with running(tmp_path, origin.url, webhooks=TAP) as proxy:
        got = await proxy.ask(get("/tap", method=method))
        assert (got.status, json.loads(got.body)["error_code"]) == (404, "tap_not_found")
    assert not origin.requests


async def test_a_tap_tells_a_sender_that_asks_first_to_go_on(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url, webhooks=TAP) as proxy:
        client = await proxy.connect()
        body = event()
        await client.send(get("/tap", "Expect: 100-continue", f"Content-Length: {len(body)}", method="POST"))
        assert (await client.head()).status == 100
        await client.send(body)
        assert (await client.message()).status == 204
        assert lost(proxy) == ["sales"]


async def test_a_tap_is_answered_204_whatever_becomes_of_the_store(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, origin.url, webhooks=TAP) as proxy:
        Held(proxy, monkeypatch, fails=True)
        assert (await post(proxy, event(), path="/tap")).status == 204
        assert lost(proxy) == ["sales"]


# ---- what its sender is told of trouble ----


@pytest.mark.parametrize(
    ("webhook", "framing"),
    [
        ({"path": "/in"}, "Content-Length: 100"),
        ({"path": "/in", "forward": False}, "Content-Length: 100"),
        ({"path": "/in", "forward": False}, "Transfer-Encoding: chunked"),
    ],
)
async def test_a_senders_slow_body_is_no_4xx(
    origin: Origin, tmp_path: Path, webhook: dict[str, Any], framing: str, loop_clock: LoopClock
) -> None:
    async with running(tmp_path, origin.url, webhooks=[webhook], timeouts={"request_body": "3s"}) as proxy:
        client = await proxy.connect()
        await client.send(get("/in", framing, method="POST") + b"5\r\nhello\r\n")
        await until(lambda: proxy.server.proxy.in_flight == 1)
        await loop_clock.move(4)
        got = await client.message()
        assert (got.status, got.get("Retry-After"), got.get("Connection")) == (503, b"1", b"close")
        assert json.loads(got.body)["error_code"] == "webhook_body_incomplete"
    assert not origin.requests


async def test_a_slow_body_that_was_forwarded_in_part_is_told_apart(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    begun = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        begun.set()
        await wire.rest()

    origin.script = script
    async with running(tmp_path, origin.url, webhooks=[{"path": PATH}], timeouts={"request_body": "3s"}) as proxy:
        client = await proxy.connect()
        await client.send(get(PATH, f"Content-Length: {2 * ENOUGH}", method="POST") + b"x" * ENOUGH)
        await asyncio.wait_for(begun.wait(), PATIENCE)
        await loop_clock.move(4)
        got = await client.message()
        assert (got.status, json.loads(got.body)["error_code"]) == (503, "webhook_body_too_slow")


def test_no_temporary_error_is_a_4xx_for_a_sender() -> None:
    """Of all that can be said to a sender, only what no retry changes is one."""
    said = {FOR_SENDERS.get(code, code) for code in PROBLEMS}
    lasting = {
        "bad_request", "method_not_allowed", "tap_not_found", "body_too_large", "target_too_long", "head_too_large",
    }  # fmt: skip
    unknown = {"request_head_too_slow"}  # of a head that is not whole no one knows whose it is
    unsent = {"client_gone"}
    assert {code for code in said if PROBLEMS[code].status < 500} == lasting | unknown | unsent


async def test_a_webhook_without_a_gateway_is_a_502_and_one_without_an_answer_a_504(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    async def silent(wire: Wire) -> None:
        await origin.take(wire)
        await wire.rest()

    origin.script = silent
    async with running(tmp_path, origin.url, timeouts={"response_head": "3s"}) as proxy:
        client = await proxy.connect()
        await client.send(get(PATH, method="POST", body=event("a")))
        await origin.received()
        await loop_clock.move(5)
        assert (await client.message()).status == 504
        await origin.stop()
        assert (await post(proxy, event("b"))).status == 502
        assert lost(proxy) == ["a", "b"]


async def test_a_webhook_for_which_there_is_no_place_is_a_503(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    async def silent(wire: Wire) -> None:
        await origin.take(wire)
        await wire.rest()

    origin.script = silent
    settings = {"limits": {"upstream_connections": 1}, "timeouts": {"connect": "3s"}}
    async with running(tmp_path, origin.url, **settings) as proxy:
        first, second = await proxy.connect(), await proxy.connect()
        await first.send(get(PATH, method="POST", body=event("a")))
        await origin.received()
        await second.send(get(PATH, method="POST", body=event("b")))
        await until(lambda: proxy.server.proxy.site.pool.waiting == 1)
        await loop_clock.move(4)
        got = await second.message()
        assert (got.status, json.loads(got.body)["error_code"]) == (503, "overloaded")
        assert lost(proxy) == ["a", "b"]


# ---- who is believed ----


async def test_what_came_from_the_internet_is_passed_on_and_not_believed(origin: Origin, proxy: Running) -> None:
    """nginx on the same host says whom it speaks for."""
    assert (await post(proxy, event(), "X-Forwarded-For: 203.0.113.7")).status == 200
    assert origin.requests[0].body == event()
    assert lost(proxy) == []


@pytest.mark.parametrize(
    "fields",
    [
        ["X-Forwarded-For: 10.0.0.1, 203.0.113.7"],
        ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 203.0.113.7"],
        ["Forwarded: for=203.0.113.7"],
        ["X-Real-IP: 203.0.113.7"],
        ["X-Forwarded-For: unknown"],
    ],
)
async def test_a_sender_cannot_talk_itself_into_the_house(proxy: Running, fields: list[str]) -> None:
    await post(proxy, event(), *fields)
    assert lost(proxy) == []


async def test_what_came_from_the_house_through_a_trusted_proxy_is_believed(proxy: Running) -> None:
    await post(proxy, event(), "X-Forwarded-For: 172.18.0.5")
    assert lost(proxy) == ["sales"]


async def test_an_event_that_names_no_client_counts_as_trusted_by_address_whatever_else_its_peer_sent(
    origin: Origin, tmp_path: Path
) -> None:
    secret = {"header": "X-Webhook-Secret", "value": "open-sesame"}
    webhooks = [{"path": PATH}, {"path": "/guarded", "secret": secret}]
    async with running(tmp_path, origin.url, webhooks=webhooks) as proxy:
        await proxy.ask(get("/api/channels", "X-Forwarded-For: 8.8.8.8"))
        await post(proxy, event("a"))
        await post(proxy, event("b"), "X-Forwarded-For: 127.0.0.1")
        await post(proxy, event("c"), "X-Webhook-Secret: open-sesame", path="/guarded")
        (sender,) = proxy.server.registry.webhooks.report().senders
        assert (sender.address, sender.trusted, sender.by_address) == ("127.0.0.1", 3, 1)


async def test_only_the_configured_networks_are_believed(origin: Origin, tmp_path: Path) -> None:
    webhooks = [{"path": PATH, "from": ["10.1.0.0/16"]}]
    async with running(tmp_path, origin.url, webhooks=webhooks) as proxy:
        await post(proxy, event("a"))
        await post(proxy, event("b"), "X-Forwarded-For: 10.2.0.1")
        await post(proxy, event("c"), "X-Forwarded-For: 10.1.0.1")
        assert lost(proxy) == ["c"]


async def test_a_shared_secret_is_asked_for_where_configured(origin: Origin, tmp_path: Path) -> None:
    webhooks = [{"path": PATH, "secret": {"header": "X-Webhook-Secret", "value": "open-sesame"}}]
    async with running(tmp_path, origin.url, webhooks=webhooks) as proxy:
        await post(proxy, event("a"))
        await post(proxy, event("b"), "X-Webhook-Secret: open")
        await post(proxy, event("c"), "X-Webhook-Secret: open-sesame-")
        assert lost(proxy) == []
        assert (await post(proxy, event("d"), "x-webhook-secret: open-sesame")).status == 200
        assert lost(proxy) == ["d"]
    assert len(origin.requests) == 4
    assert origin.requests[3].get("X-Webhook-Secret") == b"open-sesame"


@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_a_signature_over_the_body_as_sent_is_asked_for_where_configured(
    origin: Origin, tmp_path: Path, encoding: str, coding: str
) -> None:
    settings = {"header": "X-Signature", "secret": "key", "prefix": "sha256=", "encoding": encoding}
    async with running(tmp_path, origin.url, webhooks=[{"path": PATH, "hmac": settings}]) as proxy:
        body = gzip.compress(event()) if coding == "gzip" else event()
        digest = hmac.new(b"key", body, "sha256").digest()
        signature = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
        for forged in (
            [],
            [f"X-Signature: {signature}"],
            ["X-Signature: sha256="],
            [f"X-Signature: sha256={hmac.new(b'other', body, 'sha256').hexdigest()}"],
        ):
            await post(proxy, body, f"Content-Encoding: {coding}", *forged)
            assert lost(proxy) == []
        await post(proxy, body, f"Content-Encoding: {coding}", f"X-Signature: sha256={signature}")
        assert lost(proxy) == ["sales"]


SECRET = "a-secret-of-thirty-two-bytes-or-so"


def doubts(proxy: Running) -> dict[str, int]:
    """The webhooks that were not trusted, by the check that they failed."""
    return proxy.server.registry.webhooks.totals().untrusted


@pytest.mark.parametrize("header", [None, "X-Jwt"])
async def test_a_json_web_token_is_asked_for_where_configured(
    origin: Origin, tmp_path: Path, header: str | None
) -> None:
    asked = {"secret": SECRET} | ({} if header is None else {"header": header})
    async with running(tmp_path, origin.url, webhooks=[{"path": PATH, "jwt": asked}]) as proxy:
        name, now = header or "Authorization", int(time.time())
        for forged in (
            [],
            [f"{name}: Bearer {jwt.encode({}, SECRET + '!', algorithm='HS256')}"],
            [f"{name}: Bearer {jwt.encode({'exp': now - 600}, SECRET, algorithm='HS256')}"],
            [f"X-Other: Bearer {jwt.encode({}, SECRET, algorithm='HS256')}"],
        ):
            assert (await post(proxy, event(), *forged)).status == 200
            assert lost(proxy) == []
        assert doubts(proxy) == {"jwt": 4}
        token = jwt.encode({"exp": now + 600, "app": "evolution"}, SECRET, algorithm="HS256")
        assert (await post(proxy, event(), f"{name}: Bearer {token}")).status == 200
        assert lost(proxy) == ["sales"]
    assert origin.requests[4].get(name) == f"Bearer {token}".encode()


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_a_token_in_the_body_is_asked_for_where_configured(origin: Origin, tmp_path: Path, coding: str) -> None:
    asked = {"field": "data.apikey", "value": SECRET}
    async with running(tmp_path, origin.url, webhooks=[{"path": PATH, "token": asked}]) as proxy:
        given: list[dict[str, Any]] = [{}, {"data": {"apikey": "x"}}, {"apikey": SECRET}, {"data": {"apikey": SECRET}}]
        for number, more in enumerate(given):
            body = event(f"s{number}", **more)
            sent = gzip.compress(body) if coding == "gzip" else body
            assert (await post(proxy, sent, f"Content-Encoding: {coding}")).status == 200
        assert lost(proxy) == ["s3"]
        assert doubts(proxy) == {"token": 3}
        assert (await proxy.ask(get(PATH, method="POST"))).status == 200
        assert doubts(proxy) == {"token": 4}, "without a body there is no token"
    assert len(origin.requests) == 5


async def test_a_token_beside_a_form_is_asked_for_where_configured(origin: Origin, tmp_path: Path) -> None:
    asked = {"field": "token", "value": SECRET}
    async with running(tmp_path, origin.url, webhooks=[{"path": PATH, "token": asked}]) as proxy:
        for token in ("x", SECRET):
            form = urlencode({"jsonData": event().decode(), "token": token}).encode()
            await proxy.ask(get(PATH, "Content-Type: application/x-www-form-urlencoded", method="POST", body=form))
        totals = proxy.server.registry.webhooks.totals()
        assert (totals.trusted + counted(proxy, "not-json"), totals.untrusted) == (2, {"token": 1})


async def test_a_body_too_long_to_be_read_proves_nothing_and_a_shortened_one_does(
    origin: Origin, tmp_path: Path
) -> None:
    asked = {"field": "apikey", "value": SECRET}
    settings = {"webhooks": [{"path": PATH, "token": asked}], "limits": {"tap": "16KiB"}}
    async with running(tmp_path, origin.url, **settings) as proxy:
        await post(proxy, event("a", apikey=SECRET, many=["x" * 100] * 400))
        assert (lost(proxy), doubts(proxy), counted(proxy, "too-large")) == ([], {}, True)
        await post(proxy, event("b", apikey="x", media="x" * 100_000))
        assert (lost(proxy), doubts(proxy)) == ([], {"token": 1})
        await post(proxy, event("c", apikey=SECRET, media="x" * 100_000))
        assert lost(proxy) == ["c"]


async def test_of_several_proofs_all_must_hold(origin: Origin, tmp_path: Path) -> None:
    webhook = {
        "path": PATH,
        "secret": {"header": "X-Secret", "value": "open-sesame"},
        "hmac": {"header": "X-Signature", "secret": "key"},
        "jwt": {"secret": SECRET},
        "token": {"field": "apikey", "value": "body-token"},
    }
    good = event("sales", apikey="body-token")
    fields = {
        "secret": "X-Secret: open-sesame",
        "jwt": f"Authorization: Bearer {jwt.encode({}, SECRET, algorithm='HS256')}",
        "signature": f"X-Signature: {hmac.new(b'key', good, 'sha256').hexdigest()}",
    }
    async with running(tmp_path, origin.url, webhooks=[webhook]) as proxy:
        for left_out in fields:
            await post(proxy, good, *(field for name, field in fields.items() if name != left_out))
        bad = event("sales", apikey="x")
        signed = f"X-Signature: {hmac.new(b'key', bad, 'sha256').hexdigest()}"
        await post(proxy, bad, fields["secret"], fields["jwt"], signed)
        assert (lost(proxy), doubts(proxy)) == ([], {"secret": 1, "jwt": 1, "signature": 1, "token": 1})
        await post(proxy, good, *fields.values())
        assert lost(proxy) == ["sales"]


async def test_a_doubted_sender_is_named_in_the_log_and_its_body_is_not(
    proxy: Running, caplog: pytest.LogCaptureFixture
) -> None:
    await post(proxy, event("secret-session"), "X-Forwarded-For: 203.0.113.7")
    assert any("203.0.113.7" in message and "network" in message for message in caplog.messages)
    assert "secret-session" not in caplog.text


async def test_nothing_is_unfolded_for_a_doubted_sender(proxy: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb from the internet costs no more than its bytes on the wire."""

    def explode(*_: object) -> None:
        raise AssertionError("unfolded")

    monkeypatch.setattr("statusproxy.proxy.body_copy.Decoder", explode)
    fields = ("Content-Encoding: gzip", "X-Forwarded-For: 203.0.113.7")
    assert (await post(proxy, gzip.compress(event()), *fields)).status == 200


@pytest.mark.parametrize("framing", ["Content-Length: 70000", "Transfer-Encoding: chunked"])
async def test_a_connection_whose_webhook_was_answered_before_it_was_sent_whole_is_not_used_again(
    framing: str, origin: Origin, proxy: Running
) -> None:
    """Its gateway would read the next request's head as the rest of this one's body."""

    async def script(wire: Wire) -> None:
        while True:
            await wire.head()
            await wire.send(OK)

    origin.script = script
    chunked = "chunked" in framing
    client = await proxy.connect()
    body = b'{"a":"bcd"' + b" " * 69_989 + b"}"
    begun, rest = body[:ENOUGH], body[ENOUGH:]
    await client.send(get("/v1/webhooks/receive", framing, method="POST") + (chunk(begun) if chunked else begun))
    await until(lambda: proxy.server.proxy.site.pool.opened == 1 and not proxy.server.proxy.site.pool.in_use)
    await client.send(chunk(rest) + LAST_CHUNK if chunked else rest)
    assert (await client.message()).status == 200
    assert (await proxy.ask(get("/next"))).status == 200
    assert origin.connections == 2


async def test_an_event_without_a_body_passes_and_is_counted(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhooks = [{"path": "/tap", "forward": False}, {"path": "/in"}]
    async with running(tmp_path, origin.url, webhooks=webhooks) as proxy:
        heard: list[bytes] = []
        monkeypatch.setattr(proxy.server.registry, "hear", lambda body, *_: heard.append(body))
        assert (await proxy.ask(get("/tap", method="POST"), bodiless=True)).status == 204
        assert (await proxy.ask(get("/in", method="POST"))).status == 200
        assert heard == [b"", b""]
        await origin.stop()
        assert (await proxy.ask(get("/in", method="POST"))).status == 502
        assert heard == [b""] * 3


async def test_an_error_of_our_own_in_reading_an_event_costs_no_answer(
    proxy: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    unreadable: list[tuple[str, str]] = []
    monkeypatch.setattr(proxy.server.registry, "hear", mock.Mock(side_effect=RuntimeError("of our own")))
    monkeypatch.setattr(proxy.server.registry, "unreadable", lambda what, why: unreadable.append((what, why)))
    assert (await proxy.ask(get("/v1/webhooks/receive", method="POST", body=b"{}"))).status == 200
    assert unreadable == [("webhook", "internal")]
    assert "a webhook could not be read" in caplog.messages


@pytest.mark.parametrize(
    ("target", "session_at", "came", "went"),
    [
        (None, None, b"/in?a", None),
        (b"/hub", None, b"/in", b"/hub"),
        (b"/hub", None, b"/in?a=b&a", b"/hub?a=b&a"),
        (b"/hub?k=1", None, b"/in?a", b"/hub?k=1&a"),
        (b"/hub", None, b"/in?", b"/hub?"),
        (b"/hub/{session}", 2, b"/in/s%2F1?a", b"/hub/s%2F1?a"),
        (b"/hub/{session}/{session}", 2, b"/in/s", b"/hub/s/{session}"),
    ],
)
def test_the_target_at_another_receiver(
    target: bytes | None, session_at: int | None, came: bytes, went: bytes | None
) -> None:
    entry = WebhookTarget(SenderPolicy([]), target=target, session_at=session_at)
    assert request_target(entry, came) == went


BROKEN = ["Content-Encoding: gzip"]


@pytest.mark.parametrize(
    ("path", "body", "fields", "kept"),
    [
        ("/any", event(), [], True),
        ("/any", event(), BROKEN, True),
        ("/token", event(apikey="secret"), [], True),
        ("/token", event(apikey="other"), [], False),
        ("/token", event(apikey="secret"), BROKEN, False),
        ("/signed", event(), [], False),
        ("/off", event(), [], False),
    ],
)
async def test_what_no_receiver_takes_is_kept_where_its_path_has_a_spool_and_its_sender_is_trusted(
    path: str, body: bytes, fields: list[str], kept: bool, origin: Origin, tmp_path: Path
) -> None:
    origin.answer = answer(b"later", status="503 Service Unavailable")
    webhooks: list[dict[str, Any]] = [
        {"path": "/any", "spool": True},
        {"path": "/token", "spool": True, "token": {"field": "apikey", "value": "secret"}},
        {"path": "/signed", "spool": True, "hmac": {"header": "X-Signature", "secret": "key"}},
        {"path": "/off"},
    ]
    async with running(tmp_path, origin.url, webhooks=webhooks) as proxy:
        spool = proxy.server.proxy.spool = FakeSpool(tmp_path)
        got = await proxy.ask(get(path, *fields, method="POST", body=body))
    assert (spool.bodies, got.status) == (([body], 202) if kept else ([], 503))


async def test_events_of_trusted_senders_are_learned_from_while_that_is_wanted(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[bytes, str]] = []
    learning = proxy.server.registry.learning
    monkeypatch.setattr(learning, "event", lambda body, path: heard.append((body, path)))
    await proxy.ask(get("/v1/webhooks/receive", method="POST", body=b"{}"))
    learning.start(60.0)
    await proxy.ask(get("/v1/webhooks/receive", method="POST", body=b"[]"))
    assert heard == [(b"[]", "/v1/webhooks/receive")]


async def test_an_event_counts_whatever_goes_wrong_in_learning_from_it(
    proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    learning = proxy.server.registry.learning
    learning.start(60.0)
    monkeypatch.setattr(learning, "event", mock.Mock(side_effect=KeyError("of our own")))
    event = b'{"event":"status-find","session":"sales","status":"browserClose"}'
    assert (await proxy.ask(get("/v1/webhooks/receive", method="POST", body=event))).status == 200
    assert proxy.server.registry.has_overrides


@pytest.mark.parametrize(
    ("target", "came", "went"),
    [
        (b"/in/**", b"/hook", b"/in"),
        (b"/in/**", b"/hook/", b"/in/"),
        (b"/in/**?k=v", b"/hook/a%2Fb/c?d", b"/in/a%2Fb/c?k=v&d"),
        (b"/**", b"/hook", b"/"),
        (b"/**", b"/hook/a", b"/a"),
    ],
)
def test_what_is_below_a_webhooks_path_goes_below_the_receivers(target: bytes, came: bytes, went: bytes) -> None:
    assert request_target(WebhookTarget(SenderPolicy([]), target=target, below_at=2), came) == went


@pytest.mark.parametrize(("came", "went"), [(b"/**/a", b"/in/**/a"), (b"/{session}/b", b"/in/{session}/b")])
def test_a_session_and_what_is_below_it_are_told_apart(came: bytes, went: bytes) -> None:
    target = WebhookTarget(SenderPolicy([]), target=b"/in/{session}/**", session_at=1, below_at=2)
    assert request_target(target, came) == went


async def test_an_event_whose_rest_comes_after_the_gateway_proved_to_be_down_counts(
    proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = asyncio.Event()

    async def fail(**_: Any) -> UpstreamConnection:
        failed.set()
        raise UpstreamError("gateway_unreachable")

    monkeypatch.setattr(proxy.server.proxy.site.pool, "acquire", fail)
    client = await proxy.connect()
    body = event(media="A" * 2 * ENOUGH)
    await client.send(get(PATH, f"Content-Length: {len(body)}", method="POST") + body[:ENOUGH])
    await failed.wait()
    await proxy.ask(b"GET / HTTP/1.1\r\n\r\n")  # needs no gateway: it has no Host
    await client.send(body[ENOUGH:])
    assert (await client.message()).status == 502
    assert lost(proxy) == ["sales"]


async def test_that_no_one_takes_an_event_is_told_once_what_it_changed_is_on_disk(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await origin.stop()
    held = Held(proxy, monkeypatch)
    client = await proxy.connect()
    await client.send(get(PATH, method="POST", body=event()))
    await held.begun.wait()
    answered = asyncio.ensure_future(client.message())
    for _ in range(3):  # each of these comes and goes while the first would be answered
        assert (await proxy.ask(get("/later"))).status == 502
    assert not answered.done()
    held.let_go.set()
    assert (await answered).status == 502


async def test_a_sender_that_is_too_slow_is_told_so_after_its_time_and_not_after_twice_that(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    settings = {"timeouts": {"request_body": "300s"}, "limits": {"min_rate": None}}
    async with running(tmp_path, origin.url, webhooks=[{"path": PATH}], **settings) as proxy:
        client = await proxy.connect()
        await client.send(get(PATH, method="POST", body=event())[:-1])
        await until(lambda: proxy.server.proxy.in_flight == 1)
        await loop_clock.move(301)
        got = await asyncio.wait_for(client.message(), 10)
        assert json.loads(got.body)["error_code"] == "webhook_body_incomplete"
