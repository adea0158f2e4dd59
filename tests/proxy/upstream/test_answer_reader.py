"""An answer on its way in: who waits for it, what is held of it, and when it is given up."""

import asyncio
import errno
from collections.abc import Callable

import pytest

from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.http1.response_parser import CHUNKS_AT_ONCE
from statusproxy.proxy.upstream.answer_reader import HIGH_WATER, AnswerReader
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.limits import UpstreamLimits

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
RESET = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")


class Told:
    """What a reader told the others."""

    def __init__(self) -> None:
        self.taken = 0
        self.interim: list[int] = []

    def take(self) -> None:
        self.taken += 1

    def inform(self, head: ResponseHead) -> None:
        self.interim.append(head.status)


def reader(
    told: Told | None = None, *, informational: Callable[[ResponseHead], None] | None = None, **limits: float | None
) -> AnswerReader:
    return AnswerReader(
        asyncio.get_running_loop(),
        UpstreamLimits(**limits),  # type: ignore[arg-type]
        False,
        informational,
        (told or Told()).take,
    )


async def waiting(task: "asyncio.Task[object]", answer: AnswerReader) -> None:
    """Let `task` come to where it waits for the answer."""
    while not answer.waited_for:
        assert not task.done()
        await asyncio.sleep(0)


async def test_a_head_is_waited_for() -> None:
    answer = reader()
    task = asyncio.create_task(answer.head())
    await waiting(task, answer)
    answer.feed(LENGTH[:20])
    await waiting(task, answer)
    assert not task.done()
    answer.feed(LENGTH[20:])
    assert (await task).status == 200
    assert (answer.answered, answer.waited_for) == (True, False)


@pytest.mark.parametrize(("more", "good"), [(0, True), (1, False)])
async def test_an_answers_head_may_be_twice_as_large_as_a_requests(more: int, good: bool) -> None:
    answer = reader(head=100)
    head, end = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ", b"\r\n\r\n"
    answer.feed(head + b"x" * (200 - len(head) - len(end) + more) + end)
    assert (answer.error is None) is good


async def test_a_body_is_read_as_it_comes_up_to_its_end() -> None:
    told = Told()
    answer = reader(told)
    answer.feed(LENGTH + b"ab")
    assert await answer.read() == b"ab"
    task = asyncio.create_task(answer.read())
    await waiting(task, answer)
    answer.feed(b"cd")
    assert await task == b"cd"
    assert told.taken == 2
    assert await answer.read() == b""
    assert told.taken == 2


async def test_pieces_that_come_before_the_reader_has_its_turn_are_read_together() -> None:
    answer = reader()
    task = asyncio.create_task(answer.read())
    await waiting(task, answer)
    for piece in (LENGTH, b"ab", b"cd"):
        answer.feed(piece)
    answer.wake()
    assert await task == b"abcd"


async def test_the_rest_of_a_body_is_ready_once_all_of_it_is_here() -> None:
    answer = reader()
    answer.feed(LENGTH + b"ab")
    assert (answer.ready(), answer.complete) == (None, False)
    answer.feed(b"cd")
    assert (answer.ready(), answer.complete) == (b"abcd", True)


async def test_interim_answers_are_handed_over_as_they_come() -> None:
    told = Told()
    answer = reader(informational=told.inform)
    answer.feed(b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\n\r\n")
    assert told.interim == [102, 103]
    answer.feed(b"HTTP/1.1 100 C\r\n\r\nHTTP/9\r\n\r\n")
    assert told.interim == [102, 103, 100]
    assert answer.error is not None


async def test_interim_answers_that_nobody_wants_are_dropped() -> None:
    answer = reader()
    answer.feed(b"HTTP/1.1 102 P\r\n\r\n" + LENGTH)
    assert (await answer.head()).status == 200


async def test_what_is_no_answer_fails_the_exchange_and_whoever_waits_learns_it() -> None:
    answer = reader()
    task = asyncio.create_task(answer.head())
    await waiting(task, answer)
    answer.feed(b"SSH-2.0\r\n\r\n")
    with pytest.raises(UpstreamError) as failed:
        await task
    assert (failed.value.code, failed.value.answered) == ("gateway_bad_answer", True)


async def test_what_came_before_a_failure_is_read_first() -> None:
    answer = reader()
    answer.feed(CHUNKED + b"2\r\nab\r\nx\r\n")
    assert answer.ready() is None
    assert await answer.read() == b"ab"
    with pytest.raises(UpstreamError, match="an invalid chunk size"):
        await answer.read()


async def test_who_waits_learns_of_a_failure_and_the_first_counts() -> None:
    answer = reader()
    task = asyncio.create_task(answer.head())
    await waiting(task, answer)
    answer.fail(UpstreamError("client_gone"))
    answer.fail(UpstreamError("gateway_timeout"))
    await asyncio.sleep(0)
    assert task.done()
    with pytest.raises(UpstreamError, match="client_gone"):
        await task


async def test_nothing_fails_behind_a_whole_answer() -> None:
    answer = reader()
    answer.feed(LENGTH + b"abcd")
    answer.fail(UpstreamError("client_gone"))
    assert (answer.error, answer.ready()) == (None, b"abcd")


async def test_chunks_that_are_too_much_for_one_turn_are_read_in_several() -> None:
    answer = reader()
    answer.feed(CHUNKED + b"1\r\nx\r\n" * (CHUNKS_AT_ONCE + 1) + b"1\r\ny!")
    assert (answer.parser.pending, answer.congested) == (True, True)
    task = asyncio.create_task(answer.read())
    assert await task == b"x" * CHUNKS_AT_ONCE
    task = asyncio.create_task(answer.read())
    await waiting(task, answer)
    answer.go_on()
    assert await task == b"xy"
    with pytest.raises(UpstreamError, match="no line end"):
        await answer.read()


async def test_who_waits_is_woken_by_the_next_turn_of_reading() -> None:
    answer = reader()
    answer.feed(CHUNKED + b"1\r\nx\r\n" * (CHUNKS_AT_ONCE + 1))
    assert await answer.read() == b"x" * CHUNKS_AT_ONCE
    task = asyncio.create_task(answer.read())
    await waiting(task, answer)
    answer.go_on()
    await asyncio.sleep(0)
    assert (task.done(), await task) == (True, b"x")


async def test_the_gateway_has_to_wait_while_much_is_held_and_never_once_the_answer_is_whole() -> None:
    answer = reader()
    answer.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * HIGH_WATER))
    seen = []
    for size in (HIGH_WATER - 64, 1, HIGH_WATER + 63):
        answer.feed(bytes(size))
        seen.append((answer.complete, answer.congested))
    assert seen == [(False, False), (False, True), (True, False)]


