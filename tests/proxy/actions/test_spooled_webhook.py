"""Webhooks on a path with a spool: passed on while their receiver takes them, kept where it does not."""

import asyncio
import hmac
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from statusproxy.proxy import spool_copy
from statusproxy.proxy.http1.framing import LAST_CHUNK, chunk
from statusproxy.proxy.ports import Attempt, Parcel
from statusproxy.proxy.spool_copy import IN_MEMORY, SpoolCopy
from statusproxy.proxy.upstream.call import Call
from statusproxy.proxy.upstream.connection import UpstreamConnection
from tests.proxy.fake_spool import FakeSpool
from tests.proxy.harness import OK, Message, Origin, Running, Wire, answer, get, reports, running, until
from tests.proxy.held_origin import Held
from tests.proxy.loop_clock import LoopClock
from tests.proxy.open_files import open_below
from tests.registry.known import records_of

PATH = "/hook"
QUEUED = Attempt("queued")


def event(session: str = "sales", **more: Any) -> bytes:
    """The body of an event that says the session is lost."""
    return json.dumps({"event": "status-find", "session": session, "status": "browserClose", **more}).encode()


def request(body: bytes, *fields: str, path: str = PATH) -> bytes:
    """The bytes of a webhook."""
    return get(path, *fields, method="POST", body=body)


class Spooling:
    """A proxy with a spool, in front of a gateway."""

    def __init__(self, proxy: Running, spool: FakeSpool, origin: Origin) -> None:
        self.proxy = proxy
        self.spool = spool
        self.origin = origin

    async def post(self, body: bytes, *fields: str, path: str = PATH) -> Message:
        """Send a webhook."""
        return await self.proxy.ask(request(body, *fields, path=path))

    def overridden(self) -> list[str]:
        """The sessions that the proxy shows as disconnected."""
        return [each.session for each in records_of(self.proxy.server.registry) if each.override is not None]

    @property
    def parcel(self) -> Parcel:
        """The one event that was kept."""
        (kept,) = self.spool.kept
        return kept[0]

    @property
    def attempt(self) -> Attempt:
        """What it was kept after."""
        (kept,) = self.spool.kept
        return kept[1]


@pytest.fixture
async def site(origin: Origin, tmp_path: Path) -> AsyncIterator[Spooling]:
    """A proxy with a spool that keeps what it is given, and a gateway that takes everything."""
    webhooks = [
        {"path": PATH, "spool": True},
        {"path": "/of/{session}", "spool": True},
        {"path": "/signed", "spool": True, "hmac": {"header": "X-Signature", "secret": "key"}},
        {"path": "/token", "spool": True, "token": {"field": "apikey", "value": "secret"}},
        {"path": "/other", "spool": True, "forward_to": f"{origin.url}/elsewhere"},
        {"path": "/plain"},
    ]
    async with running(tmp_path, origin.url, webhooks=webhooks) as proxy:
        spool = proxy.server.proxy.spool = FakeSpool(tmp_path)
        yield Spooling(proxy, spool, origin)
        copies = proxy.server.proxy.copies
        await until(lambda: (copies.spooled, copies.needed) == (0, 0))  # whatever became of the events


def refuses(status: str, *fields: str) -> bytes:
    """An answer by which the gateway does not take an event."""
    return answer(b"later", *fields, status=status)


async def breaks(wire: Wire) -> None:
    """Take a request and close without an answer."""
    await wire.message()


# ---- nothing waits ----


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "400 Bad Request", "500 Internal Server Error"])
async def test_what_the_receiver_answers_is_passed_on(site: Spooling, status: str) -> None:
    site.origin.answer = answer(b"" if "204" in status else b"own", "X-Own: yes", status=status)
    got = await site.post(event())
    assert (got.start, got.get("X-Own")) == (f"HTTP/1.1 {status}".encode(), b"yes")
    assert site.spool.kept == []
    ((receiver, _, told),) = site.spool.told
    number = int(status[:3])
    assert (receiver, told.reason, told.status) == ("gateway", "delivered" if number < 300 else "refused", number)
    assert site.overridden() == ["sales"]


