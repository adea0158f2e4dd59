"""A proxy in front that leaves out what is needed shows by what it does send; programs that ask directly do not."""

from __future__ import annotations

import asyncio
import logging
from ipaddress import ip_network
from pathlib import Path

import pytest

from statusproxy.proxy.client_address import Peer, Trust
from statusproxy.proxy.front_proxy import left_out
from statusproxy.proxy.http1.head_reader import HeadLimits
from statusproxy.proxy.http1.request_parser import RequestHead, RequestParser
from tests.peers.nginx import nginx
from tests.peers.processes import requires
from tests.proxy.harness import Origin, Running, Wire, get, running

PUBLIC = "wa.example.com"


def raw(target: str, *fields: str, version: str = "1.1", host: str = "127.0.0.1:8090", method: str = "GET") -> bytes:
    lines = [f"{method} {target} HTTP/{version}", f"Host: {host}", *fields, "Content-Length: 2"]
    return ("\r\n".join(lines) + "\r\n\r\n{}").encode()


def missing(proxy: Running) -> dict[str, tuple[int, int]]:
    """What was missing, how often, and how often in webhooks."""
    return {one.missing: (one.count, one.webhooks) for one in proxy.server.registry.absences.report()}


#: What docs/nginx.md has a site write, as far as it matters here.
WHOLE = """
proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
"""

HANDSHAKE = ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


TRUST = Trust([ip_network("127.0.0.0/8")])
PROXY = Peer("127.0.0.1")


def head_of(request: bytes) -> RequestHead:
    """The head as it is read."""
    (first, *_) = RequestParser(HeadLimits(target=1024, head=8192, headers=20)).feed(request, 1, 1)
    assert isinstance(first, RequestHead)
    return first


def found(request: bytes, peer: Peer = PROXY, *, at_web_port: bool = False) -> tuple[str, ...]:
    """What a proxy in front has left out of a request."""
    return left_out(head_of(request), peer, TRUST, at_web_port=at_web_port)


def in_order(*fields: str, method: str = "POST") -> bytes:
    """A request with these fields only, and a body of two bytes."""
    return ("\r\n".join([f"{method} / HTTP/1.1", *fields]) + "\r\n\r\n{}").encode()


@pytest.mark.parametrize(
    "request_bytes",
    [
        raw("/", "X-Forwarded-Proto: https"),
        raw("/", "X-Forwarded-Host: wa.example.com"),
        raw("/", "X-Forwarded-Port: 443"),
        raw("/", "Via: 1.1 edge"),
        raw("/", "User-Agent: hub/1", version="1.0"),
        raw("/", host=PUBLIC),
        raw("/", host=f"{PUBLIC}:443"),
        raw("/", host=f"{PUBLIC}:80"),
        raw("/", host=f"{PUBLIC.upper()}."),
        # nginx writes its own fields first: `Host`, `Connection`, the body's length, then the client's
        raw("/", "Connection: close", "User-Agent: hub/1"),
        raw("/", "Connection: Close", "User-Agent: hub/1"),
        in_order("Host: a", "Content-Length: 2", "User-Agent: hub/1"),
        in_order("Host: a", "Transfer-Encoding: chunked", "User-Agent: hub/1"),
        in_order("Host: a", "Content-Length: 2", "X: y", "User-Agent: hub/1", "Connection: keep-alive"),
        in_order("Connection: close", "Host: a", "User-Agent: hub/1", "Content-Length: 2"),
    ],
)
def test_a_request_that_somebody_passed_on_without_naming_the_client_is_noticed(request_bytes: bytes) -> None:
    assert found(request_bytes) == ("client",)


