"""Sites to be examined: a stand-in gateway that wants a secret, and a proxy that runs before it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from statusproxy.config.load import load
from statusproxy.demo.gateway import StandInGateway
from statusproxy.doctor import command
from statusproxy.doctor.looks import gateway as gateway_look
from statusproxy.server import Server
from tests.ports import free_port

#: What must never show in a report.
GATEWAY_SECRET = "planted-gateway-secret-0123"
ADMIN_TOKEN = "planted-admin-token-4567"


@dataclass
class Verdict:
    """A report in both forms."""

    text: str
    code: int
    findings: dict[str, dict[str, Any]]
    """By code; of several with one code, the first."""
    levels: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The text without its line breaks: where those are depends on how long the names of files are."""
        return " ".join(self.text.split())


class Site:
    """A gateway, a configuration file and, once started, a proxy."""

    def __init__(self, folder: Path, gateway: StandInGateway, **keys: Any) -> None:
        self.gateway = gateway
        self.port, self.admin_port = free_port(), free_port()
        self.file = folder / "config.yaml"
        self.keys = {
            "listen": f"127.0.0.1:{self.port}",
            "gateway": gateway.base_url,
            "state": {"url": f"sqlite:///{folder / 'state.db'}"},
            "admin": {"listen": f"127.0.0.1:{self.admin_port}", "token": ADMIN_TOKEN},
            "language": "en",
            **keys,
        }
        self.write()
        self.secret: str | None = GATEWAY_SECRET
        self.server: Server | None = None

    def write(self, **keys: Any) -> None:
        """Change the file."""
        self.keys |= keys
        self.file.write_text(yaml.safe_dump(self.keys))

    async def start(self) -> Server:
        """Start the proxy."""
        self.server = Server(load(self.file, environ={}), lambda: load(self.file, environ={}))
        await self.server.start()
        return self.server

    async def stop(self) -> None:
        """Stop the proxy, if it runs."""
        if self.server is not None:
            self.server.ask_to_stop()
            self.server.ask_to_stop()
            await self.server.stop()
            self.server = None

    async def examine(self, **request: Any) -> Verdict:
        """Ask the doctor, and see to it that no secret shows, in either form and language."""
        environ = {"LANG": "C", "CREDENTIALS_DIRECTORY": "/nowhere"}
        if self.secret is not None:
            environ[command.SECRET_VARIABLE] = self.secret
        text, code = await command.report(command.Request(config=self.file, **request), environ)
        said, same = await command.report(command.Request(config=self.file, as_json=True, **request), environ)
        portuguese, _ = await command.report(
            command.Request(config=self.file, **{**request, "language": "pt-BR"}), environ
        )
        for secret in (GATEWAY_SECRET, ADMIN_TOKEN, *filter(None, [self.secret])):
            assert secret not in text + said + portuguese
        assert code == same
        findings: dict[str, dict[str, Any]] = {}
        for finding in json.loads(said)["findings"]:
            findings.setdefault(finding["code"], finding)
        return Verdict(text, code, findings, {name: each["level"] for name, each in findings.items()})


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """That the machine of the tests is slow is no finding."""
    monkeypatch.setattr(gateway_look, "_SLOW_CONNECT", 60.0)
    monkeypatch.setattr(gateway_look, "_SLOW_HEALTH", 60.0)


Build = Callable[..., Coroutine[Any, Any, Site]]


@pytest.fixture
async def build(tmp_path: Path) -> AsyncIterator[Build]:
    """A way to make sites: `await build(running=False, secret=…, **keys)`."""
    async with _builder(tmp_path) as build:
        yield build


@asynccontextmanager
async def _builder(folder: Path) -> AsyncIterator[Build]:
    sites: list[Site] = []

    async def build(*, running: bool = True, through_proxy: bool = True, **keys: Any) -> Site:
        gateway = StandInGateway(secret=GATEWAY_SECRET)
        await gateway.start(port=free_port())
        site = Site(folder, gateway, **keys)
        sites.append(site)
        if running:
            await site.start()
            if through_proxy:
                gateway.engine_webhook = f"http://127.0.0.1:{site.port}/v1/webhooks/receive"
        return site

    try:
        yield build
    finally:
        for site in sites:
            await site.gateway.stop()
            await site.stop()
