"""One exchange: what comes in goes out, what is reported of it, and that it leaves nothing behind."""

import asyncio
import gc
import gzip
import json
import logging
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from statusproxy.observe.exchange_report import Report, RouteKind
from statusproxy.proxy import exchange as exchange_module
from statusproxy.proxy.body_copy import BodyCopy
from statusproxy.proxy.downstream.request_body import ENOUGH, Upload
from statusproxy.proxy.downstream.response import AnsweredTwiceError, Response
from statusproxy.proxy.exchange import Exchange
from statusproxy.proxy.request_head import PreparedHead
from statusproxy.proxy.upstream.answer_body import Room
from statusproxy.proxy.upstream.call import Call
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.pool import Pool
from tests.proxy.fake_spool import FakeSpool
from tests.proxy.harness import (
    Message,
    Origin,
    Running,
    Wire,
    answer,
    get,
    hurry,
    reports,
    running,
    running_by,
    until,
)
from tests.proxy.loop_clock import LoopClock

#: More than all buffers between a gateway and a client that does not read hold.
VOLUME = 64 * 1024 * 1024


async def test_a_request_reaches_the_gateway_and_its_answer_the_client(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b"hello", "X-Made-By: gateway")
    got = await proxy.ask(get("/greeting?a=b+c&a="))
    assert (got.status, got.body, got.get("X-Made-By")) == (200, b"hello", b"gateway")
    assert origin.requests[0].target == b"/greeting?a=b+c&a="


# ---- clients that leave ----


async def download(wire: Wire) -> None:
    """A gateway that begins a large answer."""
    await wire.head()
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % VOLUME)
    while True:
        await wire.send(bytes(2**16))


async def silent(wire: Wire) -> None:
    """A gateway that says nothing."""
    await wire.rest()


async def switch(wire: Wire) -> None:
    """A gateway that speaks another protocol from now on."""
    await wire.head()
    await wire.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
    await wire.rest()


UPLOAD = get("/", "Content-Length: 1000000", method="POST") + bytes(ENOUGH)


@pytest.mark.parametrize(
    ("request_bytes", "script", "status"),
    [
        (get(), download, 499),
        (get(), silent, 499),
        (UPLOAD, silent, 499),
        (get("/", "Content-Length: 100", method="POST") + b"x", silent, 499),
        (get("/api/channels"), silent, 499),
        (get("/socket", "Upgrade: echo", "Connection: Upgrade"), switch, 101),
    ],
    ids=["mid-download", "waiting", "mid-upload", "before its body was there", "a list", "a tunnel"],
)
async def test_a_client_that_leaves_has_a_code_of_its_own_and_nobody_else_is_blamed(
    origin: Origin,
    proxy: Running,
    caplog: pytest.LogCaptureFixture,
    request_bytes: bytes,
    script: Callable[[Wire], Awaitable[None]],
    status: int,
) -> None:
    caplog.set_level(logging.INFO, "statusproxy")
    origin.script = script
    seen = reports(proxy)
    client = await proxy.connect()
    await client.send(request_bytes)
    if script is not silent:
        await client.head()
    else:
        taken = int(not request_bytes.endswith(b"\r\nx"))
        await until(lambda: proxy.server.proxy.in_flight == 1 and origin.connections == taken)
    client.reset()
    await until(lambda: bool(seen))
    assert [(report.problem, report.status) for report in seen] == [("client_gone", status)]
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
    if status == 499:
        assert "the client left before its answer was complete" in caplog.messages


@pytest.mark.parametrize(
    ("reply", "problem"), [(answer(b"done"), "client_gone"), (b"nonsense\r\n\r\n", "gateway_bad_answer")]
)
async def test_a_request_carried_to_its_end_without_its_client_says_so(
    origin: Origin, proxy: Running, reply: bytes, problem: str
) -> None:
    """And what the gateway does wrong then is still the gateway's."""
    left = asyncio.Event()

    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await left.wait()
        await wire.send(reply)
        await wire.rest()

    origin.script = script
    seen = reports(proxy)
    client = await proxy.connect()
    await client.send(get("/", method="POST", body=b"{}"))
    await origin.received()
    client.reset()
    await until(lambda: not any(connection.connected for connection in proxy.server.clients.connections))
    left.set()
    await until(lambda: bool(seen))
    assert [(report.problem, report.status) for report in seen] == [(problem, 499)]


