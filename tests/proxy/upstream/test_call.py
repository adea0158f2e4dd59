"""One call to the gateway: its connection, what is repeated, what is given up, and what it leaves behind."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from statusproxy.proxy.coalescing import SharedCall
from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.http1.head import Header
from statusproxy.proxy.upstream.answer_body import SMALL, Room
from statusproxy.proxy.upstream.call import Call, WithheldError
from statusproxy.proxy.upstream.errors import UpstreamError

DYING = UpstreamError("gateway_closed")
HEAD = ResponseHead(200, b"OK")
LARGE = SMALL + 1


class Pool:
    """The connections that a call is given, first those idle, then those that it waits for."""

    def __init__(self, *idle: "Connection", waiting: "list[Connection] | None" = None) -> None:
        self.idle = list(idle)
        self.waiting = waiting or []
        self.asked: list[dict[str, object]] = []
        self.released: list[Connection] = []
        for connection in [*idle, *self.waiting]:
            connection.pool = self
        self.place = asyncio.Event()
        self.place.set()

    def take(self, **asked: object) -> "Connection | None":
        self.asked.append(asked)
        return self.idle.pop(0) if self.idle else None

    async def acquire(self, **asked: object) -> "Connection":
        self.asked.append(asked)
        await self.place.wait()
        return self.waiting.pop(0)

    def release(self, connection: "Connection") -> None:
        self.released.append(connection)


class Answer:
    """What has come of an answer behind its head: `rest`, and whether that is all (`complete`).

    It is its own parser: of that only `complete`, `trailers` and the bytes held are asked.
    """

    def __init__(self, rest: bytes, complete: bool) -> None:
        self.rest = rest
        self.complete = complete
        self.parser = self.body = self
        self.trailers: list[Header] = []
        self.whole: object = None
        self.error: UpstreamError | None = None

    @property
    def held(self) -> int:
        return len(self.rest)

    def ready(self) -> bytes:
        rest, self.rest = self.rest, b""
        return rest


@dataclass(eq=False)
class Connection:
    """A connection to the gateway that gives one answer; `used` counts this exchange as well."""

    gives: ResponseHead | UpstreamError = field(default_factory=lambda: HEAD)
    used: int = 1
    rest: bytes = b"ok"
    complete: bool = True

    def __post_init__(self) -> None:
        self.pool: Pool | None = None
        self.began: dict[str, object] = {}
        self.written: list[bytes] = []
        self.request_done = False
        self.given_up: str | None = None
        self.answer = Answer(self.rest, self.complete)
        self.answered: asyncio.Event | None = None

    def begin(self, **began: object) -> None:
        self.began = began

    def write(self, data: bytes, *, last: bool = False) -> None:
        self.written.append(data)
        self.request_done = last

    async def head(self) -> ResponseHead:
        if self.answered is not None:
            await self.answered.wait()
        if isinstance(self.gives, UpstreamError):
            raise self.gives
        return self.gives

    def give_up(self, error: UpstreamError) -> None:
        self.given_up = error.code


class Body:
    """A request's body: its beginning, and whether that is all of it."""

    def __init__(self, beginning: bytes = b"body", *, whole: bool = True, unread: bool | None = None) -> None:
        """`unread`: a part has not come yet; by default where it is not `whole`."""
        self.beginning = beginning
        self.whole = whole
        self.unread = not whole if unread is None else unread
        self.carried: Connection | None = None
        self.carries = self.ended = self.waits = 0
        self.comes: bytes | None = None  # the rest, if that comes while there is no connection
        self.sent_at_end: list[bytes] = []
        self.connection: Connection | None = None

    async def begin(self) -> bytes:
        return self.beginning

    async def wait(self) -> bytes:
        self.waits += 1
        return b""

    async def waited(self) -> bytes:
        self.waits -= 1
        if self.comes is not None:
            self.whole, self.unread = True, False
        return self.comes or b""

    def carry(self, connection: Any) -> None:
        self.carried = connection
        self.carries += 1

    async def end(self) -> None:
        self.ended += 1
        if self.connection is not None:
            self.sent_at_end = list(self.connection.written)


