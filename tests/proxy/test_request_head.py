"""What the next hop is sent before the body: request line, fields, who asks."""

from ipaddress import ip_network
from typing import Any

import pytest

from statusproxy.proxy.client_address import Peer, Trust
from statusproxy.proxy.http1.head import REQUEST_ROLES, Header, classify_fields
from statusproxy.proxy.http1.request_parser import RequestHead
from statusproxy.proxy.request_head import PreparedHead, prepare
from statusproxy.proxy.routes import RouteTable
from statusproxy.proxy.site import Entry, Site
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.origin import Origin
from statusproxy.proxy.upstream.pool import Pool

GATEWAY = Pool(Origin("gateway.example", 3000), UpstreamLimits())
HUB = Pool(Origin("hub.example", 80, base_path=b"/base"), UpstreamLimits())
NGINX = Peer("10.0.0.1")
HOST: Header = (b"Host", b"proxy.example")


def prepared(
    *headers: Header,
    target: bytes = b"/a?b",
    method: str = "GET",
    version: tuple[int, int] = (1, 1),
    peer: Peer = NGINX,
    pool: Pool = GATEWAY,
    chunked: bool = False,
    host: Any = "preserve",
    keep_id: bool = True,
    **settings: Any,
) -> PreparedHead:
    """The head for the next hop of a request with these fields."""
    head = RequestHead(method, target, version, headers)
    head.forwarded, head.well_known = classify_fields(headers, REQUEST_ROLES)
    head.chunked = chunked
    routes: RouteTable[Entry] = RouteTable([])
    site = Site(GATEWAY, routes, Trust([ip_network("10.0.0.0/8")]), host=host)
    return prepare(head, head.forwarded, peer, site, pool, keep_id=keep_id, **settings)


def fields(head: PreparedHead) -> dict[bytes, bytes]:
    """The fields, by name."""
    lines = head.wire.split(b"\r\n")[1:-1]
    return {name: value for name, _, value in (line.partition(b": ") for line in lines)}


def line(head: PreparedHead) -> bytes:
    """The request line."""
    return head.wire.partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("method", "target", "written"),
    [
        ("GET", b"/a%2Fb?c=d&c", b"GET /a%2Fb?c=d&c HTTP/1.1"),
        ("GET", b"http://a.example/b?c", b"GET /b?c HTTP/1.1"),
        ("GET", b"http://a.example", b"GET / HTTP/1.1"),
        ("GET", b"http://a.example?c", b"GET /?c HTTP/1.1"),
        ("OPTIONS", b"*", b"OPTIONS * HTTP/1.1"),
        ("OPTIONS", b"http://a.example", b"OPTIONS * HTTP/1.1"),
        ("OPTIONS", b"http://a.example/", b"OPTIONS / HTTP/1.1"),
    ],
)
def test_the_request_line_has_path_and_query_as_they_came(method: str, target: bytes, written: bytes) -> None:
    assert line(prepared(HOST, method=method, target=target)) == written


def test_method_and_target_may_be_replaced() -> None:
    assert line(prepared(HOST, method="HEAD", target=b"/a")) == b"HEAD /a HTTP/1.1"
    head = RequestHead("HEAD", b"/a", (1, 1), (HOST,))
    head.forwarded, head.well_known = classify_fields(head.headers, REQUEST_ROLES)
    routes: RouteTable[Entry] = RouteTable([])
    made = prepare(
        head, head.forwarded, NGINX, Site(GATEWAY, routes, Trust([])), HUB, keep_id=True, method="GET", target=b"/in?x"
    )
    assert line(made) == b"GET /base/in?x HTTP/1.1"


def test_a_target_without_a_path_has_no_base_path() -> None:
    assert line(prepared(HOST, method="OPTIONS", target=b"*", pool=HUB)) == b"OPTIONS * HTTP/1.1"


@pytest.mark.parametrize(
    ("headers", "target", "host", "pool", "told"),
    [
        ([HOST], b"/", "preserve", GATEWAY, b"proxy.example"),
        ([HOST], b"/", "gateway", GATEWAY, b"gateway.example:3000"),
        ([HOST], b"/", "preserve", HUB, b"hub.example"),
        ([HOST], b"http://a.example/", "preserve", GATEWAY, b"a.example"),
        ([], b"/", "preserve", GATEWAY, b"gateway.example:3000"),
    ],
    ids=["preserved", "the gateway's", "another receiver's", "of the absolute form", "none came"],
)
def test_the_host_that_the_next_hop_is_told(
    headers: list[Header], target: bytes, host: str, pool: Pool, told: bytes
) -> None:
    made = prepared(*headers, target=target, host=host, pool=pool)
    assert fields(made)[b"Host"] == told
    assert made.wire.lower().count(b"\r\nhost: ") == 1


