"""A connection's bytes become one request at a time, and the client waits rather than that we hold too much."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from statusproxy.proxy.downstream.body_buffer import NO_BODY, BrokenBodyError
from statusproxy.proxy.downstream.loop_budget import CHUNKS, FREE, LoopBudget
from statusproxy.proxy.downstream.request_reader import AHEAD_HELD, BODY_HELD, RequestReader
from statusproxy.proxy.http1.refusals import Refusal
from statusproxy.proxy.http1.request_parser import HeadLimits, RequestHead
from tests.proxy.downstream.port import rests
from tests.proxy.downstream.stand_ins import StandInTransport

HOST = b"Host: proxy.example\r\n"
GET = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"POST /b HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"GET /c HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: echo\r\n\r\n"


def post(length: int) -> bytes:
    return b"POST /b HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % length


class Case:
    """A reader and the transport that it may pause."""

    def __init__(self, target: int = 1000) -> None:
        """`target` bounds a request's target, in bytes."""
        loop = asyncio.get_running_loop()
        self.heads, self.chunks = LoopBudget(loop, 1000), LoopBudget(loop, CHUNKS)
        self.transport = StandInTransport()
        self.reader = RequestReader(HeadLimits(target=target, head=4000, headers=20), self.heads, self.chunks, loop)
        self.reader.holds.transport = self.transport
        self.later: list[RequestHead | Refusal | None] = []

    def read(self, data: bytes) -> RequestHead | Refusal | None:
        """What the client sends; what is read of it in a later turn goes to `later`."""
        return self.reader.read(data, lambda: self.later.append(self.reader.read_on()))


@pytest.fixture
async def case() -> AsyncIterator[Case]:
    case = Case()
    yield case
    case.transport.free()


def head(found: RequestHead | Refusal | None) -> bytes:
    """The target of a request that was found."""
    assert isinstance(found, RequestHead)
    return found.target


async def test_a_request_is_found_once_its_head_is_whole(case: Case) -> None:
    reader = case.reader
    for at in range(len(GET) - 1):
        assert case.read(GET[at : at + 1]) is None
        assert reader.in_head
    found = case.read(GET[-1:])
    assert head(found) == b"/a"
    assert reader.body is NO_BODY
    assert rests(reader)


async def test_a_request_that_repeats_a_head_has_a_body_of_its_own(case: Case) -> None:
    reader = case.reader
    bodies = []
    for data in (b"one", b"two", b"\r\n\r"):
        assert head(case.read(post(3) + data)) == b"/b"
        assert reader.body.is_eof()
        assert not reader.more
        bodies.append(reader.body)
    assert [body.read_nowait() for body in bodies] == [b"one", b"two", b"\r\n\r"]
    assert rests(reader)


async def test_a_request_that_repeats_a_head_without_a_body_has_none_of_an_earlier_one(case: Case) -> None:
    reader = case.reader
    for data in (GET, post(3) + b"one", GET):
        case.read(data)
    assert reader.body is NO_BODY


async def test_what_cannot_be_a_request_is_told(case: Case) -> None:
    found = case.read(b"nonsense\r\n\r\n")
    assert isinstance(found, Refusal)
    assert found.code == "bad_request"


async def test_one_request_is_begun_and_the_others_wait_their_turn(case: Case) -> None:
    reader = case.reader
    assert head(case.read(GET + GET.replace(b"/a", b"/2") + GET.replace(b"/a", b"/3")[:20])) == b"/a"
    reader.follow(GET.replace(b"/a", b"/3")[20:] + b"nonsense\r\n\r\n")
    assert not rests(reader)
    assert head(reader.next()) == b"/2"
    assert head(reader.next()) == b"/3"
    found = reader.next()
    assert isinstance(found, Refusal)


async def test_half_a_head_behind_a_request_is_a_head_that_has_begun(case: Case) -> None:
    reader = case.reader
    case.read(GET)
    reader.follow(b"GET /n")
    assert reader.next() is None
    assert reader.in_head
    assert head(case.read(GET.removeprefix(b"GET /"))) == b"/na"


async def test_nothing_behind_a_request_is_nothing(case: Case) -> None:
    case.read(GET)
    more = [case.reader.more]
    assert case.reader.next() is None
    case.reader.follow(b"\r")
    more.append(case.reader.more)
    assert more == [False, True]
    assert not case.reader.in_head


async def test_a_body_is_fed_as_it_comes_and_ends(case: Case) -> None:
    reader = case.reader
    case.read(post(10) + b"0123")
    body = reader.body
    assert body.read_nowait() == b"0123"
    reader.follow(b"45")
    assert not body.is_eof()
    reader.follow(b"6789" + GET)
    assert (body.read_nowait(), body.is_eof()) == (b"456789", True)
    assert head(reader.next()) == b"/a"


