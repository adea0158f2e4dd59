"""A connection taken from the pool is as good as a fresh one, whatever the exchanges before it were.

Random sequences of exchanges over one pooled connection against a real gateway on loopback, on both loops.
"""

import asyncio
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from statusproxy.proxy.upstream.answer_reader import HIGH_WATER
from statusproxy.proxy.upstream.connection import UpstreamConnection
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.origin import Origin
from statusproxy.proxy.upstream.pool import Pool
from tests.proxy.blocking_gateway import BlockingGateway, Peer, blocking_gateway
from tests.proxy.harness import PATIENCE

#: Seconds for which the loop is "busy" at most while the gateway sends: a kernel with small buffers cannot take all.
BUSY = 0.05

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
if importlib.util.find_spec("uvloop") is not None:
    import uvloop

    LOOPS["uvloop"] = uvloop.new_event_loop

#: Sizes around every buffer on the way: a read (64 KiB, 256 000, 256 KiB), the high water mark, and those above it.
EDGES = (0, 1, 65_536, 256_000, 262_144, HIGH_WATER, 540_000, 655_360, 700_000, 768_000, 1_048_576, 1_078_576, 2**21)
sizes = st.one_of(
    st.sampled_from(EDGES).flatmap(lambda edge: st.integers(max(edge - 2, 0), min(edge + 2, 2**21))),
    st.integers(0, 2**21),
)


@dataclass(frozen=True)
class Plan:
    """One exchange."""

    answer: str
    """`length`, `chunked`, `tiny` (chunks of a byte), `close` (up to the connection's end), `head` (HEAD's)."""
    size: int = 2
    upload: int = 0
    chunked_upload: bool = False
    early: bool = False
    """The answer is sent before the request's body is read."""
    busy: bool = True
    """The loop is busy until the gateway has sent all it can."""
    abandoned: bool = False
    """The answer is not read to its end, as where a client has left."""

    @property
    def keeps(self) -> bool:
        """Whether the connection must be used again."""
        return not (self.answer == "close" or self.abandoned or (self.early and self.upload))


plans = st.builds(
    Plan,
    answer=st.sampled_from(["length", "length", "length", "chunked", "tiny", "close", "head"]),
    size=sizes,
    upload=st.one_of(st.just(0), st.integers(1, 300), sizes),
    chunked_upload=st.booleans(),
    early=st.booleans(),
    busy=st.booleans(),
    abandoned=st.sampled_from([False, False, False, True]),
)