def test_who_asks_is_told_and_known() -> None:
    made = prepared(HOST, peer=Peer("203.0.113.9"))
    assert (fields(made)[b"X-Forwarded-For"], made.client) == (b"203.0.113.9", "203.0.113.9")
    made = prepared(HOST, (b"X-Forwarded-For", b"198.51.100.7"))
    assert (fields(made)[b"X-Forwarded-For"], made.client) == (b"198.51.100.7, 10.0.0.1", "198.51.100.7")


def test_this_hop_adds_itself_to_via() -> None:
    assert fields(prepared(HOST, (b"Via", b"1.1 other"), version=(1, 0)))[b"Via"] == b"1.1 other, 1.0 statusproxy"


def test_http_1_0_cannot_expect() -> None:
    expect = (b"Expect", b"100-continue")
    assert b"Expect" not in fields(prepared(HOST, expect, version=(1, 0)))
    assert fields(prepared(HOST, expect))[b"Expect"] == b"100-continue"


def test_chunks_go_on_as_chunks() -> None:
    assert fields(prepared(HOST, chunked=True))[b"Transfer-Encoding"] == b"chunked"


def test_an_upgrade_goes_on_only_where_it_is_wanted() -> None:
    asks = [HOST, (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    made = prepared(*asks, upgrade=True)
    assert (fields(made)[b"Upgrade"], fields(made)[b"Connection"], made.upgrade) == (b"websocket", b"Upgrade", True)
    made = prepared(*asks)
    assert (b"Upgrade" in fields(made), made.upgrade) == (False, False)


def test_a_list_is_asked_for_whole_and_uncoded() -> None:
    asks = [HOST, (b"If-None-Match", b'"a"'), (b"Accept-Encoding", b"gzip"), (b"Range", b"bytes=0-1")]
    made = fields(prepared(*asks, listing=True))
    assert made[b"Accept-Encoding"] == b"identity"
    assert not {b"If-None-Match", b"Range"} & set(made)
    made = fields(prepared(*asks))
    assert [made[name] for name, _ in asks[1:]] == [value for _, value in asks[1:]]


def test_an_id_that_may_be_kept_is_all_that_sets_two_requests_apart() -> None:
    one, other = (prepared(HOST, (b"x-request-id", name), (b"A", b"1")) for name in (b"one", b"two"))
    assert fields(one)[b"x-request-id"] == b"one"
    assert one.wire != other.wire
    assert one.without_id == other.without_id == prepared(HOST, (b"A", b"1")).wire


@pytest.mark.parametrize("name", [b"X-Request-Id", b"x-request-id"])
def test_a_head_that_differs_in_its_id_alone_is_made_of_the_one_before(name: bytes) -> None:
    one, other = (
        prepared(HOST, (name, value), (b"Via", b"1.1 nginx"), (b"A", b"one"), upgrade=True)
        for value in (b"one", b"two")
    )
    made = one.with_id(b"two")
    assert made.wire == other.wire
    assert made.without_id == other.without_id
    assert (made.client, made.upgrade, made.left_out) == (other.client, other.upgrade, other.left_out)


def test_a_head_without_an_id_of_its_own_has_no_place_for_one() -> None:
    assert prepared(HOST).around_id is None
    assert prepared(HOST, (b"X-Request-Id", b"two words"), keep_id=False).around_id is None


def test_an_id_that_may_not_be_kept_does_not_go_on() -> None:
    made = prepared(HOST, (b"X-Request-Id", b"two words"), keep_id=False)
    assert b"X-Request-Id" not in fields(made)
    assert made.wire == made.without_id == prepared(HOST).wire


def test_what_a_proxy_in_front_left_out_is_noted() -> None:
    assert prepared(HOST, (b"Via", b"1.1 nginx")).left_out == ("client",)
    assert prepared(HOST, peer=Peer("203.0.113.9")).left_out == ()
