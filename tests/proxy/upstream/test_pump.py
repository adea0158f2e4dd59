"""The rest of a body on its way to the gateway, between stand-ins for its source and the connection."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.pump import pump, stop


class Body:
    """A source that gives `pieces`, and raises what is none; `told` is all that happens, in order."""

    def __init__(self, told: list[object], *pieces: bytes | Exception, watched: bool = False) -> None:
        self.told = told
        self.pieces = list(pieces)
        self.watched = watched
        self.whole = not pieces
        self.at_read: Callable[[], None] | None = None

    async def read(self) -> bytes:
        if self.at_read is not None:
            self.at_read()
        if isinstance(self.pieces[0], Exception):
            raise self.pieces[0]
        piece = self.pieces.pop(0)
        assert isinstance(piece, bytes)
        self.whole = not self.pieces
        return piece

    async def passed(self) -> None:
        self.told.append("passed")

    async def end(self) -> None:
        self.told.append("end")


class Gateway:
    """A connection that notes what it is given."""

    def __init__(self, told: list[object]) -> None:
        self.told = told
        self.closed = self.complete = self.writing_paused = False
        self.takes = asyncio.Event()
        self.error: Exception | None = None

    def write(self, data: bytes, *, last: bool) -> None:
        if self.error is not None:
            raise self.error
        self.told.append((data, last))

    async def drain(self) -> None:
        self.told.append("drain")
        await self.takes.wait()

    def give_up(self, error: UpstreamError) -> None:
        self.told.append(str(error))
        self.closed = True


class Bench:
    """A body, the gateway, and what happened between them."""

    def __init__(self, *pieces: bytes | Exception, watched: bool = False) -> None:
        self.told: list[object] = []
        self.body = Body(self.told, *pieces, watched=watched)
        self.gateway = Gateway(self.told)

    async def pump(self, *, chunked: bool = False, patience: float | None = None) -> list[object]:
        """Carry the body; gives what happened."""
        real: Any = self.gateway
        await pump(self.body, real, chunked=chunked, patience=patience)
        return self.told


async def test_each_piece_is_written_before_the_next_is_read_and_the_last_one_is_marked() -> None:
    bench = Bench(b"one", b"two")
    bench.body.at_read = lambda: bench.told.append("read")
    assert await bench.pump() == ["read", (b"one", False), "passed", "read", (b"two", True), "passed", "end"]


async def test_the_end_of_the_chunks_goes_with_the_last_piece() -> None:
    told = await Bench(b"one", b"").pump(chunked=True)
    assert told == [(b"3\r\none\r\n", False), "passed", (b"0\r\n\r\n", True), "passed", "end"]


async def test_of_a_body_that_is_whole_nothing_is_read() -> None:
    assert await Bench().pump() == ["end"]


@pytest.mark.parametrize("how", ["closed", "complete"])
async def test_a_body_is_left_where_it_is_when_the_gateway_takes_no_more(how: str) -> None:
    bench = Bench(b"one", b"two")
    setattr(bench.gateway, how, True)
    assert await bench.pump() == []
    assert bench.body.pieces == [b"one", b"two"]


@pytest.mark.parametrize("how", ["closed", "complete"])
async def test_a_watched_body_is_read_to_its_end_all_the_same(how: str) -> None:
    bench = Bench(b"one", b"two", watched=True)
    setattr(bench.gateway, how, True)
    bench.gateway.writing_paused = True
    assert await bench.pump() == ["passed", "passed", "end"]


async def test_a_piece_is_not_written_if_the_gateway_answers_while_it_is_read() -> None:
    bench = Bench(b"one", b"two")
    bench.body.at_read = lambda: setattr(bench.gateway, "complete", True)
    assert await bench.pump() == ["passed"]


async def test_a_gateway_that_takes_no_more_is_waited_for_but_not_behind_the_last_piece() -> None:
    bench = Bench(b"one", b"two")
    bench.gateway.writing_paused = True
    task = asyncio.ensure_future(bench.pump())
    await asyncio.sleep(0)
    assert bench.told == [(b"one", False), "passed", "drain"]
    bench.gateway.takes.set()
    assert (await task)[3:] == [(b"two", True), "passed", "end"]


async def test_a_gateway_that_stops_reading_is_given_up() -> None:
    bench = Bench(b"one", b"two")
    bench.gateway.writing_paused = True
    told = await bench.pump(patience=0.0)
    assert told[3:] == ["gateway_timeout: the gateway stopped reading the request"]
    assert bench.body.pieces == [b"two"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UpstreamError("bad_request", "not a chunk"), "bad_request: not a chunk"),
        (ConnectionResetError("it has gone"), "client_gone: it has gone"),
        (OSError("of our own"), "internal"),
    ],
)
async def test_a_body_that_cannot_become_whole_gives_the_request_up(
    error: Exception, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert await Bench(b"one", error).pump() == [(b"one", False), "passed", words]
    told = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert told == ([(logging.ERROR, "a request's body could not be forwarded")] if words == "internal" else [])


async def test_a_request_whose_body_was_read_whole_is_never_given_up() -> None:
    """Its connection may serve another exchange already."""
    bench = Bench(b"all")
    bench.gateway.error = RuntimeError("of our own")
    assert await bench.pump() == []


async def test_a_stopped_pump_reads_and_writes_nothing_more() -> None:
    bench = Bench(b"one", b"two")
    bench.gateway.writing_paused = True
    real: Any = bench.gateway
    task = asyncio.create_task(pump(bench.body, real, chunked=False, patience=None))
    await asyncio.sleep(0)
    await stop(task)
    assert (task.cancelled(), bench.body.pieces) == (True, [b"two"])
    assert bench.told == [(b"one", False), "passed", "drain"]


async def test_to_stop_a_pump_that_has_ended_changes_nothing() -> None:
    bench = Bench(b"one")
    real: Any = bench.gateway
    task = asyncio.create_task(pump(bench.body, real, chunked=False, patience=None))
    await task
    await stop(task)
    assert bench.told == [(b"one", True), "passed", "end"]
