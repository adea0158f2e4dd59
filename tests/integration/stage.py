"""The stage of the integration tests: the service in front of a gateway that lies, and the hub in front of that.

The service is the real program as a process of its own or, where nothing depends on that, runs inside the test's. Two
gateways can stand behind it, the stand-in and the real Express one, with the same controls over the phones.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import aiohttp
from yarl import URL

from statusproxy.demo.engine import Dialog
from statusproxy.demo.events import status_find
from statusproxy.demo.gateway import StandInGateway
from statusproxy.demo.proxy import Proxy, configuration
from statusproxy.server import Server
from tests import forks
from tests.faults.worker import ROOT
from tests.hub import Hub, channel_path
from tests.peers.processes import express_gateway
from tests.ports import free_port
from tests.proxy.harness import PATIENCE, running, until

#: One that shows a QR code at once, one that nothing happens to, one that needs DELETE and POST first.
SESSIONS = ("sales", "support", "Front Desk")
STUBBORN = "Front Desk"

#: Pauses of the hub are divided by this.
HASTE = 500.0

INBOUND = "/v1/webhooks/receive"
OUTBOUND = "/hub/webhook"


class Phones(Protocol):
    """A gateway's address, and what a person can do to the phones behind it."""

    @property
    def base_url(self) -> str:
        """Where the gateway is."""

    async def unlink(self, session: str) -> None:
        """The phone drops the session; the engine says so once, the gateway goes on saying connected."""

    async def scan(self, session: str, *, silent: bool = False) -> None:
        """Scan the QR code that is shown; `silent`: the engine's word about it gets lost."""

    async def restart(self) -> None:
        """The gateway starts again: for one list's worth it says unknown."""


@dataclass
class StandIn:
    """The stand-in gateway's phones."""

    gateway: StandInGateway

    @property
    def base_url(self) -> str:
        return self.gateway.base_url

    async def unlink(self, session: str) -> None:
        await self.gateway.unlink(session)

    async def scan(self, session: str, *, silent: bool = False) -> None:
        await self.gateway.scan(session, silent=silent)

    async def restart(self) -> None:
        self.gateway.restart()


@dataclass
class Express:
    """The real Express gateway's phones; its engine's events are posted from here, through the proxy."""

    base_url: str
    webhook: str = ""

    async def unlink(self, session: str) -> None:
        await self._control("unlink", session)
        await tell(self.webhook, status_find(session, "disconnectedMobile"))

    async def scan(self, session: str, *, silent: bool = False) -> None:
        await self._control("scan", session)
        if not silent:
            await tell(self.webhook, status_find(session, "inChat"))

    async def restart(self) -> None:
        async with aiohttp.ClientSession() as client, client.post(f"{self.base_url}/control/restart") as answer:
            assert answer.status == 200

    async def _control(self, what: str, session: str) -> None:
        path = channel_path(session).rpartition("/")[2]
        async with aiohttp.ClientSession() as client:
            url = f"{self.base_url}/control/{what}/{path}"
            async with client.post(url) as answer:
                assert answer.status == 200


async def tell(url: str, *events: dict[str, Any]) -> None:
    """Post events as the engine does, one after the other; each must be answered with a success."""
    async with aiohttp.ClientSession() as client:
        for event in events:
            async with client.post(url, json=event) as answer:
                assert answer.status in {200, 204}, await answer.text()


