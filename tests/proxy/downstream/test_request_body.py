"""A request's body: no place is taken before it flows, its pace is watched, and what a watched one says is not lost."""

import asyncio
import json
from pathlib import Path

import pytest

from statusproxy.proxy.downstream.request_body import ENOUGH, LAST_CHUNK, chunk
from tests.proxy.harness import OK, PATIENCE, Message, Origin, Running, Wire, answer, get, running, until

WEBHOOK = "/v1/webhooks/receive"
LOST = b'{"event":"status-find","session":"sales","status":"browserClose"}'

#: Kept by a peer on loopback for as long as it sends at all, and lost as soon as it stops.
BRISK = {"limits": {"min_rate": "1MiB"}, "timeouts": {"min_rate_grace": "150ms"}}


def in_use(proxy: Running) -> int:
    """Places at the gateway that are taken."""
    return proxy.server.proxy.site.pool.in_use


def lost(proxy: Running) -> list[str]:
    """The sessions that the proxy shows as disconnected."""
    return [record.session for record in proxy.server.registry.records() if record.override is not None]


def code(message: Message) -> tuple[int, str]:
    """Status and code of an answer of the proxy's own."""
    return message.status, json.loads(message.body)["error_code"]


def posted(path: str = "/", *fields: str) -> bytes:
    """The head of a POST."""
    return get(path, *fields, method="POST")


