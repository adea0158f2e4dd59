"""Events sent again: the same bytes except for four fields, to their present receiver."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from statusproxy.proxy import redelivery
from statusproxy.proxy.http1.framing import LAST_CHUNK, chunk
from statusproxy.proxy.kept_body import PIECE
from statusproxy.proxy.ports import Attempt
from statusproxy.proxy.redelivery import Redelivery
from statusproxy.proxy.spool_copy import IN_MEMORY
from tests.proxy.fake_spool import FakeSpool
from tests.proxy.harness import OK, Origin, Running, Wire, answer, get, running, until
from tests.proxy.held_origin import Held
from tests.proxy.loop_clock import LoopClock
from tests.proxy.open_files import open_below

PATH = "/hook"
NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@dataclass(frozen=True)
class Event:
    """An event as the spool knows it, sent once already."""

    id: str = "the-id"
    path: str = PATH
    receiver: str = "gateway"
    attempts: int = 1
    framed: bool = False
    base: str | None = None


EVENT = Event()


def content(
    *fields: str, body: bytes | Path = b"abc", target: str = PATH, length: int = 3
) -> tuple[bytes, bytes | Path]:
    """What an event is sent with."""
    lines = [f"POST {target} HTTP/1.1", "Host: gateway.example", f"Content-Length: {length}", *fields, ""]
    return "\r\n".join(lines).encode(), body


class Site:
    """A proxy that sends again."""

    def __init__(self, proxy: Running, redelivery: Redelivery, spool: FakeSpool) -> None:
        self.running = proxy
        self.proxy = proxy.server.proxy
        self.send = redelivery.send
        self.spool = spool


@pytest.fixture
async def site(origin: Origin, tmp_path: Path) -> AsyncIterator[Site]:
    """A proxy with a spool in front of a gateway."""
    webhooks = [{"path": PATH, "spool": True}, {"path": "/of/{session}", "spool": True}]
    async with running(tmp_path, origin.url, webhooks=webhooks) as proxy:
        spool = proxy.server.proxy.spool = FakeSpool(tmp_path)
        yield Site(proxy, Redelivery(proxy.server.proxy, lambda: NOW), spool)


@pytest.mark.parametrize("size", [0, 20, 4 * IN_MEMORY])
@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("quiet", [False, True])
async def test_a_repeat_has_the_bytes_of_the_direct_attempt_and_four_fields_more(
    site: Site, origin: Origin, size: int, framed: bool, quiet: bool
) -> None:
    body = os.urandom(size)
    site.spool.is_quiet = quiet
    origin.answer = answer(status="503 Service Unavailable")
    fields = ["Connection: keep-alive, X-Drop", "X-Drop: 1", "X-MiXed:  two  words", "x-mixed: again", "Cookie: a=b"]
    if framed:
        sent = get(f"{PATH}?q=%20", *fields, "Transfer-Encoding: chunked", method="POST")
        sent += (chunk(body) if body else b"") + LAST_CHUNK
    else:
        sent = get(f"{PATH}?q=%20", *fields, method="POST", body=body)
    assert (await site.running.ask(sent)).status == 202
    ((parcel, _),) = site.spool.kept
    origin.answer = OK
    event = replace(EVENT, framed=parcel.framed)
    assert (await site.send(event, (parcel.head, parcel.body), 61)).reason == "delivered"
    direct, repeat = origin.requests
    assert repeat.start == direct.start
    assert repeat.headers == [
        *direct.headers,
        (b"Idempotency-Key", b"the-id"),
        (b"webhook-id", b"the-id"),
        (b"X-Statusproxy-Attempt", b"2"),
        (b"X-Statusproxy-Age", b"61"),
    ]
    assert direct.body == repeat.body == body
    if size <= IN_MEMORY:
        assert direct.framed == repeat.framed


async def test_an_id_that_the_sender_gave_stays(site: Site, origin: Origin) -> None:
    await site.send(EVENT, content("idempotency-key: own", "Webhook-Id: mine"), 0)
    (repeat,) = origin.requests
    assert (repeat.all("Idempotency-Key"), repeat.all("webhook-id")) == ([b"own"], [b"mine"])


async def test_what_is_only_true_of_the_first_attempt_is_left_out(site: Site, origin: Origin) -> None:
    fields = ["Expect: 100-continue", "X-StatusProxy-Attempt: 9", "X-Statusproxy-Age: 9"]
    await site.send(replace(EVENT, attempts=0), content(*fields), 5)
    (repeat,) = origin.requests
    assert repeat.get("Expect") is None
    assert (repeat.all("X-Statusproxy-Attempt"), repeat.all("X-Statusproxy-Age")) == ([b"1"], [b"5"])


@pytest.mark.parametrize(
    ("answered", "attempt"),
    [
        (answer(status="204 No Content"), Attempt("delivered", 204)),
        (answer(status="302 Found"), Attempt("refused", 302, None, "status 302")),
        (answer(status="404 Not Found"), Attempt("refused", 404, None, "status 404")),
        (answer(b"x", "Retry-After: 9", status="503 Later"), Attempt("refused", 503, 9.0, "status 503")),
        (
            answer(b"x", "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT", status="429 Later"),
            Attempt("refused", 429, 60.0, "status 429"),
        ),
    ],
)
async def test_the_answer_says_what_became_of_it(site: Site, origin: Origin, answered: bytes, attempt: Attempt) -> None:
    origin.answer = answered
    for _ in range(2):
        assert await site.send(EVENT, content(), 0) == attempt
    assert origin.connections == 1, "the answer is read to its end"


async def test_a_receiver_that_closes_without_an_answer_may_have_it(site: Site, origin: Origin) -> None:
    async def script(wire: Wire) -> None:
        await origin.take(wire)

    origin.script = script
    assert (await site.send(EVENT, content(), 0)).reason == "no-answer"


async def test_a_receiver_that_is_not_there_has_it_not(site: Site, origin: Origin) -> None:
    await origin.stop()
    attempt = await site.send(EVENT, content(), 0)
    assert (attempt.reason, attempt.status) == ("not-sent", None)
    assert attempt.detail.startswith("gateway_unreachable: ")


async def test_that_no_connection_could_be_made_is_told_and_nothing_else_is(site: Site, origin: Origin) -> None:
    async def closes(wire: Wire) -> None:
        await origin.take(wire)

    told: list[None] = []
    site.proxy.unreached = lambda: told.append(None)
    origin.script = closes
    assert (await site.send(EVENT, content(), 1)).reason == "no-answer"
    origin.script = origin.serve
    for answered in (OK, answer(status="503 Service Unavailable")):
        origin.answer = answered
        await site.send(EVENT, content(), 1)
    assert told == []
    await origin.stop()
    await site.send(EVENT, content(), 1)
    assert told == [None]


async def test_a_long_answer_is_not_read_to_its_end(site: Site, origin: Origin) -> None:
    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + bytes(100_000))
        await wire.rest()

    origin.script = script
    assert (await site.send(EVENT, content(), 0)).reason == "delivered"
    await until(lambda: site.proxy.site.pool.in_use == 0)


async def test_an_answer_that_does_not_end_is_not_waited_for(
    site: Site, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redelivery, "_READ_SECONDS", 0.0)
    origin.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"
    assert await site.send(EVENT, content(), 0) == Attempt("delivered", 200)
    await until(lambda: site.proxy.site.pool.in_use == 0)


async def test_the_rest_of_an_answer_is_waited_for_five_seconds(
    site: Site, origin: Origin, loop_clock: LoopClock
) -> None:
    origin.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"
    sending = asyncio.ensure_future(site.send(EVENT, content(), 0))
    await origin.received()
    await site.running.others_pass()
    await loop_clock.move(4.5)
    assert not sending.done()
    await loop_clock.move(1.0)
    assert sending.done()
    assert await sending == Attempt("delivered", 200)


async def test_an_answer_that_breaks_off_counts(site: Site, origin: Origin) -> None:
    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")

    origin.script = script
    assert await site.send(EVENT, content(), 0) == Attempt("delivered", 200)


async def test_a_body_that_cannot_be_read_is_the_proxys_own_failure(
    site: Site, origin: Origin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    attempt = await site.send(EVENT, content(body=tmp_path / "gone"), 0)
    assert attempt == Attempt("failed", detail="an internal error of the proxy")
    assert caplog.messages == ["spool: event the-id could not be sent: No such file or directory"]
    assert (origin.connections, site.proxy.site.pool.in_use) == (0, 0)


async def test_a_body_that_breaks_off_is_the_proxys_own_failure(
    site: Site, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "body").write_bytes(bytes(2 * PIECE))
    pieces = iter([bytes(PIECE)])

    def read(_file: int, _size: int) -> bytes:
        for piece in pieces:
            return piece
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", read)
    attempt = await site.send(EVENT, content(body=tmp_path / "body", length=2 * PIECE), 0)
    assert attempt == Attempt("failed", detail="internal: the body could not be read")


async def test_it_goes_to_the_present_gateway_with_the_host_as_it_was(
    site: Site, origin: Origin, tmp_path: Path
) -> None:
    await site.send(EVENT, content(), 0)
    other = Origin()
    await other.start()
    try:
        async with running(tmp_path, other.url) as present:
            site.proxy.site = present.server.proxy.site
            await site.send(EVENT, content(), 0)
            site.proxy.site = structs.replace(site.proxy.site, host="gateway")
            await site.send(EVENT, content(), 0)
    finally:
        await other.stop()
    assert [each.get("Host") for each in origin.requests] == [b"gateway.example"]
    assert [each.get("Host") for each in other.requests] == [b"gateway.example", b"127.0.0.1:%d" % other.port]


@pytest.mark.parametrize(
    ("webhook", "target"),
    [
        ({"path": PATH, "forward_to": "{}/new?key=1"}, b"/new?key=1"),
        ({"path": PATH}, b"/base/hook"),
    ],
)
async def test_where_its_receiver_is_gone_it_goes_to_the_present_one_of_its_path(
    site: Site, origin: Origin, tmp_path: Path, webhook: dict[str, Any], target: bytes
) -> None:
    webhook = {key: value.replace("{}", origin.url) for key, value in webhook.items()}
    async with running(tmp_path, f"{origin.url}/base", webhooks=[webhook]) as present:
        site.proxy.site = present.server.proxy.site
        event = replace(EVENT, receiver="hub http://gone.example")
        assert (await site.send(event, content(target="/old?key=0"), 0)).reason == "delivered"
    (repeat,) = origin.requests
    assert (repeat.target, repeat.get("Host")) == (
        target, b"127.0.0.1:%d" % origin.port if "forward_to" in webhook else b"gateway.example",
    )  # fmt: skip


async def test_its_own_other_receiver_gets_it(site: Site, origin: Origin, tmp_path: Path) -> None:
    webhook = {"path": PATH, "forward_to": f"{origin.url}/hub"}
    async with running(tmp_path, "http://gateway.example", webhooks=[webhook]) as present:
        site.proxy.site = present.server.proxy.site
        event = replace(EVENT, receiver=f"hub {origin.url}")
        assert (await site.send(event, content(target="/hub"), 0)).reason == "delivered"
    assert origin.requests[0].target == b"/hub"


@pytest.mark.parametrize(("before", "now"), [("", "/wa"), ("/old", "/wa"), ("/old", ""), ("/wa", "/wa")])
async def test_a_kept_event_goes_below_the_base_path_that_its_gateway_has_now(
    origin: Origin, tmp_path: Path, before: str, now: str
) -> None:
    webhooks = [{"path": PATH, "spool": True}]
    origin.answer = answer(status="503 Service Unavailable")
    async with running(tmp_path, origin.url + before, webhooks=webhooks) as first:
        spool = first.server.proxy.spool = FakeSpool(tmp_path)
        assert (await first.ask(get(f"{PATH}?q=1", method="POST", body=b"{}"))).status == 202
    ((parcel, _),) = spool.kept
    origin.answer = OK
    async with running(tmp_path, origin.url + now, webhooks=webhooks) as present:
        event = replace(EVENT, base=parcel.base)
        sent = await Redelivery(present.server.proxy).send(event, (parcel.head, parcel.body), 0)
    assert sent.reason == "delivered"
    assert [each.target for each in origin.requests] == [f"{before}{PATH}?q=1".encode(), f"{now}{PATH}?q=1".encode()]


async def test_a_kept_event_of_an_earlier_version_keeps_its_path(origin: Origin, tmp_path: Path) -> None:
    """It is not known which part of it is the base path."""
    async with running(tmp_path, f"{origin.url}/wa", webhooks=[{"path": PATH}]) as proxy:
        await Redelivery(proxy.server.proxy).send(EVENT, content(target="/old/hook"), 0)
    assert origin.requests[0].target == b"/old/hook"


@pytest.mark.parametrize("path", ["/gone", "/of/{session}", "/tap"])
async def test_without_a_receiver_it_is_not_sent(site: Site, origin: Origin, tmp_path: Path, path: str) -> None:
    webhooks = [{"path": "/of/{session}"}, {"path": "/tap", "forward": False}]
    async with running(tmp_path, origin.url, webhooks=webhooks) as present:
        site.proxy.site = present.server.proxy.site
        event = replace(EVENT, receiver="hub http://gone.example", path=path)
        assert await site.send(event, content(), 0) == Attempt("failed", detail=f"{path} no longer has a receiver")
    assert origin.connections == 0


async def test_an_attempt_is_a_client_of_its_own_in_the_pool(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    pool, asked = site.proxy.site.pool, []
    acquire = pool.acquire

    async def noted(**options: Any) -> object:
        asked.append(options)
        return await acquire(**options)

    monkeypatch.setattr(pool, "acquire", noted)
    await site.send(EVENT, content(), 0)
    assert [(each["client"], each["reserved"]) for each in asked] == [("spool", True)]


async def test_few_places_are_taken_at_a_time(origin: Origin, tmp_path: Path) -> None:
    """One in eight, so that live traffic has the others."""
    held = Held(origin)
    async with running(tmp_path, origin.url, limits={"upstream_connections": 16}) as proxy:
        send = Redelivery(proxy.server.proxy).send
        sending = [asyncio.ensure_future(send(EVENT, content(), 0)) for _ in range(8)]
        await held.came(2)
        assert proxy.server.proxy.site.pool.in_use == 2
        assert proxy.server.proxy.site.pool.waiting == 0
        held.let_go.set()
        assert {attempt.reason for attempt in await asyncio.gather(*sending)} <= {"delivered", "no-answer"}
        await until(lambda: proxy.server.proxy.site.pool.in_use == 0)


async def test_what_may_not_go_any_more_is_not_sent_and_counts_as_no_attempt(site: Site, origin: Origin) -> None:
    assert await site.send(EVENT, content(), 1, lambda: False) == Attempt("queued")
    assert origin.requests == []
    assert (await site.send(EVENT, content(), 1, lambda: True)).reason == "delivered"
    assert len(origin.requests) == 1


async def test_a_cancelled_attempt_leaves_nothing_behind(site: Site, origin: Origin, tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await wire.rest()

    origin.script = script
    sending = asyncio.ensure_future(site.send(EVENT, content(), 0))
    await origin.received()
    sending.cancel()
    await asyncio.wait([sending])
    assert sending.cancelled()
    await until(lambda: site.proxy.site.pool.in_use == 0)


async def test_a_connection_whose_answer_comes_in_parts_is_used_again(site: Site, origin: Origin) -> None:
    answered = asyncio.Event()

    async def script(wire: Wire) -> None:
        for _ in range(2):
            await origin.take(wire)
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
            await answered.wait()
            await wire.send(b"cde")

    origin.script = script
    sending = asyncio.ensure_future(site.send(EVENT, content(), 0))
    await origin.received()
    await until(lambda: site.proxy.site.pool.in_use == 1)
    await site.running.others_pass()
    assert not sending.done(), "its head would be enough"
    answered.set()
    assert (await sending).reason == (await site.send(EVENT, content(), 0)).reason == "delivered"
    assert origin.connections == 1


async def test_the_file_of_a_body_does_not_stay_open(site: Site, origin: Origin, tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(bytes(2 * PIECE))
    attempt = await site.send(EVENT, content(body=file, length=2 * PIECE), 0)
    assert (attempt.reason, open_below(file)) == ("delivered", [])


async def test_after_a_change_of_the_number_of_connections_the_new_part_of_them_is_used(
    origin: Origin, tmp_path: Path
) -> None:
    held = Held(origin)
    send: list[asyncio.Future[Attempt]] = []
    async with running(tmp_path, origin.url, limits={"upstream_connections": 8}) as proxy:
        again = Redelivery(proxy.server.proxy)
        send += [asyncio.ensure_future(again.send(EVENT, content(), 0)) for _ in range(2)]
        await held.came()
        (tmp_path / "more").mkdir()
        async with running(tmp_path / "more", origin.url, limits={"upstream_connections": 16}) as more:
            proxy.server.proxy.site = more.server.proxy.site
            send += [asyncio.ensure_future(again.send(EVENT, content(), 0)) for _ in range(4)]
            await held.came(3)
            assert more.server.proxy.site.pool.in_use == 2
            held.let_go.set()
            await asyncio.gather(*send)


async def test_few_connections_have_one_place(origin: Origin, tmp_path: Path) -> None:
    held = Held(origin)
    async with running(tmp_path, origin.url, limits={"upstream_connections": 7}) as proxy:
        send = Redelivery(proxy.server.proxy).send
        sending = [asyncio.ensure_future(send(EVENT, content(), 0)) for _ in range(3)]
        await held.came()
        await proxy.others_pass()
        assert len(origin.requests) == 1
        held.let_go.set()
        await asyncio.gather(*sending)


async def test_a_receiver_whose_path_is_a_pattern_of_any_kind_does_not_get_it(
    site: Site, origin: Origin, tmp_path: Path
) -> None:
    """What stood in place of the pattern is not known any more."""
    async with running(tmp_path, origin.url, webhooks=[{"path": "/all/**"}]) as present:
        site.proxy.site = present.server.proxy.site
        event = replace(EVENT, receiver="hub http://gone.example", path="/all/**")
        assert (await site.send(event, content(), 0)).detail == "/all/** no longer has a receiver"
    assert origin.connections == 0
