"""Two proxies behind a real load balancer, one state in a real Redis: restarted in turn, and no client notices.

nginx and HAProxy are configured as docs/two-proxies.md has it: the proxies of one host are reached by their sockets,
those of two hosts by addresses (here of loopback), and HAProxy asks each whether it is ready.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from statusproxy.demo.events import status_find
from tests import forks
from tests.docs.pages import ROOT
from tests.peers.processes import program, requires
from tests.ports import free_port
from tests.stand_ins.served import everything, served
from tests.store.redis_server import RedisServer, running
from tests.waiting import PATIENCE, until

pytestmark = [pytest.mark.divisible, requires("nginx", "haproxy")]

#: Requests that must have been answered, and sessions of which one is lost by each webhook.
REQUESTS = 1_000
SESSIONS = [f"session-{number}" for number in range(1_500)]

#: Clients that ask side by side; each posts a webhook after so many lists.
CLIENTS = 4
LISTS = 3

#: The admin listener's token, as the page writes it.
TOKEN = "ADMIN_TOKEN"

#: Longer than three checks of a busy machine.
NOTICE = "3s"

#: Where the test is root's, so are the sockets' folders.
USER = "user root;" if os.geteuid() == 0 else ""

GLOBAL = """
{user} daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {site}
}}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running(tmp_path / "redis") as server:
        yield server


class Gateway:
    """Says that every session is connected, and counts the webhooks that reach it."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()

    async def handle(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            self.told[(await request.json())["session"]] += 1
            return web.json_response({"success": True, "received": True})
        channels = [{"id": session, "status": "connected"} for session in SESSIONS]
        return web.json_response({"success": True, "channels": channels if request.path == "/api/channels" else []})


class One:
    """One of the proxies: the real program."""

    def __init__(self, folder: Path, listen: str, admin: str, gateway: str, redis: int, more: Any = None) -> None:
        folder.mkdir()
        self.listen = listen
        self.admin = admin
        self.python = sys.executable
        self.environment: Mapping[str, str] = {}
        """Variables that it is given in addition."""
        self.flags: Sequence[str] = ("--listen", listen, "--admin-listen", admin)
        self._folder = folder
        self._settings = {
            "gateway": gateway,
            "preset": "gateway-wrapper",
            "state": {"url": f"redis://127.0.0.1:{redis}/0", "journal": str(folder)},
            **(more or {}),
        }
        self.configure({})
        self._process: forks.Process | None = None

    def configure(self, more: Any) -> None:
        """Write its configuration, with more settings."""
        (self._folder / "config.yaml").write_text(yaml.safe_dump({**self._settings, **more}))

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        with (self._folder / "log").open("ab") as log:
            self._process = forks.start(
                "statusproxy", "run", "--config", str(self._folder / "config.yaml"), *self.flags, folder=self._folder,
                stdout=log, stderr=log, environ={**os.environ, **self.environment}, python=self.python,
            )  # fmt: skip
        process = self._process

        async def is_ready() -> bool:
            assert process.poll() is None, (self._folder / "log").read_text()
            return (await self.ready())[0] == 200

        await until(is_ready)

    async def ready(self) -> tuple[int, Any]:
        """What `/readyz` says; code 0 where no one answers."""
        try:
            async with (
                aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as client,
                client.get(f"http://{self.admin}/readyz") as answer,
            ):
                return answer.status, await answer.json()
        except aiohttp.ClientError:
            return 0, None

    async def shows(self, sessions: set[str]) -> bool:
        """Whether it shows just these as disconnected."""
        return await self.shown() == sessions

    async def shown(self) -> set[str]:
        """The sessions that it shows as disconnected."""
        path = self.listen.removeprefix("unix:")
        unix = path != self.listen
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(path) if unix else None) as client,
            client.get(f"http://{'proxy.example' if unix else self.listen}/api/channels") as answer,
        ):
            channels = (await answer.json())["channels"]
        return {channel["id"] for channel in channels if channel["status"] == "disconnected"}

    async def stop(self) -> None:
        """End it in order, as systemd does."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"it does not end\n{(self._folder / 'log').read_text()[-2000:]}") from None

    async def kill(self) -> None:
        """End it as a crash does."""
        assert self._process is not None
        self._process.kill()
        await asyncio.to_thread(self._process.wait)
        self._process = None


class Place:
    """Gateway, both proxies, and nginx in front of them."""

    def __init__(self, gateway: Gateway, proxies: tuple[One, One], url: str) -> None:
        self.gateway = gateway
        self.proxies = proxies
        self.url = url
        self.answers: Counter[Any] = Counter()
        self.lost: list[str] = []
        """Sessions whose loss was answered with a success."""
        self.enough = False
        self._next = itertools.cycle(SESSIONS)  # restarts take as long as they do

    async def client(self) -> None:
        """Ask and tell until it is enough, each request on a connection of its own."""
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as client:
            for turn in itertools.count():
                if self.enough:
                    return
                session = next(self._next) if turn % (LISTS + 1) == LISTS else None
                said = None if session is None else status_find(session, "disconnectedMobile")
                path = "/health" if said is None else "/v1/webhooks/receive"
                try:
                    async with client.request("GET" if said is None else "POST", self.url + path, json=said) as answer:
                        await answer.read()
                        self.answers[answer.status] += 1
                except aiohttp.ClientError as error:
                    self.answers[repr(error)] += 1
                    continue
                if session is not None and answer.status == 200:
                    self.lost.append(session)

    async def asked(self, number: int) -> None:
        """Wait until so many requests were answered."""
        await until(lambda: self.answers.total() >= number)


