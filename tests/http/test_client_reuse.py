"""One client's connection through any sequence of exchanges: each is served as if it were the first.

Whatever came before (an answer given early, a body no one read, a declined upgrade, half a head), the next request
gets its own answer, and an idle connection is as it was when it was new.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statusproxy.proxy.downstream.connection import ClientConnection, ConnectionState
from tests.proxy.downstream.port import rests
from tests.proxy.harness import PATIENCE, Origin, Running, Wire, answer, get, running, until

LIMIT = 700_000

#: Sizes around all that decides how a body is held and when its client waits: one read, the room for bodies, the limit.
SIZES = [1, 1000, 65_536, 262_144, 524_288, 524_289, 600_000, LIMIT, LIMIT + 1]


@dataclass
class Step:
    """What is sent, and the statuses that must come back."""

    name: str
    wire: bytes
    statuses: tuple[int, ...]


def chunks(body: bytes, size: int) -> bytes:
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def post(size: int, *, chunked: int = 0, target: str = "/ok", fields: tuple[str, ...] = ()) -> bytes:
    """A request with a body of this size, by length or in chunks of `chunked` bytes."""
    body = b"x" * size
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    return get(target, framing, *fields, method="POST") + (chunks(body, chunked) if chunked else body)


UPGRADE = ("Connection: Upgrade", "Upgrade: echo")

sizes = st.sampled_from(SIZES)
framings = st.sampled_from([0, 0, 700, 70_000])


def taken(size: int) -> int:
    return 200 if size <= LIMIT else 413


steps = st.one_of(
    st.just(Step("get", get("/ok"), (200,))),
    st.just(Step("empty line", b"\r\n" + get("/ok"), (200,))),
    st.integers(2, 40).map(lambda n: Step(f"{n} at once", get("/ok") * n, (200,) * n)),
    st.builds(lambda n, c: Step(f"post {n} {c}", post(n, chunked=c), (taken(n),)), sizes, framings),
    st.just(Step("tiny chunks", post(3000, chunked=1), (200,))),
    st.builds(
        lambda n, c: Step(
            f"unread {n} {c}", post(n, chunked=c, fields=("Max-Forwards: 0",)).replace(b"POST", b"OPTIONS", 1), (204,)
        ),
        st.sampled_from([n for n in SIZES if n <= LIMIT]),
        framings,
    ),
    st.builds(
        lambda n, c: Step(f"tap {n} {c}", post(n, chunked=c, target="/tap"), (204 if n <= LIMIT else 413,)),
        sizes,
        framings,
    ),
    st.builds(lambda n: Step(f"early {n}", post(n, target="/early"), (413,)), sizes),
    st.just(Step("declined", get("/ok", *UPGRADE), (200,))),
    st.builds(lambda n, c: Step(f"declined {n} {c}", post(n, chunked=c, fields=UPGRADE), (taken(n),)), sizes, framings),
    st.just(
        Step(
            "declined, unread", post(5000, fields=(*UPGRADE, "Max-Forwards: 0")).replace(b"POST", b"OPTIONS", 1), (204,)
        )
    ),
    st.just(Step("broken", b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", (400,))),
    st.just(Step("broken chunks", post(10, chunked=3).replace(b"\r\n3\r\n", b"\r\nz\r\n", 1), (400,))),
    st.just(Step("last", get("/ok", "Connection: close"), (200,))),
)


class Grounds:
    """A proxy before an origin, on a loop of their own that all examples share."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.origin = Origin()
        self.origin.script = self.script
        self.stack = contextlib.AsyncExitStack()
        self.proxy: Running = self.loop.run_until_complete(self.open(folder))

    async def open(self, folder: Path) -> Running:
        await self.origin.start()
        options = {"limits": {"body": LIMIT}, "webhooks": [{"path": "/tap", "forward": False}]}
        return await self.stack.enter_async_context(running(folder, self.origin.url, **options))

    async def script(self, wire: Wire) -> None:
        """Answer `/early` before its body, anything else after it."""
        while True:
            raw = await wire.reader.readuntil(b"\r\n\r\n")
            if b" /early " in raw:
                await wire.send(answer(b"early", "Connection: close", status="413 Content Too Large"))
                await wire.reader.read()
                return
            if b"transfer-encoding: chunked" in raw.lower():
                while await wire.reader.readuntil(b"\r\n") != b"0\r\n":
                    await wire.reader.readuntil(b"\r\n")
                await wire.reader.readexactly(2)
            else:
                length = next(
                    (v for k, _, v in (p.partition(b": ") for p in raw.split(b"\r\n")) if k == b"Content-Length"), b"0"
                )
                await wire.reader.readexactly(int(length))
            await wire.send(answer(b"ok"))

    def close(self) -> None:
        self.loop.run_until_complete(self.stack.aclose())
        self.loop.run_until_complete(self.origin.stop())
        self.loop.close()


def loops() -> list[Callable[[], asyncio.AbstractEventLoop]]:
    import uvloop

    return [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture(params=loops(), ids=["asyncio", "uvloop"])
def grounds(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Grounds]:
    """The proxy, on each kind of loop."""
    grounds = Grounds(tmp_path, request.param())
    yield grounds
    grounds.close()


def assert_as_new(connection: ClientConnection) -> None:
    """Nothing of an exchange is left on an idle connection."""
    state = {
        "something unread": not rests(connection.reader),
        "a request": connection._request,
        "a tunnel": connection._receive,
        "who is told of its end": connection.gone,
        "who is told of room": connection.writable,
    }
    assert {what: left for what, left in state.items() if left} == {}
    assert connection._deadline.at is not None


@pytest.mark.slow
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=st.lists(steps, min_size=1, max_size=8), data=st.data())
def test_each_request_is_served_whatever_came_before_it(
    grounds: Grounds, sequence: list[Step], data: st.DataObject
) -> None:
    cuts = [sorted(data.draw(st.sets(st.integers(0, len(step.wire)), max_size=3))) for step in sequence]

    async def run() -> None:
        client: Wire | None = None
        clients = grounds.proxy.server.clients
        for step, at in zip(sequence, cuts, strict=True):
            if client is None:
                client = await grounds.proxy.connect()
            sending = asyncio.create_task(send(client, step.wire, at))
            closes = False
            for status in step.statuses:
                got = await client.message()
                assert got.status == status, step.name
                closes = got.get("Connection") == b"close"
            if closes:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await sending
                client.reset()
                client = None
                await until(lambda: not clients.connections and not len(clients.admission))
                continue
            await asyncio.wait_for(sending, PATIENCE)
            await until(lambda: not grounds.proxy.server.proxy.in_flight)
            [connection] = clients.connections
            assert isinstance(connection, ClientConnection)
            await until(lambda: clients.connections[0].state is ConnectionState.IDLE)
            assert_as_new(connection)
        if client is not None:
            client.reset()
        await until(lambda: not clients.connections and not len(clients.admission))
        await until(lambda: not grounds.proxy.server.proxy.site.pool.in_use)

    grounds.loop.run_until_complete(asyncio.wait_for(run(), 4 * PATIENCE))


async def send(client: Wire, wire: bytes, at: list[int]) -> None:
    """Send bytes cut at these places."""
    for a, b in itertools.pairwise([0, *at, len(wire)]):
        await client.send(wire[a:b])
        await asyncio.sleep(0)