def call(method: str = "GET", body: Body | None = None, room: int = 0) -> Call:
    """A call of a client's request."""
    given: Any = body
    return Call(method, given, Room(room))


async def send(call: Call, pool: Pool, **settings: Any) -> ResponseHead:
    """Send a request with default settings."""
    real: Any = pool
    asked: dict[str, Any] = {"client": "192.0.2.1", "reserved": False, "interim": None, **settings}
    return await call.send(real, b"HEAD|", **asked)


# ---- sending ----


async def test_a_request_without_a_body_is_sent_and_answered_on_an_idle_connection() -> None:
    connection, made = Connection(), call()
    pool = Pool(connection)
    assert await send(made, pool) is HEAD
    assert (connection.written, connection.request_done) == ([b"HEAD|"], True)
    assert pool.asked == [{"probe": False, "client": "192.0.2.1", "reserved": False}]
    assert made.body is not None
    assert await made.body.read() == b"ok"


async def test_without_an_idle_connection_it_waits_for_one() -> None:
    connection = Connection()
    pool = Pool(waiting=[connection])
    await send(call("POST"), pool, client="192.0.2.2", reserved=True)
    asked = {"probe": True, "client": "192.0.2.2", "reserved": True}
    assert pool.asked == [asked, {"fresh": False, **asked}]
    assert connection.written == [b"HEAD|"]


async def test_a_small_body_goes_along_in_one_write_and_counts_once_it_is_sent() -> None:
    connection, body = Connection(), Body()
    body.connection = connection
    await send(call("POST", body), Pool(connection))
    assert connection.written == body.sent_at_end == [b"HEAD|body"]
    assert (connection.request_done, body.ended, body.carries) == (True, 1, 0)


async def test_the_rest_of_a_larger_body_is_carried_behind_its_beginning() -> None:
    connection, body = Connection(), Body(whole=False)
    await send(call("PUT", body), Pool(connection))
    assert (connection.written, body.carried) == ([b"HEAD|body"], connection)
    assert (connection.request_done, body.ended) == (False, 0)


@pytest.mark.parametrize(
    ("method", "sent", "head_only"), [("GET", None, False), ("HEAD", None, True), ("HEAD", "GET", False)]
)
async def test_the_method_that_is_sent_decides_whether_the_answer_has_a_body(
    method: str, sent: str | None, head_only: bool
) -> None:
    connection = Connection()
    await send(call(method), Pool(connection), method=sent)
    assert connection.began["head_only"] is head_only


async def test_interim_answers_go_where_the_caller_wants_them() -> None:
    connection, seen = Connection(), list[ResponseHead]()
    await send(call(), Pool(connection), interim=seen.append)
    assert connection.began["informational"] == seen.append


async def test_the_time_counts_from_sending_to_the_head() -> None:
    connection, made = Connection(), call()
    connection.answered = asyncio.Event()
    task = asyncio.ensure_future(send(made, Pool(connection)))
    await asyncio.sleep(0)
    before = made.seconds
    connection.answered.set()
    await task
    assert before is None
    assert made.seconds is not None
    assert 0 <= made.seconds < 20


# ---- the switch of protocols ----


async def test_a_switch_that_was_asked_for_keeps_its_connection_and_has_no_body() -> None:
    connection, made = Connection(ResponseHead(101, b"Switching Protocols")), call()
    assert (await send(made, Pool(connection), upgrade=True)).status == 101
    kept: Any = made.connection
    assert (made.body, kept) == (None, connection)


async def test_a_switch_that_nobody_asked_for_is_a_bad_answer() -> None:
    connection, made = Connection(ResponseHead(101, b"Switching Protocols")), call()
    with pytest.raises(UpstreamError, match="did not ask for an upgrade") as raised:
        await send(made, Pool(connection))
    assert (raised.value.code, raised.value.answered) == ("gateway_bad_answer", True)


