"""Two proxies, nginx, Redis, the load, and the upgrade."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from statusproxy.demo.events import status_find
from tests.integration.test_two_proxies import Gateway, One, Place, listens, on_one_host
from tests.ports import free_port
from tests.store.redis_server import RedisServer
from tests.upgrade.version import TODAY, Version

#: Clients that ask side by side; each posts a webhook after some lists.
_CLIENTS: Final = 4

#: Seconds until both know the same, at most.
_AGREE: Final = 30.0

#: A member of a row that no version knows, as a later one may bring, and the session whose row has it.
_UNKNOWN: Final = {"of_a_later_version": {"word": 1}}
_SESSION: Final = "carried"


@dataclass
class Result:
    """What a run gave."""

    answers: Counter[Any] = field(default_factory=Counter)
    events: int = 0
    """Events that were answered with a success."""
    changed: list[str] = field(default_factory=list)
    """Which proxy was restarted as which version."""
    longest: float = 0.0
    """Seconds that any client waited for an answer."""
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


class _Asked(Place):
    """Also knows what clients waited."""

    longest = 0.0

    async def watch(self) -> None:
        """Ask again and again, and note the longest wait."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as client:
            while not self.enough:
                asked = time.monotonic()
                async with client.get(f"{self.url}/health") as answer:
                    await answer.read()
                    self.answers[answer.status] += 1
                self.longest = max(self.longest, time.monotonic() - asked)
                await asyncio.sleep(0.01)


async def run(folder: Path, before: Version, requests: int, *, back: bool = True) -> Result:
    """Upgrade one after the other, with so many requests in each stage; then `back`, and upgrade again.

    Raises where something does not start.
    """
    result, begun = Result(), time.monotonic()
    server = RedisServer(folder / "redis")
    server.start()
    try:
        async with _place(folder, server, before) as here:
            there = ((0, TODAY), (1, TODAY))
            steps = (*there, (0, before), (1, before), *reversed(there)) if back else there
            await _upgrade(result, here, server, steps, requests)
    finally:
        server.stop()
    result.seconds = time.monotonic() - begun
    return result


@asynccontextmanager
async def _place(folder: Path, server: RedisServer, version: Version) -> AsyncIterator[_Asked]:
    async with AsyncExitStack() as stack:
        gateway, application = Gateway(), web.Application()
        application.router.add_route("*", "/{path:.*}", gateway.handle)
        behind = await stack.enter_async_context(TestServer(application))
        port = free_port()
        proxies, command = on_one_host(folder, port, str(behind.make_url("")).rstrip("/"), server.port)
        for proxy in proxies:
            stack.push_async_callback(proxy.stop)
            await _start(proxy, version)
        balancer = await asyncio.create_subprocess_exec(*command)
        stack.push_async_callback(balancer.wait)
        stack.callback(balancer.terminate)
        while not await listens(port):  # noqa: ASYNC110 - in another process
            await asyncio.sleep(0.02)
        yield _Asked(gateway, proxies, f"http://127.0.0.1:{port}")


async def _start(proxy: One, version: Version) -> None:
    proxy.python, proxy.environment, proxy.flags = version.python, version.environment, ()
    proxy.configure(
        {"listen": proxy.listen, "admin": {"listen": proxy.admin}}
    )  # the first versions have no flag for it
    await proxy.start()


async def _upgrade(
    result: Result, here: _Asked, server: RedisServer, steps: Sequence[tuple[int, Version]], requests: int
) -> None:
    """Restart the proxy of each step's place as its version."""
    first, second = here.proxies
    await _mark(result, first, server)
    clients = [asyncio.create_task(here.client()) for _ in range(_CLIENTS)]
    clients.append(asyncio.create_task(here.watch()))
    for number, (place, version) in enumerate(steps, 1):
        proxy = here.proxies[place]
        await here.asked(requests * number)
        await proxy.stop()
        await _start(proxy, version)
        result.changed.append(f"{'second' if place else 'first'} as {version.name}")
        # Each version writes the row once more, whichever the other is.
        for one, word in ((first, "inChat"), (second, "browserClose")):
            await _tell(result, one, _SESSION, word)
            _carried(result, server, f"after {result.changed[-1]}: {word}")
    await here.asked(requests * (len(steps) + 1))
    here.enough = True
    await asyncio.gather(*clients)
    result.answers, result.longest, result.events = here.answers, here.longest, len(here.lost)
    lost = {*here.lost}
    if set(here.answers) != {200}:
        result.wrong.append(f"not all were answered with 200: {here.answers}")
    counted = Counter({session: times for session, times in here.gateway.told.items() if session != _SESSION})
    if counted != Counter(here.lost):
        result.wrong.append("not each event reached the gateway once")
    end = time.monotonic() + _AGREE
    while (shown := [await proxy.shown() for proxy in here.proxies]) != [lost, lost]:
        if time.monotonic() > end:
            missing = [sorted(lost - each)[:5] for each in shown]
            result.wrong.append(f"not known: {missing}, known in addition: {[sorted(each - lost) for each in shown]}")
            break
        await asyncio.sleep(0.05)


async def _mark(result: Result, proxy: One, server: RedisServer) -> None:
    """Give a session's row a member that a later version might bring."""
    await _tell(result, proxy, _SESSION, "browserClose")
    with server.client() as client:
        row = json.loads(client.hget("statusproxy:records", _SESSION) or "")
        client.hset("statusproxy:records", _SESSION, json.dumps(row | _UNKNOWN))


def _carried(result: Result, server: RedisServer, when: str) -> None:
    with server.client() as client:
        row = json.loads(client.hget("statusproxy:records", _SESSION) or "")
    if not row.items() >= _UNKNOWN.items():
        result.wrong.append(f"{when}: what no version knows of a row is gone")


async def _tell(result: Result, proxy: One, session: str, word: str) -> None:
    """Post an event straight to one of the proxies."""
    connector = aiohttp.UnixConnector(proxy.listen.removeprefix("unix:"))
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.post("http://proxy.example/v1/webhooks/receive", json=status_find(session, word)) as answer,
    ):
        if answer.status != 200:
            result.wrong.append(f"{session} {word} was answered {answer.status}")


def table(result: Result) -> str:
    """The closing table."""
    lines = [
        f"{len(result.changed)} restarts: {'; '.join(result.changed)}",
        f"{result.answers.total()} requests in {result.seconds:.0f} s, {result.events} of them events",
        f"answers: {dict(result.answers)}",
        f"{result.longest * 1000:.0f} ms the longest wait",
    ]
    return "\n".join([*lines, *([f"FAILED: {wrong}" for wrong in result.wrong] or ["all is well"])])
