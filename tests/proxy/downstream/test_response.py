"""The writer of an answer, state by state, with a stand-in for the client's connection."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from statusproxy.proxy.downstream import response as module
from statusproxy.proxy.downstream.response import AnsweredTwiceError, Response
from statusproxy.proxy.downstream.response_state import ABORTED, DONE, GONE, HEAD_SENT, NEW
from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.http1.head import Header
from statusproxy.proxy.site import Limits, Timeouts
from statusproxy.proxy.upstream.answer_body import SMALL
from statusproxy.proxy.upstream.errors import UpstreamError

LENGTH = (b"Content-Length", b"5")
PROXY = Path(module.__file__).parent.parent


class Transport:
    """What a client is sent."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closing = self.aborted = False
        self.unsent = 0

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.aborted = self.closing = True

    def get_extra_info(self, name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return self.unsent


class Connection:
    """A client's connection; `lost` tells who watches it that it is gone, as the real one does."""

    def __init__(self) -> None:
        self.transport: Transport | None = Transport()
        self.writing_paused = self.unfinished = False
        self.gone: Any = None
        self.drained: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waits = 0

    async def drain(self) -> None:
        self.waits += 1
        await self.drained


class Body:
    """The gateway's answer's body, piece by piece; an error among the pieces is raised."""

    def __init__(self, *pieces: bytes | UpstreamError, whole: bool = False) -> None:
        self.pieces = list(pieces)
        self.whole = whole
        self.trailers: list[Header] = []

    def ready(self) -> bytes | None:
        if not self.whole:
            return None
        pieces, self.pieces = self.pieces, []
        return b"".join(piece for piece in pieces if isinstance(piece, bytes))

    async def read(self) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if isinstance(piece, UpstreamError):
            raise piece
        return piece


class Stage:
    """A response to one request, and all that it depends on."""

    def __init__(
        self,
        method: str = "GET",
        version: tuple[int, int] = (1, 1),
        *,
        keep_alive: bool = True,
        unread: bool = False,
        draining: bool = False,
        min_rate: int | None = None,
    ) -> None:
        self.connection = Connection()
        content = SimpleNamespace(is_eof=lambda: not unread)
        request: Any = SimpleNamespace(
            method=method, version=version, keep_alive=keep_alive, content=content, connection=self.connection
        )
        site: Any = SimpleNamespace(
            limits=Limits(min_rate=min_rate), timeouts=Timeouts(response_body=None, min_rate_grace=0.0), language="en"
        )
        self.service = SimpleNamespace(draining=draining)
        self.response = Response(request, "id-1", site, self.service)
        self.left = 0
        self.connection.gone = self.leave

    def leave(self) -> None:
        """The client has gone, and the exchange tells the response."""
        self.left += 1
        self.response.client_left()

    @property
    def wire(self) -> bytes:
        """All that was written."""
        assert self.connection.transport is not None
        return b"".join(self.connection.transport.written)

    @property
    def head(self) -> dict[bytes, bytes]:
        """The fields of the first head that was written."""
        lines = self.wire.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
        return {name: value for name, _, value in (line.partition(b": ") for line in lines)}

    @property
    def body(self) -> bytes:
        """What was written behind the first head."""
        return self.wire.partition(b"\r\n\r\n")[2]

    async def stream(self, body: Body, *fields: Header, status: int = 200) -> None:
        """Send the gateway's answer."""
        real: Any = body
        await self.response.stream(ResponseHead(status, b"Reason", (1, 1), list(fields)), real)


# ---- framing ----


async def test_a_small_answer_with_a_length_is_one_write() -> None:
    stage = Stage()
    await stage.stream(Body(b"hello", whole=True), LENGTH)
    assert stage.connection.transport is not None
    assert len(stage.connection.transport.written) == 1
    assert stage.wire.startswith(b"HTTP/1.1 200 Reason\r\nContent-Length: 5\r\n")
    assert (stage.body, stage.head[b"X-Request-Id"]) == (b"hello", b"id-1")
    assert b"Connection" not in stage.head
    assert stage.response.state is DONE
    assert stage.response.sent == len(stage.wire)
    assert stage.response.keeps_connection


async def test_a_small_answer_without_a_length_is_chunked() -> None:
    stage = Stage()
    await stage.stream(Body(b"hello", whole=True))
    assert stage.head[b"Transfer-Encoding"] == b"chunked"
    assert stage.body == b"5\r\nhello\r\n0\r\n\r\n"


async def test_the_gateway_s_own_id_is_the_only_one() -> None:
    stage = Stage()
    await stage.stream(Body(b"hello", whole=True), LENGTH, (b"X-Request-Id", b"theirs"))
    assert (stage.head[b"X-Request-Id"], stage.wire.lower().count(b"x-request-id")) == (b"theirs", 1)


async def test_an_empty_answer_without_a_length_is_the_last_chunk_alone() -> None:
    stage = Stage()
    await stage.stream(Body(whole=True))
    assert stage.body == b"0\r\n\r\n"


@pytest.mark.parametrize("whole", [True, False])
async def test_the_trailers_that_may_travel_go_behind_the_last_chunk(whole: bool) -> None:
    stage, body = Stage(), Body(b"hello", whole=whole)
    body.trailers = [(b"X-Sum", b"1"), (b"Content-Length", b"5")]
    await stage.stream(body)
    assert stage.body == b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"


async def test_http_1_0_gets_an_answer_without_a_length_up_to_the_end_of_its_connection() -> None:
    stage = Stage(version=(1, 0))
    await stage.stream(Body(b"hel", b"lo"))
    assert (stage.body, stage.head[b"Connection"]) == (b"hello", b"close")
    assert b"Transfer-Encoding" not in stage.head
    assert not stage.response.keeps_connection


async def test_http_1_0_is_told_that_its_connection_goes_on() -> None:
    stage = Stage(version=(1, 0))
    await stage.stream(Body(b"hello", whole=True), LENGTH)
    assert (stage.head[b"Connection"], stage.body) == (b"keep-alive", b"hello")
    assert stage.response.keeps_connection


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_an_answer_that_has_no_body_is_its_head(method: str, status: int) -> None:
    stage = Stage(method)
    await stage.stream(Body(), status=status)
    assert stage.wire.endswith(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in stage.head
    assert (stage.response.state, stage.response.status) == (DONE, status)


@pytest.mark.parametrize(("size", "apart"), [(SMALL, []), (SMALL + 1, [SMALL + 1])])
async def test_a_large_answer_that_is_all_here_is_not_copied_into_its_head(size: int, apart: list[int]) -> None:
    stage = Stage()
    await stage.stream(Body(bytes(size), whole=True), (b"Content-Length", b"%d" % size))
    assert stage.connection.transport is not None
    assert [len(piece) for piece in stage.connection.transport.written[1:]] == apart
    assert stage.body == bytes(size)
    assert (stage.response.state, stage.connection.unfinished) == (DONE, False)


# ---- whole answers ----


async def test_a_whole_answer_gets_its_own_length() -> None:
    stage = Stage()
    await stage.response.answer(200, b"OK", [(b"B", b"2"), (b"A", b"1")], b"hello")
    assert stage.wire == b"HTTP/1.1 200 OK\r\nB: 2\r\nA: 1\r\nContent-Length: 5\r\n\r\nhello"
    assert (stage.response.state, stage.response.status) == (DONE, 200)


async def test_the_fields_of_a_whole_answer_stay_as_they_are() -> None:
    fields = [(b"A", b"1")]
    await Stage().response.answer(200, b"OK", fields, b"hello")
    assert fields == [(b"A", b"1")]  # they may be remembered for others


async def test_head_gets_the_length_without_the_body() -> None:
    stage = Stage("HEAD")
    await stage.response.answer(200, b"OK", [], b"hello")
    assert stage.wire == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


@pytest.mark.parametrize("status", [204, 304])
async def test_a_whole_answer_without_a_body_has_no_length(status: int) -> None:
    stage = Stage()
    await stage.response.answer(status, b"Reason", [], b"")
    assert stage.wire == b"HTTP/1.1 %d Reason\r\n\r\n" % status


@pytest.mark.parametrize(("count", "parts"), [(2048, []), (2049, [524288, 256]), (5000, [524288, 524288, 231424])])
async def test_a_large_whole_answer_is_handed_over_in_parts(count: int, parts: list[int]) -> None:
    stage, data = Stage(), bytes(range(256)) * count
    await stage.response.answer(200, b"OK", [], data)
    assert stage.connection.transport is not None
    assert [len(piece) for piece in stage.connection.transport.written[1:]] == parts
    assert (stage.body, stage.response.sent) == (data, len(stage.wire))
    assert (stage.response.state, stage.connection.unfinished) == (DONE, False)


async def test_a_204_of_our_own_has_an_id_and_a_date() -> None:
    stage = Stage()
    await stage.response.no_content((b"Allow", b"GET"))
    assert stage.wire.startswith(b"HTTP/1.1 204 No Content\r\nAllow: GET\r\nX-Request-Id: id-1\r\nDate: ")
    assert stage.response.keeps_connection


async def test_an_error_is_answered_with_its_status_and_code() -> None:
    stage = Stage()
    await stage.response.error("gateway_timeout")
    assert stage.wire.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
    assert b'"error_code":"gateway_timeout","hop":"gateway","request_id":"id-1"' in stage.body
    assert (stage.response.state, stage.response.status, stage.response.problem) == (DONE, 504, "gateway_timeout")
    assert stage.response.keeps_connection


async def test_an_error_of_another_hop_says_so() -> None:
    stage = Stage()
    await stage.response.error("gateway_timeout", hop="hub")
    assert b'"error_code":"hub_timeout","hop":"hub"' in stage.body


async def test_an_error_for_head_has_no_body() -> None:
    stage = Stage("HEAD")
    await stage.response.error("gateway_timeout")
    assert stage.body == b""


# ---- whether the connection goes on ----


@pytest.mark.parametrize(
    "settings",
    [{"keep_alive": False}, {"unread": True}, {"draining": True}],
    ids=["the client asked for it", "the request is not whole", "the proxy is about to stop"],
)
@pytest.mark.parametrize("how", ["stream", "answer", "error"])
async def test_an_answer_says_that_its_connection_ends(settings: dict[str, Any], how: str) -> None:
    stage = Stage(**settings)
    if how == "stream":
        await stage.stream(Body(b"hello", whole=True), LENGTH)
    elif how == "answer":
        await stage.response.answer(200, b"OK", [], b"")
    else:
        await stage.response.error("overloaded")
    assert stage.head[b"Connection"] == b"close"
    assert not stage.response.keeps_connection


async def test_a_body_that_nobody_asked_for_does_not_end_the_connection() -> None:
    stage = Stage(unread=True)
    await stage.response.no_content()
    assert b"Connection" not in stage.head
    assert stage.response.keeps_connection


def test_nothing_goes_on_before_an_answer_was_given() -> None:
    async def ask() -> bool:
        return Stage().response.keeps_connection

    assert not asyncio.run(ask())


# ---- interim answers ----


async def test_an_interim_answer_is_passed_on_at_once_and_is_not_the_answer() -> None:
    stage = Stage()
    assert stage.response.interim(ResponseHead(103, b"Early Hints", (1, 1), [(b"Link", b"</a>"), LENGTH]))
    assert stage.wire == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    assert (stage.response.state, stage.response.status, stage.response.sent) == (NEW, 0, 0)


async def test_http_1_0_gets_no_interim_answer() -> None:
    stage = Stage(version=(1, 0))
    assert not stage.response.interim(ResponseHead(100, b"Continue"))
    assert stage.wire == b""


async def test_no_interim_answer_follows_the_final_one() -> None:
    stage = Stage()
    await stage.response.answer(200, b"OK", [], b"")
    before = stage.wire
    assert not stage.response.interim(ResponseHead(100, b"Continue"))
    assert stage.wire == before


async def test_a_client_that_has_left_gets_no_interim_answer() -> None:
    stage = Stage()
    stage.connection.transport = None
    assert not stage.response.interim(ResponseHead(100, b"Continue"))


@pytest.mark.parametrize("how", ["interim", "permit"])
async def test_nothing_interim_is_written_to_a_connection_that_is_closing(how: str) -> None:
    stage = Stage()
    assert stage.connection.transport is not None
    stage.connection.transport.closing = True
    if how == "interim":
        assert not stage.response.interim(ResponseHead(103, b"Early Hints"))
    else:
        await stage.response.permit()
    assert (stage.wire, stage.response.sent) == (b"", 0)


async def test_no_permission_follows_the_final_answer() -> None:
    stage = Stage()
    await stage.response.answer(200, b"OK", [], b"")
    before = stage.wire
    await stage.response.permit()
    assert (stage.wire, stage.response.state, stage.response.sent) == (before, DONE, len(before))


async def test_a_permission_of_our_own_is_an_interim_answer() -> None:
    stage = Stage()
    await stage.response.permit()
    assert stage.wire == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert stage.response.state is NEW


# ---- a switch of protocols ----


async def test_a_switch_is_begun_with_a_101_and_done_when_its_tunnel_ends() -> None:
    stage = Stage()
    head = ResponseHead(101, b"Switching Protocols", (1, 1), [(b"Upgrade", b"echo"), (b"Connection", b"Upgrade")])
    await stage.response.switch(head)
    assert stage.wire.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert (stage.head[b"Upgrade"], stage.head[b"Connection"]) == (b"echo", b"Upgrade")
    assert (stage.response.state, stage.response.status) == (HEAD_SENT, 101)
    before = stage.response.sent
    stage.response.tunnel_ended(1000, "client_gone")
    assert (stage.response.state, stage.response.problem) == (DONE, "client_gone")
    assert stage.response.sent == before + 1000
    assert not stage.response.keeps_connection


@pytest.mark.parametrize("size", [5, 1_000_000])
async def test_a_whole_answer_for_a_client_that_has_left_changes_nothing(size: int) -> None:
    stage = Stage("POST")
    stage.leave()
    await stage.response.answer(200, b"OK", [], bytes(size))
    assert (stage.response.state, stage.wire) == (GONE, b"")


async def test_a_client_that_left_during_its_switch_stays_gone() -> None:
    stage = Stage()
    stage.leave()
    await stage.response.switch(ResponseHead(101, b"Switching Protocols"))
    stage.response.tunnel_ended(0, None)
    assert (stage.response.state, stage.wire) == (GONE, b"")


# ---- second answers ----


WAYS: dict[str, Callable[[Stage], Awaitable[None]]] = {
    "stream": lambda stage: stage.stream(Body(b"second", whole=True), LENGTH),
    "answer": lambda stage: stage.response.answer(200, b"OK", [(b"Second", b"1")], b"second"),
    "no content": lambda stage: stage.response.no_content(),
    "switch": lambda stage: stage.response.switch(ResponseHead(101, b"Switching Protocols")),
}


@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", ["whole", "begun", "broken off"])
async def test_a_second_answer_is_refused_and_nothing_of_it_is_written(first: str, second: str) -> None:
    stage = Stage(method="POST")
    response = stage.response
    bodies = {
        "whole": Body(b"hello", whole=True),
        "begun": Body(b"hel", b"lo"),
        "broken off": Body(b"hel", UpstreamError("gateway_closed")),
    }
    stage.connection.writing_paused = first == "begun"
    task = asyncio.ensure_future(stage.stream(bodies[first], LENGTH, status=404))
    await asyncio.sleep(0)

    def all_of_it() -> tuple[object, ...]:
        return stage.wire, response.state, response.status, response.sent, response.close, response.problem

    before = all_of_it()
    with pytest.raises(AnsweredTwiceError, match=f"^a second answer, while the first is {response.state.name}$"):
        await WAYS[second](stage)
    assert all_of_it() == before
    stage.connection.drained.set_result(None)
    await task  # who writes the first may go on
    assert stage.body == (b"hel" if first == "broken off" else b"hello")


@pytest.mark.parametrize("second", WAYS)
async def test_a_second_answer_for_a_client_that_has_left_changes_nothing(second: str) -> None:
    stage = Stage()
    await stage.response.answer(200, b"OK", [], b"first")
    before = stage.wire
    stage.leave()
    await WAYS[second](stage)
    assert (stage.wire, stage.response.state) == (before, GONE)


# ---- answers that break off ----


async def test_an_answer_that_breaks_off_in_its_middle_resets_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    await stage.stream(Body(b"hel", UpstreamError("gateway_closed", "reset by peer")), LENGTH)
    assert stage.connection.transport is not None
    assert (stage.body, stage.connection.transport.aborted) == (b"hel", True)
    assert (stage.response.state, stage.response.problem, stage.response.close) == (ABORTED, "gateway_closed", True)
    assert stage.response.reported_status == 200
    assert not stage.response.keeps_connection
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.WARNING, "the gateway aborted its answer: gateway_closed: reset by peer",
    )  # fmt: skip
    assert (record.__dict__["request_id"], record.__dict__["code"]) == ("id-1", "gateway_closed")


async def test_a_request_that_its_client_broke_off_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stage = Stage()
    await stage.stream(Body(b"hel", UpstreamError("bad_request", "not a chunk")), LENGTH)
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.INFO, "the client aborted its request: bad_request: not a chunk",
    )  # fmt: skip


