"""A day of traffic lived through over real sockets, in seconds: at no moment does anything read falsely.

The service runs on a clock that the test moves to each event's arrival, so that the events' own times are as far
from their arrival as they were that day, late deliveries and repeats included; nothing in them is rewritten. Each
event travels as it would: the engine's to the gateway, the gateway's to the hub, both through the proxy. After each
one the map is compared with the truth behind the day; now and then the list is asked for, too.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from statusproxy.config.load import loads
from statusproxy.server import Server
from tests.crooked_traffic import CLOCKS, ENDS, CrookedDay, crooked_day
from tests.hand_clock import HandClock
from tests.hub import statuses
from tests.pictures import PNG_URL
from tests.registry.known import records_of
from tests.traffic import MIDNIGHT, PRESENCE_EVENTS, RELINKED_AT, SESSIONS, UNLINKED_AT, UNLINKED_SESSION, Day, day

INBOUND = "/v1/webhooks/receive"
OUTBOUND = "/hub/webhook"

#: A list is asked for after every so many events.
POLL_EVERY = 25

#: Presence events of the day on which a phone is unlinked: still many times as many as of the events that count.
FEWER = PRESENCE_EVENTS // 4

#: With wrong clocks, the proxy starts again after so many steps: what it learned of the clocks is known again.
RESTART_EVERY = 701


#: What the gateway goes on saying, whatever happens to the phones.
def stale_list(sessions: Iterable[str]) -> bytes:
    """A list in which all of these are connected."""
    channels = [{"id": one, "name": one, "status": "connected"} for one in sessions]
    return json.dumps({"success": True, "channels": channels}, separators=(",", ":")).encode()


STALE = stale_list(SESSIONS)
QR = b'{"success":true,"qr":"%b"}' % PNG_URL.encode()


class Receiver(asyncio.Protocol):
    """The far end of a leg: takes requests, remembers a digest of their bodies in order, answers at once."""

    def __init__(self, seen: hashlib._Hash, counts: Counter[str], name: str, stale: bytes = STALE) -> None:
        self.list = stale
        self.seen = seen
        self.counts = counts
        self.name = name
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are of its own class

    def data_received(self, data: bytes) -> None:
        self.rest += data
        head, found, body = self.rest.partition(b"\r\n\r\n")
        if not found:
            return
        length = _length(head)
        if len(body) < length:
            return
        assert len(body) == length, "the proxy sends one request at a time on a connection"
        self.rest = b""
        if head.startswith((b"GET ", b"DELETE ")):
            answer = QR if b"/qr " in head else self.list
        else:
            self.counts[self.name] += 1
            self.seen.update(body)
            answer = b'{"success":true}'
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))


class Sender(asyncio.Protocol):
    """One client's connection, one request at a time."""

    def __init__(self) -> None:
        self.rest = b""
        self.waiting: asyncio.Future[tuple[bytes, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are of its own class

    def data_received(self, data: bytes) -> None:
        self.rest += data
        head, found, body = self.rest.partition(b"\r\n\r\n")
        if found and self.waiting is not None and len(body) >= _length(head):
            self.rest = b""
            waiting, self.waiting = self.waiting, None
            waiting.set_result((head, body))

    async def ask(self, request: bytes) -> bytes:
        """Send a request; give its answer's body, which must be a success."""
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        head, body = await self.waiting
        assert head.startswith(b"HTTP/1.1 200 "), head
        return body


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.split(b"\r\n"))
    return next((int(value) for name, _, value in lines if name.lower() == b"content-length"), 0)


def post(path: str, body: bytes) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: proxy.example\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


GET_LIST = b"GET /api/channels HTTP/1.1\r\nHost: proxy.example\r\n\r\n"


async def live_through(traffic: Day, folder: Path, presence: str = "ignore") -> Counter[str]:
    """Send the whole day through a proxy, comparing what it holds and shows with the truth; give what was counted."""
    loop = asyncio.get_running_loop()
    counts: Counter[str] = Counter()
    arrived = {"inbound": hashlib.sha256(), "outbound": hashlib.sha256()}
    sent = {"inbound": hashlib.sha256(), "outbound": hashlib.sha256()}
    far: dict[str, Any] = {}
    for leg in ("inbound", "outbound"):
        far[leg] = await loop.create_server(partial(Receiver, arrived[leg], counts, leg), "127.0.0.1", 0)
    ports = {leg: server.sockets[0].getsockname()[1] for leg, server in far.items()}
    settings = loads(
        f"""
        listen: 127.0.0.1:0
        gateway: http://127.0.0.1:{ports["inbound"]}
        webhooks:
          - path: {INBOUND}
          - path: {OUTBOUND}
            forward_to: http://127.0.0.1:{ports["outbound"]}/api/whatsapp/webhook
        state: {{url: "sqlite:///{folder}/state.db"}}
        presence: {presence}
        admin: null
        """
    )
    clock = HandClock(MIDNIGHT - 1)
    server = Server(settings, clock=clock)
    await server.start()
    host, _, port = server.addresses[0].rpartition(":")
    _, sender = await loop.create_connection(Sender, host, int(port))
    sessions = server.registry.sessions
    try:
        for event in traffic:
            clock.now = event.at
            body = event.body
            sent[event.leg].update(body)
            await sender.ask(post(INBOUND if event.leg == "inbound" else OUTBOUND, body))
            counts["events"] += 1
            for session in SESSIONS:
                record = sessions.get(session)
                lost = record is not None and record.override is not None
                assert lost == traffic.disconnected(session, event.at), (session, event)
            counts["looks"] += 1
            if counts["events"] % POLL_EVERY == 0:
                words = statuses(json.loads(await sender.ask(GET_LIST)))
                for session in SESSIONS:
                    truly = "disconnected" if traffic.disconnected(session, event.at) else "connected"
                    assert words[session] == truly, event
                    counts[f"polls: {truly}"] += 1
        assert {leg: digest.hexdigest() for leg, digest in arrived.items()} == {
            leg: digest.hexdigest() for leg, digest in sent.items()
        }, "every event arrived, in order, byte for byte"
        assert {record.session for record in records_of(server.registry)} == set(SESSIONS)
        changes = await server.registry.store.history(None, 1000)
        counts["started"] = sum(change.what == "started" for change in changes)
        counts["released"] = sum(change.what == "released" for change in changes)
    finally:
        sender.transport.close()
        server.ask_to_stop()
        await server.stop()
        for listener in far.values():
            listener.close()
    return counts


def made(seed: int, unlinked: bool) -> Day:
    """The day: the one without a loss is as full as a real one."""
    return day(seed, unlinked=unlinked, presences=FEWER if unlinked else PRESENCE_EVENTS)


def lived(seed: int, unlinked: bool, folder: Path, presence: str = "ignore") -> Counter[str]:
    """Live through one day, in whatever process this is; bounded, but not by what a busy machine takes."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the program runs
        return runner.run(asyncio.wait_for(live_through(made(seed, unlinked), folder, presence), 800))


Days = dict[bool, "Future[Counter[str]]"]

#: Two days of different noise: in the first no phone is lost, in the second one is.
QUIET, UNLINKED = 1, 2


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    """Both days, side by side in processes of their own: quicker, and nothing measures them."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        yield {
            unlinked: pool.submit(lived, seed, unlinked, tmp_path_factory.mktemp("day"))
            for seed, unlinked in ((QUIET, False), (UNLINKED, True))
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.timeout(900)
def test_a_day_of_contacts_coming_and_going_never_shows_a_session_as_disconnected(days: Days) -> None:
    traffic = made(QUIET, unlinked=False)
    counts = days[False].result(850)
    assert counts["events"] == counts["inbound"] + counts["outbound"] == len(traffic.events) > 2 * PRESENCE_EVENTS
    assert counts["started"] == counts["released"] == counts["polls: disconnected"] == 0
    assert counts["polls: connected"] == len(SESSIONS) * (counts["events"] // POLL_EVERY)


@pytest.mark.timeout(900)
def test_a_day_with_one_unlinked_phone_shows_just_that_and_just_as_long(days: Days) -> None:
    traffic = made(UNLINKED, unlinked=True)
    counts = days[True].result(850)
    assert counts["started"] == counts["released"] == 1
    asked = [event.at for event in traffic.events[POLL_EVERY - 1 :: POLL_EVERY]]
    lost = sum(traffic.disconnected(UNLINKED_SESSION, at) for at in asked)
    assert lost == sum(UNLINKED_AT <= at < RELINKED_AT for at in asked) == counts["polls: disconnected"] > 10


@pytest.mark.divisible
def test_taken_literally_the_same_day_would_cost_working_sessions(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"connection\.update"):  # so the proof above can fail
        lived(QUIET, False, tmp_path, presence="trust")


async def live_through_crooked(traffic: CrookedDay, folder: Path, restart_every: int) -> Counter[str]:
    """Live through a day of senders whose clocks are wrong; give what was counted."""
    loop = asyncio.get_running_loop()
    counts: Counter[str] = Counter()
    receiver = partial(Receiver, hashlib.sha256(), counts, "gateway", stale_list(CLOCKS))
    far = await loop.create_server(receiver, "127.0.0.1", 0)
    port = far.sockets[0].getsockname()[1]
    settings = loads(
        f"""
        listen: 127.0.0.1:0
        gateway: http://127.0.0.1:{port}
        webhooks: [{{path: {INBOUND}}}, {{path: {OUTBOUND}, forward_to: "http://127.0.0.1:{port}/inbox"}}]
        state: {{url: "sqlite:///{folder}/crooked.db"}}
        admin: null
        """
    )
    clock = HandClock(MIDNIGHT - 1)

    async def start() -> tuple[Server, Sender]:
        server = Server(settings, clock=clock)
        await server.start()
        host, _, own_port = server.addresses[0].rpartition(":")
        return server, (await loop.create_connection(Sender, host, int(own_port)))[1]

    async def stop() -> None:
        sender.transport.close()
        server.ask_to_stop()
        await server.stop()

    server, sender = await start()
    try:
        for number, step in enumerate(traffic.steps, 1):
            clock.now = step.at
            if number % restart_every == 0:
                await stop()
                server, sender = await start()
                counts["restarts"] += 1
            channel = f"/api/channels/{step.session}"
            match step.act:
                case "webhook":
                    await sender.ask(post(INBOUND if step.engine else OUTBOUND, step.body))
                case "list":
                    words = statuses(json.loads(await sender.ask(GET_LIST)))
                    for session in CLOCKS:
                        truly = "disconnected" if traffic.disconnected(session, step.at) else "connected"
                        assert words[session] == truly, (session, step)
                        counts[f"looks: {truly}"] += 1
                case "qr":
                    await sender.ask(ask("GET", f"{channel}/qr"))
                case "delete":
                    await sender.ask(ask("DELETE", channel))
                case "release":
                    await server.registry.release(step.session)
            for session in CLOCKS:
                record = server.registry.sessions.get(session)
                lost = record is not None and record.override is not None
                assert lost == traffic.disconnected(session, step.at), (session, step)
        counts["steps"] = len(traffic.steps)
        for change in await server.registry.store.history(None, 10_000):
            counts[change.reason if change.what == "released" else change.what] += 1
    finally:
        await stop()
        far.close()
    return counts


def ask(method: str, path: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: proxy.example\r\n\r\n".encode()


@pytest.mark.divisible
@pytest.mark.parametrize(("seed", "restarts"), [(1, False), (2, True)])
def test_a_day_of_senders_whose_clocks_are_wrong_has_no_false_word(seed: int, restarts: bool, tmp_path: Path) -> None:
    traffic = crooked_day(seed, repeats_untimed=not restarts)
    restart_every = RESTART_EVERY if restarts else len(traffic.steps) + 1
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        counts = runner.run(asyncio.wait_for(live_through_crooked(traffic, tmp_path, restart_every), 250))
    assert all(traffic.ends[how] > 5 for how in ENDS)
    assert all(len(outages) > 8 for outages in traffic.outages.values())
    ended = {"connected-event": "event", "reconnected": "qr", "operator": "operator", "deleted": "deleted",
             "alive": "message"}  # fmt: skip
    assert {how: counts[reason] for reason, how in ended.items()} == traffic.ends
    assert counts["started"] == sum(traffic.ends.values())
    assert counts["looks: disconnected"] > 50
    assert (counts["restarts"] > 5) is restarts
