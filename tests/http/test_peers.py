"""Peers that no one here wrote, before and behind the proxy."""

import asyncio
import contextlib
import gzip
import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from tests.peers.pattern import pattern, pattern_sha256
from tests.peers.processes import (
    FOLDER,
    curl,
    express_gateway,
    node_client,
    php_hub,
    program,
    requires,
    run,
    socketio_server,
)
from tests.proxy.harness import PATIENCE, Origin, Running, answer, get, running, until

pytestmark = pytest.mark.slow

LOST = b'{"event":"status-find","session":"sales","status":"browserClose"}'


@asynccontextmanager
async def before_express(tmp_path: Path, **environment: str) -> AsyncIterator[Running]:
    """A proxy in front of a real Express gateway."""
    async with express_gateway(**environment) as url, running(tmp_path, url) as proxy:
        yield proxy


# ---- websockets ----


@asynccontextmanager
async def websocket_echo(tmp_path: Path) -> AsyncIterator[Running]:
    """A proxy in front of the `websockets` library's server, which sends every message back."""

    async def handler(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(handler, "127.0.0.1", 0, max_size=2**27) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with running(tmp_path, f"http://127.0.0.1:{port}") as proxy:
            yield proxy


async def test_websockets_speak_through_the_proxy(tmp_path: Path) -> None:
    async with websocket_echo(tmp_path) as proxy, connect(f"ws://{proxy.host}:{proxy.port}/socket") as client:
        for message in ("hello", "é€😀", b"\x00\xff", ""):
            await client.send(message)
            assert await client.recv() == message
        await asyncio.wait_for(await client.ping(), PATIENCE)
        await client.close(4000, "enough")
    assert (client.close_code, client.close_reason) == (4000, "enough")


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_a_websocket_frame_of_64_megabytes_comes_back(tmp_path: Path, compression: Any) -> None:
    frame = os.urandom(1024) * (64 * 1024)
    async with (
        websocket_echo(tmp_path) as proxy,
        connect(f"ws://{proxy.host}:{proxy.port}/", max_size=2**27, compression=compression) as client,
    ):
        await client.send(frame)
        got = await asyncio.wait_for(client.recv(), 60)
        assert hashlib.sha256(got if isinstance(got, bytes) else b"").digest() == hashlib.sha256(frame).digest()


async def test_a_websocket_the_gateway_refuses_is_refused_with_its_own_words(tmp_path: Path) -> None:
    async def handler(connection: ServerConnection) -> None: ...

    async def refuse(connection: ServerConnection, _: Any) -> Any:
        return connection.respond(403, "not today\n")

    async with serve(handler, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with running(tmp_path, f"http://127.0.0.1:{port}") as proxy:
            with pytest.raises(websockets.InvalidStatus) as refused:
                await connect(f"ws://{proxy.host}:{proxy.port}/")
    assert (refused.value.response.status_code, refused.value.response.body) == (403, b"not today\n")


async def test_a_websocket_server_that_closes_first_is_heard_out(tmp_path: Path) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send("last words")
        await connection.close(1001, "going")

    async with serve(handler, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with (
            running(tmp_path, f"http://127.0.0.1:{port}") as proxy,
            connect(f"ws://{proxy.host}:{proxy.port}/") as client,
        ):
            assert await client.recv() == "last words"
            with pytest.raises(websockets.ConnectionClosedOK):
                await client.recv()
            assert client.close_code == 1001


@requires("socket.io")
@pytest.mark.parametrize("way", ["polling", "websocket", "upgrade"])
async def test_socket_io_speaks_through_the_proxy(tmp_path: Path, way: str) -> None:
    async with socketio_server() as url, running(tmp_path, url) as proxy:
        seen = await node_client("socketio-client.mjs", proxy.url, way, 20)
    wanted = "websocket" if way == "upgrade" else way
    assert seen == {"transport": wanted, "echoed": 20, "binary": True, "ticks": True, "error": None}


# ---- curl ----


@requires("curl")
async def test_curl_in_http_1_0_gets_a_body_that_ends_with_the_connection(origin: Origin, proxy: Running) -> None:
    origin.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    code, output = await curl("--http1.0", "--include", proxy.url)
    assert code == 0
    head, _, body = output.partition(b"\r\n\r\n")
    assert body == b"hello"
    assert b"transfer-encoding" not in head.lower()


@requires("curl")
async def test_curl_reads_our_chunks_as_they_are(origin: Origin, proxy: Running) -> None:
    origin.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    assert await curl("--raw", proxy.url) == (0, b"5\r\nhello\r\n0\r\n\r\n")


@requires("curl")
async def test_curl_asks_again_on_the_same_connection(origin: Origin, proxy: Running) -> None:
    code, output, trouble = await run((program("curl"), "-sv", f"{proxy.url}/one", f"{proxy.url}/two"))
    assert (code, output) == (0, b"okok")
    assert b"Re-using existing connection" in trouble


@requires("curl", "express")
@pytest.mark.parametrize("chunked", [False, True])
async def test_curl_uploads_a_file_whole(tmp_path: Path, chunked: bool) -> None:
    size = 20_000_000
    file = tmp_path / "upload"
    file.write_bytes(pattern(size))
    how = ["-H", "Transfer-Encoding: chunked"] if chunked else []
    async with before_express(tmp_path) as proxy:
        code, output = await curl("-T", str(file), *how, f"{proxy.url}/upload")
    assert (code, json.loads(output)) == (0, {"bytes": size, "sha256": pattern_sha256(size)})


@requires("curl", "express")
async def test_curl_uploads_its_standard_input_in_chunks(tmp_path: Path) -> None:
    size = 5_000_000
    file = tmp_path / "upload"
    file.write_bytes(pattern(size))
    async with before_express(tmp_path) as proxy:
        command = f"cat {file} | {program('curl')} -s -T - {proxy.url}/upload"
        code, output, _ = await run(("sh", "-c", command))
    assert (code, json.loads(output)) == (0, {"bytes": size, "sha256": pattern_sha256(size)})


@requires("curl", "express")
async def test_curl_that_waits_for_permission_gets_it_from_the_gateway(tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_bytes(pattern(2_000_000))
    patience = ["--http1.1", "--expect100-timeout", "60", "-H", "Expect: 100-continue"]
    async with before_express(tmp_path) as proxy:
        command = (program("curl"), "-sv", *patience, "-T", str(file), f"{proxy.url}/upload")
        code, output, trouble = await run(command, within=30)
    assert (code, json.loads(output)["sha256"]) == (0, pattern_sha256(2_000_000))
    assert b"HTTP/1.1 100 Continue" in trouble


@requires("curl", "express")
async def test_curl_hears_an_early_no_while_it_uploads(tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_bytes(bytes(20_000_000))
    async with before_express(tmp_path) as proxy:
        _, output, _ = await run(
            (program("curl"), "-s", "-w", "%{http_code}", "-H", "Expect:", "-T", str(file), f"{proxy.url}/early-413")
        )
    assert output == b'{"success":false,"error":"request entity too large"}413'


@requires("curl", "express")
async def test_curl_goes_on_with_a_broken_download(tmp_path: Path) -> None:
    whole = (FOLDER / "static" / "numbers.txt").read_bytes()
    file = tmp_path / "numbers.txt"
    file.write_bytes(whole[:1000])
    async with before_express(tmp_path) as proxy:
        target = await static_target(proxy)
        code, _ = await curl("-C", "-", "-o", str(file), f"{proxy.url}{target}")
    assert code == 0
    assert file.read_bytes() == whole


@requires("curl", "express")
@pytest.mark.parametrize("broken", ["length", "chunked"])
async def test_curl_notices_an_answer_that_the_gateway_broke_off(tmp_path: Path, broken: str) -> None:
    async with before_express(tmp_path) as proxy:
        code, _ = await curl(f"{proxy.url}/broken/{broken}")
    assert code in {18, 56}  # a partial file, or a failure to receive


@requires("curl", "express")
async def test_curl_downloads_a_hundred_megabytes_whole(tmp_path: Path) -> None:
    size = 100_000_000
    async with before_express(tmp_path) as proxy:
        for query in ("", "&chunked"):
            command = f"{program('curl')} -s '{proxy.url}/download?bytes={size}{query}' | sha256sum"
            _, output, _ = await run(("sh", "-c", command))
            assert output.split()[0].decode() == pattern_sha256(size)


# ---- Node, PHP ----


@requires("node")
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nodes_keep_alive_agent_reuses_its_connections(origin: Origin, proxy: Running, method: str) -> None:
    seen = await node_client("keepalive-client.mjs", proxy.url, 400, 4, 0, method)
    assert (seen["ok"], seen["errors"], seen["bodies"]) == (400, {}, 1)
    assert (seen["connections"], seen["reused"]) == (4, 396)
    assert origin.connections <= 4


@requires("express")
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_request_is_lost_to_a_node_gateway_that_closes_idle_connections(tmp_path: Path, method: str) -> None:
    """The requests after the pause come just when Node closes what it has kept for them."""
    async with before_express(tmp_path, KEEP_ALIVE_MS="2000") as proxy:
        seen = await node_client("keepalive-client.mjs", f"{proxy.url}/echo", 48, 4, 2000, method)
    assert (seen["ok"], seen["errors"]) == (48, {})


@requires("php", "express")
async def test_the_hub_reads_the_truth_with_phps_curl(tmp_path: Path) -> None:
    async with before_express(tmp_path) as proxy:
        before = await php_hub("GET", f"{proxy.url}/api/channels")
        await proxy.ask(get("/v1/webhooks/receive", "Content-Type: application/json", method="POST", body=LOST))
        after = await php_hub("GET", f"{proxy.url}/api/channels")
    assert (before["verdict"], after["verdict"]) == ("ok", "ok")
    assert statuses(before["document"])["sales"] == "connected"
    assert statuses(after["document"]) == {**statuses(before["document"]), "sales": "disconnected"}


def statuses(document: Any) -> dict[str, str]:
    """The list's statuses by id."""
    return {channel["id"]: channel["status"] for channel in document["channels"]}


@requires("php")
async def test_the_hub_understands_that_the_gateway_is_down(origin: Origin, proxy: Running) -> None:
    await origin.stop()
    seen = await php_hub("GET", f"{proxy.url}/api/channels")
    assert (seen["verdict"], seen["status"]) == ("error", 502)
    assert isinstance(seen["message"], str)
    assert seen["request_id"].startswith("php-")


@requires("php")
async def test_the_hub_gets_an_answer_to_a_send_untouched(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b'{"success":true,"id":"false_550000@c.us_ABC"}', "Content-Type: application/json")
    seen = await php_hub("POST", f"{proxy.url}/api/messages", '{"text":"olá"}', secret="made-up")
    assert (seen["verdict"], seen["document"]["id"]) == ("ok", "false_550000@c.us_ABC")
    assert origin.requests[0].body == '{"text":"olá"}'.encode()
    assert origin.requests[0].get("X-Gateway-Secret") == b"made-up"


# ---- Express ----


async def static_target(proxy: Running) -> str:
    """Where serve-static has its file of numbers."""
    for target in ("/static/numbers.txt", "/numbers.txt", "/ui/numbers.txt"):
        if (await proxy.ask(get(target))).status == 200:
            return target
    raise AssertionError("the gateway serves no numbers.txt")


@requires("express")
async def test_ranges_of_serve_static_pass(tmp_path: Path) -> None:
    whole = (FOLDER / "static" / "numbers.txt").read_bytes()
    async with before_express(tmp_path) as proxy:
        target = await static_target(proxy)
        part = await proxy.ask(get(target, "Range: bytes=10-19"))
        assert (part.status, part.body) == (206, whole[10:20])
        assert part.get("Content-Range") == b"bytes 10-19/%d" % len(whole)
        parts = await proxy.ask(get(target, "Range: bytes=0-1,5-6"))
        assert parts.status in {200, 206}
        beyond = await proxy.ask(get(target, f"Range: bytes={len(whole)}-"))
        assert beyond.status == 416
        tag = (part.get("ETag") or b"").decode()
        known = await proxy.ask(get(target, f"If-None-Match: {tag}"))
        assert (known.status, known.body) == (304, b"")
        other = await proxy.ask(get(target, "Range: bytes=10-19", 'If-Range: "other"'))
        assert (other.status, other.body) == (200, whole)


@requires("express")
async def test_what_compression_compressed_passes_compressed(tmp_path: Path) -> None:
    async with before_express(tmp_path, COMPRESSION="1") as proxy:
        got = await proxy.ask(get("/echo", "Accept-Encoding: gzip"))
        assert got.get("Content-Encoding") == b"gzip"
        assert json.loads(gzip.decompress(got.body))["target"] == "/echo"


@requires("express")
async def test_a_list_behind_compression_is_corrected(tmp_path: Path) -> None:
    async with before_express(tmp_path, COMPRESSION="1") as proxy:
        await proxy.ask(get("/v1/webhooks/receive", "Content-Type: application/json", method="POST", body=LOST))
        got = await proxy.ask(get("/api/channels", "Accept-Encoding: gzip"))
        assert statuses(json.loads(got.body))["sales"] == "disconnected"


@requires("express")
@pytest.mark.parametrize("environment", [{}, {"COMPRESSION": "1"}])
async def test_events_of_an_express_route_arrive_one_by_one(tmp_path: Path, environment: dict[str, str]) -> None:
    async with before_express(tmp_path, **environment) as proxy:
        client = await proxy.connect()
        await client.send(get("/events?count=100&interval_ms=1000"))  # over long after this test has
        head = await client.head()
        assert head.get("Content-Type") == b"text/event-stream"
        async with asyncio.timeout(PATIENCE):
            for number in range(2):
                await client.reader.readuntil(b"id: %d\n" % number)
                await client.reader.readuntil(b"\n\n")
        client.reset()


@requires("express")
async def test_early_hints_and_trailers_of_node_pass(tmp_path: Path) -> None:
    async with before_express(tmp_path) as proxy:
        client = await proxy.connect()
        await client.send(get("/early-hints"))
        hints = await client.head()
        assert (hints.status, hints.get("Link")) == (103, b"</style.css>; rel=preload; as=style")
        assert (await client.message()).status == 200
        await client.send(get("/trailers", "TE: trailers"))
        got = await client.message()
        assert (got.body, got.trailers) == (b"hello world", [(b"X-Checksum", b"abc123")])


@requires("express")
async def test_an_upgrade_that_is_no_websocket_passes_to_node_and_back(tmp_path: Path) -> None:
    async with before_express(tmp_path) as proxy:
        client = await proxy.connect()
        await client.send(get("/", "Upgrade: echo", "Connection: Upgrade"))
        assert (await client.head()).status == 101
        await client.send(b"there and back")
        client.writer.write_eof()
        assert await client.rest() == b"hello\nthere and back"
        refused = await proxy.ask(get("/", "Upgrade: unheard-of", "Connection: Upgrade"))
        assert refused.status == 426


@requires("express")
async def test_node_hears_at_once_that_a_client_left(tmp_path: Path) -> None:
    async with before_express(tmp_path) as proxy:
        client = await proxy.connect()
        await client.send(get("/events?count=1000&interval_ms=20"))
        await client.head()
        client.reset()
        counts: dict[str, dict[str, int]] = {}

        async def is_heard() -> bool:
            counts.update(json.loads((await proxy.ask(get("/control/counts"))).body))
            return bool(counts["aborted"].get("/events"))

        await until(is_heard)
    with contextlib.suppress(KeyError):
        assert counts["counts"]["GET /events"] == 1
