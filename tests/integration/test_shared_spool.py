"""Two and three proxies share the spool in a real Redis: whoever keeps an event, one proxy delivers it, in order.

The proxies are the real program, each with a way of its own to one gateway. Their claims last two seconds, where
nothing else is said.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
import yaml
from aiohttp import web

from tests import forks
from tests.faults.worker import ROOT
from tests.ports import free_port
from tests.proxy.harness import PATIENCE
from tests.store.redis_server import RedisServer, running
from tests.waiting import until

pytestmark = [pytest.mark.divisible, pytest.mark.slow]

WEBHOOK = "/v1/webhooks/receive"

#: Seconds of a claim, and of one that ends within no test.
SHORT, LONG = 2.0, 600.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running(tmp_path / "redis") as server:
        yield server


class Sent(NamedTuple):
    """An event on its way into the gateway."""

    by: int
    """Which proxy sent it."""
    session: str
    number: int
    id: str | None
    """The spool's id; None of a direct attempt."""


class Gateway:
    """Answers events as the test says; each proxy has a port of its own to reach it."""

    def __init__(self) -> None:
        self.status = 200
        self.sent: list[Sent] = []
        self.taken: list[Sent] = []
        """Those that were answered 200."""
        self.held: asyncio.Event | None = None
        """What answers wait for, if anything."""
        self.ports: list[int] = []
        self._runners: list[web.AppRunner | None] = []

    async def open(self, which: int) -> None:
        """Let a proxy reach it."""
        if which == len(self.ports):
            self.ports.append(free_port())
            self._runners.append(None)
        application = web.Application(client_max_size=64 * 1024**2)
        application.router.add_route("*", "/{path:.*}", partial(self._handle, which))
        runner = self._runners[which] = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.ports[which], reuse_address=True).start()

    async def close(self, which: int) -> None:
        """Let a proxy reach it no more."""
        runner, self._runners[which] = self._runners[which], None
        if runner is not None:
            await runner.cleanup()

    async def close_all(self) -> None:
        for which in range(len(self.ports)):
            await self.close(which)

    async def _handle(self, which: int, request: web.Request) -> web.Response:
        if request.method != "POST":
            return web.json_response({})
        event = await request.json()
        sent = Sent(which, event["session"], event["number"], request.headers.get("webhook-id"))
        self.sent.append(sent)
        if self.held is not None:
            await self.held.wait()
        if self.status == 200:
            self.taken.append(sent)
        return web.json_response({}, status=self.status)

    def first(self, session: str) -> list[int]:
        """The numbers of a session's events in the order in which they were first taken."""
        return list(dict.fromkeys(sent.number for sent in self.taken if sent.session == session))


class One:
    """One of the proxies."""

    def __init__(self, folder: Path, gateway: int, redis: int, lease: float, **more: Any) -> None:
        folder.mkdir()
        self.port, self.admin = free_port(), free_port()
        self.folder = folder
        self._lease = lease
        settings = {
            "gateway": f"http://127.0.0.1:{gateway}",
            "preset": "gateway-wrapper",
            "webhooks": [{"path": WEBHOOK, "spool": True}],
            "spool": {"schedule": ["100ms"]},
            "state": {"url": f"redis://127.0.0.1:{redis}/0", "journal": str(folder)},
            **more,
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))
        self.process: forks.Process | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        with (self.folder / "log").open("ab") as log:
            self.process = forks.start(
                *("tests.integration.short_lease", str(self._lease), "run", "--config", f"{self.folder}/config.yaml"),
                *("--listen", f"127.0.0.1:{self.port}", "--admin-listen", f"127.0.0.1:{self.admin}"),
                folder=ROOT, stdout=log, stderr=log,
            )  # fmt: skip
        await until(self._ready)

    async def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            await self.ask("GET", "/readyz")
        except aiohttp.ClientError:
            return False
        return True

    async def ask(self, method: str, path: str) -> Any:
        """What the admin listener answers."""
        async with (
            aiohttp.ClientSession() as client,
            client.request(method, f"http://127.0.0.1:{self.admin}{path}") as answer,
        ):
            return await answer.json()

    async def totals(self) -> Any:
        """What it knows of all entries."""
        return (await self.ask("GET", "/spool"))["totals"]

    async def metric(self, line: str) -> float:
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://127.0.0.1:{self.admin}/metrics") as answer,
        ):
            text = await answer.text()
        (value,) = (each.rpartition(" ")[2] for each in text.splitlines() if each.startswith(f"{line} "))
        return float(value)

    async def post(self, session: str, number: int, text: str = "") -> tuple[int, Any]:
        """An event of this session."""
        event = {"event": "onmessage", "session": session, "number": number, "text": text}
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"http://127.0.0.1:{self.port}{WEBHOOK}", json=event) as answer,
        ):
            return answer.status, await answer.json()

    def tell(self, number: int) -> None:
        os.kill(self.pid, number)

    async def end(self, number: int = signal.SIGTERM) -> None:
        """End it, by default in order."""
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(number)
            process.send_signal(signal.SIGCONT)
            await asyncio.to_thread(process.wait, PATIENCE)


