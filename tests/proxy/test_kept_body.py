"""A body that is here already, on its way to the next hop."""

import asyncio
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from statusproxy.proxy.http1.framing import chunk
from statusproxy.proxy.kept_body import PIECE, KeptBody
from statusproxy.proxy.upstream.connection import UpstreamConnection
from statusproxy.proxy.upstream.errors import UpstreamError
from tests.proxy.harness import until
from tests.proxy.open_files import open_below


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """The threads that read."""
    with ThreadPoolExecutor(2) as threads:
        yield threads


class Receiver:
    """A connection's side that a body is carried to."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closed = self.complete = self.request_done = self.writing_paused = False
        self.given_up: list[str] = []
        self.goes_on = asyncio.Event()

    def write(self, data: bytes, *, last: bool = False) -> None:
        self.pieces.append(data)
        self.request_done = last

    async def drain(self) -> None:
        await self.goes_on.wait()

    def give_up(self, error: UpstreamError) -> None:
        self.given_up.append(str(error))
        self.closed = True


def carry(body: KeptBody) -> Receiver:
    """Have a body carried to a receiver."""
    receiver = Receiver()
    body.carry(cast(UpstreamConnection, receiver))
    return receiver


def kept(body: bytes | Path, threads: ThreadPoolExecutor, **options: Any) -> KeptBody:
    """A body without chunks and without patience for a slow receiver."""
    return KeptBody(body, **{"framed": False, "executor": threads, "patience": None, **options})


@pytest.mark.parametrize(
    ("body", "framed", "wire"),
    [(b"abc", False, b"abc"), (b"abc", True, b"3\r\nabc\r\n0\r\n\r\n"), (b"", True, b"0\r\n\r\n"), (b"", False, b"")],
)
async def test_a_body_in_memory_goes_with_the_head(
    threads: ThreadPoolExecutor, body: bytes, framed: bool, wire: bytes
) -> None:
    sent = kept(body, threads, framed=framed)
    assert (sent.whole, sent.unread) == (False, False)
    assert await sent.begin() == wire
    assert sent.whole
    await sent.end()
    await sent.stop()


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 3 * PIECE])
async def test_a_file_goes_in_pieces(threads: ThreadPoolExecutor, tmp_path: Path, framed: bool, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "body").write_bytes(data)
    sent = kept(tmp_path / "body", threads, framed=framed)
    wire = [await sent.begin()]
    if not sent.whole:
        receiver = carry(sent)
        await until(lambda: receiver.request_done)
        wire += receiver.pieces
    await sent.stop()
    pieces = [data[at : at + PIECE] for at in range(0, size, PIECE)] or [b""]
    if framed:
        assert b"".join(wire) == b"".join(chunk(piece) for piece in pieces if piece) + b"0\r\n\r\n"
    else:
        assert wire == pieces


async def test_the_file_is_closed(threads: ThreadPoolExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[int] = []
    monkeypatch.setattr(os, "close", closed.append)
    (tmp_path / "body").write_bytes(b"abc")
    sent = kept(tmp_path / "body", threads)
    await sent.begin()
    file = sent._file
    await sent.stop()
    await sent.stop()
    monkeypatch.undo()
    assert closed == [file]
    assert file is not None
    os.close(file)


async def test_a_file_that_is_missing_is_an_error_before_anything_is_sent(
    threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    sent = kept(tmp_path / "body", threads)
    with pytest.raises(FileNotFoundError):
        await sent.begin()
    await sent.stop()


async def test_a_link_is_not_followed(threads: ThreadPoolExecutor, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"abc")
    (tmp_path / "body").symlink_to("other")
    with pytest.raises(OSError, match="symbolic"):
        await kept(tmp_path / "body", threads).begin()


async def test_a_file_cut_short_gives_the_request_up(threads: ThreadPoolExecutor, tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(bytes(3 * PIECE))
    sent = kept(path, threads)
    await sent.begin()
    os.truncate(path, PIECE)
    receiver = carry(sent)
    await until(lambda: bool(receiver.given_up))
    assert receiver.given_up == ["internal: the body could not be read"]
    assert not receiver.request_done
    await sent.stop()


@pytest.mark.parametrize("over", ["closed", "complete"])
async def test_nothing_more_is_sent_once_the_receiver_has_answered_or_is_lost(
    threads: ThreadPoolExecutor, tmp_path: Path, over: str
) -> None:
    (tmp_path / "body").write_bytes(bytes(3 * PIECE))
    sent = kept(tmp_path / "body", threads)
    await sent.begin()
    receiver = Receiver()
    setattr(receiver, over, True)
    sent.carry(cast(UpstreamConnection, receiver))
    assert sent._pump is not None
    await asyncio.wait([sent._pump])
    assert (receiver.pieces, receiver.request_done) == ([], False)
    await sent.stop()


async def test_the_receiver_sets_the_pace(threads: ThreadPoolExecutor, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(bytes(3 * PIECE))
    sent = kept(tmp_path / "body", threads)
    await sent.begin()
    receiver = Receiver()
    receiver.writing_paused = True
    sent.carry(cast(UpstreamConnection, receiver))
    await until(lambda: len(receiver.pieces) == 1)
    await asyncio.wrap_future(threads.submit(int))
    assert len(receiver.pieces) == 1
    receiver.goes_on.set()
    await until(lambda: receiver.request_done)
    await sent.stop()


async def test_a_receiver_that_stops_reading_is_given_up(threads: ThreadPoolExecutor, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(bytes(3 * PIECE))
    sent = kept(tmp_path / "body", threads, patience=0.0)
    await sent.begin()
    receiver = Receiver()
    receiver.writing_paused = True
    sent.carry(cast(UpstreamConnection, receiver))
    await until(lambda: bool(receiver.given_up))
    assert receiver.given_up == ["gateway_timeout: the gateway stopped reading the request"]
    await sent.stop()


@pytest.mark.parametrize("call", ["open", "read"])
async def test_a_file_is_closed_only_when_its_thread_is_done_with_it(
    threads: ThreadPoolExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    (tmp_path / "body").write_bytes(bytes(3 * PIECE))
    begun, go_on, closed = threading.Event(), threading.Event(), threading.Event()
    real, close = getattr(os, call), os.close

    def slow(*arguments: Any) -> object:
        begun.set()
        go_on.wait()
        return real(*arguments)

    def closing(file: int) -> None:
        close(file)
        assert go_on.is_set()
        closed.set()

    monkeypatch.setattr(os, call, slow)
    sent = kept(tmp_path / "body", threads)
    beginning = asyncio.ensure_future(sent.begin())
    await until(begun.is_set)
    monkeypatch.setattr(os, "close", closing)
    beginning.cancel()
    await asyncio.wait([beginning])
    await sent.stop()
    assert not closed.is_set()
    go_on.set()
    await until(closed.is_set)


async def test_stopping_ends_the_carrying(threads: ThreadPoolExecutor, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(bytes(3 * PIECE))
    sent = kept(tmp_path / "body", threads)
    await sent.begin()
    receiver = Receiver()
    receiver.writing_paused = True
    sent.carry(cast(UpstreamConnection, receiver))
    await until(lambda: len(receiver.pieces) == 1)
    await sent.stop()
    receiver.goes_on.set()
    await asyncio.wrap_future(threads.submit(int))
    assert (len(receiver.pieces), receiver.given_up) == (1, [])


async def test_a_body_that_is_here_is_read_for_its_receiver_alone(threads: ThreadPoolExecutor) -> None:
    sent = kept(b"abc", threads)
    assert (sent.unread, sent.watched) == (False, False)


@pytest.mark.parametrize("there", [True, False])
async def test_a_request_cancelled_while_its_file_is_opened_ends_as_cancelled_and_logs_nothing(
    threads: ThreadPoolExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    there: bool,
) -> None:  # fmt: skip
    if there:
        (tmp_path / "body").write_bytes(b"abc")
    begun, go_on, real = threading.Event(), threading.Event(), os.open

    def slow(*arguments: Any) -> int:
        begun.set()
        go_on.wait()
        return real(*arguments)

    monkeypatch.setattr(os, "open", slow)
    beginning = asyncio.ensure_future(kept(tmp_path / "body", threads).begin())
    await until(begun.is_set)
    beginning.cancel()
    await asyncio.wait([beginning])
    go_on.set()
    await asyncio.wrap_future(threads.submit(int))
    threads.shutdown()
    for _ in range(10):  # the results of the threads are told to the loop in its next turns
        await asyncio.sleep(0)
    assert (beginning.cancelled(), open_below(tmp_path), caplog.messages) == (True, [], [])