def page(begin: str, end: str) -> str:
    """A part of docs/two-proxies.md."""
    text = (ROOT / "docs" / "two-proxies.md").read_text(encoding="utf-8")
    found = re.search(f"{re.escape(begin)}\n(.*?)^{end}$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def on_one_host(folder: Path, port: int, gateway: str, redis: int) -> tuple[tuple[One, One], Sequence[str]]:
    """Proxies on Unix sockets; nginx's configuration as the page has it, with this test's sockets and port."""
    text = page("conf.d/statusproxy.conf <<'END'", "END")
    sockets = [folder / name / "http.sock" for name in ("a", "b")]
    for name, path in zip(("8092", "8093"), sockets, strict=True):
        text = text.replace(f"/run/statusproxy-{name}/http.sock", str(path))
    text = text.replace("listen 172.17.0.1:8090;", "").replace("127.0.0.1:8090", f"127.0.0.1:{port}")
    assert text.count(f":{port};") == 1
    file = folder / "nginx.conf"
    file.write_text(GLOBAL.format(user=USER, folder=folder, site=text))
    one, other = (One(path.parent, f"unix:{path}", f"127.0.0.1:{free_port()}", gateway, redis) for path in sockets)
    return (one, other), (program("nginx"), "-e", str(folder / "error.log"), "-c", str(file))


def on_two_hosts(folder: Path, port: int, gateway: str, redis: int) -> tuple[tuple[One, One], Sequence[str]]:
    """Proxies on two addresses; HAProxy's configuration as the page has it, except for a quicker check."""
    text = page("```haproxy", "```")
    listen, admin = free_port(), free_port()
    changes = {"10.0.0.": "127.0.0.", ":8090": f":{listen}", "port 8091": f"port {admin}", "inter 2s": "inter 100ms"}
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    file = folder / "haproxy.cfg"
    file.write_text(
        f"defaults\n    mode http\n    timeout client 1d\nlisten front\n    bind 127.0.0.1:{port}\n{text}".replace(
            "backend statusproxy\n", ""
        )
    )
    more = {"admin": {"token": TOKEN}, "timeouts": {"drain_notice": NOTICE}}
    one, other = (
        One(folder / name, f"{host}:{listen}", f"{host}:{admin}", gateway, redis, more)
        for name, host in (("a", "127.0.0.11"), ("b", "127.0.0.12"))
    )
    return (one, other), (program("haproxy"), "-q", "-db", "-f", str(file))


BALANCED = {"one host": on_one_host, "two hosts": on_two_hosts}


@asynccontextmanager
async def place(folder: Path, redis: RedisServer, where: str) -> AsyncIterator[Place]:
    """Everything, running."""
    async with AsyncExitStack() as stack:
        gateway, port = Gateway(), free_port()
        url = await stack.enter_async_context(served(everything(gateway.handle)))
        proxies, command = BALANCED[where](folder, port, url, redis.port)
        for proxy in proxies:
            stack.push_async_callback(proxy.stop)
        await asyncio.gather(*(proxy.start() for proxy in proxies))
        balancer = await asyncio.create_subprocess_exec(*command)
        stack.push_async_callback(balancer.wait)
        stack.callback(balancer.terminate)
        here = Place(gateway, proxies, f"http://127.0.0.1:{port}")

        async def balances() -> bool:
            assert balancer.returncode is None
            return await listens(port)

        await until(balances)
        yield here


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.mark.slow
@pytest.mark.parametrize("where", BALANCED)
async def test_both_are_restarted_one_after_the_other_and_nothing_is_refused_or_lost(
    where: str, tmp_path: Path, server: RedisServer
) -> None:
    async with place(tmp_path, server, where) as here:
        clients = [asyncio.create_task(here.client()) for _ in range(CLIENTS)]
        await here.asked(REQUESTS // 4)
        for number, proxy in enumerate(here.proxies, 2):
            await proxy.stop()
            await proxy.start()
            await here.asked(REQUESTS // 4 * number)
        await here.asked(REQUESTS)
        here.enough = True
        await asyncio.gather(*clients)
        assert set(here.answers) == {200}, here.answers
        assert len(here.lost) > REQUESTS // (LISTS + 2)
        assert here.gateway.told == Counter(here.lost), "each event reached the gateway, and once"
        lost = set(here.lost)
        for proxy in here.proxies:
            await until(partial(proxy.shows, lost))


@pytest.mark.slow
async def test_while_one_is_down_the_other_takes_everything_and_redis_away_takes_neither_out(
    tmp_path: Path, server: RedisServer
) -> None:
    async with place(tmp_path, server, "one host") as here:
        first, second = here.proxies
        await first.kill()
        clients = [asyncio.create_task(here.client()) for _ in range(CLIENTS)]
        await here.asked(REQUESTS // 10)
        server.stop()
        await here.asked(REQUESTS // 5)
        code, said = await second.ready()
        assert (code, said["status"]) == (200, "error")
        here.enough = True
        await asyncio.gather(*clients)
        assert set(here.answers) == {200}, here.answers
        assert here.gateway.told == Counter(here.lost)
        assert await second.shown() == set(here.lost)
        server.start()
        await first.start()
        await until(partial(first.shows, set(here.lost)))