class Place:
    """Gateway, Redis and proxies."""

    def __init__(self, gateway: Gateway, redis: RedisServer, proxies: Sequence[One]) -> None:
        self.gateway, self.redis, self.proxies = gateway, redis, proxies

    def holder(self) -> One | None:
        """Who holds the claim on the gateway."""
        with self.redis.client() as client:
            claims: Any = client.hgetall("statusproxy:claims")
            proxies: Any = client.hgetall("statusproxy:proxies")
        claim = claims.get(b"spool:gateway")
        if claim is None:
            return None
        row = proxies.get(claim.split()[-1])
        pid = None if row is None else json.loads(row)["pid"]
        return next((one for one in self.proxies if one.process is not None and one.pid == pid), None)

    async def some_holder(self, *but: One) -> One:
        """Who holds the claim, once it is another than these."""
        await until(lambda: (found := self.holder()) is not None and found not in but)
        found = self.holder()
        assert found is not None
        return found

    async def keep(self, *numbers: int, session: str = "sales") -> list[str]:
        """Events that are answered 202, at one proxy after the other; their ids."""
        ids = []
        for number in numbers:
            proxy = self.proxies[number % len(self.proxies)]
            status, said = await proxy.post(session, number)
            assert (status, said["spooled"]) == (202, True), said
            ids.append(said["id"])
        return ids

    async def all_know(self, entries: int) -> None:
        """Wait until all know of so many entries."""
        for proxy in self.proxies:

            async def knows(proxy: One = proxy) -> bool:
                return bool((await proxy.totals())["entries"] == entries)

            if proxy.process is not None:
                await until(knows)


@asynccontextmanager
async def place(
    folder: Path, redis: RedisServer, count: int = 2, lease: float = SHORT, **more: Any
) -> AsyncIterator[Place]:
    """Everything, running; the gateway refuses all events."""
    async with AsyncExitStack() as stack:
        gateway = Gateway()
        gateway.status = 503
        stack.push_async_callback(gateway.close_all)
        proxies = []
        for number in range(count):
            await gateway.open(number)
            proxies.append(One(folder / str(number), gateway.ports[number], redis.port, lease, **more))
            stack.push_async_callback(proxies[-1].end, signal.SIGKILL)
        await asyncio.gather(*(proxy.start() for proxy in proxies))
        yield Place(gateway, redis, proxies)


@pytest.mark.parametrize("count", [2, 3])
async def test_events_kept_by_several_proxies_are_delivered_once_and_in_their_order(
    tmp_path: Path, server: RedisServer, count: int
) -> None:
    async with place(tmp_path, server, count) as it:
        for number in range(12):
            await it.keep(number, session=("sales", "support")[number % 2])
        await it.all_know(12)
        it.gateway.status = 200
        await it.all_know(0)
        assert (it.gateway.first("sales"), it.gateway.first("support")) == ([0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11])
        assert len(it.gateway.taken) == 12
        delivered = [await proxy.metric("statusproxy_spool_delivered_total") for proxy in it.proxies]
        kept = [await proxy.metric('statusproxy_spool_kept_total{reason="refused"}') for proxy in it.proxies]
        assert (sum(delivered), sum(kept) > 0) == (12, True)