@pytest.mark.parametrize(
    "request_bytes",
    [
        raw("/"),
        raw("/", "User-Agent: engine/1"),
        raw("/", "User-Agent: engine/1", "Connection: close"),
        raw("/", "Connection: close"),  # a script names no one
        raw("/", "Connection: keep-alive", "User-Agent: browser/1"),
        raw("/", "Connection: Upgrade", "User-Agent: browser/1"),
        in_order("Content-Length: 2", "Connection: close", "User-Agent: hub/1", "Host: a"),
        in_order("HOST: a", "Content-Length: 2", "User-Agent: hub/1"),
        raw("/", version="1.0"),  # a health check names no one
        raw("/", host="statusproxy:8090"),
        raw("/", host="statusproxy"),
        raw("/", host=""),
        in_order("Content-Length: 2", method="GET").replace(b"HTTP/1.1", b"HTTP/1.0"),
        raw("/", host=f"{PUBLIC}:8090"),
        raw("/", host="192.168.0.7"),
        raw("/", host="[::1]"),
        raw("/", host="[::ffff:192.0.2.1]:80"),
        raw("/", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", host=PUBLIC),
        raw("/", "X-Real-IP: 203.0.113.9", "User-Agent: hub/1", version="1.0", host=PUBLIC),
        raw("/", "Forwarded: for=203.0.113.9", host=PUBLIC),
        raw("/", "Upgrade: websocket", "Connection: Upgrade", *HANDSHAKE),
    ],
)
def test_a_program_that_asks_directly_and_a_proxy_that_names_the_client_are_not(request_bytes: bytes) -> None:
    assert found(request_bytes) == ()


@pytest.mark.parametrize(
    "name",
    [
        *("wa.alt", "wa.example", "wa.home.arpa", "wa.internal", "wa.invalid", "wa.lan", "wa.local", "wa.localdomain"),
        *("wa.localhost", "wa.test", "WA.Local.", "wa.internal:80", "wa.internal.:80"),
    ],
)
def test_a_name_given_inside_a_network_is_asked_for_directly(name: str) -> None:
    assert found(raw("/", host=name)) == ()


def test_where_we_listen_at_a_web_port_ourselves_a_public_name_says_nothing() -> None:
    assert found(raw("/", host=PUBLIC), at_web_port=True) == ()
    assert found(raw("/", "Via: 1.1 edge", host=PUBLIC), at_web_port=True) == ("client",)


def test_a_peer_that_is_not_trusted_counts_as_the_client_and_hides_nobody() -> None:
    assert found(raw("/", "X-Forwarded-Proto: https", host=PUBLIC), Peer("203.0.113.9")) == ()


def test_a_handshake_without_upgrade_is_noticed() -> None:
    assert found(raw("/ws", *HANDSHAKE)) == ("upgrade",)
    assert found(raw("/ws", "Connection: close", *HANDSHAKE)) == ("upgrade",)
    assert found(raw("/ws", "Via: 1.1 edge", *HANDSHAKE)) == ("client", "upgrade")


async def test_a_head_that_comes_again_is_counted_again(tmp_path: Path, origin: Origin) -> None:
    async with running(tmp_path, origin.url) as proxy:
        for _ in range(3):
            await proxy.ask(raw("/", "Via: 1.1 edge"))
        assert missing(proxy) == {"client": (3, 0)}


@pytest.mark.parametrize("tap", [False, True])
async def test_webhooks_among_them_are_counted_also_of_a_tap(tap: bool, tmp_path: Path, origin: Origin) -> None:
    webhooks = [{"path": "/in", "forward": not tap}]
    async with running(tmp_path, origin.url, webhooks=webhooks) as proxy:
        await proxy.ask(raw("/in", method="POST", host=PUBLIC))
        assert missing(proxy) == {"client": (1, 1)}


@requires("nginx")
@pytest.mark.parametrize(
    ("directives", "shown"),
    [
        ("", {"client", "upgrade"}),
        ("proxy_http_version 1.1;", {"client", "upgrade"}),
        ('proxy_http_version 1.1; proxy_set_header Connection "";', {"upgrade"}),  # nothing tells of it without a body
        ("proxy_set_header X-Forwarded-Proto $scheme;", {"client", "upgrade"}),
        ("proxy_set_header Host $host; proxy_http_version 1.1;", {"client", "upgrade"}),
        ("proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;", {"upgrade"}),
        ("proxy_set_header X-Real-IP $remote_addr;", {"upgrade"}),
        (WHOLE, set()),
    ],
)
async def test_what_a_real_nginx_leaves_out_shows(
    directives: str, shown: set[str], tmp_path: Path, origin: Origin
) -> None:
    async with (
        running(tmp_path, origin.url) as proxy,
        nginx(tmp_path / "nginx", proxy.url, directives) as port,
    ):
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
        lines = ["GET /ws HTTP/1.1", f"Host: {PUBLIC}", "User-Agent: hub/1", "Upgrade: websocket", *HANDSHAKE]
        await wire.send("\r\n".join([*lines, "Connection: Upgrade", "", ""]).encode())
        await wire.message()
        await wire.close()
        assert set(missing(proxy)) == shown


@requires("nginx")
@pytest.mark.parametrize("connection", ["", 'proxy_set_header Connection "";', "proxy_set_header Connection close;"])
async def test_an_event_that_a_real_nginx_passes_on_shows(connection: str, tmp_path: Path, origin: Origin) -> None:
    async with (
        running(tmp_path, origin.url, webhooks=[{"path": "/in"}]) as proxy,
        nginx(tmp_path / "nginx", proxy.url, f"proxy_http_version 1.1; {connection}") as port,
    ):
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
        await wire.send(raw("/in", "User-Agent: curl/8", "Accept: */*", host=PUBLIC, method="POST"))
        await wire.message()
        await wire.close()
        assert missing(proxy) == {"client": (1, 1)}


async def test_it_is_logged_once_an_hour_for_each_peer(
    tmp_path: Path, origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path, origin.url) as proxy:
        for _ in range(5):
            await proxy.ask(get("/", "X-Forwarded-Proto: https"))
        lines = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert [record.getMessage().partition(" (")[0] for record in lines] == [
            "127.0.0.1 passes requests on without the client's address"
        ]