async def test_an_error_behind_a_begun_answer_breaks_it_off_and_says_nothing_more() -> None:
    stage = Stage()
    await stage.response.switch(ResponseHead(101, b"Switching Protocols"))
    before = stage.wire
    await stage.response.error("internal")
    assert (stage.response.state, stage.response.problem, stage.wire) == (ABORTED, "internal", before)


async def test_an_error_behind_a_whole_answer_only_ends_the_connection() -> None:
    stage = Stage()
    await stage.response.answer(200, b"OK", [], b"")
    before = stage.wire
    await stage.response.error("internal")
    assert stage.connection.transport is not None
    assert (stage.response.state, stage.wire, stage.connection.transport.aborted) == (DONE, before, False)
    assert not stage.response.keeps_connection


async def test_a_lost_connection_need_not_be_reset() -> None:
    stage = Stage()
    stage.connection.transport = None
    stage.response.break_off(UpstreamError("gateway_closed"))
    assert stage.response.state is ABORTED


async def test_an_answer_broken_off_by_us_is_not_taken_for_a_client_that_left() -> None:
    stage = Stage()
    await stage.stream(Body(b"hel", UpstreamError("gateway_closed")), LENGTH)
    stage.leave()  # what the reset looks like from the client's connection
    assert (stage.response.state, stage.response.reported_status) == (ABORTED, 200)