async def test_broken_framing_is_an_error_to_the_bodys_reader(case: Case) -> None:
    reader = case.reader
    assert head(case.read(CHUNKED + b"3\r\nabc\r\nz\r\n")) == b"/b"
    with pytest.raises(BrokenBodyError):
        await reader.body.readany()
    assert reader.next() is None


async def test_broken_framing_that_comes_later_is_one_too(case: Case) -> None:
    reader = case.reader
    case.read(CHUNKED)
    reader.follow(b"z\r\n")
    with pytest.raises(BrokenBodyError):
        await reader.body.readany()


async def test_the_client_waits_while_a_bodys_reader_is_behind(case: Case) -> None:
    reader = case.reader
    case.read(post(BODY_HELD + 10))
    reader.follow(b"x" * BODY_HELD)
    assert case.transport.is_reading()
    reader.follow(b"x")
    assert not case.transport.is_reading()
    reader.follow(b"x" * 9 + GET)  # what was under way already
    assert len(reader.body.read_nowait()) == BODY_HELD + 1
    await asyncio.sleep(0)
    assert case.transport.is_reading()
    assert (reader.body.read_nowait(), reader.body.is_eof()) == (b"x" * 9, True)
    assert head(reader.next()) == b"/a"


async def test_a_body_does_not_end_while_its_reader_takes_a_piece_of_it(case: Case) -> None:
    """What was kept is read later: else the reader took the piece before the last for the last."""
    reader = case.reader
    case.read(post(BODY_HELD + 10) + b"x" * (BODY_HELD + 1))
    reader.follow(b"x" * 9)
    reader.body.read_nowait()
    assert not reader.body.is_eof()


async def test_a_body_that_nobody_read_does_not_let_the_next_one_in(case: Case) -> None:
    reader = case.reader
    case.read(post(BODY_HELD + 1) + b"x" * (BODY_HELD + 1))
    reader.body.discard()
    reader.follow(post(BODY_HELD + 9) + b"y" * (BODY_HELD + 1))
    assert head(reader.next()) == b"/b"
    await asyncio.sleep(0)
    assert not case.transport.is_reading()
    assert len(reader.body.read_nowait()) == BODY_HELD + 1
    await asyncio.sleep(0)
    assert case.transport.is_reading()


async def test_the_client_may_send_just_so_far_ahead(case: Case) -> None:
    case.read(GET)
    case.reader.follow(b"x" * AHEAD_HELD)
    assert case.transport.is_reading()
    case.reader.follow(b"x")
    assert not case.transport.is_reading()


