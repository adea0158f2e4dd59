"""The real peers start, answer as their own software does, and leave nothing behind."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from statusproxy.demo.express import weak_etag
from tests.peers.pattern import pattern, pattern_sha256
from tests.peers.processes import (
    FOLDER,
    PeerFailedError,
    available,
    curl,
    express_gateway,
    node_client,
    node_server,
    php_hub,
    requires,
    socketio_server,
)


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


async def ask(client: aiohttp.ClientSession, method: str, url: str, body: object = None) -> Any:
    async with client.request(method, url, json=body) as answer:
        return await answer.json()


def test_the_packages_are_pinned_and_locked_without_naming_where_they_come_from() -> None:
    wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    ours = {"@wppconnect/wa-version": "file:./wa-version"}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in dict(wanted.items() - ours.items()).values())
    locked = (FOLDER / "package-lock.json").read_text()
    assert json.loads(locked)["packages"][""]["dependencies"] == wanted
    assert re.findall(r'"resolved": "(.*)"', locked) == ["wa-version"]
    assert (FOLDER.parent / "install-peers.sh").stat().st_mode & 0o111


def test_a_missing_peer_skips_the_test_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATUSPROXY_REQUIRE_PEERS", "0")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("tests.peers.processes.available", available.__wrapped__)
    mark = requires("curl").mark
    assert mark.args == (True,)
    assert mark.kwargs["reason"] == "needs curl: bash tests/install-peers.sh"
    monkeypatch.setenv("STATUSPROXY_REQUIRE_PEERS", "1")
    assert requires("curl").mark.args == (False,)


@requires("express")
async def test_express_answers_as_the_stand_in_gateway_does(client: aiohttp.ClientSession) -> None:
    async with (
        express_gateway(SESSIONS='["sales"]') as base_url,
        client.get(f"{base_url}/API/channels/") as answer,
    ):
        body = await answer.read()
        assert body == (b'{"success":true,"channels":[{"id":"sales","name":"sales","status":"connected"}],"total":1}')
        assert answer.headers["ETag"] == weak_etag(body)
        assert answer.headers["Keep-Alive"] == "timeout=5"


@requires("express")
async def test_both_ways_to_reconnect_end_connected(client: aiohttp.ClientSession) -> None:
    async with express_gateway(STUBBORN='["support"]') as base_url:
        channels = f"{base_url}/api/channels"
        for session in ("sales", "support"):
            await ask(client, "POST", f"{base_url}/control/unlink/{session}")
            assert (await ask(client, "GET", f"{channels}/{session}"))["channel"]["status"] == "connected"
        assert (await ask(client, "GET", f"{channels}/sales/qr"))["qr"]
        assert await ask(client, "GET", f"{channels}/support/qr") == {
            "success": True,
            "qr": None,
            "status": "CONNECTED",
        }
        await ask(client, "DELETE", f"{channels}/support")
        await ask(client, "POST", channels, {"channel": "support"})
        said = [(await ask(client, "GET", f"{channels}/support/qr"))["status"] for _ in range(3)]
        assert said == ["INITIALIZING", "INITIALIZING", "QRCODE"]
        for session in ("sales", "support"):
            assert (await ask(client, "GET", f"{channels}/{session}"))["channel"]["status"] == "qr_required"
            assert (await ask(client, "POST", f"{base_url}/control/scan/{session}"))["line"] == "linked"


@requires("express")
async def test_compression_is_there_when_asked_for(client: aiohttp.ClientSession) -> None:
    async with (
        express_gateway(COMPRESSION="1") as base_url,
        client.get(f"{base_url}/api/channels", headers={"Accept-Encoding": "gzip"}) as answer,
    ):
        assert answer.headers["Content-Encoding"] == "gzip"


@requires("express")
async def test_the_echo_tells_what_arrived_byte_for_byte() -> None:
    async with express_gateway() as base_url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(base_url.rpartition(":")[2]))
        writer.write(
            b"POST /echo//a%40b?x=a+b&a= HTTP/1.1\r\nHost: h.example\r\nX-Two: 1\r\nx-two: caf\xe9\r\n"
            b"Transfer-Encoding: chunked\r\nTrailer: X-End\r\nConnection: close\r\n\r\n"
            b"5\r\nhello\r\n0\r\nX-End: yes\r\n\r\n"
        )
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()
    seen = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert seen["method"] == "POST"
    assert seen["target"] == "/echo//a%40b?x=a+b&a="
    assert seen["headers"][2:6] == ["X-Two", "1", "x-two", "café"]
    assert seen["trailers"] == ["X-End", "yes"]
    assert seen["body"] == {"bytes": 5, "sha256": hashlib.sha256(b"hello").hexdigest()}


@requires("express")
async def test_downloads_and_uploads_have_hashes_known_here(client: aiohttp.ClientSession) -> None:
    size = 300_001
    async with express_gateway() as base_url:
        async with client.get(f"{base_url}/download?bytes={size}") as answer:
            assert hashlib.sha256(await answer.read()).hexdigest() == pattern_sha256(size)
        async with client.put(f"{base_url}/upload", data=pattern(size)) as answer:
            assert await answer.json() == {"bytes": size, "sha256": pattern_sha256(size)}


@requires("express", "curl")
async def test_the_odd_answers_are_as_odd_as_promised() -> None:
    async with express_gateway() as base_url:
        _, hints = await curl("--include", f"{base_url}/early-hints")
        assert hints.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: ")
        _, plain = await curl("--include", f"{base_url}/headers")
        assert b"\r\nx-alpha: caf\xe9\r\nX-Empty:\r\nX-Alpha: second\r\n" in plain
        assert [code for code, _ in [await curl(f"{base_url}/broken/{how}") for how in _BROKEN]] == [52, 18, 18]
        _, counts = await curl(f"{base_url}/control/counts")
        assert json.loads(counts)["counts"]["GET /broken/no-answer"] == 1


_BROKEN = ("no-answer", "length", "chunked")


@requires("express")
async def test_an_upgrade_is_a_tunnel_that_echoes_until_half_closed() -> None:
    async with express_gateway() as base_url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(base_url.rpartition(":")[2]))
        writer.write(b"GET /any HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly ")
        writer.write(b"and late")
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"\r\n\r\nhello\nearly and late")


@requires("express")
async def test_nodes_client_keeps_its_connections() -> None:
    async with express_gateway() as base_url:
        seen = await node_client("keepalive-client.mjs", f"{base_url}/api/channels", 60, 3)
    assert seen["ok"] == 60
    assert (seen["connections"], seen["bodies"], seen["errors"]) == (3, 1, {})
    assert seen["reused"] == 57


@requires("socket.io")
@pytest.mark.parametrize(("way", "transport"), [("polling",) * 2, ("websocket",) * 2, ("upgrade", "websocket")])
async def test_socketio_talks_in_each_of_its_ways(way: str, transport: str) -> None:
    async with socketio_server() as base_url:
        seen = await node_client("socketio-client.mjs", base_url, way)
    assert seen == {"transport": transport, "echoed": 20, "binary": True, "ticks": True, "error": None}


@requires("express", "php")
@pytest.mark.parametrize(
    ("path", "verdict", "status", "message"),
    [
        ("/api/channels", "ok", 200, None),
        ("/ui/", "html", 200, None),
        ("/status/401", "unauthorised", 401, None),
        ("/status/204", "empty", 204, None),
        ("/api/channels/nobody", "error", 404, "Channel not found"),
        ("/static/numbers.txt", "invalid", 200, None),
        ("/slow?ms=5000", "timeout", 0, None),
    ],
)
async def test_the_hub_in_php_reads_answers_in_its_order(
    path: str, verdict: str, status: int, message: str | None
) -> None:
    async with express_gateway() as base_url:
        seen = await php_hub("GET", f"{base_url}{path}", patience=1)
    assert (seen["verdict"], seen["status"], seen["message"]) == (verdict, status, message)


@requires("node")
async def test_a_peer_that_does_not_start_is_reported_with_its_last_words() -> None:
    with pytest.raises(PeerFailedError, match="Cannot find module"):
        async with node_server("no-such-file.mjs"):
            pytest.fail("it cannot have started")


@requires("express")
async def test_a_peer_ends_with_its_block() -> None:
    before = _children()
    async with express_gateway():
        assert len(_children()) == len(before) + 1
    assert _children() == before


def _children() -> list[str]:
    """The ids of this process's children, as Linux lists them."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
