"""A request's body: no place is taken before it flows, its pace is watched, and what a watched one says is not lost."""

import asyncio
import json
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from statusproxy.proxy.downstream.body_buffer import BrokenBodyError
from statusproxy.proxy.downstream.request_body import ENOUGH, Upload
from statusproxy.proxy.http1.framing import LAST_CHUNK, chunk
from statusproxy.proxy.site import Limits, Timeouts
from statusproxy.proxy.upstream.errors import UpstreamError
from tests.proxy.harness import OK, PATIENCE, Message, Origin, Running, Wire, answer, get, running, until
from tests.proxy.loop_clock import LoopClock
from tests.registry.known import records_of

WEBHOOK = "/v1/webhooks/receive"
LOST = b'{"event":"status-find","session":"sales","status":"browserClose"}'

#: Kept by a peer on loopback for as long as it sends at all. The tests move the clock past the grace.
BRISK = {"limits": {"min_rate": "1MiB"}, "timeouts": {"min_rate_grace": "8s"}}
PAST_GRACE = 9


def in_use(proxy: Running) -> int:
    """Places at the gateway that are taken."""
    return proxy.server.proxy.site.pool.in_use


def lost(proxy: Running) -> list[str]:
    """The sessions that the proxy shows as disconnected."""
    return [record.session for record in records_of(proxy.server.registry) if record.override is not None]


def code(message: Message) -> tuple[int, str]:
    """Status and code of an answer of the proxy's own."""
    return message.status, json.loads(message.body)["error_code"]


def posted(path: str = "/", *fields: str) -> bytes:
    """The head of a POST."""
    return get(path, *fields, method="POST")


# ---- by itself, between stand-ins for its client and its gateway ----


class Content:
    """What has come of a body, and what is still to come."""

    def __init__(self, *pieces: bytes, whole: bool = False) -> None:
        self.pieces = list(pieces)
        self.whole = whole
        self.error: Exception | None = None
        self.came = asyncio.Event()

    def is_eof(self) -> bool:
        return self.whole

    def read_nowait(self) -> bytes:
        if self.error is not None:
            raise self.error
        pieces, self.pieces = self.pieces, []
        return b"".join(pieces)

    async def readany(self) -> bytes:
        while not self.pieces and not self.whole and self.error is None:
            self.came.clear()
            await self.came.wait()
        return self.read_nowait()

    async def ended(self) -> None:
        while not self.whole and self.error is None:
            self.came.clear()
            await self.came.wait()

    def set_exception(self, error: Exception) -> None:
        self.error = error

    def come(self, data: bytes = b"", *, whole: bool = False, error: Exception | None = None) -> None:
        """Something comes, or the end, or an error in place of all that was not read."""
        if data:
            self.pieces.append(data)
        self.whole, self.error = whole, error
        self.came.set()