async def test_an_exchange_that_a_stop_cuts_off_has_no_status() -> None:
    stage = Stage()
    await stage.response.switch(ResponseHead(101, b"Switching Protocols"))
    stage.response.cut_off()
    assert (stage.response.state, stage.response.reported_status) == (ABORTED, 0)


# ---- clients that leave ----


@pytest.mark.parametrize("closing", [True, False], ids=["closing", "lost"])
async def test_a_client_that_proves_to_be_gone_is_told_to_the_exchange(closing: bool) -> None:
    stage = Stage()
    assert stage.connection.transport is not None
    if closing:
        stage.connection.transport.closing = True
    else:
        stage.connection.transport = None
    await stage.response.answer(200, b"OK", [], b"hello")
    assert (stage.response.state, stage.left, stage.response.sent) == (GONE, 1, 0)
    assert stage.response.reported_status == 499


async def test_where_the_exchange_knows_already_nobody_is_told() -> None:
    stage = Stage()
    stage.connection.transport = stage.connection.gone = None
    await stage.response.answer(200, b"OK", [], b"hello")
    assert (stage.response.state, stage.left) == (GONE, 0)


async def test_nothing_is_written_to_a_client_that_has_left_while_its_answer_is_read_to_the_end() -> None:
    stage, body = Stage("POST"), Body(b"hel", b"lo")
    stage.leave()
    await stage.stream(body, LENGTH)
    assert (stage.wire, body.pieces, stage.response.sent) == (b"", [], 0)