async def test_an_event_that_was_not_sent_is_kept(site: Spooling) -> None:
    await site.post(event("first"), "X-Own: 1", "Connection: X-Drop", "X-Drop: 1")
    (sent,) = site.origin.requests
    site.spool.told.clear()
    await site.origin.stop()
    got = await site.post(event(), "X-Own: 1", "Connection: X-Drop", "X-Drop: 1", "X-Request-Id: mine")
    assert got.start == b"HTTP/1.1 202 Accepted"
    assert json.loads(got.body) == {"spooled": True, "id": "id-2"}
    assert got.get("Content-Type") == b"application/json; charset=utf-8"
    assert (got.get("Cache-Control"), got.get("X-Request-Id")) == (b"no-store", b"mine")
    assert got.get("Date") is not None
    parcel = site.parcel
    assert parcel[:4] == (PATH, "gateway", "sales", "status-find")
    start, *fields = parcel.head.split(b"\r\n")
    assert start == sent.start
    assert fields.pop() == b"", "each line ends"
    names = [field.partition(b":")[0] for field in fields]
    assert sorted(names) == sorted(name for name, _ in sent.headers)
    assert b"X-Drop" not in names
    assert b"X-Request-Id: mine" in fields
    assert (parcel.body, parcel.framed, parcel.checksum) == (event(), False, crc32(event()))
    assert parcel.size == len(parcel.head) + len(event())
    assert site.attempt.reason == "not-sent"
    assert site.spool.told == [], "keeping it tells the spool"
    assert site.overridden() == ["first", "sales"]


async def test_an_id_of_ours_is_kept_with_the_event(site: Spooling) -> None:
    await site.origin.stop()
    got = await site.post(event())
    assert (b"X-Request-Id: %b\r\n" % (got.get("X-Request-Id") or b"")) in site.parcel.head