async def test_a_gateway_that_breaks_off_its_answer_is_still_blamed_for_it(
    origin: Origin, proxy: Running, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    origin.script = script
    seen = reports(proxy)
    client = await proxy.connect()
    await client.send(get())
    await client.rest()
    await until(lambda: bool(seen))
    assert [(report.problem, report.status) for report in seen] == [("gateway_bad_answer", 200)]
    assert any(message.startswith("the gateway aborted its answer") for message in caplog.messages)


async def test_a_client_that_has_its_answer_may_leave(origin: Origin, proxy: Running) -> None:
    seen = reports(proxy)
    client = await proxy.connect()
    await client.send(get())
    await client.message()
    client.reset()
    await until(lambda: bool(seen))
    assert [(report.problem, report.status) for report in seen] == [(None, 200)]


# ---- nothing is left behind ----


async def refused(proxy: Running) -> None:
    """A request that is not forwarded."""
    await proxy.ask(get("/", method="POST", body=b"x" * 2_000_000)[:200_000])


async def early(proxy: Running) -> None:
    """A request that is answered before it is whole."""
    await proxy.ask(get("/early", "Content-Length: 1000000", method="POST") + bytes(ENOUGH))


async def early_event(proxy: Running) -> None:
    """A webhook that is answered before it is whole, whose sender then leaves."""
    client = await proxy.connect()
    await client.send(get("/v1/webhooks/receive", "Content-Length: 1000000", method="POST") + bytes(ENOUGH))
    await until(lambda: proxy.server.proxy.in_flight == 1)
    client.reset()


async def cancelled(proxy: Running) -> None:
    """A request whose client leaves while the gateway thinks."""
    client = await proxy.connect()
    await client.send(get("/silent"))
    await until(lambda: proxy.server.proxy.in_flight == 1)
    client.reset()


async def cancelled_list(proxy: Running) -> None:
    """A list whose client leaves while the gateway thinks."""
    client = await proxy.connect()
    await client.send(get("/api/channels"))
    await until(lambda: proxy.server.proxy.in_flight == 1)
    client.reset()


async def half_read(proxy: Running) -> None:
    """An answer whose client leaves in its middle."""
    client = await proxy.connect()
    await client.send(get("/large"))
    await client.head()
    client.reset()


@pytest.mark.parametrize("what", [refused, early, early_event, cancelled, cancelled_list, half_read])
async def test_an_exchange_leaves_nothing_behind(
    origin: Origin, tmp_path: Path, what: Callable[[Running], Awaitable[None]]
) -> None:
    async def script(wire: Wire) -> None:
        request = await wire.head()
        if request.target in {b"/early", b"/v1/webhooks/receive"}:
            await wire.send(answer(b"no", status="413 Content Too Large"))
        elif request.target == b"/large":
            await wire.send(answer(bytes(VOLUME)))
        await wire.rest()

    async with running(tmp_path, origin.url, limits={"body": "1500000"}) as proxy:
        handler = proxy.server.proxy
        handler.room = room = Room(2**20)
        before = len(asyncio.all_tasks())
        origin.script = script
        await what(proxy)
        await until(lambda: handler.in_flight == 0)
        for wire in proxy.wires:
            wire.reset()
        await until(lambda: not proxy.server.clients.connections)
        await until(lambda: handler.site.pool.in_use == 0)  # a broken connection gives its place back a turn later
        assert room.take(2**20)
        assert len(handler.shared_calls) == 0
        await origin.stop()
        await until(lambda: len(asyncio.all_tasks()) <= before)


# ---- memory ----


EVENT = b'{"event": "onmessage", "session": "sales", "body": "' + b"x" * 1000 + b'"}'


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("target", ["/v1/webhooks/receive", "/upload", "/api/channels"])
async def test_an_exchange_and_its_body_leave_the_memory_when_it_ends(
    origin: Origin, proxy: Running, target: str, split: bool
) -> None:
    head = get(target, f"Content-Length: {len(EVENT)}", method="POST")
    client = await proxy.connect()
    gc.collect()
    gc.disable()  # a collection would hide objects that keep each other
    try:
        for _ in range(20):
            await client.send(head if split else head + EVENT)
            if split:
                await until(lambda: proxy.server.proxy.in_flight > 0)
                await client.send(EVENT)
            assert (await client.message()).status == 200
        await until(lambda: proxy.server.proxy.in_flight == 0)
        alive = sum(isinstance(each, (Exchange, Upload, BodyCopy, Response, Call)) for each in gc.get_objects())
    finally:
        gc.enable()
    assert alive <= 5  # the last one's


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200]
)
async def test_an_exchange_that_failed_leaves_the_memory_as_well(origin: Origin, proxy: Running, said: bytes) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(said)

    origin.script = script
    client = await proxy.connect()
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            await client.send(get("/x"))
            while (await client.head()).status != 502:
                pass
            await client.reader.readuntil(b"}")
        await until(lambda: proxy.server.proxy.in_flight == 0)
        alive = sum(isinstance(each, Exchange) for each in gc.get_objects())
    finally:
        gc.enable()
    assert alive <= 2


