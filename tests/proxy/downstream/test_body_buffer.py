"""A request's body between parser and reader: every byte once, errors instead of silence, and no more than fits."""

import asyncio
import sys
from collections.abc import Callable

import pytest

from statusproxy.proxy.downstream.body_buffer import NO_BODY, RequestBody


class Told:
    """A connection that notes what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def pause_body(self) -> None:
        self.said.append("wait")

    def resume_body(self) -> None:
        self.said.append("go on")


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def body(told: Told) -> RequestBody:
    return RequestBody(told, 2000, asyncio.get_running_loop())


async def test_what_was_fed_is_read_once_and_in_order(body: RequestBody) -> None:
    pieces = [b"a" * 5000, b"b", b"c", b"d" * 5000, b"e"]
    for piece in pieces:
        body.feed_data(piece)
    assert body.size == 10_003
    assert body.read_nowait() == b"".join(pieces)
    assert body.read_nowait() == b""
    body.feed_eof()
    assert await body.readany() == b""


async def test_a_reader_waits_for_the_first_byte(body: RequestBody) -> None:
    for _ in range(2):
        reading = asyncio.create_task(body.readany())
        await asyncio.sleep(0)
        assert not reading.done()
        body.feed_data(b"a")
        body.feed_data(b"b")
        assert await reading == b"ab"


async def test_the_end_wakes_a_reader(body: RequestBody) -> None:
    reading = asyncio.create_task(body.readany())
    await asyncio.sleep(0)
    body.feed_eof()
    assert await reading == b""
    assert body.is_eof()


async def test_an_error_wakes_a_reader_and_stays(body: RequestBody) -> None:
    reading = asyncio.create_task(body.readany())
    await asyncio.sleep(0)
    body.set_exception(ConnectionResetError("gone"))
    with pytest.raises(ConnectionResetError):
        await reading
    with pytest.raises(ConnectionResetError):
        body.read_nowait()
    assert not body.is_eof()


@pytest.mark.parametrize("error", [None, ConnectionResetError("gone")])
async def test_the_end_can_be_waited_for_without_reading(body: RequestBody, error: Exception | None) -> None:
    waiting = asyncio.ensure_future(body.ended())
    await asyncio.sleep(0)
    body.feed_data(b"a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    if error is None:
        body.feed_eof()
    else:
        body.set_exception(error)
    await waiting
    assert body.size == 1


async def test_a_reader_that_gave_up_leaves_the_place_to_another(body: RequestBody) -> None:
    reading = asyncio.create_task(body.readany())
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    body.feed_data(b"a")
    assert await body.readany() == b"a"


async def test_two_readers_at_once_are_an_error(body: RequestBody) -> None:
    reading = asyncio.create_task(body.readany())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        await body.readany()
    reading.cancel()


async def test_single_bytes_are_held_as_bytes_and_not_as_objects(body: RequestBody) -> None:
    for _ in range(20_000):
        body.feed_data(b"xy")
    assert sum(sys.getsizeof(piece) for piece in body._pieces) < 2 * 40_000
    assert body.read_nowait() == b"xy" * 20_000


async def test_the_client_waits_while_too_much_is_held(told: Told, body: RequestBody) -> None:
    body.feed_data(b"x" * 2000)
    assert told.said == []
    body.feed_data(b"x")
    body.feed_data(b"x")
    assert told.said == ["wait"]
    body.read_nowait()
    assert told.said == ["wait", "go on"]


async def test_a_body_that_nobody_wants_gives_its_room_back(told: Told, body: RequestBody) -> None:
    body.feed_data(b"x" * 3000)
    body.feed_eof()
    body.discard()
    body.discard()
    assert told.said == ["wait", "go on"]
    assert (body.size, body.full) == (0, False)


async def test_a_request_without_a_body_has_an_empty_one_that_nothing_changes() -> None:
    changes: list[Callable[[], None]] = [lambda: None, lambda: NO_BODY.set_exception(ValueError()), NO_BODY.discard]
    for change in changes:
        change()
        assert (NO_BODY.is_eof(), NO_BODY.size, NO_BODY.full) == (True, 0, False)
        assert (NO_BODY.read_nowait(), await NO_BODY.readany()) == (b"", b"")