async def test_a_call_given_up_since_the_client_left_is_no_broken_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stage = Stage()

    class Leaving(Body):
        async def read(self) -> bytes:
            stage.leave()
            raise UpstreamError("client_gone")

    await stage.stream(Leaving(), LENGTH)
    assert (stage.response.state, stage.response.problem, caplog.records) == (GONE, None, [])


async def test_an_error_is_not_written_to_a_client_that_has_left() -> None:
    stage = Stage()
    stage.leave()
    await stage.response.error("gateway_closed")
    assert (stage.wire, stage.response.problem) == (b"", "gateway_closed")
    assert (stage.response.state, stage.response.reported_status) == (GONE, 499)


# ---- clients that read slowly ----


@pytest.mark.parametrize(
    ("how", "waits"),
    [
        *[("stream", 1), ("large", 4), ("head", 1), ("answer", 1), ("parts", 3)],
        *[("204", 1), ("own", 1), ("error", 1), ("permit", 1), ("101", 1)],
    ],
)
async def test_whoever_writes_waits_while_the_client_takes_no_more(how: str, waits: int) -> None:
    """Each time that it has written."""
    stage = Stage()
    response, head = stage.response, ResponseHead(101, b"Switching Protocols")
    stage.connection.writing_paused = True
    ways: dict[str, Callable[[], Awaitable[None]]] = {
        "stream": lambda: stage.stream(Body(b"hello", whole=True)),
        "large": lambda: stage.stream(Body(b"hel", b"lo")),
        "head": lambda: stage.stream(Body(), LENGTH, status=304),
        "answer": lambda: response.answer(200, b"OK", [], b"hello"),
        "parts": lambda: response.answer(200, b"OK", [], bytes(1_000_000)),
        "204": lambda: response.answer(204, b"No Content", [], b""),
        "own": response.no_content,
        "error": lambda: response.error("overloaded"),
        "permit": response.permit,
        "101": lambda: response.switch(head),
    }
    task = asyncio.ensure_future(ways[how]())
    await asyncio.sleep(0)
    written = response.sent
    assert written > 0
    assert not task.done()
    stage.connection.drained.set_result(None)
    await task
    assert (response.sent >= written, stage.connection.waits) == (True, waits)
    assert response.state is {"permit": NEW, "101": HEAD_SENT}.get(how, DONE)