@pytest.mark.parametrize("framing", ["Content-Length: 65536", "Content-Length: 10000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", ["/", WEBHOOK])
async def test_half_sent_requests_take_no_place_from_others(
    origin: Origin, tmp_path: Path, framing: str, path: str
) -> None:
    async with running(tmp_path, origin.url, limits={"upstream_connections": 1}) as proxy:
        for _ in range(5):
            client = await proxy.connect()
            await client.send(posted(path, framing) + (b"" if "chunked" in framing else b"x"))
        await until(lambda: proxy.server.proxy.in_flight == 5)
        assert in_use(proxy) == 0
        assert (await proxy.ask(get())).status == 200
        assert (await proxy.ask(posted(WEBHOOK, f"Content-Length: {len(LOST)}") + LOST)).status == 200
    assert [request.target for request in origin.requests] == [b"/", WEBHOOK.encode()]


@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
async def test_a_small_body_that_comes_in_pieces_goes_on_in_one_write(
    origin: Origin, proxy: Running, framing: str
) -> None:
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(wire: Wire) -> None:
        got.set_result(await wire.reader.read(2**20))
        await wire.send(OK)

    origin.script = script
    client = await proxy.connect()
    frame = chunk if "chunked" in framing else bytes
    await client.send(posted("/", framing) + frame(b"first"))
    await until(lambda: proxy.server.proxy.in_flight == 1)
    await client.send(frame(b"other") + (LAST_CHUNK if "chunked" in framing else b""))
    assert (await client.message()).status == 200
    whole = chunk(b"firstother") + LAST_CHUNK if "chunked" in framing else b"firstother"
    assert got.result().endswith(b"\r\n\r\n" + whole)


async def test_a_stream_of_small_chunks_flows_piece_by_piece(origin: Origin, proxy: Running) -> None:
    """It goes on once a piece has waited for a moment; nothing waits for the end."""
    arrived = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        assert await wire.reader.readexactly(8) == b"3\r\none\r\n"
        arrived.set()
        assert await wire.reader.readexactly(8) == b"3\r\ntwo\r\n"
        arrived.set()
        await wire.reader.readexactly(5)
        await wire.send(OK)

    origin.script = script
    client = await proxy.connect()
    await client.send(posted("/", "Transfer-Encoding: chunked"))
    for piece in (b"one", b"two"):
        arrived.clear()
        await client.send(chunk(piece))
        await asyncio.wait_for(arrived.wait(), PATIENCE)
    await client.send(LAST_CHUNK)
    assert (await client.message()).status == 200


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", ["/", WEBHOOK])
async def test_a_client_that_leaves_before_its_body_is_there_has_sent_the_gateway_nothing(
    origin: Origin, proxy: Running, framing: str, path: str
) -> None:
    client = await proxy.connect()
    await client.send(posted(path, framing) + (b"1\r\n" if "chunked" in framing else b"x"))
    await until(lambda: proxy.server.proxy.in_flight == 1)
    client.reset()
    await until(lambda: proxy.server.proxy.in_flight == 0)
    assert (await proxy.ask(get())).status == 200
    assert [request.target for request in origin.requests] == [b"/"]


async def test_a_body_whose_framing_breaks_early_is_a_400_of_which_the_gateway_hears_nothing(
    origin: Origin, proxy: Running
) -> None:
    client = await proxy.connect()
    await client.send(posted("/", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
    await until(lambda: proxy.server.proxy.in_flight == 1)
    await client.send(b"zz\r\n")
    assert code(await client.message()) == (400, "bad_request")
    assert origin.connections == 0


async def test_the_limit_holds_for_chunks_that_came_whole_with_their_head(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url, limits={"body": "1k"}) as proxy:
        got = await proxy.ask(posted("/", "Transfer-Encoding: chunked") + chunk(b"x" * 1025) + LAST_CHUNK)
        assert code(got) == (413, "body_too_large")
    assert origin.connections == 0


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
async def test_a_body_below_the_minimum_rate_is_a_408_of_which_the_gateway_hears_nothing(
    origin: Origin, tmp_path: Path, framing: str
) -> None:
    async with running(tmp_path, origin.url, timeouts={"min_rate_grace": "150ms"}) as proxy:
        client = await proxy.connect()
        await client.send(posted("/", framing) + (b"1\r\n" if "chunked" in framing else b"x"))
        got = await client.message()
        assert code(got) == (408, "request_body_incomplete")
        assert got.get("Connection") == b"close"
    assert origin.connections == 0


@pytest.mark.parametrize("framing", ["Content-Length: 3000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("with_the_head", [True, False])
async def test_what_came_with_the_head_counts_for_the_rate_as_well(
    origin: Origin, tmp_path: Path, framing: str, with_the_head: bool
) -> None:
    part = b"x" * 1500 if "Length" in framing else chunk(b"x" * 1500)
    rest = b"x" * 1500 if "Length" in framing else chunk(b"x" * 1500) + LAST_CHUNK
    settings = {"limits": {"min_rate": 1000}, "timeouts": {"min_rate_grace": "1ms"}}
    async with running(tmp_path, origin.url, **settings) as proxy:
        client = await proxy.connect()
        if with_the_head:
            await client.send(posted("/", framing) + part)
        else:
            await client.send(posted("/", framing))
            await client.send(part)
        # 1 500 bytes pay for 1.5 s; without them it would be over after a millisecond.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.read(1), 0.5)
        await client.send(rest)
        assert (await client.message()).status == 200


async def test_an_upload_that_stops_in_the_middle_gives_its_place_back(origin: Origin, tmp_path: Path) -> None:
    how: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def script(wire: Wire) -> None:
        await wire.head()
        how.set_result(await wire.ending())

    origin.script = script
    async with running(tmp_path, origin.url, **BRISK) as proxy:
        client = await proxy.connect()
        await client.send(posted("/", "Content-Length: 1000000") + bytes(ENOUGH))
        assert code(await client.message()) == (408, "request_body_too_slow")
        await until(lambda: in_use(proxy) == 0)
        assert await how == "reset"  # half a request must not look like a whole one


async def test_without_a_minimum_rate_only_silence_is_limited(origin: Origin, tmp_path: Path) -> None:
    settings = {"limits": {"min_rate": None}, "timeouts": {"min_rate_grace": "1ms"}}
    async with running(tmp_path, origin.url, **settings) as proxy:
        client = await proxy.connect()
        await client.send(posted("/", "Content-Length: 2") + b"a")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.read(1), 0.3)
        await client.send(b"b")
        assert (await client.message()).status == 200


async def test_a_reload_changes_the_minimum_rate_for_requests_from_then_on(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url) as proxy:
        file = tmp_path / "config.yaml"
        file.write_text(file.read_text() + "timeouts: {min_rate_grace: 100ms}\n")
        assert proxy.server.reload()
        client = await proxy.connect()
        await client.send(posted("/", "Content-Length: 2") + b"a")
        assert code(await client.message()) == (408, "request_body_incomplete")


async def test_a_gateway_that_takes_its_time_is_not_held_against_the_client(origin: Origin, tmp_path: Path) -> None:
    """While the gateway does not read we hold the client back, for longer than it may be slow itself."""
    size = 32 * 1024 * 1024

    async def script(wire: Wire) -> None:
        await wire.head()
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.6)  # four times the grace
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        left = size
        while left:
            left -= len(await wire.reader.read(2**20))
        await asyncio.sleep(0.6)  # nor is the time it takes to answer
        await wire.send(answer(b"all"))

    origin.script = script
    async with running(tmp_path, origin.url, **BRISK) as proxy:
        client = await proxy.connect()
        await client.send(posted("/", f"Content-Length: {size}") + bytes(size))
        assert (await client.message()).body == b"all"


async def test_a_permission_that_comes_late_is_not_held_against_the_client(origin: Origin, tmp_path: Path) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await asyncio.sleep(0.6)
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await wire.reader.readexactly(3)
        await wire.send(OK)

    origin.script = script
    async with running(tmp_path, origin.url, **BRISK) as proxy:
        client = await proxy.connect()
        await client.send(posted("/", "Content-Length: 3", "Expect: 100-continue"))
        assert (await client.head()).status == 100
        await client.send(b"abc")
        assert (await client.message()).status == 200


async def test_a_client_that_holds_its_permission_loses_its_place(origin: Origin, tmp_path: Path) -> None:
    how: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        how.set_result(await wire.ending())

    origin.script = script
    async with running(tmp_path, origin.url, **BRISK) as proxy:
        client = await proxy.connect()
        await client.send(posted("/", "Content-Length: 3", "Expect: 100-continue"))
        assert (await client.head()).status == 100
        assert code(await client.message()) == (408, "request_body_too_slow")
        assert await how == "reset"


# ---- a watched body is heard whatever becomes of it ----


def sized(size: int) -> bytes:
    """An event of about that size that says that a session is lost."""
    return LOST[:-1] + b',"media":"' + b"A" * size + b'"}'


async def send_event(client: Wire, body: bytes, framing: str) -> Message:
    """Send an event framed so; give the answer."""
    if framing == "chunked":
        await client.send(posted(WEBHOOK, "Transfer-Encoding: chunked") + chunk(body) + LAST_CHUNK)
    elif framing == "expect":
        await client.send(posted(WEBHOOK, f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert (await client.head()).status == 100
        await client.send(body)
    else:
        await client.send(posted(WEBHOOK, f"Content-Length: {len(body)}") + body)
    return await client.message()


FRAMINGS = ["length", "chunked", "expect"]


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_an_event_counts_whose_gateway_stalls_in_its_middle(origin: Origin, tmp_path: Path, framing: str) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        if framing == "expect":
            await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    origin.script = script
    async with running(tmp_path, origin.url, timeouts={"response_body": "300ms"}) as proxy:
        got = await send_event(await proxy.connect(), sized(12_000_000), framing)
        assert code(got) == (504, "gateway_timeout")
        assert lost(proxy) == ["sales"]


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_an_event_counts_whose_gateway_breaks_off_in_its_middle(
    origin: Origin, proxy: Running, framing: str
) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        if framing == "expect":
            await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await wire.reader.readexactly(1000)
        wire.reset()

    origin.script = script
    got = await send_event(await proxy.connect(), sized(12_000_000), framing)
    assert code(got) == (502, "gateway_closed")
    assert lost(proxy) == ["sales"]


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_an_event_counts_whose_gateway_answers_in_its_middle_and_reads_no_more(
    origin: Origin, proxy: Running, framing: str
) -> None:
    """Its answer is passed on though the gateway never takes the rest, nor ends the connection."""

    async def script(wire: Wire) -> None:
        await wire.head()
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.2)  # until what we can send is under way
        await wire.send(answer(b"no", status="413 Content Too Large"))
        await asyncio.Event().wait()

    origin.script = script
    got = await send_event(await proxy.connect(), sized(12_000_000), framing)
    assert (got.status, got.body) == (413, b"no")
    assert lost(proxy) == ["sales"]


async def test_an_event_counts_whose_gateway_hangs_up_before_it_gave_its_permission(
    origin: Origin, proxy: Running
) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()

    origin.script = script
    got = await send_event(await proxy.connect(), sized(100_000), "expect")
    assert code(got) == (502, "gateway_closed")
    assert lost(proxy) == ["sales"]


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_an_event_counts_whose_gateway_is_away(origin: Origin, proxy: Running, framing: str) -> None:
    await origin.stop()
    got = await send_event(await proxy.connect(), sized(100_000), framing)
    assert code(got) == (502, "gateway_unreachable")
    assert lost(proxy) == ["sales"]


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_an_event_counts_for_which_no_place_is_free(origin: Origin, tmp_path: Path, framing: str) -> None:
    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await asyncio.Event().wait()

    origin.script = script
    limits = {"limits": {"upstream_connections": 1}, "timeouts": {"connect": "200ms"}}
    async with running(tmp_path, origin.url, **limits) as proxy:
        busy = await proxy.connect()
        await busy.send(get("/busy"))
        await origin.received()
        got = await send_event(await proxy.connect(), sized(100_000), framing)
        assert code(got) == (503, "overloaded")
        assert lost(proxy) == ["sales"]


async def test_half_an_event_says_nothing_however_slowly_it_came(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url, timeouts={"min_rate_grace": "150ms"}) as proxy:
        client = await proxy.connect()
        await client.send(posted(WEBHOOK, f"Content-Length: {len(LOST) + 1}") + LOST)
        assert code(await client.message()) == (408, "request_body_incomplete")
        assert lost(proxy) == []


async def test_an_error_of_the_observer_costs_no_request_its_connection(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither while the body is on its way, nor behind its last byte, where another exchange may have it already."""

    async def broken() -> None:
        raise RuntimeError("an error of the observer's own")

    monkeypatch.setattr("statusproxy.proxy.body_copy.BodyCopy.catch_up", lambda _: broken())
    client = await proxy.connect()
    await client.send(posted(WEBHOOK, "Content-Length: 200000") + bytes(ENOUGH))
    await until(lambda: origin.connections == 1)
    await client.send(bytes(ENOUGH))
    await client.send(bytes(200_000 - 2 * ENOUGH))
    assert (await client.message()).status == 200
    assert (await proxy.ask(get("/next"))).status == 200
    assert (origin.connections, len(origin.requests[0].body)) == (1, 200_000)