async def test_an_answer_is_overdue_by_the_time_for_what_is_waited_for() -> None:
    answer, now = reader(response_head=10.0, response_body=20.0), asyncio.get_running_loop().time
    assert not answer.overdue(now() + 99, request_done=True), "nobody waits"
    task = asyncio.create_task(answer.head())
    await waiting(task, answer)
    assert not answer.overdue(now() + 9, request_done=True)
    assert answer.overdue(now() + 11, request_done=True)
    answer.feed(LENGTH)
    await task
    assert not answer.overdue(now() + 99, request_done=True), "nobody waits any more"
    body = asyncio.create_task(answer.read())
    await waiting(body, answer)
    assert not answer.overdue(now() + 19, request_done=False)
    assert answer.overdue(now() + 21, request_done=False), "the request's own limits end with the head"
    answer.feed(b"abcd")
    await body


async def test_the_time_for_a_head_begins_anew_while_the_request_is_on_its_way() -> None:
    answer, now = reader(response_head=10.0), asyncio.get_running_loop().time()
    task = asyncio.create_task(answer.head())
    await waiting(task, answer)
    assert not answer.overdue(now + 11, request_done=False)
    assert not answer.overdue(now + 20, request_done=True)
    assert answer.overdue(now + 21, request_done=True)
    answer.feed(LENGTH)
    await task


async def test_without_a_limit_nothing_is_overdue() -> None:
    answer = reader(response_head=None)
    task = asyncio.create_task(answer.head())
    await waiting(task, answer)
    assert not answer.overdue(asyncio.get_running_loop().time() + 1e9, request_done=True)
    answer.feed(LENGTH)
    await task


@pytest.mark.parametrize(
    ("came", "lost_by", "told"),
    [
        (b"", None, ("gateway_closed", "gateway_closed", False)),
        (LENGTH[:9], None, ("gateway_closed", "gateway_closed", True)),
        (LENGTH + b"ab", None, ("gateway_bad_answer", "gateway_bad_answer", True)),
        (
            b"HTTP/1.1 200 OK\r\n\r\nab",
            RESET,
            ("gateway_bad_answer", "gateway_bad_answer: the other side closed the connection", True),
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nab", None, None),
        (LENGTH + b"abcd", RESET, None),
    ],
)
async def test_the_end_of_the_connection_is_the_end_of_an_answer_that_has_no_other(
    came: bytes, lost_by: Exception | None, told: tuple[str, str, bool] | None
) -> None:
    whole, answer = Told(), reader()
    answer.whole = whole.take
    if came:
        answer.feed(came)
    answer.finish(lost_by)
    error = answer.error
    assert ((error.code, str(error), error.answered) if error is not None else None) == told
    assert (answer.complete, whole.taken) == (told is None, int(told is None))


async def test_who_waits_for_a_body_up_to_the_connection_s_end_learns_of_it() -> None:
    answer = reader()
    answer.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    task = asyncio.create_task(answer.read())
    await waiting(task, answer)
    answer.finish(None)
    assert await task == b""


async def test_bytes_behind_a_switch_of_protocols_are_taken_as_they_are() -> None:
    answer = reader()
    answer.feed(b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n\x00\x01")
    assert answer.take_early() == b"\x00\x01"


@pytest.mark.parametrize(
    ("came", "reusable"),
    [
        (LENGTH + b"abcd", True),
        (LENGTH + b"ab", False),
        (LENGTH + b"abcde", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", False),
        (b"SSH-2.0\r\n\r\n", False),
    ],
)
async def test_another_exchange_may_follow_a_whole_answer_that_keeps_the_connection(
    came: bytes, reusable: bool
) -> None:
    answer = reader()
    answer.feed(came)
    assert answer.reusable() is reusable
    assert (answer.error, answer.whole) == (None, None)


async def test_no_exchange_follows_while_somebody_still_waits_or_where_the_one_before_failed() -> None:
    answer = reader()
    task = asyncio.create_task(answer.read())
    await waiting(task, answer)
    answer.feed(LENGTH + b"abcd")
    assert not answer.reusable()
    assert await task == b"abcd"
    assert answer.reusable()
    failed = reader()
    failed.feed(b"HTTP/1.1 200 OK\r\n\r\n")
    failed.fail(UpstreamError("client_gone"))
    failed.finish(None)
    assert not failed.reusable()
