"""Fuzz: whatever bytes come from a client or a gateway, no crash, no hang, no 500, no leaked connection.

Bounded: some hundred examples for each side, the same in each run. More: `FUZZ_EXAMPLES=20000 pytest
tests/fuzz/test_fuzz.py --timeout 0`.
"""

import asyncio
import contextlib
import itertools
import logging
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.proxy.harness import OK, PATIENCE, Origin, Running, Wire, get, running, until
from tests.proxy.loop_clock import LoopClock

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "250"))

#: Parts of messages that make parsers think, to be joined in any order with any bytes between.
PARTS = [
    b"GET ", b"POST ", b"FOO ", b"CONNECT ", b"OPTIONS ", b"get ", b"/", b"/a?b", b"*", b"/api/channels",
    b"/tap", b"/watched", b"/api/channels/a/qr", b"http://a.example/", b" HTTP/1.1", b" HTTP/1.0", b" HTTP/2.0",
    b"HTTP/1.1 200 OK", b"HTTP/1.1 101 Go", b"HTTP/1.1 100 Continue", b"HTTP/1.1 103 Hints", b"HTTP/1.0 200",
    b"HTTP/1.1 204 None", b"HTTP/1.1 304 Same", b"HTTP/1.1 999 Odd", b"HTTP/1.1 000 Odd", b"\r\n", b"\r\n\r\n",
    b"\n", b"\r", b"\x00", b"\xff", b":", b" ", b"\t", b";", b"Host: a.example\r\n", b"Host:",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: -1\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n", b"Connection: close\r\n",
    b"Trailer: X\r\n", b"Connection: upgrade\r\n", b"Upgrade: websocket\r\n", b"Upgrade: h2c\r\n",
    b"Expect: 100-continue\r\n", b"X: y\r\n", b"Content-Encoding: gzip\r\n",
    b"Content-Type: application/json\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n",
    b"fffffffff\r\n", b"hello", b'{"channels":[{"id":"a","status":"connected"}]}', b"\x1f\x8b\x08",
    b"Max-Forwards: 0\r\n", b"If-None-Match: *\r\n", b"X-Request-Id: \xe9\r\n", b"Keep-Alive: timeout=0\r\n",
    b"HTTP/1.1 \r\n", b"X" * 5000,
]  # fmt: skip

part = st.one_of(st.sampled_from(PARTS), st.sampled_from(PARTS), st.binary(max_size=12))
soup = st.lists(part, max_size=14).map(b"".join)
request_head = st.builds(
    lambda method, target, lines: b"".join([method, target, b" HTTP/1.1\r\nHost: a.example\r\n", *lines, b"\r\n"]),
    st.sampled_from([b"GET ", b"POST ", b"PUT ", b"HEAD ", b"FOO ", b"OPTIONS "]),
    st.sampled_from([b"/", b"/api/channels", b"/api/channels/a", b"/api/channels/a/qr", b"/watched", b"/tap", b"*"]),
    st.lists(st.sampled_from([p for p in PARTS if p.endswith(b"\r\n") and p.count(b":") == 1]), max_size=4),
)
from_client = st.one_of(soup, st.tuples(request_head, soup).map(b"".join))
answer_head = st.builds(
    lambda start, lines: b"".join([start, b"\r\n", *lines, b"\r\n"]),
    st.sampled_from([p for p in PARTS if p.startswith(b"HTTP/1")]),
    st.lists(st.sampled_from([p for p in PARTS if p.endswith(b"\r\n") and p.count(b":") == 1]), max_size=4),
)
from_gateway = st.one_of(
    soup, st.tuples(answer_head, soup).map(b"".join), st.tuples(answer_head, answer_head).map(b"".join)
)
cuts = st.lists(st.integers(0, 400), max_size=3)

SETTINGS = {
    "webhooks": [{"path": "/watched"}, {"path": "/tap", "forward": False}],
    "timeouts": dict.fromkeys(["request_head", "request_body", "response_head", "response_body", "keep_alive"], "5s"),
}