async def test_an_answer_that_is_not_whole_is_marked_as_such_while_its_client_is_waited_for() -> None:
    stage = Stage()
    stage.connection.writing_paused = True
    task = asyncio.ensure_future(stage.stream(Body(b"hel", b"lo")))
    await asyncio.sleep(0)
    assert (stage.response.state, stage.connection.unfinished) == (HEAD_SENT, True)
    stage.connection.drained.set_result(None)
    await task
    assert (stage.response.state, stage.connection.unfinished) == (DONE, False)


async def test_a_client_that_leaves_while_it_is_waited_for_is_gone() -> None:
    stage = Stage()
    stage.connection.writing_paused = True
    stage.connection.drained.set_exception(ConnectionResetError())
    await stage.response.answer(200, b"OK", [], b"hello")
    assert (stage.response.state, stage.left, stage.response.problem) == (GONE, 1, None)


async def test_a_client_that_takes_too_long_is_gone_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    class Reader:
        """A client that was reset for its slowness, at the second wait."""

        def __init__(self, connection: Connection, pace: object, stall: float | None) -> None:
            made.append((pace, stall))
            self.waits = 0
            self.stopped = False

        async def wait(self) -> None:
            self.waits += 1
            self.stopped = self.waits == 2

    monkeypatch.setattr(module, "SlowReader", Reader)
    stage = Stage(min_rate=240)
    stage.connection.writing_paused = True
    await stage.stream(Body(b"hel", b"lo"), LENGTH)
    assert (stage.response.state, stage.response.problem, stage.left) == (GONE, "client_stopped_reading", 1)
    assert stage.body == b"hel"
    ((pace, stall),) = made  # one reader for the whole exchange
    assert (pace.left, stall) == (0.0, None)


# ---- who else writes ----


def test_those_who_write_to_a_client_are_those_that_are_named() -> None:
    """In `response`'s docstring and docs/architecture.md, with the time at which each does."""
    rooms = [PROXY / "downstream", PROXY / "actions"]
    writers = {path.stem for room in rooms for path in room.glob("*.py") if "transport.write(" in path.read_text()}
    assert writers == {"response", "connection", "unplaced", "tunnel"}
    assert module.__doc__ is not None
    assert all(f"{name}`" in module.__doc__ for name in writers - {"response"})