async def test_an_event_waits_behind_those_that_another_proxy_keeps(tmp_path: Path, server: RedisServer) -> None:
    async with place(tmp_path, server) as it:
        await it.keep(0)
        await it.all_know(1)
        it.gateway.held = asyncio.Event()
        it.gateway.status = 200
        await it.keep(1)  # at the other proxy: no direct attempt is made
        it.gateway.held.set()
        await it.all_know(0)
        assert it.gateway.first("sales") == [0, 1]
        assert all(sent.id is not None for sent in it.gateway.sent if sent.number == 1)


async def test_a_proxy_that_stops_gives_its_receivers_to_another_at_once(tmp_path: Path, server: RedisServer) -> None:
    async with place(tmp_path, server, lease=LONG) as it:
        await it.keep(0, 1, 2)
        holder = await it.some_holder()
        await holder.end()
        await it.some_holder(holder)
        it.gateway.status = 200
        await it.all_know(0)
        assert it.gateway.first("sales") == [0, 1, 2]


async def test_when_a_holder_dies_another_goes_on(tmp_path: Path, server: RedisServer) -> None:
    async with place(tmp_path, server, 3) as it:
        await it.keep(0, 1, 2)
        await it.all_know(3)
        holder = await it.some_holder()
        await holder.end(signal.SIGKILL)
        it.gateway.status = 200
        await it.all_know(0)
        assert it.gateway.first("sales") == [0, 1, 2]


async def test_a_holder_that_was_stopped_past_its_lease_sends_nothing_old_when_it_wakes_up(
    tmp_path: Path, server: RedisServer
) -> None:
    async with place(tmp_path, server) as it:
        await it.keep(0, 1, 2, 3)
        await it.all_know(4)
        holder = await it.some_holder()
        holder.tell(signal.SIGSTOP)
        other = await it.some_holder(holder)
        it.gateway.status = 200
        await until(lambda: len(it.gateway.first("sales")) == 4)
        it.gateway.sent.clear()
        holder.tell(signal.SIGCONT)
        await it.all_know(0)
        assert it.gateway.first("sales") == [0, 1, 2, 3]
        assert (it.gateway.sent, await other.metric("statusproxy_spool_delivered_total")) == ([], 4.0)


async def test_a_proxy_that_cannot_reach_the_gateway_keeps_no_other_from_delivering(
    tmp_path: Path, server: RedisServer
) -> None:
    async with place(tmp_path, server, lease=LONG) as it:
        await it.gateway.close(0)
        it.gateway.status = 200
        status, said = await it.proxies[0].post("sales", 0)
        assert (status, said["spooled"]) == (202, True)
        await it.all_know(0)
        assert [(sent.by, sent.number) for sent in it.gateway.taken] == [(1, 0)]


async def test_without_the_server_nothing_is_sent_past_the_lease_and_all_goes_on_when_it_is_back(
    tmp_path: Path, server: RedisServer
) -> None:
    async with place(tmp_path, server) as it:
        await it.keep(0, 1, 2)
        await it.some_holder()
        await until(lambda: any(sent.id is not None for sent in it.gateway.sent))
        server.tell(signal.SIGSTOP)

        async def away() -> bool:
            return all([(await proxy.ask("GET", "/readyz"))["status"] == "error" for proxy in it.proxies])

        await until(away)  # that takes longer than the lease
        it.gateway.sent.clear()
        for _ in range(20):
            assert await away()
        assert it.gateway.sent == []  # else they would be tried ten times a second
        status, said = await it.proxies[0].post("sales", 3)
        assert status == 502, said
        server.tell(signal.SIGCONT)
        it.gateway.status = 200
        await it.all_know(0)
        assert it.gateway.first("sales") == [0, 1, 2]