#: Seconds on the loop's clock after which every one of these times is over.
LONGER = 6.0


def pieces(data: bytes, at: list[int]) -> list[bytes]:
    """`data` cut at the given places."""
    edges = [0, *sorted(cut for cut in at if cut < len(data)), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


class Grounds:
    """A proxy before an origin, on a loop of their own that all examples share."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = LoopClock(self.loop)
        self.origin = Origin()
        self.stack = contextlib.AsyncExitStack()
        self.proxy: Running = self.loop.run_until_complete(self.open(folder))

    async def open(self, folder: Path) -> Running:
        await self.origin.start()
        return await self.stack.enter_async_context(running(folder, self.origin.url, **SETTINGS))

    def close(self) -> None:
        self.loop.run_until_complete(self.stack.aclose())
        self.loop.run_until_complete(self.origin.stop())
        self.loop.close()

    async def rest(self, client: Wire, *, waits: bool) -> bytes:
        """What `client` gets up to the end; where someone `waits`, the times run out one after the other."""
        rest = asyncio.ensure_future(client.rest())
        for _ in range(5):
            if waits and not rest.done():
                await self.clock.move(LONGER)
        async with asyncio.timeout(PATIENCE):
            return await rest

    async def still_well(self, caplog: pytest.LogCaptureFixture) -> None:
        """Nothing is left of the example: the next client is served, nothing is under way, no trouble was logged."""
        self.origin.script, self.origin.answer = self.origin.serve, OK
        got = await self.proxy.ask(get("/well"))
        assert (got.status, got.body) == (200, b"ok")
        server = self.proxy.server
        await until(lambda: not (server.proxy.in_flight or server.clients.connections or self.pool.in_use))
        bad = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
        assert bad == []
        caplog.clear()

    @property
    def pool(self):  # type: ignore[no-untyped-def]
        return self.proxy.server.proxy.site.pool


@pytest.fixture
def grounds(tmp_path: Path):  # type: ignore[no-untyped-def]
    """The proxy that is fuzzed."""
    grounds = Grounds(tmp_path)
    yield grounds
    grounds.close()


bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.slow
@bounded
@example(data=b"POST /tap HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", at=[], stays=False)
@example(data=b"HEAD /tap HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n", at=[], stays=False)
@given(data=from_client, at=cuts, stays=st.sampled_from([False] * 9 + [True]))
def test_whatever_a_client_sends_it_is_answered_or_closed(
    grounds: Grounds, caplog: pytest.LogCaptureFixture, data: bytes, at: list[int], stays: bool
) -> None:
    async def run() -> None:
        client = await grounds.proxy.connect()
        with contextlib.suppress(ConnectionError):
            for piece in pieces(data, at):
                await client.send(piece)
                await asyncio.sleep(0)
            if not stays:
                client.writer.write_eof()
        got = await grounds.rest(client, waits=stays)
        await client.close()
        assert b"HTTP/1.1 500" not in got
        await grounds.still_well(caplog)

    grounds.loop.run_until_complete(run())


@pytest.mark.slow
@bounded
@given(
    data=from_gateway, at=cuts, ends=st.booleans(), target=st.sampled_from(["/", "/api/channels", "/api/channels/a/qr"])
)
def test_whatever_a_gateway_answers_the_client_is_answered_or_cut_off(
    grounds: Grounds, caplog: pytest.LogCaptureFixture, data: bytes, at: list[int], ends: bool, target: str
) -> None:
    async def script(wire: Wire) -> None:
        await grounds.origin.take(wire)
        for piece in pieces(data, at):
            await wire.send(piece)
            await asyncio.sleep(0)
        if not ends:
            await wire.rest()

    async def run() -> None:
        grounds.origin.script = script
        client = await grounds.proxy.connect()
        await client.send(get(target, "Connection: close"))
        got = await grounds.rest(client, waits=not ends)
        await client.close()
        assert b"HTTP/1.1 500" not in got or b"internal" not in got
        await grounds.still_well(caplog)

    grounds.loop.run_until_complete(run())