async def test_a_list_that_cannot_be_decoded_leaves_the_memory_when_it_has_passed(
    origin: Origin, proxy: Running
) -> None:
    # Some milliseconds of work: it goes on in the thread, whose error comes back by a future.
    broken = gzip.compress(b"", mtime=0) * 40_000
    origin.answer = answer(broken, "Content-Encoding: gzip")
    client = await proxy.connect()
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            await client.send(get("/api/channels"))
            assert (await client.message()).body == broken
        await until(lambda: proxy.server.proxy.in_flight == 0)
        alive = sum(isinstance(each, Exchange) for each in gc.get_objects())
    finally:
        gc.enable()
    assert alive <= 1


# ---- what is not forwarded ----


def code(message: Message) -> tuple[int, str, str]:
    """Status, code and failing hop of an answer of the proxy's own."""
    document = json.loads(message.body)
    return message.status, document["error_code"], document["hop"]


async def test_connect_is_not_served(origin: Origin, proxy: Running) -> None:
    got = await proxy.ask(b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n")
    assert code(got) == (405, "method_not_allowed", "client")
    assert (got.get("Connection"), origin.connections) == (b"close", 0)


@pytest.mark.parametrize("length", [1024, 1025])
async def test_a_body_that_announces_itself_as_too_large_is_not_read(
    origin: Origin, tmp_path: Path, length: int
) -> None:
    async with running(tmp_path, origin.url, limits={"body": "1KiB"}) as proxy:
        got = await proxy.ask(get("/", f"Content-Length: {length}", method="POST") + bytes(length))
        if length > 1024:
            assert code(got) == (413, "body_too_large", "client")
            assert got.get("Connection") == b"close"
    assert len(origin.requests) == int(length <= 1024)


@pytest.mark.parametrize("hops", [7, 8])
async def test_a_request_that_keeps_coming_back_is_refused(origin: Origin, proxy: Running, hops: int) -> None:
    got = await proxy.ask(get("/", f"Via: {', '.join(['1.1 statusproxy'] * hops)}"))
    if hops == 8:
        assert code(got) == (508, "loop", "proxy")
    assert len(origin.requests) == int(hops < 8)


async def test_without_a_limit_no_body_is_too_large(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url, limits={"body": None}) as proxy:
        assert (await proxy.ask(get("/", method="POST", body=bytes(300_000)))).status == 200


async def test_a_request_that_may_travel_no_further_is_answered_here(origin: Origin, proxy: Running) -> None:
    got = await proxy.ask(get("*", "Max-Forwards: 0", method="OPTIONS"), bodiless=True)
    assert (got.status, got.get("Allow")) == (204, b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
    assert code(await proxy.ask(get("/", "Max-Forwards: 0", method="TRACE"))) == (405, "method_not_allowed", "client")
    assert origin.connections == 0


async def test_a_request_that_may_travel_further_travels_one_hop_less(origin: Origin, proxy: Running) -> None:
    await proxy.ask(get("/", "Max-Forwards: 7", method="OPTIONS"))
    await proxy.ask(get("/", "Max-Forwards: 7"))
    assert [request.get("Max-Forwards") for request in origin.requests] == [b"6", b"7"]


# ---- ids ----


async def test_a_usable_id_is_kept_on_the_way_and_in_the_report(origin: Origin, proxy: Running) -> None:
    seen = reports(proxy)
    got = await proxy.ask(get("/", "X-Request-Id: poll-1"))
    assert (origin.requests[0].all("X-Request-Id"), got.all("X-Request-Id")) == ([b"poll-1"], [b"poll-1"])
    await until(lambda: bool(seen))
    assert seen[0].request_id == "poll-1"


@pytest.mark.parametrize("said", [[], ["X-Request-Id: two words"], ["X-Request-Id: a", "X-Request-Id: b"]])
async def test_any_other_id_is_replaced_by_a_fresh_one(origin: Origin, proxy: Running, said: list[str]) -> None:
    seen = reports(proxy)
    got = await proxy.ask(get("/", *said))
    (given,) = got.all("X-Request-Id")
    assert origin.requests[0].all("X-Request-Id") == [given]
    assert len(given) == 16
    await until(lambda: bool(seen))
    assert seen[0].request_id.encode() == given


@pytest.mark.parametrize("said", [[], ["X-Request-Id: event-1"]])
async def test_a_kept_event_is_sent_later_with_the_id_that_its_sender_was_told(
    origin: Origin, tmp_path: Path, said: list[str]
) -> None:
    async with running(tmp_path, origin.url, webhooks=[{"path": "/in", "spool": True}]) as proxy:
        spool = proxy.server.proxy.spool = FakeSpool(tmp_path)
        await origin.stop()
        got = await proxy.ask(get("/in", *said, method="POST", body=b"{}"))
    (told,) = got.all("X-Request-Id")
    ((parcel, _),) = spool.kept
    start, *fields, end = parcel.head.split(b"\r\n")
    assert (start, end) == (b"POST /in HTTP/1.1", b""), "whole lines, without the empty one"
    assert [each for each in fields if each.lower().startswith(b"x-request-id")] == [b"X-Request-Id: " + told]


# ---- what the gateway is sent ----


async def test_requests_that_follow_one_another_to_the_gateway_are_whole_and_ask_for_nothing_more(
    origin: Origin, proxy: Running
) -> None:
    client = await proxy.connect()
    for said in (["X-Request-Id: poll-1"], []):
        for _ in range(2):
            await client.send(get("/x", *said))
            assert (await client.message()).status == 200
    assert origin.connections == 1
    assert [request.start for request in origin.requests] == [b"GET /x HTTP/1.1"] * 4
    told = {b"Host", b"X-Forwarded-For", b"X-Real-IP", b"X-Forwarded-Proto", b"X-Forwarded-Host", b"X-Forwarded-Port"}
    for request in origin.requests:
        assert {name for name, _ in request.headers} == {*told, b"Via", b"X-Request-Id"}


@pytest.mark.parametrize(
    ("method", "target", "reserved"),
    [
        ("POST", "/v1/webhooks/receive", True),
        ("GET", "/api/channels", True),
        ("GET", "/", False),
        ("DELETE", "/api/channels/sales", False),
    ],
)
async def test_places_at_the_gateway_are_kept_for_events_and_lists(
    proxy: Running, monkeypatch: pytest.MonkeyPatch, method: str, target: str, reserved: bool
) -> None:
    wanted = list[bool]()

    async def send(*_: object, reserved: bool, **__: object) -> None:
        wanted.append(reserved)
        raise UpstreamError("overloaded")

    monkeypatch.setattr(Call, "send", send)
    assert code(await proxy.ask(get(target, method=method, body=b"{}"))) == (503, "overloaded", "proxy")
    assert wanted == [reserved]


# ---- interim answers ----


async def test_an_interim_answer_goes_to_the_client_at_once_and_gives_it_its_permission(
    origin: Origin, proxy: Running
) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        assert await wire.reader.readexactly(5) == b"hello"
        await wire.send(answer(b"done"))

    origin.script = script
    client = await proxy.connect()
    await client.send(get("/", "Expect: 100-continue", "Content-Length: 5", method="POST"))
    assert [(await client.head()).status for _ in range(2)] == [103, 100]
    await client.send(b"hello")
    assert (await client.message()).body == b"done"


async def test_only_100_is_a_permission_from_which_on_the_clients_time_counts(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, permitted = asyncio.Event(), list[bool]()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await go_on.wait()
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await wire.reader.readexactly(5)
        await wire.send(answer(b"done"))

    monkeypatch.setattr(Upload, "permitted", lambda _: permitted.append(True))
    origin.script = script
    client = await proxy.connect()
    await client.send(get("/", "Expect: 100-continue", "Content-Length: 5", method="POST"))
    assert ((await client.head()).status, permitted) == (103, [])
    go_on.set()
    assert ((await client.head()).status, permitted) == (100, [True])
    await client.send(b"hello")
    assert (await client.message()).body == b"done"


async def test_interim_answers_to_a_request_without_a_body_permit_nothing(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"done"))

    origin.script = script
    client = await proxy.connect()
    await client.send(get())
    while (head := await client.head()).status == 100:
        pass
    assert (head.status, await client.reader.readexactly(4)) == (200, b"done")


# ---- failures ----


async def test_a_failure_of_the_gateway_is_answered_logged_and_reported(
    origin: Origin, proxy: Running, caplog: pytest.LogCaptureFixture
) -> None:
    origin.answer = b"nonsense\r\n\r\n"
    seen = reports(proxy)
    assert code(await proxy.ask(get("/", "X-Request-Id: poll-1"))) == (502, "gateway_bad_answer", "gateway")
    (record,) = [record for record in caplog.records if record.getMessage().startswith("request failed: ")]
    assert record.levelno == logging.WARNING
    told = {name: record.__dict__[name] for name in ("request_id", "code", "status", "method", "client")}
    assert told == {
        "request_id": "poll-1", "code": "gateway_bad_answer", "status": 502, "method": "GET", "client": "127.0.0.1",
    }  # fmt: skip
    await until(lambda: bool(seen))
    assert (seen[0].status, seen[0].problem) == (502, "gateway_bad_answer")


async def test_a_failure_of_another_receiver_is_blamed_on_that(origin: Origin, tmp_path: Path) -> None:
    hub = Origin()
    await hub.start()
    hub.answer = b"nonsense\r\n\r\n"
    async with running(tmp_path, origin.url, webhooks=[{"path": "/hub", "forward_to": f"{hub.url}/in"}]) as proxy:
        got = await proxy.ask(get("/hub", method="POST", body=b"{}"))
        assert code(got) == (502, "hub_bad_answer", "hub")
    await hub.stop()


async def test_a_client_that_stopped_reading_is_told_apart_from_one_that_left(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "statusproxy")

    async def stop_reading(response: Response, *_: object) -> None:
        response.client_left()
        response.problem = "client_stopped_reading"

    monkeypatch.setattr(Response, "stream", stop_reading)
    seen = reports(proxy)
    client = await proxy.connect()
    await client.send(get())
    await until(lambda: bool(seen))
    assert [(report.problem, report.status) for report in seen] == [("client_stopped_reading", 499)]
    told = [record for record in caplog.records if record.getMessage() == "the client read its answer too slowly"]
    assert [(record.__dict__["code"], record.__dict__["client"]) for record in told] == [
        ("client_stopped_reading", "127.0.0.1")
    ]


async def test_a_failure_of_the_client_is_no_warning(proxy: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "statusproxy")
    await proxy.ask(get("/", "Max-Forwards: 0", method="TRACE"))
    (record,) = [record for record in caplog.records if record.getMessage().startswith("request failed: ")]
    assert record.levelno == logging.INFO


async def test_a_body_that_stops_coming_is_a_408_for_a_client_and_a_503_for_a_webhooks_sender(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    async with running(tmp_path, origin.url, webhooks=[{"path": "/in"}], timeouts={"request_body": "3s"}) as proxy:
        told = reports(proxy)
        for path, said in (
            ("/other", (408, "request_body_incomplete", "client")),
            ("/in", (503, "webhook_body_incomplete", "client")),
        ):
            client = await proxy.connect()
            await client.send(get(path, "Content-Length: 100", method="POST") + b"begun")
            await until(lambda: proxy.server.proxy.in_flight == 1)
            await loop_clock.move(4)
            assert code(await client.message()) == said
            await until(lambda: proxy.server.proxy.in_flight == 0)
    assert [(each.status, each.problem) for each in told] == [
        (408, "request_body_incomplete"), (503, "webhook_body_incomplete"),
    ]  # fmt: skip


async def test_an_error_of_our_own_is_a_500_and_the_connection_goes_on(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("of our own")

    client = await proxy.connect()
    with monkeypatch.context() as patch:
        patch.setattr("statusproxy.proxy.exchange.prepared_head", fail)
        await client.send(get())
        assert code(await client.message()) == (500, "internal", "proxy")
    assert "exchange failed inside the proxy" in caplog.messages
    await client.send(get())
    assert (await client.message()).status == 200


async def test_a_second_answer_is_logged_and_the_client_gets_the_first_alone(
    proxy: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What it asked for behind that is not answered by the rest of it: its connection ends."""

    async def twice(exchange: Exchange) -> None:
        await exchange.response.answer(200, b"OK", [], b"first")
        await exchange.response.answer(200, b"OK", [], b"second")

    monkeypatch.setattr(Exchange, "_route", lambda _: twice)
    seen = reports(proxy)
    client = await proxy.connect()
    await client.send(get() + get())
    assert await client.rest() == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
    assert [(report.status, report.problem) for report in seen] == [(200, "internal")]
    (record,) = (record for record in caplog.records if record.exc_info)
    assert record.getMessage() == "exchange failed inside the proxy"
    assert isinstance(record.exc_info[1] if record.exc_info else None, AnsweredTwiceError)


async def test_an_exchange_that_a_stop_cuts_off_is_reported_without_a_status(origin: Origin, tmp_path: Path) -> None:
    origin.script = silent
    async with running(tmp_path, origin.url) as proxy:
        seen = reports(proxy)
        client = await proxy.connect()
        await client.send(get())
        await until(lambda: proxy.server.proxy.in_flight == 1 and origin.connections == 1)
        hurry(proxy.server)
        await proxy.server.stop()
    assert [(report.status, report.problem) for report in seen] == [(0, None)]


async def test_a_change_that_cannot_be_made_durable_costs_no_answer(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(proxy.server.registry.watched, "deleted", lambda *_: fail())
    assert (await proxy.ask(get("/api/channels/sales", method="DELETE"))).status == 200
    assert "a change could not be made durable" in caplog.messages


async def test_an_exchange_that_changed_nothing_has_nothing_to_wait_for(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(proxy.server.registry.watched, "deleted", lambda *_: None)
    assert (await proxy.ask(get("/api/channels/sales", method="DELETE"))).body == b"ok"
    assert "a change could not be made durable" not in caplog.messages


# ---- whose its attributes are ----


def test_the_actions_set_what_the_exchange_says_that_they_set() -> None:
    actions = Path(exchange_module.__file__).parent / "actions"
    found = {
        (name, path.stem)
        for path in actions.glob("*.py")
        for name in re.findall(r"exchange\.(\w+) = ", path.read_text())
    }
    said = r'self\.(\w+)[^\n]* = [^\n]*\n *"""[^"]* Set by `(\w+)`'
    assert found == set(re.findall(said, Path(exchange_module.__file__).read_text()))


# ---- the report ----


async def test_the_client_behind_a_trusted_proxy_is_reported(origin: Origin, proxy: Running) -> None:
    seen = reports(proxy)
    await proxy.ask(get("/", "X-Forwarded-For: 203.0.113.9"))
    await until(lambda: bool(seen))
    assert seen[0].client == "203.0.113.9"


async def test_what_is_reported_of_an_exchange(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b'{"success":true,"channels":[]}')
    seen = reports(proxy)
    lists = await proxy.ask(get("/api/channels?x=1", "X-Request-Id: poll-1"))
    sent = await proxy.ask(get("/messages", "X-Request-Id: text-1", method="POST", body=b"hello"))
    await until(lambda: len(seen) == 2)
    for report in seen:
        assert report.upstream_seconds is not None
        assert 0 < report.upstream_seconds < report.seconds < 600
        assert report.sent > 30
    assert (lists.status, sent.status) == (200, 200)
    same: dict[str, Any] = {"seconds": 0.0, "upstream_seconds": None, "sent": 0}
    assert [structs.replace(report, **same) for report in seen] == [
        Report(
            kind=RouteKind.CHANNELS, method="GET", status=200, received=0, request_id="poll-1", client="127.0.0.1",
            target=b"/api/channels?x=1", problem=None, corrected=0, template="/api/channels", **same,
        ),
        Report(
            kind=RouteKind.PASS, method="POST", status=200, received=5, request_id="text-1", client="127.0.0.1",
            target=b"/messages", problem=None, corrected=0, template=None, **same,
        ),
    ]  # fmt: skip


async def test_bytes_are_counted_both_ways_through_a_tunnel_too(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
        await wire.send(await wire.reader.readexactly(5) + b"!")

    origin.script = script
    seen = reports(proxy)
    client = await proxy.connect()
    await client.send(get("/socket", "Upgrade: echo", "Connection: Upgrade"))
    await client.head()
    await client.send(b"hello")
    assert await client.rest() == b"hello!"
    await client.close()
    await until(lambda: bool(seen))
    assert (seen[0].received, seen[0].status, seen[0].problem) == (5, 101, None)
    assert seen[0].sent > 6


async def test_what_a_proxy_in_front_left_out_is_told_with_whether_it_was_a_webhook(
    proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str, bool]] = []
    monkeypatch.setattr(
        proxy.server.registry, "left_out", lambda what, peer, *, webhook: told.append((what, peer, webhook))
    )
    await proxy.ask(get("/", "Via: 1.1 nginx"))
    await proxy.ask(get("/v1/webhooks/receive", "Via: 1.1 nginx", method="POST", body=b"{}"))
    assert told == [("client", "127.0.0.1", False), ("client", "127.0.0.1", True)]


async def test_an_answer_that_a_stop_cuts_off_in_the_middle_is_reported_without_a_status(
    origin: Origin, tmp_path: Path
) -> None:
    async def begin(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await wire.rest()

    origin.script = begin
    async with running(tmp_path, origin.url) as proxy:
        seen = reports(proxy)
        client = await proxy.connect()
        await client.send(get())
        assert (await client.head()).status == 200
        hurry(proxy.server)
        await proxy.server.stop()
    assert [(report.status, report.problem) for report in seen] == [(0, None)]


async def test_an_exchange_whose_answer_depends_on_it_knows_when_the_gateway_was_asked(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[bytes, float]] = []
    prepare = Exchange.prepare

    def noted(exchange: Exchange, pool: Pool, **options: Any) -> PreparedHead:
        asked.append((exchange.target, exchange.asked_at))
        return prepare(exchange, pool, **options)

    monkeypatch.setattr(Exchange, "prepare", noted)
    async with running_by(lambda: 1_700_000_000.0, tmp_path, origin.url) as proxy:
        for target in ("/", "/api/channels"):
            await proxy.ask(get(target))
    assert asked == [(b"/", 0.0), (b"/api/channels", pytest.approx(1_700_000_000.0))]


async def test_a_client_that_stays_does_not_keep_the_exchange_that_is_over(proxy: Running) -> None:
    client = await proxy.connect()
    await client.send(get())
    await client.message()
    await until(lambda: proxy.server.proxy.in_flight == 0)
    assert [connection.gone for connection in proxy.server.clients.connections] == [None]