@dataclass
class Town:
    """A gateway, the proxy in front of it, and the hub that lists its channels through the proxy."""

    phones: Phones
    base_url: str
    """Where the proxy is."""
    hub: Hub
    _process: Proxy | None = None
    _inside: Server | None = None

    @property
    def process(self) -> Proxy:
        """The proxy's process."""
        assert self._process is not None, "it runs inside the test"
        return self._process

    @property
    def server(self) -> Server:
        """The service, where it runs inside the test."""
        assert self._inside is not None, "it is a process of its own"
        return self._inside

    async def engine_says(self, *events: dict[str, Any]) -> None:
        """The engine's events, through the proxy."""
        await tell(self.base_url + INBOUND, *events)

    async def admin(self, path: str = "/sessions", method: str = "GET") -> tuple[int, Any]:
        """What the admin listener of the process answers."""
        url = URL(self.process.admin_url + path, encoded=True)
        async with aiohttp.ClientSession() as client, client.request(method, url) as answer:
            return answer.status, json.loads(await answer.read())

    def log(self) -> list[dict[str, Any]]:
        """The process's log so far, which is JSON lines where no terminal is."""
        whole, _, _ = self.process.log.read_text(encoding="utf-8").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    async def logged(self, words: str, level: str | None = None) -> None:
        """Wait until a line of the process's log has these words: a thread writes it, behind the answers."""

        def found() -> bool:
            return any(words in one["message"] and level in {None, one["level"]} for one in self.log())

        await until(found)


class QuickProxy(Proxy):
    """The program as a process that starts quickly."""

    async def start(self) -> None:
        """Start it, and wait until requests reach the gateway through it."""
        module, *arguments = self.command[2:]
        with self.log.open("ab") as log:
            process = forks.start(module, *arguments, folder=ROOT, stdout=log, stderr=log)
        self._process = cast("asyncio.subprocess.Process", _Awaited(process))
        async with asyncio.timeout(PATIENCE):
            await self._ready(self._process)


class _Awaited:
    """A process as asyncio shows its own."""

    def __init__(self, process: forks.Process) -> None:
        self.pid, self.kill, self.terminate = process.pid, process.kill, process.terminate
        self._process = process

    @property
    def returncode(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    async def wait(self) -> int:
        """The exit code, once it has ended."""
        return await asyncio.to_thread(self._process.wait)


@asynccontextmanager
async def town(kind: str, folder: Path, *, inside: bool = False, **more: Any) -> AsyncIterator[Town]:
    """Everything, with the stand-in (`stand-in`) or the real Express gateway (`express`)."""
    async with gateway(kind) as phones, town_with(phones, folder, inside=inside, **more) as all_of_it:
        yield all_of_it


@asynccontextmanager
async def town_with(phones: Phones, folder: Path, *, inside: bool = False, **more: Any) -> AsyncIterator[Town]:
    """A proxy and a hub in front of a gateway that runs already; `more` are keys of config.yaml."""
    settings = {**configuration(phones.base_url, free_port(), free_port(), folder / "state.db"), **more}
    if inside:
        shared = {key: value for key, value in settings.items() if key in {"webhooks", "state", *more}}
        async with running(folder, phones.base_url, **shared) as proxy, Hub(proxy.url, haste=HASTE) as hub:
            _wire(phones, proxy.url)
            yield Town(phones, proxy.url, hub, _inside=proxy.server)
        return
    async with QuickProxy(settings, folder) as process, Hub(process.base_url, haste=HASTE) as hub:
        _wire(phones, process.base_url)
        yield Town(phones, process.base_url, hub, process)


def _wire(phones: Phones, proxy: str) -> None:
    """Have the engine and the gateway post their events through the proxy."""
    if isinstance(phones, StandIn):
        phones.gateway.engine_webhook = proxy + INBOUND
        phones.gateway.outbox.url = proxy + OUTBOUND
    elif isinstance(phones, Express):
        phones.webhook = proxy + INBOUND


@asynccontextmanager
async def gateway(kind: str, **options: Any) -> AsyncIterator[Phones]:
    """One of the two gateways, with `SESSIONS` linked."""
    if kind == "express":
        named = {"SESSIONS": json.dumps(SESSIONS), "STUBBORN": json.dumps([STUBBORN]), **options}
        async with express_gateway(**named) as base_url:
            yield Express(base_url)
        return
    stand_in = StandInGateway(sessions=SESSIONS, dialogs={STUBBORN: Dialog.AFTER_DELETE}, **options)
    await stand_in.start(port=free_port())  # it is stopped by tests, and no one else may listen there then
    try:
        yield StandIn(stand_in)
    finally:
        await stand_in.stop()