# ---- what is repeated ----


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
async def test_a_request_that_met_a_dying_connection_is_sent_once_more_on_a_fresh_one(method: str) -> None:
    dying, fresh, body = Connection(DYING, used=2), Connection(), Body()
    pool = Pool(dying, waiting=[fresh])
    assert await send(call(method, body), pool) is HEAD
    assert dying.written == fresh.written == [b"HEAD|body"]
    assert pool.asked[-1] == {"fresh": True, "probe": False, "client": "192.0.2.1", "reserved": False}


@pytest.mark.parametrize(
    ("method", "error", "used", "whole"),
    [
        ("POST", DYING, 2, True),
        ("PATCH", DYING, 2, True),
        ("GET", UpstreamError("gateway_closed", answered=True), 2, True),
        ("GET", UpstreamError("gateway_timeout"), 2, True),
        ("GET", DYING, 1, True),
        ("PUT", DYING, 2, False),
    ],
    ids=["POST", "PATCH", "answered", "another failure", "a fresh connection", "a body still coming"],
)
async def test_anything_else_is_never_repeated(method: str, error: UpstreamError, used: int, whole: bool) -> None:
    dying = Connection(error, used)
    pool = Pool(dying, waiting=[Connection()])
    with pytest.raises(UpstreamError) as raised:
        await send(call(method, Body(whole=whole)), pool)
    assert raised.value is error
    assert len(pool.waiting) == 1


async def test_a_request_is_repeated_once() -> None:
    pool = Pool(Connection(DYING, used=2), waiting=[Connection(DYING, used=2), Connection()])
    with pytest.raises(UpstreamError):
        await send(call(), pool)
    assert len(pool.waiting) == 1


async def test_nothing_is_repeated_for_a_client_that_has_left() -> None:
    dying, made = Connection(DYING, used=2, complete=False), call()
    dying.answered = asyncio.Event()
    pool = Pool(dying, waiting=[Connection()])
    task = asyncio.ensure_future(send(made, pool))
    await asyncio.sleep(0)
    made.client_left()
    dying.answered.set()
    with pytest.raises(UpstreamError):
        await task
    assert len(pool.waiting) == 1


# ---- clients that leave ----


@pytest.mark.parametrize("comes", [None, b" and more"])
async def test_a_body_is_told_that_its_call_has_to_wait_and_when_that_is_over(comes: bytes | None) -> None:
    """What it gives for that is sent behind its beginning; it is carried unless that is all of it."""
    connection, body = Connection(), Body(whole=False)
    body.comes = comes
    pool = Pool(waiting=[connection])
    pool.place.clear()
    sending = asyncio.ensure_future(send(call("POST", body), pool))
    await asyncio.sleep(0)
    assert body.waits == 1
    pool.place.set()
    await sending
    assert body.waits == 0
    assert connection.written == [b"HEAD|body" + (comes or b"")]
    assert (body.carries, body.ended) == ((1, 0) if comes is None else (0, 1))


async def test_a_body_whose_call_gets_a_connection_at_once_is_not_told_to_wait() -> None:
    body = Body()
    body.wait = None  # type: ignore[assignment,method-assign]
    await send(call("POST", body), Pool(Connection()))
    assert body.ended == 1


async def test_a_body_is_told_that_there_will_be_no_connection() -> None:
    body = Body(whole=False)
    with pytest.raises(IndexError):
        await send(call("POST", body), Pool())
    assert body.waits == 0


@pytest.mark.parametrize(
    ("method", "whole", "given_up"),
    [
        *((method, True, True) for method in ("GET", "HEAD", "OPTIONS", "TRACE")),
        ("PUT", True, False),
        ("POST", True, False),
        ("POST", False, True),
    ],
)
async def test_what_is_given_up_when_the_client_leaves(method: str, whole: bool, given_up: bool) -> None:
    """What changes nothing, and what the gateway can never get whole."""
    connection, made = Connection(complete=False), call(method, Body(whole=whole))
    await send(made, Pool(connection))
    made.client_left()
    assert connection.given_up == ("client_gone" if given_up else None)