async def test_nothing_is_answered_before_the_event_and_what_it_says_are_on_disk(
    site: Spooling, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.origin.stop()
    registry = site.proxy.server.registry
    durable = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(registry, "hear", lambda *_: durable)
    site.spool.durable.clear()
    client = await site.proxy.connect()
    await client.send(request(event()))
    answered = asyncio.ensure_future(client.message())
    await until(lambda: bool(site.proxy.server.proxy.in_flight))
    site.spool.durable.set()
    await until(lambda: bool(site.spool.kept))
    assert not answered.done()
    durable.set_result(None)
    assert (await answered).status == 202


@pytest.mark.parametrize("number", [429, 502, 503, 504])
async def test_an_event_that_the_receiver_does_not_take_now_is_kept(site: Spooling, number: int) -> None:
    site.origin.answer = refuses(f"{number} Later", "Retry-After: 7")
    got = await site.post(event())
    assert (got.status, json.loads(got.body)["spooled"]) == (202, True)
    assert site.attempt == Attempt("refused", number, 7.0, f"status {number}")


async def test_an_event_that_was_sent_and_not_answered_is_kept_and_its_sender_told(site: Spooling) -> None:
    site.origin.script = breaks
    got = await site.post(event())
    assert (got.status, json.loads(got.body)["error_code"]) == (502, "gateway_closed")
    assert site.attempt.reason == "no-answer"


async def test_where_such_events_are_sent_again_it_is_accepted(site: Spooling) -> None:
    site.spool.resends = True
    site.origin.script = breaks
    assert (await site.post(event())).status == 202
    assert site.attempt.reason == "no-answer"


async def test_a_body_that_its_sender_spoils_is_neither_kept_nor_held_against_the_receiver(site: Spooling) -> None:
    head = get(PATH, "Transfer-Encoding: chunked", method="POST")
    got = await site.proxy.ask(head + chunk(event()) + b"no size\r\n")
    assert (got.status, json.loads(got.body)["hop"]) == (400, "client")
    assert (site.spool.kept, site.spool.told, site.overridden()) == ([], [], [])


@pytest.mark.parametrize("limit", ["room", "disk"])
async def test_where_it_cannot_be_kept_the_sender_gets_todays_answer(
    site: Spooling, limit: str, caplog: pytest.LogCaptureFixture
) -> None:
    site.spool.room, site.spool.writes = (0, True) if limit == "room" else (None, False)
    site.origin.answer = refuses("503 Service Unavailable", "Retry-After: 7")
    got = await site.post(event())
    assert (got.status, got.get("Retry-After"), got.body) == (503, b"7", b"later")
    await site.origin.stop()
    got = await site.post(event())
    assert (got.status, json.loads(got.body)["error_code"]) == (502, "gateway_unreachable")
    assert site.spool.kept == []
    why = "is full" if limit == "room" else "cannot be written"
    assert caplog.messages.count(f"an event is not kept: the spool {why}") == 2
    assert site.overridden() == ["sales"]


@pytest.mark.parametrize(
    ("path", "fields", "body"),
    [
        (PATH, ["X-Forwarded-For: 203.0.113.7"], event()),
        ("/signed", ["X-Signature: 00"], event()),
        ("/token", [], event(apikey="x")),
        ("/token", [], bytes(2_000_000)),
    ],
)
@pytest.mark.parametrize("quiet", [True, False])
async def test_an_event_of_a_doubtful_sender_is_never_kept(
    site: Spooling, path: str, fields: list[str], body: bytes, quiet: bool
) -> None:
    site.spool.is_quiet, site.spool.admits = quiet, False
    assert (await site.post(body, *fields, path=path)).body == b"ok"
    assert (await site.origin.received()).body == body
    site.origin.answer = refuses("503 Service Unavailable")
    assert (await site.post(body, *fields, path=path)).body == b"later"
    await site.origin.stop()
    assert json.loads((await site.post(body, *fields, path=path)).body)["error_code"] == "gateway_unreachable"
    assert (site.spool.kept, site.spool.told, site.spool.asked) == ([], [], [])
    await until(lambda: not site.spool.files)


async def test_an_event_whose_sender_proves_itself_by_the_body_is_kept(site: Spooling) -> None:
    await site.origin.stop()
    signature = hmac.new(b"key", event(), "sha256").hexdigest()
    assert (await site.post(event(), f"X-Signature: {signature}", path="/signed")).status == 202
    assert (await site.post(event(apikey="secret"), path="/token")).status == 202


async def test_an_event_without_a_body_is_kept(site: Spooling) -> None:
    await site.origin.stop()
    assert (await site.proxy.ask(get(PATH, method="POST"))).status == 202
    assert (site.parcel.body, site.parcel.session, site.parcel.event) == (b"", None, None)


@pytest.mark.parametrize(
    ("path", "body", "names"),
    [
        ("/of/support", b"no json", ("support", None)),
        ("/of/support", b"x" * 2_000_000, ("support", None)),
        ("/of/support", event("sales"), ("sales", "status-find")),
        (PATH, b"no json", (None, None)),
        (PATH, b"[" + event("a") + b"," + event("b") + b"]", (None, None)),
        (PATH, b'{"event":"unheard-of","session":"sales"}', ("sales", "unheard-of")),
    ],
)
async def test_an_event_is_kept_for_the_session_that_it_names(
    site: Spooling, path: str, body: bytes, names: tuple[str | None, str | None]
) -> None:
    await site.origin.stop()
    assert (await site.post(body, path=path)).status == 202
    assert (site.parcel.path, site.parcel.session, site.parcel.event) == (
        "/of/{session}" if path != PATH else PATH, *names,
    )  # fmt: skip


async def test_an_event_for_another_receiver_is_kept_for_that(site: Spooling) -> None:
    await site.origin.stop()
    assert (await site.post(event(), path="/other")).status == 202
    assert (site.parcel.path, site.parcel.receiver) == ("/other", f"hub {site.origin.url}")
    assert site.parcel.head.startswith(b"POST /elsewhere HTTP/1.1\r\n")
    site.spool.room = 0
    assert json.loads((await site.post(event(), path="/other")).body)["error_code"] == "hub_unreachable"


async def test_other_paths_have_no_spool(site: Spooling) -> None:
    await site.origin.stop()
    assert (await site.post(event(), path="/plain")).status == 502
    assert site.spool.kept == []


async def test_without_a_place_to_keep_anything_there_is_no_spool(site: Spooling) -> None:
    site.proxy.server.proxy.spool = None
    await site.origin.stop()
    assert (await site.post(event())).status == 502


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("quiet", [True, False])
@pytest.mark.parametrize("why", ["away", "refused"])
async def test_a_large_body_is_kept_in_a_file(site: Spooling, framed: bool, quiet: bool, why: str) -> None:
    body = os.urandom(4 * IN_MEMORY)
    site.spool.is_quiet = quiet
    site.origin.answer = refuses("503 Service Unavailable")
    if why == "away":
        await site.origin.stop()
    if framed:
        head = get(PATH, "Transfer-Encoding: chunked", method="POST")
        got = await site.proxy.ask(head + chunk(body[:-1]) + chunk(body[-1:]) + LAST_CHUNK)
    else:
        got = await site.post(body)
    assert got.status == 202
    assert isinstance(site.parcel.body, Path)
    assert site.spool.bodies == [body]
    assert (site.parcel.framed, site.parcel.size) == (framed, len(site.parcel.head) + len(body))
    assert site.spool.files == []


async def test_of_a_large_body_that_was_taken_nothing_stays(site: Spooling) -> None:
    body = os.urandom(4 * IN_MEMORY)
    assert (await site.post(body)).body == b"ok"
    assert (await site.origin.received()).body == body
    await until(lambda: not site.spool.files)


async def test_a_disk_that_takes_nothing_costs_no_event_that_is_streamed(site: Spooling) -> None:
    site.spool.folder.rmdir()
    site.spool.folder.touch()
    body = os.urandom(4 * IN_MEMORY)
    assert (await site.post(body)).body == b"ok"
    site.origin.answer = refuses("503 Service Unavailable")
    assert (await site.post(body)).body == b"later"
    assert [told.reason for _, _, told in site.spool.told] == ["delivered", "refused"]
    site.spool.is_quiet = False
    got = await site.post(body)
    assert (got.status, json.loads(got.body)["error_code"]) == (502, "not_kept")
    assert site.spool.told[-1] == ("gateway", None, QUEUED), "the probe it might have been is given back"


async def test_of_a_client_that_leaves_in_the_middle_nothing_is_kept(site: Spooling) -> None:
    await site.origin.stop()
    client = await site.proxy.connect()
    await client.send(request(bytes(4 * IN_MEMORY))[:-1])
    await until(lambda: bool(site.proxy.server.proxy.in_flight))
    client.reset()
    await until(lambda: not site.proxy.server.proxy.in_flight)
    assert site.spool.kept == []
    await until(lambda: not site.spool.files)


@pytest.mark.parametrize("quiet", [True, False])
async def test_what_a_client_sent_whole_before_it_left_is_kept(site: Spooling, quiet: bool) -> None:
    site.spool.is_quiet = quiet
    held, go_on = asyncio.Event(), asyncio.Event()

    async def slow(wire: Wire) -> None:
        await site.origin.take(wire)
        held.set()
        await go_on.wait()
        await wire.send(refuses("503 Service Unavailable"))

    site.origin.script = slow
    client = await site.proxy.connect()
    await client.send(request(event()))
    await held.wait()
    client.reset()
    go_on.set()
    await until(lambda: bool(site.spool.kept))
    assert site.spool.bodies == [event()]


@pytest.mark.parametrize("size", [10, 4 * IN_MEMORY])
async def test_what_came_whole_is_not_lost_where_the_client_left_before_it_was_sent(
    site: Spooling, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large one is sent as well, from its file."""
    pool = site.proxy.server.proxy.site.pool
    begun, left, acquire, client_left = asyncio.Event(), asyncio.Event(), pool.acquire, Call.client_left

    async def slow(**options: Any) -> UpstreamConnection:
        begun.set()
        await left.wait()
        return await acquire(**options)

    def leave(call: Call) -> None:
        client_left(call)
        left.set()

    monkeypatch.setattr(pool, "acquire", slow)
    monkeypatch.setattr(Call, "client_left", leave)
    site.spool.is_quiet = False
    body = os.urandom(size)
    client = await site.proxy.connect()
    await client.send(request(body))
    await begun.wait()
    client.reset()
    assert (await site.origin.received()).body == body
    await until(lambda: bool(site.spool.told))
    assert ([told.reason for _, _, told in site.spool.told], site.spool.kept) == (["delivered"], [])


# ---- something waits ----


async def test_behind_what_waits_an_event_is_kept_unsent(site: Spooling) -> None:
    site.spool.is_quiet = site.spool.admits = False
    got = await site.post(event())
    assert (got.status, json.loads(got.body)) == (202, {"spooled": True, "id": "id-1"})
    assert (site.attempt, site.spool.asked) == (QUEUED, [("gateway", "sales", site.parcel.size)])
    assert (site.spool.told, site.origin.connections) == ([], 0)
    assert site.overridden() == ["sales"]


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("size", [20, 4 * IN_MEMORY])
async def test_an_event_of_another_session_is_sent_from_the_copy_with_the_same_bytes(
    site: Spooling, framed: bool, size: int
) -> None:
    body = os.urandom(size)
    if framed:
        sent = get(PATH, "X-Request-Id: a", "Transfer-Encoding: chunked", method="POST") + chunk(body) + LAST_CHUNK
    else:
        sent = request(body, "X-Request-Id: a")
    for quiet in (True, False):
        site.spool.is_quiet = quiet
        assert (await site.proxy.ask(sent)).body == b"ok"
    direct, copied = site.origin.requests
    assert (direct.start, direct.headers, direct.body) == (copied.start, copied.headers, copied.body)
    assert copied.body == body
    assert [told.reason for _, _, told in site.spool.told] == ["delivered", "delivered"]
    assert site.spool.kept == []
    await until(lambda: not site.spool.files)


@pytest.mark.slow
async def test_the_connection_of_a_large_body_sent_from_the_copy_is_used_again(site: Spooling) -> None:
    site.spool.is_quiet = False
    for _ in range(3):
        assert (await site.post(os.urandom(4 * IN_MEMORY))).body == b"ok"
    assert site.origin.connections == 1


async def test_an_event_without_a_body_is_sent_as_well(site: Spooling) -> None:
    site.spool.is_quiet = False
    assert (await site.proxy.ask(get(PATH, method="POST"))).body == b"ok"


async def test_what_becomes_of_an_event_sent_from_the_copy_is_told_once(site: Spooling) -> None:
    site.spool.is_quiet = False
    site.origin.answer = refuses("503 Service Unavailable")
    assert (await site.post(event())).status == 202
    site.origin.script = breaks
    site.proxy.server.proxy.site.pool._idle.close_all()
    assert (await site.post(event())).status == 502
    await site.origin.stop()
    assert (await site.post(event())).status == 202
    assert [attempt.reason for _, attempt in site.spool.kept] == ["refused", "no-answer", "not-sent"]
    assert site.spool.told == []


async def test_an_event_that_can_neither_be_sent_nor_kept_is_refused_honestly(
    site: Spooling, caplog: pytest.LogCaptureFixture
) -> None:
    site.spool.is_quiet = site.spool.admits = False
    site.spool.room = 0
    got = await site.post(event())
    assert got.status == 502
    assert json.loads(got.body)["error_code"] == "not_kept"
    assert "an event is not kept: the spool is full" in caplog.messages
    assert (site.origin.connections, site.overridden()) == (0, ["sales"])


async def test_a_large_event_that_must_wait_is_refused_where_the_disk_takes_nothing(
    site: Spooling, caplog: pytest.LogCaptureFixture
) -> None:
    site.spool.is_quiet = site.spool.admits = False
    site.spool.folder.rmdir()
    site.spool.folder.touch()
    got = await site.post(os.urandom(4 * IN_MEMORY))
    assert (got.status, json.loads(got.body)["error_code"]) == (502, "not_kept")
    assert "an event is not kept: disk" in caplog.messages
    assert (site.spool.told, site.origin.connections) == ([], 0), "nothing was tried"


async def test_a_full_spool_costs_no_large_event_that_can_be_sent(site: Spooling) -> None:
    site.spool.is_quiet = False
    site.spool.room = 0
    body = os.urandom(4 * IN_MEMORY)
    assert (await site.post(body)).body == b"ok"
    assert (await site.origin.received()).body == body


@pytest.mark.parametrize("quiet", [True, False])
@pytest.mark.parametrize("accepted", [True, False])
async def test_a_client_that_waits_for_a_permission_gets_it(site: Spooling, quiet: bool, accepted: bool) -> None:
    """Also where the gateway refuses the head alone."""
    site.spool.is_quiet = quiet

    async def refuse(wire: Wire) -> None:
        await wire.head()
        await wire.send(OK if accepted and not quiet else refuses("503 Service Unavailable"))

    async def permit(wire: Wire) -> None:
        head = await wire.head()
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        head.body = await wire.reader.readexactly(int(head.get("Content-Length") or 0))
        await site.origin.note(head)
        await wire.send(OK)

    site.origin.script = permit if accepted and quiet else refuse
    client = await site.proxy.connect()
    head, end, body = request(event(), "Expect: 100-continue").partition(b"\r\n\r\n")
    await client.send(head + end)
    assert (await client.head()).status == 100
    await client.send(body)
    got = await client.message()
    assert got.status == (200 if accepted else 202)
    if accepted:
        assert site.spool.kept == []
    else:
        assert site.spool.bodies == [event()]
        assert b"Expect" in site.parcel.head


async def test_an_expectation_that_was_met_is_not_passed_on(site: Spooling) -> None:
    site.spool.is_quiet = False
    client = await site.proxy.connect()
    head, end, body = request(event(), "Expect: 100-continue").partition(b"\r\n\r\n")
    await client.send(head + end)
    assert (await client.head()).status == 100
    await client.send(body)
    assert (await client.message()).body == b"ok"
    assert site.origin.requests[0].get("Expect") is None


async def test_a_probe_is_given_back_where_nothing_was_learned(site: Spooling, monkeypatch: pytest.MonkeyPatch) -> None:
    site.spool.is_quiet = False
    pool = site.proxy.server.proxy.site.pool

    async def fail(**_: Any) -> object:
        raise ValueError

    monkeypatch.setattr(pool, "acquire", fail)
    assert (await site.post(event())).status == 500
    assert site.spool.told == [("gateway", "sales", QUEUED)]
    assert site.spool.kept == []


# ---- the order of a session's events ----


@pytest.mark.parametrize("quiet", [True, False])
async def test_an_event_holds_its_place_from_its_arrival_to_its_answer(site: Spooling, quiet: bool) -> None:
    """And no longer, however long its sender takes to read that."""
    site.spool.is_quiet = quiet
    goes_on = asyncio.Event()

    async def begin(wire: Wire) -> None:
        await site.origin.take(wire)
        await goes_on.wait()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await asyncio.Event().wait()

    site.origin.script = begin
    client = await site.proxy.connect()
    await client.send(request(event()))
    await site.origin.received()
    assert [arrived.receiver for arrived in site.spool.here] == ["gateway"]
    goes_on.set()
    await client.head()
    assert site.spool.here == []


async def test_an_event_that_is_neither_answered_nor_kept_gives_up_its_place(site: Spooling) -> None:
    site.spool.room = 0
    await site.origin.stop()
    assert (await site.post(event())).status == 502
    assert (site.spool.here, site.spool.kept) == ([], [])


async def test_an_event_of_a_sender_that_is_not_trusted_has_no_place(site: Spooling) -> None:
    held = Held(site.origin)
    client = await site.proxy.connect()
    await client.send(request(event(), path="/signed"))
    await held.came()
    assert site.spool.here == []
    held.let_go.set()
    await client.message()


# ---- the proxy stops ----


async def stop(site: Spooling, loop_clock: LoopClock) -> None:
    """Cut off what is under way, as a stop does when the time for it is over."""
    ending = asyncio.create_task(site.proxy.server.clients.shutdown(5.0))
    await loop_clock.move(6)
    await ending


@pytest.mark.parametrize("quiet", [True, False])
async def test_an_event_in_flight_when_the_proxy_stops_is_kept_as_unknown(
    site: Spooling, loop_clock: LoopClock, quiet: bool
) -> None:
    """It was sent, and may have arrived."""
    site.spool.is_quiet = quiet
    held = Held(site.origin)
    client = await site.proxy.connect()
    await client.send(request(event()))
    await held.came()
    await stop(site, loop_clock)
    stopped = Attempt("no-answer", detail="the proxy stopped")
    assert (await client.rest(), site.attempt, site.spool.bodies) == (b"", stopped, [event()])
    assert site.spool.told == []


@pytest.mark.parametrize("quiet", [True, False])
async def test_an_event_that_waits_for_a_place_when_the_proxy_stops_is_kept_to_be_sent(
    site: Spooling, loop_clock: LoopClock, monkeypatch: pytest.MonkeyPatch, quiet: bool
) -> None:
    site.spool.is_quiet = quiet
    waiting = asyncio.Event()

    async def wait(**_: Any) -> UpstreamConnection:
        waiting.set()
        return await asyncio.Future[UpstreamConnection]()

    monkeypatch.setattr(site.proxy.server.proxy.site.pool, "acquire", wait)
    client = await site.proxy.connect()
    await client.send(request(event()))
    await waiting.wait()
    await stop(site, loop_clock)
    assert (site.attempt, site.spool.bodies, site.origin.requests) == (QUEUED, [event()], [])


@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error"])
async def test_an_event_whose_answer_is_cut_off_by_a_stop_is_not_kept(
    site: Spooling, loop_clock: LoopClock, status: str
) -> None:
    async def begin(wire: Wire) -> None:
        await site.origin.take(wire)
        await wire.send(f"HTTP/1.1 {status}\r\nContent-Length: 9\r\n\r\nhalf".encode())
        await asyncio.Event().wait()

    site.origin.script = begin
    client = await site.proxy.connect()
    await client.send(request(event()))
    await client.head()
    await stop(site, loop_clock)
    assert site.spool.kept == []


async def test_an_event_that_is_being_kept_when_the_proxy_stops_is_kept_once(
    site: Spooling, loop_clock: LoopClock
) -> None:
    site.origin.answer = refuses("503 Service Unavailable")
    site.spool.durable.clear()
    client = await site.proxy.connect()
    await client.send(request(event()))
    await until(lambda: site.spool.keeping == 1)
    await stop(site, loop_clock)
    assert site.spool.keeping == 1


@pytest.mark.parametrize("path", [PATH, "/signed"])
async def test_an_event_that_has_not_come_whole_or_is_not_trusted_is_not_kept_by_a_stop(
    site: Spooling, loop_clock: LoopClock, path: str
) -> None:
    Held(site.origin)
    client = await site.proxy.connect()
    await client.send(request(event(), path=path)[: -1 if path == PATH else None])
    await until(lambda: site.proxy.server.proxy.in_flight == 1)
    await stop(site, loop_clock)
    assert site.spool.kept == []


async def test_an_event_kept_by_a_stop_is_there_after_the_next_start(origin: Origin, tmp_path: Path) -> None:
    Held(origin)
    settings = {
        "state": {"url": f"sqlite:///{tmp_path}/state.db"},
        "webhooks": [{"path": PATH, "spool": True}],
    }
    async with running(tmp_path, origin.url, **settings) as proxy:
        client = await proxy.connect()
        await client.send(request(event()))
        await origin.received()
    async with running(tmp_path, origin.url, **settings) as proxy:
        spool = proxy.server.rooms.spool
        assert spool is not None
        assert spool.control.totals.unknown == 1


async def test_a_long_event_is_read_for_its_session_once_and_at_once(
    site: Spooling, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = site.proxy.server.registry
    identify, read = registry.identify, list[int]()

    def counted(body: bytes, path_session: str | None = None) -> tuple[str | None, str | None]:
        read.append(len(body))
        return identify(body, path_session)

    monkeypatch.setattr(registry, "identify", counted)
    await site.post(event())
    assert read == [], "nothing waits, so nobody needs to know"
    long = event(about="x" * 8_000)
    await site.post(long)
    assert read == [len(long)]
    site.origin.answer = refuses("503 Service Unavailable")
    await site.post(long)
    assert (read, site.parcel.session) == ([len(long)] * 2, "sales")


@pytest.mark.parametrize(
    ("quiet", "admits", "room", "status", "answered"),
    [
        (True, True, None, "200 OK", 200),
        (True, True, None, "503 Service Unavailable", 202),
        (True, True, 0, "503 Service Unavailable", 503),
        (False, True, None, "200 OK", 200),
        (False, True, None, "503 Service Unavailable", 202),
        (False, False, None, "200 OK", 202),
        (False, False, 0, "200 OK", 502),
    ],
)
async def test_whatever_becomes_of_an_event_its_sender_is_answered_once_what_it_says_is_on_disk(
    site: Spooling, monkeypatch: pytest.MonkeyPatch, quiet: bool, admits: bool, room: int | None, status: str,
    answered: int,
) -> None:  # fmt: skip
    durable = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(site.proxy.server.registry, "hear", lambda *_: durable)
    site.spool.is_quiet, site.spool.admits, site.spool.room = quiet, admits, room
    site.origin.answer = answer(b"own", status=status)
    client = await site.proxy.connect()
    await client.send(request(event()))
    got = asyncio.ensure_future(client.message())
    for _ in range(3):  # each of these comes and goes while the first would be answered
        await site.proxy.ask(get("/", method="GET"))
    assert not got.done()
    durable.set_result(None)
    assert (await got).status == answered


async def test_an_event_that_the_disk_cannot_hold_is_refused_once_what_it_says_is_on_disk(
    site: Spooling, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    durable = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(site.proxy.server.registry, "hear", lambda *_: durable)
    site.spool.is_quiet = False
    site.spool.folder.rmdir()
    site.spool.folder.touch()
    client = await site.proxy.connect()
    await client.send(request(event(about="x" * 2 * IN_MEMORY)))
    got = asyncio.ensure_future(client.message())
    await until(lambda: any("cannot be copied" in message for message in caplog.messages))
    for _ in range(3):
        await site.proxy.ask(get("/", method="GET"))
    assert not got.done()
    durable.set_result(None)
    assert (await got).status == 502
    assert "request failed: not_kept: disk" in caplog.messages


async def test_an_announced_length_for_which_there_is_no_room_is_not_even_begun(
    site: Spooling, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    append = spool_copy._append

    def counted(opened: tuple[int, Path] | None, folder: Path, pieces: list[bytes]) -> tuple[int, Path]:
        written.extend(map(len, pieces))
        return append(opened, folder, pieces)

    monkeypatch.setattr(spool_copy, "_append", counted)
    site.spool.room = 3 * IN_MEMORY
    assert (await site.post(bytes(4 * IN_MEMORY))).body == b"ok"
    assert written == []


@pytest.mark.parametrize("status", ["200 OK", "503 Service Unavailable"])
@pytest.mark.parametrize("quiet", [True, False])
async def test_the_file_of_a_large_event_does_not_stay_open(site: Spooling, status: str, quiet: bool) -> None:
    site.spool.is_quiet = quiet
    site.origin.answer = answer(b"own", status=status)
    await site.post(os.urandom(4 * IN_MEMORY))
    await until(lambda: open_below(site.spool.folder.parent) == [])


@pytest.mark.parametrize("size", [0, 4 * IN_MEMORY])
async def test_of_an_event_that_is_kept_in_memory_or_in_a_file_nothing_counts_or_lies_beside(
    site: Spooling, size: int
) -> None:
    """What is kept is the spool's own from then on, and counts there."""
    await site.origin.stop()
    body = event(about="x" * size)
    assert (await site.post(body)).status == 202
    copies = site.proxy.server.proxy.copies
    await until(lambda: (copies.spooled, copies.needed) == (0, 0))
    assert (site.spool.bodies, site.spool.files) == ([body], [])
    if isinstance(site.parcel.body, Path):
        assert site.parcel.body.exists()


async def test_an_event_whose_answer_is_cut_off_by_a_stop_is_reported_without_a_status(
    site: Spooling, loop_clock: LoopClock
) -> None:
    async def begin(wire: Wire) -> None:
        await site.origin.take(wire)
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await asyncio.Event().wait()

    site.origin.script = begin
    seen = reports(site.proxy)
    client = await site.proxy.connect()
    await client.send(request(event()))
    await client.head()
    await stop(site, loop_clock)
    assert [report.status for report in seen] == [0]


async def test_an_event_that_failed_before_a_stop_is_kept_with_what_became_of_it(
    site: Spooling, loop_clock: LoopClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, asked = SpoolCopy.content, asyncio.Event()

    async def slow(copy: SpoolCopy) -> bytes | Path | None:
        if not asked.is_set():
            asked.set()
            await asyncio.Event().wait()
        return await content(copy)

    monkeypatch.setattr(SpoolCopy, "content", slow)
    await site.origin.stop()
    client = await site.proxy.connect()
    await client.send(request(event()))
    await asked.wait()
    await stop(site, loop_clock)
    assert (site.attempt.reason, site.spool.bodies) == ("not-sent", [event()])


async def test_the_file_of_an_event_that_a_stop_finds_being_kept_is_the_spools(
    site: Spooling, loop_clock: LoopClock
) -> None:
    site.origin.answer = refuses("503 Service Unavailable")
    site.spool.durable.clear()
    client = await site.proxy.connect()
    await client.send(request(bytes(4 * IN_MEMORY)))
    await until(lambda: site.spool.keeping == 1)
    await stop(site, loop_clock)
    await until(lambda: open_below(site.spool.folder) == [])
    assert [file.stat().st_size for file in site.spool.files] == [4 * IN_MEMORY]


async def test_the_file_of_an_event_that_the_spool_could_not_write_is_removed(site: Spooling) -> None:
    site.origin.answer = refuses("503 Service Unavailable")
    site.spool.writes = False
    assert (await site.post(bytes(4 * IN_MEMORY))).body == b"later"
    await until(lambda: site.spool.files == [])


async def test_a_sender_that_is_too_slow_is_told_so_after_its_time_and_not_after_twice_that(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    settings = {"timeouts": {"request_body": "300s"}, "limits": {"min_rate": None}}
    async with running(tmp_path, origin.url, webhooks=[{"path": PATH, "spool": True}], **settings) as proxy:
        proxy.server.proxy.spool = FakeSpool(tmp_path)
        client = await proxy.connect()
        await client.send(request(event())[:-1])
        await until(lambda: proxy.server.proxy.in_flight == 1)
        await loop_clock.move(301)
        got = await asyncio.wait_for(client.message(), 10)
        assert json.loads(got.body)["error_code"] == "webhook_body_incomplete"
