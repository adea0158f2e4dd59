"""Nothing that was cut short looks whole: how connections end, on either event loop, for client and gateway."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from statusproxy.proxy.downstream.request_body import ENOUGH
from tests.proxy.harness import PATIENCE, Origin, Running, Wire, answer, get, running, until

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n"
SWITCH = get("/socket", "Upgrade: echo", "Connection: Upgrade")
OLD = b"GET / HTTP/1.0\r\n\r\n"

Loop = Callable[[], asyncio.AbstractEventLoop]


def on(loop: Loop, main: Coroutine[Any, Any, None]) -> None:
    """Run on that kind of loop."""
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main)


@contextlib.asynccontextmanager
async def site(tmp_path: Path, **settings: Any) -> AsyncIterator[tuple[Origin, Running]]:
    """A gateway and a proxy in front of it."""
    origin = Origin()
    await origin.start()
    async with running(tmp_path, origin.url, **settings) as proxy:
        yield origin, proxy
    await origin.stop()


#: How an answer begins that then breaks off, and how its gateway does that.
BEGINNINGS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "broken chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "until the end": b"HTTP/1.1 200 OK\r\n\r\nhalf",
}


@LOOPS
@pytest.mark.parametrize("request_bytes", [get(), OLD], ids=["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("framing", BEGINNINGS)
def test_an_answer_the_gateway_breaks_off_ends_with_a_reset(
    tmp_path: Path, loop: Loop, framing: str, request_bytes: bytes
) -> None:
    async def main() -> None:
        passed = asyncio.Event()

        async def script(wire: Wire) -> None:
            await wire.head()
            await wire.send(BEGINNINGS[framing])
            await passed.wait()
            if framing == "broken chunks":
                await wire.send(b"zz\r\n")
            elif framing == "until the end":
                wire.reset()  # an end would be the end of the answer

        async with site(tmp_path) as (origin, proxy):
            origin.script = script
            client = await proxy.connect()
            await client.send(request_bytes)
            await client.head()
            passed.set()
            assert await client.ending() == "reset"

    on(loop, main())


@LOOPS
def test_an_answer_that_stalls_ends_with_a_reset(tmp_path: Path, loop: Loop) -> None:
    async def main() -> None:
        async def script(wire: Wire) -> None:
            await wire.head()
            await wire.send(BEGINNINGS["until the end"])
            await asyncio.Event().wait()

        async with site(tmp_path, timeouts={"response_body": "200ms"}) as (origin, proxy):  # only waited for
            origin.script = script
            client = await proxy.connect()
            await client.send(OLD)
            assert await client.ending() == "reset"

    on(loop, main())


@LOOPS
def test_an_answer_that_a_stop_cuts_off_ends_with_a_reset(tmp_path: Path, loop: Loop) -> None:
    async def main() -> None:
        async def script(wire: Wire) -> None:
            await wire.head()
            await wire.send(BEGINNINGS["until the end"])
            await asyncio.Event().wait()

        async with site(tmp_path, timeouts={"drain": "0s"}) as (origin, proxy):
            origin.script = script
            client = await proxy.connect()
            await client.send(OLD)
            await client.head()
            stopping = asyncio.create_task(proxy.server.stop())
            assert await client.ending() == "reset"
            await asyncio.wait_for(stopping, PATIENCE)

    on(loop, main())


@LOOPS
@pytest.mark.parametrize("request_bytes", [get(), OLD], ids=["HTTP/1.1", "HTTP/1.0"])
def test_an_answer_that_is_whole_ends_in_order(tmp_path: Path, loop: Loop, request_bytes: bytes) -> None:
    async def main() -> None:
        async def script(wire: Wire) -> None:
            await wire.head()
            await wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")

        async with site(tmp_path) as (origin, proxy):
            origin.script = script
            client = await proxy.connect()
            await client.send(request_bytes.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert (await client.message()).body.startswith(b"all of it")
            assert await client.ending() == "end"

    on(loop, main())


@LOOPS
@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get("/", "Content-Length: 100000000", method="POST") + bytes(100_000), 413),
        (get("/", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n", 400),
        (get("/", "Content-Length: 100", method="POST") + b"x", 408),
        (b"nonsense\r\n\r\n", 400),
        (get("/", "X: " + "y" * 100_000), 431),
    ],
    ids=["413", "broken chunks", "too slow", "nonsense", "431"],
)
def test_a_refusal_is_an_answer_of_its_own_and_ends_in_order(
    tmp_path: Path, loop: Loop, request_bytes: bytes, status: int
) -> None:
    """A reset would take the answer with it."""

    async def main() -> None:
        grace = "150ms" if status == 408 else "60s"  # only waited for
        settings = {"limits": {"body": "1MiB"}, "timeouts": {"min_rate_grace": grace}}
        async with site(tmp_path, **settings) as (_, proxy):
            client = await proxy.connect()
            await client.send(request_bytes)
            assert (await client.message()).status == status
            client.writer.write_eof()
            assert await client.ending() == "end"

    on(loop, main())


@LOOPS
@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("first", ["client", "gateway"])
def test_a_tunnel_passes_on_how_a_side_ended(tmp_path: Path, loop: Loop, first: str, how: str) -> None:
    async def main() -> None:
        go_on = asyncio.Event()
        gateway_saw: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def script(wire: Wire) -> None:
            await wire.head()
            await wire.send(SWITCHED)
            await go_on.wait()
            if first == "gateway" and how == "reset":
                wire.reset()
            elif first == "gateway":
                await wire.close()
            else:
                gateway_saw.set_result(await wire.ending())

        async with site(tmp_path) as (origin, proxy):
            origin.script = script
            client = await proxy.connect()
            await client.send(SWITCH)
            await client.head()
            go_on.set()
            if first == "gateway":
                assert await client.ending() == how
                await client.close()
            else:
                client.reset() if how == "reset" else client.writer.write_eof()
                assert await asyncio.wait_for(gateway_saw, PATIENCE) == how
            await until(lambda: proxy.server.proxy.in_flight == 0)

    on(loop, main())


@LOOPS
def test_a_silent_tunnel_ends_for_a_gateway_that_took_it_all_and_breaks_for_one_that_did_not(
    tmp_path: Path, loop: Loop
) -> None:
    async def main() -> None:
        for stalled, how in ((False, "end"), (True, "reset")):
            saw: asyncio.Future[str] = asyncio.get_running_loop().create_future()

            async def script(wire: Wire, stalled: bool = stalled, saw: asyncio.Future[str] = saw) -> None:
                await wire.head()
                await wire.send(SWITCHED)
                if stalled:
                    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
                    await until(lambda: proxy.server.proxy.in_flight == 0)
                    wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
                saw.set_result(await wire.ending())

            idle = {"upgrade_idle": "1s" if stalled else "300ms"}  # only waited for
            async with site(tmp_path, timeouts=idle) as (origin, proxy):
                origin.script = script
                client = await proxy.connect()
                await client.send(SWITCH)
                await client.head()
                client.writer.write(bytes(16 * 1024 * 1024 if stalled else 1024))
                assert await asyncio.wait_for(saw, PATIENCE) == how

    on(loop, main())


@LOOPS
@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_an_upload_that_its_client_breaks_off_ends_with_a_reset_for_the_gateway(
    tmp_path: Path, loop: Loop, framing: str
) -> None:
    async def main() -> None:
        begun = asyncio.Event()
        saw: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def script(wire: Wire) -> None:
            await wire.head()
            begun.set()
            saw.set_result(await wire.ending())

        async with site(tmp_path) as (origin, proxy):
            origin.script = script
            client = await proxy.connect()
            piece = bytes(ENOUGH)
            sent = b"%x\r\n%b\r\n" % (len(piece), piece) if "chunked" in framing else piece
            await client.send(get("/", framing, method="POST") + sent)
            await asyncio.wait_for(begun.wait(), PATIENCE)
            await client.close()
            assert await asyncio.wait_for(saw, PATIENCE) == "reset"

    on(loop, main())


@LOOPS
def test_a_whole_request_whose_client_has_left_ends_in_order_for_the_gateway(tmp_path: Path, loop: Loop) -> None:
    async def main() -> None:
        saw: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def script(wire: Wire) -> None:
            await origin.take(wire)
            saw.set_result(await wire.ending())

        async with site(tmp_path) as (origin, proxy):
            origin.script = script
            client = await proxy.connect()
            await client.send(get("/slow"))
            await origin.received()
            await client.close()
            assert await asyncio.wait_for(saw, PATIENCE) == "end"

    on(loop, main())


async def test_an_answer_of_which_nothing_was_passed_on_yet_is_an_error_and_no_reset(
    origin: Origin, proxy: Running
) -> None:
    origin.script = lambda wire: wire.close()
    client = await proxy.connect()
    await client.send(get())
    assert (await client.message()).status == 502
    await client.send(get())  # and the connection goes on
    assert (await client.message()).status == 502
    origin.answer = answer(b"")
