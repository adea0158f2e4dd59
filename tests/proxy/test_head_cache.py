"""Prepared heads: made once for a head that comes again, and the same as if they were made each time."""

from pathlib import Path
from typing import Any

import pytest

from statusproxy.proxy import head_cache
from statusproxy.proxy.client_address import Peer, Trust
from statusproxy.proxy.head_cache import prepared_head
from statusproxy.proxy.http1.head import REQUEST_ROLES, classify_fields
from statusproxy.proxy.http1.request_parser import HeadLimits, RequestHead, RequestParser
from statusproxy.proxy.request_head import PreparedHead, prepare
from statusproxy.proxy.routes import RouteTable
from statusproxy.proxy.site import Entry, Site
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.origin import Origin as Address
from statusproxy.proxy.upstream.pool import Pool
from tests.proxy.harness import OK, Origin, get, running


async def test_a_repeated_request_reaches_the_gateway_the_same_but_for_its_id(origin: Origin, tmp_path: Path) -> None:
    origin.answer = OK
    async with running(tmp_path, origin.url) as proxy:
        client = await proxy.connect()
        seen = []
        for number in range(1, 4):
            await client.send(get("/anything", "Accept: a/b"))
            await client.message()
            seen.append(await origin.received(number))
    ids = [message.get("X-Request-Id") for message in seen]
    assert len(set(ids)) == 3
    fields = [[header for header in message.headers if header[0] != b"X-Request-Id"] for message in seen]
    assert fields[0] == fields[1] == fields[2]
    assert {message.start for message in seen} == {b"GET /anything HTTP/1.1"}


async def test_a_repeated_webhook_carries_the_body_it_came_with(origin: Origin, tmp_path: Path) -> None:
    origin.answer = OK
    async with running(tmp_path, origin.url) as proxy:
        client = await proxy.connect()
        for number, body in enumerate((b'{"a":1}', b'{"b":2}', b'{"c":3}'), 1):
            await client.send(get("/v1/webhooks/receive", method="POST", body=body))
            await client.message()
            assert (await origin.received(number)).body == body


async def test_what_was_made_of_a_head_for_one_client_is_not_sent_for_another(origin: Origin, tmp_path: Path) -> None:
    origin.answer = OK
    async with running(tmp_path, origin.url, trusted_proxies=["127.0.0.1/32"]) as proxy:
        client = await proxy.connect()
        addresses = []
        for number, name in enumerate(("203.0.113.1", "203.0.113.2", "203.0.113.1"), 1):
            await client.send(get("/anything", f"X-Forwarded-For: {name}"))
            await client.message()
            addresses.append((await origin.received(number)).get("X-Forwarded-For"))
    assert addresses == [b"203.0.113.1, 127.0.0.1", b"203.0.113.2, 127.0.0.1", b"203.0.113.1, 127.0.0.1"]


async def test_what_was_made_of_a_head_is_not_sent_by_another_configuration(origin: Origin, tmp_path: Path) -> None:
    origin.answer = OK
    async with running(tmp_path, origin.url) as proxy:
        client = await proxy.connect()
        await client.send(get("/anything"))
        await client.message()
        assert (await origin.received(1)).get("Host") == b"proxy.example"
        config = tmp_path / "config.yaml"
        config.write_text(config.read_text() + "\nhost: gateway\n")
        assert await proxy.server.reload()
        await client.send(get("/anything"))
        await client.message()
        assert (await origin.received(2)).get("Host") == origin.url.removeprefix("http://").encode()


def test_a_head_is_prepared_once_for_the_same_next_hop_and_anew_for_any_other() -> None:
    head = RequestHead("GET", b"/a", (1, 1), ((b"Host", b"proxy.example"),))
    head.forwarded, head.well_known = classify_fields(head.headers, REQUEST_ROLES)
    pool, other = (Pool(Address(name, 80), UpstreamLimits()) for name in ("gateway.example", "hub.example"))
    routes: RouteTable[Entry] = RouteTable([])
    site, peer = Site(pool, routes, Trust([])), Peer("192.0.2.1")
    first = prepared_head(head, head.forwarded, peer, site, pool, keep_id=True)
    assert prepared_head(head, head.forwarded, Peer("192.0.2.1"), site, pool, keep_id=True) is first
    others = [
        prepared_head(head, head.forwarded, peer, site, other, keep_id=True),
        prepared_head(head, head.forwarded, Peer("192.0.2.2"), site, pool, keep_id=True),
        prepared_head(head, head.forwarded, Peer("192.0.2.1", secure=True), site, pool, keep_id=True),
        prepared_head(head, head.forwarded, peer, Site(pool, routes, Trust([]), host="gateway"), pool, keep_id=True),
        prepared_head(head, head.forwarded, peer, site, pool, keep_id=True, target=b"/b"),
        prepared_head(head, head.forwarded, peer, site, pool, keep_id=True, method="PUT"),
        prepared_head(head, head.forwarded, peer, site, pool, keep_id=True, listing=True),
    ]
    assert len({made.wire for made in [first, *others]}) == 8
    assert prepared_head(head, head.forwarded, peer, site, pool, keep_id=True, upgrade=True).upgrade


def test_heads_that_differ_in_their_id_alone_are_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = list[bytes]()

    def count(head: RequestHead, *args: Any, **options: Any) -> PreparedHead:
        prepared.append(head.well_known[b"x-request-id"][0])
        return prepare(head, *args, **options)

    monkeypatch.setattr(head_cache, "prepare", count)
    limits = HeadLimits(target=100, head=1000, headers=10)
    pool = Pool(Address("gateway.example", 80), UpstreamLimits())
    routes: RouteTable[Entry] = RouteTable([])
    site, peer = Site(pool, routes, Trust([])), Peer("192.0.2.1")
    made = []
    for name in (b"one", b"two", b"six", b"ten"):
        wire = b"GET /a HTTP/1.1\r\nHost: proxy.example\r\nx-request-id: %b\r\nA: b\r\n\r\n" % name
        [head] = RequestParser(limits).feed(wire, 1, 0)
        assert isinstance(head, RequestHead)
        made.append(prepared_head(head, head.forwarded, peer, site, pool, keep_id=True))
        whole = prepare(head, head.forwarded, peer, site, pool, keep_id=True)
        for what in ("wire", "without_id", "client", "upgrade", "left_out"):
            assert getattr(made[-1], what) == getattr(whole, what)
    assert prepared == [b"one", b"two"]  # the first was read in full, and the second by what it has in common with it
    assert made[3].without_id is made[1].without_id


def test_fields_that_were_changed_for_one_request_are_not_remembered() -> None:
    head = RequestHead("OPTIONS", b"/a", (1, 1), ((b"Host", b"proxy.example"), (b"Max-Forwards", b"2")))
    head.forwarded, head.well_known = classify_fields(head.headers, REQUEST_ROLES)
    pool = Pool(Address("gateway.example", 80), UpstreamLimits())
    routes: RouteTable[Entry] = RouteTable([])
    site, peer = Site(pool, routes, Trust([])), Peer("192.0.2.1")
    fewer = [(b"Host", b"proxy.example"), (b"Max-Forwards", b"1")]
    assert b"Max-Forwards: 1\r\n" in prepared_head(head, fewer, peer, site, pool, keep_id=True).wire
    assert b"Max-Forwards: 2\r\n" in prepared_head(head, head.forwarded, peer, site, pool, keep_id=True).wire