def content(number: int, plan: Plan) -> bytes:
    """The body of the answer to exchange `number`: no other exchange's is like it."""
    size = min(plan.size, 3000) if plan.answer == "tiny" else plan.size
    return (b"%d," % number * (size // 2 + 1))[:size]


def speak(asked: list[Plan]) -> Callable[[Peer], None]:
    """The gateway's side of the exchanges in `asked`; a request's target is the number of its plan."""

    def serve(peer: Peer) -> None:
        while head := peer.head():
            number = int(head.split(b" ")[1][1:])
            plan = asked[number]
            body = content(number, plan)
            if not plan.early:
                assert len(peer.body(head)) == plan.upload
            if plan.answer in {"length", "head"}:
                wire = b"Content-Length: %d\r\n\r\n" % len(body) + (body if plan.answer == "length" else b"")
            elif plan.answer == "close":
                wire = b"\r\n" + body
            else:
                step = 1 if plan.answer == "tiny" else 60_000
                pieces = [body[n : n + step] for n in range(0, len(body), step)]
                chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
                wire = b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nX-Sum: %d\r\n\r\n" % number
            peer.send(b"HTTP/1.1 200 OK\r\nX-Number: %d\r\n" % number + wire)
            if plan.early:
                peer.body(head)
            if plan.answer == "close":
                return

    return serve


async def exchange(pool: Pool, gateway: BlockingGateway, number: int, plan: Plan) -> None:
    """One exchange as the handler drives it, checked."""
    gateway.burst.clear()
    connection = await pool.acquire(client="client")
    try:
        connection.begin(head_only=plan.answer == "head")
        framing = "Transfer-Encoding: chunked" if plan.chunked_upload else f"Content-Length: {plan.upload}"
        method = "HEAD" if plan.answer == "head" else "POST"
        connection.write(f"{method} /{number} HTTP/1.1\r\n{framing}\r\n\r\n".encode())
        upload = asyncio.create_task(carry(connection, plan))
        try:
            await asyncio.sleep(0)
            if plan.busy and plan.upload < 60_000:
                gateway.burst.wait(BUSY)
            head = await connection.head()
            assert (b"X-Number", b"%d" % number) in head.headers, "another exchange's answer"
            body = connection.answer.ready()
            if body is None:
                body = b""
                while piece := await connection.answer.read():
                    body += piece
                    if plan.abandoned:
                        return
            assert body == (b"" if plan.answer == "head" else content(number, plan))
            if plan.answer in {"chunked", "tiny"}:
                assert connection.answer.parser.trailers == [(b"X-Sum", b"%d" % number)]
            if not plan.early:
                await upload
        finally:
            upload.cancel()
            await asyncio.wait([upload])
    finally:
        pool.release(connection)


async def carry(connection: UpstreamConnection, plan: Plan) -> None:
    """The request's body, at the gateway's pace."""
    left = plan.upload
    while left:
        piece = bytes(min(left, 50_000))
        connection.write(b"%x\r\n%b\r\n" % (len(piece), piece) if plan.chunked_upload else piece)
        left -= len(piece)
        await connection.drain()
    connection.write(b"0\r\n\r\n" if plan.chunked_upload else b"", last=True)


def run(loop: str, asked: list[Plan]) -> None:
    """Drive `asked` over a pool of one connection, and check that it was used again where it must be."""

    async def drive(gateway: BlockingGateway) -> None:
        limits = UpstreamLimits(upstream_connections=1, reserved=0, per_client=1)
        pool = Pool(Origin("127.0.0.1", gateway.port), limits)
        try:
            for number, plan in enumerate(asked):
                before = gateway.connections
                async with asyncio.timeout(PATIENCE):
                    await exchange(pool, gateway, number, plan)
                if number and asked[number - 1].keeps:
                    assert gateway.connections == before, "it was not used again"
        finally:
            pool.abort()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    with blocking_gateway(speak(asked)) as gateway, asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(drive(gateway))


LARGE = [Plan("length", size) for size in (540_000, 2, 700_000, 300, 540_000, 700_000, 2, 655_359, 2, 1_078_576, 2)]


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(asked=st.lists(plans, min_size=2, max_size=8))
@example(asked=LARGE)
@example(asked=[Plan("length", 2, upload=2**21, early=True), Plan("length", 2)])
@example(asked=[Plan("close", 700_000), Plan("tiny", 3000), Plan("length", 2)])
@example(asked=[Plan("length", 2**21, abandoned=True), Plan("length", 2)])
def test_any_exchange_may_follow_any_other_on_one_connection(loop: str, asked: list[Plan]) -> None:
    run(loop, asked)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_body_just_above_the_high_water_mark_leaves_the_connection_reading(loop: str) -> None:
    """The everyday size that once made the next request wait for two minutes. The kernel has it all at once only when
    the connection is warm, so it is asked for again and again."""
    run(loop, LARGE * 4)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_tunnel_whose_first_bytes_came_in_a_burst_goes_on(loop: str) -> None:
    """Bytes behind the 101 that make the gateway wait are handed on, and then it must not wait any more."""
    size = 3_000_000

    def script(peer: Peer) -> None:
        while head := peer.head():
            if b"/switch" in head:
                peer.send(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + bytes(size)
                )
                return
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 700000\r\n\r\n" + bytes(700_000))

    async def drive(gateway: BlockingGateway) -> None:
        pool = Pool(Origin("127.0.0.1", gateway.port), UpstreamLimits())
        for _ in range(10):  # the kernel holds a burst for a warm connection only
            connection = await pool.acquire()
            connection.begin(head_only=False)
            connection.write(b"GET / HTTP/1.1\r\n\r\n", last=True)
            await connection.head()
            while await connection.answer.read():
                pass
            pool.release(connection)
        connection = await pool.acquire()
        connection.begin(head_only=False)
        gateway.burst.clear()
        connection.write(b"GET /switch HTTP/1.1\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        await asyncio.sleep(0)
        gateway.burst.wait(BUSY)
        assert (await connection.head()).status == 101
        got, ended = 0, asyncio.Event()

        def receive(data: bytes | None) -> None:
            nonlocal got
            got += len(data or b"")
            if data is None:
                ended.set()

        connection.tunnel(receive)
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        assert got == size
        pool.release(connection)
        await asyncio.sleep(0)

    with blocking_gateway(script) as gateway, asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(drive(gateway))