async def test_a_request_without_a_body_is_given_up_as_well() -> None:
    connection, made = Connection(complete=False), call()
    await send(made, Pool(connection))
    made.client_left()
    assert connection.given_up == "client_gone"


async def test_an_answer_that_is_whole_is_not_given_up() -> None:
    connection, made = Connection(rest=bytes(LARGE)), call()
    await send(made, Pool(connection))
    made.client_left()
    assert connection.given_up is None


async def test_a_client_that_leaves_before_anything_was_sent_gives_up_nothing() -> None:
    made = call()
    made.client_left()
    assert made.connection is None


async def test_a_call_that_others_follow_is_never_given_up() -> None:
    connection, made = Connection(complete=False), call()
    made.shared = shared = SharedCall(0.0, 0)
    shared.followers = 1
    await send(made, Pool(connection))
    made.client_left()
    assert connection.given_up is None
    shared.followers = 0
    made.client_left()
    assert connection.given_up == "client_gone"


@pytest.mark.parametrize(
    ("method", "body", "sent"),
    [
        ("GET", None, False),
        ("POST", Body(whole=False), False),
        ("POST", Body(), True),
        ("POST", Body(whole=False, unread=False), True),
    ],
    ids=["changes nothing", "not whole", "to be carried to its end", "here and not read yet"],
)
async def test_a_client_that_left_while_waiting_for_a_place(method: str, body: Body | None, sent: bool) -> None:
    connection, made = Connection(), call(method, body)
    pool = Pool(waiting=[connection])
    pool.place.clear()
    task = asyncio.ensure_future(send(made, pool))
    await asyncio.sleep(0)
    made.client_left()
    pool.place.set()
    if sent:
        assert await task is HEAD
    else:
        with pytest.raises(ConnectionResetError):
            await task
        assert pool.released == [connection]
    assert bool(connection.written) is sent


@pytest.mark.parametrize("may_go", [True, False])
async def test_whoever_may_forbid_it_is_asked_when_the_connection_is_there(may_go: bool) -> None:
    connection, made, said = Connection(), call("POST", Body()), True
    pool = Pool(waiting=[connection])
    pool.place.clear()
    task = asyncio.ensure_future(send(made, pool, may_go=lambda: said))
    await asyncio.sleep(0)
    said = may_go
    pool.place.set()
    if may_go:
        assert await task is HEAD
    else:
        with pytest.raises(WithheldError):
            await task
        assert pool.released == [connection]
    assert bool(connection.written) is may_go


# ---- nothing is left behind ----


async def test_the_connection_is_given_back_once_as_soon_as_the_answer_is_here() -> None:
    connection, made = Connection(), call()
    pool = Pool(connection)
    await send(made, pool)
    assert (pool.released, made.connection) == ([connection], None)
    made.close()
    assert (pool.released, made.body) == ([connection], None)


async def test_an_answer_that_is_not_whole_gives_its_connection_back_at_the_end() -> None:
    connection, made = Connection(complete=False), call()
    pool = Pool(connection)
    await send(made, pool)
    assert pool.released == []
    assert connection.answer.whole is not None
    made.close()
    assert (pool.released, connection.answer.whole) == ([connection], None)


async def test_the_room_that_an_answer_took_is_given_back_at_the_end() -> None:
    connection, made = Connection(rest=bytes(LARGE)), call(room=LARGE)
    pool = Pool(connection)
    await send(made, pool)
    assert pool.released == [connection]
    assert not made._room.take(1)
    made.close()
    assert made._room.take(LARGE)


async def test_a_call_that_was_never_made_leaves_nothing() -> None:
    made = call()
    made.close()
    assert (made.body, made.connection, made.seconds) == (None, None, None)