class Gateway:
    """A connection to the gateway that takes what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = self.complete = self.request_done = self.writing_paused = False
        self.given_up: str | None = None
        self.taken = asyncio.Event()

    def write(self, data: bytes, *, last: bool = False) -> None:
        self.written.append(data)
        self.request_done = last

    async def drain(self) -> None:
        await self.taken.wait()

    def give_up(self, error: UpstreamError) -> None:
        self.given_up = error.code
        self.closed = True


class Observer:
    """Is given each piece; `work` is what it is behind with."""

    def __init__(self, work: Callable[[], Awaitable[None]] | None = None) -> None:
        self.fed = b""
        self.work = work
        self.caught_up = 0

    def feed(self, data: bytes) -> None:
        self.fed += data

    def catch_up(self) -> Awaitable[None] | None:
        self.caught_up += 1
        return self.work() if self.work is not None else None


def upload(
    content: Content,
    *,
    chunked: bool = False,
    expect: bytes | None = None,
    version: tuple[int, int] = (1, 1),
    limit: int | None = None,
    connected: bool = True,
    rate: int | None = None,
    grace: float = 0.0,
    read: float | None = None,
    write: float | None = None,
) -> Upload:
    """The body of a request with this content; `read` and `write` are seconds for the client and the gateway."""
    request: Any = SimpleNamespace(
        content=content,
        version=version,
        message=SimpleNamespace(chunked=chunked, well_known={} if expect is None else {b"expect": [expect]}),
        connection=SimpleNamespace(transport=object() if connected else None),
    )
    site: Any = SimpleNamespace(
        limits=Limits(body=limit, min_rate=rate),
        timeouts=Timeouts(request_body=read, response_body=write, min_rate_grace=grace),
    )
    return Upload(request, site)


def carried(body: Upload, gateway: Gateway) -> asyncio.Task[None]:
    """Carry the rest of `body`."""
    real: Any = gateway
    body.carry(real)
    assert body.carried is not None
    return body.carried


@pytest.mark.parametrize(
    ("chunked", "data", "sent"),
    [
        (False, b"hello", b"hello"),
        (False, b"", b""),
        (True, b"hello", b"5\r\nhello\r\n0\r\n\r\n"),
        (True, b"", b"0\r\n\r\n"),
    ],
)
async def test_a_body_that_is_here_is_read_counted_and_observed_at_once(
    chunked: bool, data: bytes, sent: bytes
) -> None:
    body, one, other = upload(Content(data, whole=True), chunked=chunked, limit=5), Observer(), Observer()
    body.observe(one, other)
    assert await body.begin() == sent
    assert (one.fed, other.fed, body.received, body.whole, body.unread) == (data, data, len(data), True, False)


async def test_a_body_that_is_here_and_has_a_byte_too_many_is_refused_and_not_observed() -> None:
    body, observer = upload(Content(b"sixsix", whole=True), limit=5), Observer()
    body.observe(observer)
    with pytest.raises(UpstreamError, match="body_too_large"):
        await body.begin()
    assert observer.fed == b""


async def test_who_wants_to_know_is_told_once_that_the_body_is_whole() -> None:
    told: list[int] = []

    async def whole() -> None:
        told.append(body.received)

    body = upload(Content(b"hello", whole=True))
    body.observe(on_whole=whole)
    await body.begin()
    assert told == []
    await body.end()
    await body.end()
    assert told == [5]


# ---- while there is no connection ----


class Whole:
    """Is told when a body is whole, and notes how much of it was read then."""

    def __init__(self, body: Upload, observer: Observer) -> None:
        self.body = body
        self.at: list[int] = []
        body.observe(observer, on_whole=self.whole)

    async def whole(self) -> None:
        self.at.append(self.body.received)


async def test_a_body_that_is_whole_counts_before_there_is_a_connection() -> None:
    body = upload(Content(b"hello", whole=True))
    whole = Whole(body, Observer())
    assert await body.begin() == b"hello"
    assert await body.wait() == b""
    assert whole.at == [5]
    assert await body.waited() == b""
    await body.end()
    assert (whole.at, body.carried) == ([5], None)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("late", [False, True])
async def test_a_large_body_counts_when_its_end_comes_while_there_is_no_connection(chunked: bool, late: bool) -> None:
    content, observer = Content(bytes(ENOUGH)), Observer()
    body = upload(content, chunked=chunked)
    whole = Whole(body, observer)
    sent = await body.begin()
    if not late:
        content.come(b"rest", whole=True)
    sent += await body.wait()
    if late:
        content.come(b"re")
        await asyncio.sleep(0)
        content.come(b"st", whole=True)
        await body.carried_out()
    assert (whole.at, observer.fed) == ([ENOUGH + 4], bytes(ENOUGH) + b"rest")
    sent += await body.waited()
    plain = chunk(bytes(ENOUGH)) + chunk(b"rest") + LAST_CHUNK if chunked else bytes(ENOUGH) + b"rest"
    assert (sent, body.whole) == (plain, True)
    await body.finish()
    await body.end()
    assert whole.at == [ENOUGH + 4]


@pytest.mark.parametrize("late", [False, True])
async def test_the_observers_have_worked_off_a_body_before_it_counts(late: bool) -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("work")

    async def whole() -> None:
        done.append("whole")

    content = Content(bytes(ENOUGH))
    body = upload(content)
    body.observe(Observer(work), on_whole=whole)
    await body.begin()
    assert done == []
    if not late:
        content.come(b"rest", whole=True)
    await body.wait()
    content.come(b"rest" if late else b"", whole=True)
    await body.carried_out()
    assert done == ["work", "whole"]


async def test_what_has_not_come_when_there_is_a_connection_is_carried() -> None:
    content, gateway, observer = Content(bytes(ENOUGH)), Gateway(), Observer()
    body = upload(content)
    whole = Whole(body, observer)
    await body.begin()
    assert await body.wait() == b""
    content.come(b"mo")
    await asyncio.sleep(0)
    assert await body.waited() == b""
    assert (body.whole, body.carried) == (False, None)
    task = carried(body, gateway)
    content.come(b"re", whole=True)
    await task
    assert (b"".join(gateway.written), whole.at) == (b"more", [ENOUGH + 4])


async def test_what_has_not_come_when_there_will_be_no_connection_is_read_to_its_end() -> None:
    content = Content(bytes(ENOUGH))
    body = upload(content)
    whole = Whole(body, Observer())
    await body.begin()
    await body.wait()
    await body.waited()
    content.come(b"rest", whole=True)
    await body.finish()
    assert whole.at == [ENOUGH + 4]


async def test_a_body_beyond_the_limit_is_refused_before_there_is_a_connection() -> None:
    content = Content(bytes(ENOUGH))
    body = upload(content, limit=ENOUGH + 3)
    whole = Whole(body, Observer())
    await body.begin()
    content.come(b"rest", whole=True)
    with pytest.raises(UpstreamError, match="body_too_large"):
        await body.wait()
    assert whole.at == []


async def test_a_body_is_refused_that_grows_beyond_the_limit_while_there_is_no_connection() -> None:
    content = Content(bytes(ENOUGH))
    body = upload(content, limit=ENOUGH + 3)
    whole = Whole(body, Observer())
    await body.begin()
    await body.wait()
    content.come(b"rest", whole=True)
    await body.carried_out()
    assert await body.waited() == b""
    with pytest.raises(UpstreamError, match="body_too_large"):
        await body.finish()
    assert whole.at == []


async def test_a_body_that_breaks_off_while_there_is_no_connection_does_not_count() -> None:
    content = Content(bytes(ENOUGH))
    body = upload(content, connected=False)
    whole = Whole(body, Observer())
    await body.begin()
    await body.wait()
    content.come(error=ConnectionResetError("gone"))
    await body.carried_out()
    assert await body.waited() == b""
    with pytest.raises(ConnectionResetError):
        await body.finish()
    assert whole.at == []


async def test_a_body_that_nobody_asks_about_is_left_where_it_is_while_there_is_no_connection() -> None:
    content = Content(bytes(ENOUGH))
    body = upload(content)
    await body.begin()
    content.come(b"rest")
    assert await body.wait() == await body.waited() == b""
    assert (content.pieces, body.carried) == ([b"rest"], None)


async def test_after_a_stop_nobody_waits_for_a_body_s_end() -> None:
    body = upload(Content(bytes(ENOUGH)))
    Whole(body, Observer())
    await body.begin()
    await body.wait()
    task = body.carried
    assert task is not None
    await body.stop()
    assert (task.cancelled(), body.carried) == (True, None)


# ---- a body that is held back, and one that is carried ----


@pytest.mark.parametrize(
    ("expect", "version", "held_back"),
    [(b"100-continue", (1, 1), True), (b"100-Continue", (1, 1), True), (b"100-continue", (1, 0), False),
     (b"else", (1, 1), False), (None, (1, 1), False)],
)  # fmt: skip
async def test_nothing_is_waited_for_of_a_body_that_is_held_back(
    expect: bytes | None, version: tuple[int, int], held_back: bool
) -> None:
    content = Content()
    body = upload(content, expect=expect, version=version)
    assert body.held_back is held_back
    begun = asyncio.ensure_future(body.begin())
    await asyncio.sleep(0)
    assert begun.done() is held_back
    content.come(b"hello", whole=True)
    assert await begun == (b"" if held_back else b"hello")
    body.permitted()
    assert not body.held_back


async def test_a_body_that_is_here_waits_for_no_permission() -> None:
    body = upload(Content(b"hello", whole=True), expect=b"100-continue")
    assert (body.held_back, await body.begin(), body.held_back) == (True, b"hello", False)


async def test_the_rest_is_carried_as_it_comes_and_the_request_is_done_with_its_last_byte() -> None:
    content, gateway, ended = Content(b"a" * ENOUGH), Gateway(), list[bool]()

    async def whole() -> None:
        ended.append(gateway.request_done)

    body, observer = upload(content), Observer()
    body.observe(observer, on_whole=whole)
    assert await body.begin() == b"a" * ENOUGH
    task = carried(body, gateway)
    content.come(b"more")
    await until(lambda: gateway.written == [b"more"])
    assert (gateway.request_done, ended) == (False, [])
    content.come(b"last", whole=True)
    await task
    assert (gateway.written, gateway.request_done, ended) == ([b"more", b"last"], True, [True])
    assert observer.fed == b"a" * ENOUGH + b"morelast"
    assert observer.caught_up == 2


@pytest.mark.parametrize("how", ["closed", "complete"])
async def test_when_the_gateway_takes_no_more_the_rest_is_for_the_observers_alone(how: str) -> None:
    content, gateway = Content(), Gateway()
    setattr(gateway, how, True)
    body, observer = upload(content), Observer()
    body.observe(observer)
    task = carried(body, gateway)
    content.come(b"rest", whole=True)
    await task
    assert (gateway.written, gateway.request_done, observer.fed) == ([], False, b"rest")
    assert observer.caught_up == 1


async def test_where_nobody_observes_it_is_left_where_it_is() -> None:
    gateway = Gateway()
    gateway.complete = True
    body = upload(Content(b"rest"))
    await carried(body, gateway)
    assert (body.received, body.unread) == (0, True)


async def test_a_gateway_that_stops_reading_is_waited_for() -> None:
    content, gateway = Content(), Gateway()
    gateway.writing_paused = True
    body = upload(content)
    task = carried(body, gateway)
    content.come(b"one")
    await until(lambda: gateway.written == [b"one"])
    content.come(b"two", whole=True)
    await asyncio.sleep(0)
    assert gateway.written == [b"one"]
    gateway.taken.set()
    await task
    assert gateway.written == [b"one", b"two"]


@pytest.mark.parametrize(
    ("error", "connected", "code"),
    [
        (BrokenBodyError("not a chunk"), True, "bad_request"),
        (ConnectionResetError(), True, "client_gone"),
        (TimeoutError(), False, "client_gone"),
        (OSError("of our own"), True, "internal"),
    ],
)
@pytest.mark.parametrize("waited_for", [True, False])
async def test_a_body_that_ends_in_its_middle_gives_the_request_up(
    error: Exception, connected: bool, code: str, waited_for: bool
) -> None:
    content, gateway, told = Content(), Gateway(), list[str]()

    async def whole() -> None:
        told.append("whole")

    body = upload(content, connected=connected)
    body.observe(on_whole=whole)
    task = carried(body, gateway)
    if waited_for:
        await asyncio.sleep(0)
    content.come(error=error)
    await task
    assert (gateway.given_up, gateway.request_done, told) == (code, False, [])


async def test_a_body_beyond_the_limit_gives_the_request_up_and_is_observed_up_to_it() -> None:
    content, gateway, observer = Content(), Gateway(), Observer()
    body = upload(content, limit=5)
    body.observe(observer)
    task = carried(body, gateway)
    content.come(b"hello")
    await until(lambda: observer.fed == b"hello")
    content.come(b"!")
    await task
    assert (gateway.given_up, observer.fed, body.received) == ("body_too_large", b"hello", 5)


async def test_a_request_whose_body_was_read_whole_is_never_given_up() -> None:
    """Its connection may serve another exchange already."""
    content, gateway = Content(), Gateway()

    def fail(data: bytes, *, last: bool = False) -> None:
        raise RuntimeError("of our own")

    gateway.write = fail  # type: ignore[method-assign]
    task = carried(upload(content), gateway)
    content.come(b"all", whole=True)
    await task
    assert (gateway.request_done, gateway.given_up) == (False, None)


async def test_a_chunked_piece_goes_on_a_second_after_it_came(still_clock: LoopClock) -> None:
    """With what came in that time, which is no new beginning of it."""
    content = Content()
    body = upload(content, chunked=True)
    begun = asyncio.ensure_future(body.begin())
    await still_clock.move(100)
    content.come(b"one")
    await still_clock.move(0.6)
    content.come(b"two")
    await still_clock.move(0.2)
    assert not begun.done()
    await still_clock.move(0.3)
    assert begun.done()
    assert await begun == b"6\r\nonetwo\r\n"
    assert (body.whole, body.received) == (False, 6)


async def test_of_a_large_body_no_more_than_enough_is_waited_for() -> None:
    content = Content(b"a" * (ENOUGH - 1))
    body = upload(content)
    begun = asyncio.ensure_future(body.begin())
    await asyncio.sleep(0)
    assert not begun.done()
    content.come(b"b")
    assert await begun == b"a" * (ENOUGH - 1) + b"b"
    assert (body.received, body.unread) == (ENOUGH, True)


async def test_a_permission_that_comes_after_the_stop_changes_nothing() -> None:
    body = upload(Content(), expect=b"100-continue", read=60.0)
    assert await body.begin() == b""
    task = carried(body, Gateway())
    await asyncio.sleep(0)
    await body.stop()
    body.permitted()
    assert (task.cancelled(), body.held_back) == (True, False)


# ---- its times ----


async def failure(task: asyncio.Future[Any]) -> str:
    """The code that a task which has just ended failed with."""
    assert task.done()
    with pytest.raises(UpstreamError) as error:
        await task
    return error.value.code


@pytest.mark.parametrize(
    ("sent", "read", "rate", "grace", "seconds"),
    [
        (b"x" * 500, None, 1000, 2.0, 2.0),
        (b"x" * 5000, None, 1000, 2.0, 5.0),
        (b"x" * 5000, 3.0, 1000, 2.0, 3.0),
        (b"x" * 5000, 8.0, 1000, 2.0, 5.0),
        (b"x" * 5000, 8.0, None, 2.0, 8.0),
        (b"", 8.0, None, 2.0, 8.0),
    ],
)
async def test_a_client_that_stops_sending_is_given_up_after_its_time(
    still_clock: LoopClock, sent: bytes, read: float | None, rate: int | None, grace: float, seconds: float
) -> None:
    """Whichever is over first: the time for silence, or what came with the head and is paid for by it."""
    begun = asyncio.ensure_future(upload(Content(sent), read=read, rate=rate, grace=grace).begin())
    await still_clock.move(seconds - 0.2)
    assert not begun.done()
    await still_clock.move(0.3)
    assert await failure(begun) == "request_body_incomplete"


async def test_a_chunked_piece_is_not_held_for_longer_than_its_client_may_be_silent(still_clock: LoopClock) -> None:
    begun = asyncio.ensure_future(upload(Content(b"one"), chunked=True, read=0.5).begin())
    await still_clock.move(0.4)
    assert not begun.done()
    await still_clock.move(0.2)
    assert await failure(begun) == "request_body_incomplete"


async def test_a_chunked_piece_goes_on_before_its_client_is_given_up(still_clock: LoopClock) -> None:
    begun = asyncio.ensure_future(upload(Content(b"one"), chunked=True, read=3.0).begin())
    await still_clock.move(1.1)
    assert begun.done()
    assert await begun == b"3\r\none\r\n"


async def test_each_piece_pays_for_its_own_time_and_waiting_costs_it(still_clock: LoopClock) -> None:
    content = Content(b"x" * 2000)
    begun = asyncio.ensure_future(upload(content, rate=1000).begin())
    await still_clock.move(1.5)
    content.come(b"x" * 2000)  # 0.5 s are left, and these add 2
    await still_clock.move(2.3)
    assert not begun.done()
    await still_clock.move(0.4)
    assert await failure(begun) == "request_body_incomplete"


async def test_the_time_for_silence_begins_anew_with_each_piece(still_clock: LoopClock) -> None:
    content = Content()
    begun = asyncio.ensure_future(upload(content, read=2.0).begin())
    for _ in range(3):
        await still_clock.move(1.7)
        content.come(b"x")
    await still_clock.move(1.7)
    content.come(whole=True)
    assert await begun == b"xxx"


async def test_the_time_that_the_gateway_takes_is_not_held_against_the_client(still_clock: LoopClock) -> None:
    """While the gateway does not read the client is held back, for longer than it may be slow itself."""
    content, gateway = Content(), Gateway()
    gateway.writing_paused = True
    body = upload(content, rate=1000, grace=2.0)
    task = carried(body, gateway)
    await still_clock.move(1.0)
    content.come(b"one")
    await still_clock.move(100.0)
    assert gateway.written == [b"one"]
    gateway.writing_paused = False
    gateway.taken.set()
    await still_clock.move(0.8)
    assert not task.done()
    content.come(b"two")
    await still_clock.move(0.1)
    assert gateway.written == [b"one", b"two"]
    await still_clock.move(0.3)  # of the grace of two seconds all is used up now
    await task
    assert gateway.given_up == "request_body_too_slow"


async def test_what_came_while_the_gateway_took_its_time_pays_as_well(still_clock: LoopClock) -> None:
    content, gateway = Content(), Gateway()
    task = carried(upload(content, rate=1000, grace=1.0), gateway)  # of no clock
    await still_clock.move(0.5)
    gateway.writing_paused = True
    content.come(b"x")
    await still_clock.move(0.0)
    gateway.writing_paused = False
    content.come(b"x" * 5000)
    gateway.taken.set()
    await still_clock.move(4.2)
    assert not task.done()
    await still_clock.move(0.5)
    await task
    assert gateway.given_up == "request_body_too_slow"


async def test_a_client_that_was_not_told_to_send_has_its_time_from_the_permission_on(still_clock: LoopClock) -> None:
    content, gateway = Content(), Gateway()
    body = upload(content, expect=b"100-continue", rate=1000, grace=2.0)
    assert await body.begin() == b""
    task = carried(body, gateway)
    await still_clock.move(100.0)
    assert (task.done(), body.held_back) == (False, True)
    body.permitted()
    assert not body.held_back
    await still_clock.move(1.8)
    body.permitted()
    assert not task.done()
    await still_clock.move(0.3)
    await task
    assert gateway.given_up == "request_body_too_slow"


async def test_a_client_that_is_never_told_to_send_has_the_time_for_silence(still_clock: LoopClock) -> None:
    gateway = Gateway()
    body = upload(Content(), expect=b"100-continue", rate=1000, read=3.0)
    assert await body.begin() == b""
    task = carried(body, gateway)
    await still_clock.move(2.8)
    assert not task.done()
    await still_clock.move(0.3)
    await task
    assert (gateway.given_up, body.held_back) == ("request_body_too_slow", True)


async def test_a_client_that_sends_unasked_waits_for_no_permission(still_clock: LoopClock) -> None:
    content, gateway = Content(), Gateway()
    body = upload(content, expect=b"100-continue", rate=1000, grace=2.0)
    assert await body.begin() == b""
    task = carried(body, gateway)
    content.come(b"x")
    await still_clock.move(1.8)
    assert (gateway.written, body.held_back, task.done()) == ([b"x"], False, False)
    await still_clock.move(0.3)
    await task
    assert gateway.given_up == "request_body_too_slow"


async def test_a_piece_that_comes_just_when_its_time_is_over_counts(still_clock: LoopClock) -> None:
    content = Content()
    begun = asyncio.ensure_future(upload(content, read=1.0).begin())
    await still_clock.move(0.5)
    loop = asyncio.get_running_loop()

    def come() -> None:
        content.pieces.append(b"late")
        content.whole = True

    loop.call_at(loop.time() + 0.4, come)
    await still_clock.move(10.0)
    assert begun.done()
    assert await begun == b"late"


async def test_a_gateway_that_stops_reading_for_too_long_is_given_up(still_clock: LoopClock) -> None:
    content, gateway = Content(), Gateway()
    gateway.writing_paused = True
    task = carried(upload(content, write=3.0), gateway)
    content.come(b"one")
    await still_clock.move(2.8)
    assert not task.done()
    await still_clock.move(0.3)
    await task
    assert (gateway.given_up, gateway.written) == ("gateway_timeout", [b"one"])


async def test_an_observer_that_fails_keeps_nothing_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise RuntimeError("of the observer's own")

    content, gateway = Content(), Gateway()
    body, other = upload(content), Observer()
    body.observe(Observer(fail), other)
    task = carried(body, gateway)
    content.come(b"all", whole=True)
    await task
    assert (gateway.written, other.caught_up) == ([b"all"], 1)
    assert "a request's body could not be watched" in caplog.messages


async def test_what_nobody_carries_can_be_read_to_its_end() -> None:
    told: list[str] = []

    async def whole() -> None:
        told.append("whole")

    content, observer = Content(b"one"), Observer()
    body = upload(content)
    body.observe(observer, on_whole=whole)
    task = asyncio.ensure_future(body.finish())
    content.come(b"two", whole=True)
    await task
    assert (observer.fed, observer.caught_up, told) == (b"onetwo", 1, ["whole"])
    await body.carried_out()


async def test_what_is_carried_is_waited_for() -> None:
    content, gateway = Content(), Gateway()
    body = upload(content)
    task = carried(body, gateway)
    finish = asyncio.ensure_future(body.finish())
    await asyncio.sleep(0)
    assert not finish.done()
    content.come(b"all", whole=True)
    await finish
    assert task.done()


@pytest.mark.parametrize("whole", [True, False])
async def test_after_a_stop_nothing_is_carried_and_nobody_is_held(whole: bool) -> None:
    content, gateway, observer = Content(), Gateway(), Observer()
    body = upload(content)
    body.observe(observer)
    task = carried(body, gateway)
    if whole:
        content.come(b"all", whole=True)
        await task
    else:
        await asyncio.sleep(0)
    held = weakref.ref(observer)
    del observer
    await body.stop()
    assert task.cancelled() is not whole
    assert (body.carried, held()) == (None, None)


async def test_a_body_without_a_pump_stops_at_once() -> None:
    body = upload(Content(b"all", whole=True))
    await body.stop()
    assert body.carried is None


# ---- through the proxy ----


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
    origin: Origin, tmp_path: Path, loop_clock: LoopClock, framing: str
) -> None:
    async with running(tmp_path, origin.url, **BRISK) as proxy:
        client = await proxy.connect()
        await client.send(posted("/", framing) + (b"1\r\n" if "chunked" in framing else b"x"))
        await until(lambda: proxy.server.proxy.in_flight == 1)
        await loop_clock.move(PAST_GRACE)
        got = await client.message()
        assert code(got) == (408, "request_body_incomplete")
        assert got.get("Connection") == b"close"
    assert origin.connections == 0


@pytest.mark.parametrize("framing", ["Content-Length: 3000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("with_the_head", [True, False])
async def test_what_came_with_the_head_counts_for_the_rate_as_well(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock, framing: str, with_the_head: bool
) -> None:
    part = b"x" * 1500 if "Length" in framing else chunk(b"x" * 1500)
    rest = b"x" * 1500 if "Length" in framing else chunk(b"x" * 1500) + LAST_CHUNK
    settings = {"limits": {"min_rate": 100}, "timeouts": {"min_rate_grace": "5s"}}
    async with running(tmp_path, origin.url, **settings) as proxy:
        client = await proxy.connect()
        if with_the_head:
            await client.send(posted("/", framing) + part)
        else:
            await client.send(posted("/", framing))
            await client.send(part)
        await until(lambda: proxy.server.proxy.in_flight == 1)
        await loop_clock.move(8)  # 1 500 bytes pay for 15 s; without them it would be over after five
        await client.send(rest)
        assert (await client.message()).status == 200


async def test_an_upload_that_stops_in_the_middle_gives_its_place_back(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    begun = asyncio.Event()
    how: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def script(wire: Wire) -> None:
        await wire.head()
        begun.set()
        how.set_result(await wire.ending())

    origin.script = script
    async with running(tmp_path, origin.url, **BRISK) as proxy:
        client = await proxy.connect()
        await client.send(posted("/", "Content-Length: 1000000") + bytes(ENOUGH))
        await begun.wait()
        await loop_clock.move(PAST_GRACE)
        assert code(await client.message()) == (408, "request_body_too_slow")
        await until(lambda: in_use(proxy) == 0)
        assert await how == "reset"  # half a request must not look like a whole one


async def test_without_a_minimum_rate_only_silence_is_limited(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    settings = {"limits": {"min_rate": None}, "timeouts": {"min_rate_grace": "1s"}}  # of no clock: not asked
    async with running(tmp_path, origin.url, **settings) as proxy:
        client = await proxy.connect()
        await client.send(posted("/", "Content-Length: 2") + b"a")
        await until(lambda: proxy.server.proxy.in_flight == 1)
        await loop_clock.move(30)
        await client.send(b"b")
        assert (await client.message()).status == 200


async def test_a_reload_changes_the_minimum_rate_for_requests_from_then_on(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    async with running(tmp_path, origin.url, limits={"min_rate": "1MiB"}, timeouts={"min_rate_grace": "10m"}) as proxy:
        file = tmp_path / "config.yaml"
        file.write_text(file.read_text().replace("min_rate_grace: 10m", "min_rate_grace: 8s"))
        assert await proxy.server.reload()
        client = await proxy.connect()
        await client.send(posted("/", "Content-Length: 2") + b"a")
        await until(lambda: proxy.server.proxy.in_flight == 1)
        await loop_clock.move(PAST_GRACE)
        assert code(await client.message()) == (408, "request_body_incomplete")


async def test_a_permission_that_comes_late_is_not_held_against_the_client(
    origin: Origin, proxy: Running, loop_clock: LoopClock
) -> None:
    asked, permits = asyncio.Event(), asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head()
        asked.set()
        await permits.wait()
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await wire.reader.readexactly(3)
        await wire.send(OK)

    origin.script = script
    client = await proxy.connect()
    await client.send(posted("/", "Content-Length: 3", "Expect: 100-continue"))
    await asked.wait()
    await loop_clock.move(40)  # of the minute that a client may be silent; its grace is 5 s
    permits.set()
    assert (await client.head()).status == 100
    await client.send(b"abc")
    assert (await client.message()).status == 200


async def test_a_client_that_holds_its_permission_loses_its_place(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
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
        await loop_clock.move(PAST_GRACE)
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


def held_up(proxy: Running) -> bool:
    """Whether the gateway accepts no more of what is sent."""
    return any(connection.writing_paused for connection in proxy.server.proxy.site.pool._busy)


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_an_event_counts_whose_gateway_stalls_in_its_middle(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock, framing: str
) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        if framing == "expect":
            await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    origin.script = script
    async with running(tmp_path, origin.url, timeouts={"response_body": "8s"}) as proxy:
        sending = asyncio.create_task(send_event(await proxy.connect(), sized(12_000_000), framing))
        await until(lambda: held_up(proxy))
        await loop_clock.move(9)
        got = await sending
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
        await until(lambda: held_up(proxy))
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
async def test_an_event_counts_for_which_no_place_is_free(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock, framing: str
) -> None:
    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await asyncio.Event().wait()

    origin.script = script
    limits = {"limits": {"upstream_connections": 1}, "timeouts": {"connect": "5s"}}
    async with running(tmp_path, origin.url, **limits) as proxy:
        busy = await proxy.connect()
        await busy.send(get("/busy"))
        await origin.received()
        sending = asyncio.create_task(send_event(await proxy.connect(), sized(100_000), framing))
        await until(lambda: proxy.server.proxy.site.pool.waiting == 1)
        await loop_clock.move(6)
        got = await sending
        assert code(got) == (503, "overloaded")
        assert lost(proxy) == ["sales"]


async def test_half_an_event_says_nothing_however_slowly_it_came(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    async with running(tmp_path, origin.url, **BRISK) as proxy:
        client = await proxy.connect()
        await client.send(posted(WEBHOOK, f"Content-Length: {len(LOST) + 1}") + LOST)
        await until(lambda: proxy.server.proxy.in_flight == 1)
        await loop_clock.move(PAST_GRACE)
        assert code(await client.message()) == (503, "webhook_body_incomplete")
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