@pytest.mark.parametrize("status", [200, 503])
async def test_an_operator_drops_at_one_proxy_what_another_is_sending(
    tmp_path: Path, server: RedisServer, status: int
) -> None:
    async with place(tmp_path, server, lease=LONG) as it:
        first, _ = await it.keep(0, 1)
        await it.all_know(2)
        holder = await it.some_holder()
        other = next(proxy for proxy in it.proxies if proxy is not holder)
        it.gateway.held = asyncio.Event()
        it.gateway.sent.clear()
        await until(lambda: bool(it.gateway.sent))
        assert await other.ask("DELETE", f"/spool/{first}") == {"changed": 1}
        await it.all_know(1)
        it.gateway.status = status
        it.gateway.held.set()
        await until(lambda: len(it.gateway.sent) > 1)
        it.gateway.status = 200
        await it.all_know(0)
        assert it.gateway.first("sales") == ([0, 1] if status == 200 else [1])
        assert await other.metric('statusproxy_spool_dropped_total{reason="operator"}') == 1.0
        assert await holder.metric('statusproxy_spool_dropped_total{reason="operator"}') == 0.0


async def test_an_operator_replays_at_any_proxy(tmp_path: Path, server: RedisServer) -> None:
    async with place(tmp_path, server, lease=LONG, spool={"schedule": ["1h"]}) as it:
        await it.keep(0, 1)
        await it.all_know(2)
        holder = await it.some_holder()
        other = next(proxy for proxy in it.proxies if proxy is not holder)
        it.gateway.status = 200
        assert await other.ask("POST", "/spool/replay?state=waiting") == {"changed": 2}
        await it.all_know(0)
        assert it.gateway.first("sales") == [0, 1]
        assert {sent.by for sent in it.gateway.taken} == {it.proxies.index(holder)}


async def test_a_server_that_loses_its_memory_loses_the_events_and_that_is_counted_once(
    tmp_path: Path, server: RedisServer
) -> None:
    async with place(tmp_path, server) as it:
        await it.keep(0, 1, 2)
        await it.all_know(3)

        async def each_other() -> bool:
            return [await proxy.metric("statusproxy_proxies") for proxy in it.proxies] == [2.0, 2.0]

        await until(each_other)
        with server.client() as client:
            client.flushall()
        await it.all_know(0)

        async def counted() -> bool:
            line = 'statusproxy_spool_dropped_total{reason="lost"}'
            return sum([await proxy.metric(line) for proxy in it.proxies]) == 3.0

        await until(counted)
        lost = "the server of the state lost its data, and with it 3 events"
        await until(lambda: all(proxy.log.count(lost) == 1 for proxy in it.proxies))
        await it.keep(3)
        it.gateway.status = 200
        await it.all_know(0)
        assert it.gateway.first("sales") == [3]


async def test_what_is_too_old_is_dropped_and_counted_once(tmp_path: Path, server: RedisServer) -> None:
    async with place(tmp_path, server, spool={"schedule": ["100ms"], "max_age": "1s"}) as it:  # only waited for
        await it.keep(0, 1)

        async def dropped() -> bool:
            line = 'statusproxy_spool_dropped_total{reason="age"}'
            return sum([await proxy.metric(line) for proxy in it.proxies]) == 2.0

        await until(dropped)
        await it.all_know(0)
        assert await dropped()


async def test_a_large_event_is_delivered_by_a_proxy_that_did_not_keep_it(tmp_path: Path, server: RedisServer) -> None:
    async with place(tmp_path, server, lease=LONG) as it:
        await it.keep(0)
        holder = await it.some_holder()
        other = next(proxy for proxy in it.proxies if proxy is not holder)
        status, _ = await other.post("support", 1, text="x" * 900_000)
        assert status == 202
        it.gateway.status = 200
        await it.all_know(0)
        assert (it.gateway.first("sales"), it.gateway.first("support")) == ([0], [1])
        left = [file for proxy in it.proxies for file in proxy.folder.rglob("*") if file.is_file()]
        assert not [file for file in left if file.stat().st_size > 256 * 1024]