async def test_the_client_waits_when_it_sends_too_far_ahead(case: Case) -> None:
    reader = case.reader
    case.read(GET)
    reader.follow(GET * (AHEAD_HELD // len(GET)))
    assert case.transport.is_reading()
    reader.follow(GET)
    reader.follow(GET)  # what was under way already
    assert not case.transport.is_reading()
    assert head(reader.next()) == b"/a"
    assert not case.transport.is_reading()
    assert head(reader.next()) == b"/a"
    assert head(reader.next()) == b"/a"
    assert case.transport.is_reading()


async def test_the_client_goes_on_when_no_more_is_held_than_may_be(case: Case) -> None:
    reader = case.reader
    case.read(GET)
    reader.follow(GET + b"x" * AHEAD_HELD)
    assert not case.transport.is_reading()
    assert head(reader.next()) == b"/a"
    assert case.transport.is_reading()


async def test_a_head_longer_than_what_may_be_ahead_is_read_to_its_end() -> None:
    case = Case(target=2 * AHEAD_HELD)
    begun, rest = b"GET /" + b"l" * (AHEAD_HELD + 1000), b" HTTP/1.1\r\n" + HOST + b"\r\n"
    case.read(GET)
    case.reader.follow(begun)
    assert not case.transport.is_reading()
    assert case.reader.next() is None
    assert case.transport.is_reading()
    assert len(head(case.read(rest))) == AHEAD_HELD + 1001
    case.transport.free()


async def test_a_client_that_waits_for_its_body_to_be_read_is_read_for_it(case: Case) -> None:
    reader = case.reader
    case.read(GET)
    reader.follow(post(AHEAD_HELD + 10) + b"x" * AHEAD_HELD)
    assert not case.transport.is_reading()
    assert head(reader.next()) == b"/b"
    assert case.transport.is_reading()


async def test_many_small_chunks_are_read_over_several_turns(case: Case) -> None:
    reader, chunk = case.reader, b"1\r\nx\r\n"
    case.read(CHUNKED)
    reader.follow(chunk * (2 * CHUNKS) + b"0\r\n")
    assert (case.transport.is_reading(), reader.body.size, case.chunks.left) == (False, CHUNKS, 0)
    reader.follow(b"\r\n" + GET)  # what was under way already
    assert reader.body.size == CHUNKS
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert reader.body.is_eof()
    assert (case.transport.is_reading(), reader.body.size) == (True, 2 * CHUNKS)
    assert head(reader.next()) == b"/a"


async def test_who_read_more_than_its_share_leaves_others_little(case: Case) -> None:
    case.chunks.spend(CHUNKS)
    case.read(CHUNKED)
    case.reader.follow(b"1\r\nx\r\n" * (2 * FREE))
    assert case.reader.body.size == FREE


async def test_a_body_that_waits_for_reader_and_turn_needs_both(case: Case) -> None:
    reader, size = case.reader, BODY_HELD // FREE + 1
    case.chunks.spend(CHUNKS)
    case.read(CHUNKED)
    reader.follow((b"%x\r\n" % size + b"x" * size + b"\r\n") * (FREE + 1) + b"0\r\n\r\n")
    assert reader.body.full
    await asyncio.sleep(0)  # the turn
    assert not case.transport.is_reading()
    assert len(reader.body.read_nowait()) == FREE * size
    await asyncio.sleep(0)
    assert (len(reader.body.read_nowait()), reader.body.is_eof()) == (size, True)
    assert case.transport.is_reading()


async def test_after_a_switch_the_bytes_behind_it_are_handed_over_once(case: Case) -> None:
    reader = case.reader
    assert head(case.read(UPGRADE + b"early")) == b"/c"
    reader.follow(b" bird" + b"." * AHEAD_HELD)
    assert not case.transport.is_reading()
    assert reader.switch() == b"early bird" + b"." * AHEAD_HELD
    assert case.transport.is_reading()
    assert reader.switch() == b""


async def test_a_switch_within_a_request_has_nothing_to_hand_over(case: Case) -> None:
    case.read(post(10) + b"0")
    assert case.reader.switch() == b""


async def test_after_a_declined_switch_what_follows_are_requests(case: Case) -> None:
    reader = case.reader
    case.read(UPGRADE)
    more = [reader.more]
    reader.follow(GET + UPGRADE)
    assert head(reader.next()) == b"/a"
    assert reader.switch() == b""
    assert head(reader.next()) == b"/c"
    assert reader.next() is None
    assert [*more, reader.more] == [True, False]


async def test_at_the_end_a_whole_body_is_let_go_and_one_that_is_still_to_come_stays(case: Case) -> None:
    reader = case.reader
    case.read(post(2) + b"a")
    coming = reader.body
    reader.end()
    assert reader.body is coming
    reader.follow(b"b")
    reader.end()
    assert reader.body is NO_BODY
    assert coming.read_nowait() == b"ab"


def crowd(case: Case) -> None:
    """Others have read as many heads in this turn as may be."""
    case.heads.spend(case.heads.left)


async def test_in_a_crowd_a_head_is_read_in_a_later_turn(case: Case) -> None:
    crowd(case)
    assert case.read(GET) is None
    assert (case.reader.waits, case.reader.in_head, case.later) == (True, True, [])
    await asyncio.sleep(0)
    [found] = case.later
    assert head(found) == b"/a"
    assert rests(case.reader)
    assert (case.reader.waits, case.heads.left) == (False, 999)


async def test_what_comes_while_a_head_waits_is_read_with_it(case: Case) -> None:
    crowd(case)
    case.read(post(3) + b"a")
    case.read(b"bc" + GET)
    await asyncio.sleep(0)
    assert [head(found) for found in case.later] == [b"/b"]
    assert (case.reader.body.read_nowait(), case.reader.body.is_eof()) == (b"abc", True)
    assert head(case.reader.next()) == b"/a"


async def test_a_head_that_is_not_whole_waits_again(case: Case) -> None:
    crowd(case)
    case.read(GET[:10])
    await asyncio.sleep(0)
    crowd(case)
    case.read(GET[10:])
    await asyncio.sleep(0)
    assert case.later[0] is None
    assert head(case.later[1]) == b"/a"


async def test_a_client_that_sends_much_while_its_head_waits_is_paused(case: Case) -> None:
    crowd(case)
    case.read(post(AHEAD_HELD + 10) + b"x" * AHEAD_HELD)
    assert not case.transport.is_reading()
    await asyncio.sleep(0)
    assert case.transport.is_reading()
    assert case.reader.body.size == AHEAD_HELD


async def test_each_head_counts_and_what_follows_it_does_not(case: Case) -> None:
    case.read(post(4) + b"a")
    case.reader.follow(b"bcd")
    assert case.heads.left == 999
