"""How a story is told: what it is set up with, in which order it is played, and how it is judged."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import click
import pytest
import yaml

from statusproxy.demo.look import UnreadableError
from statusproxy.demo.proxy import ProxyFailedError
from statusproxy.demo.stage import Stage
from statusproxy.demo.telling import ANY, quiet, set_up, tell, with_log
from tests.demo.test_loopback import Greeting
from tests.ports import free_port


class Pretended:
    """A proxy that is none; `seen` is what it was brought up with."""

    def __init__(self, settings: dict[str, Any], folder: Path) -> None:
        self.base_url = f"http://{settings['listen']}"
        self.admin_url = f"http://{settings['admin']['listen']}"
        self.settings, self.folder = settings, folder

    async def kill(self) -> None:
        """It has no process."""

    async def start(self) -> None:
        """It has no process."""


@asynccontextmanager
async def pretended(settings: dict[str, Any], folder: Path) -> AsyncIterator[Pretended]:
    """Brings one up."""
    yield Pretended(settings, folder)


async def test_gateway_and_proxy_know_of_each_other_and_leave_nothing() -> None:
    gateway, ports, wired = Greeting(), (free_port(), free_port(), free_port()), list[str]()
    both = set_up(
        gateway,
        pretended,
        ports,
        lambda it: {"preset": "waha", "webhooks": [{"path": f"/to/{it.base_url}"}]},
        lambda it, proxy: wired.extend([it.base_url, proxy.base_url]),
    )
    async with both as (it, proxy):
        assert it is gateway
        assert wired == [f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"]
        assert proxy.admin_url == f"http://127.0.0.1:{ports[2]}"
        assert proxy.settings["gateway"] == gateway.base_url
        assert proxy.settings["webhooks"] == [{"path": f"/to/{gateway.base_url}"}]
        assert proxy.settings["state"] == {"url": f"sqlite:///{proxy.folder}/state.db"}
        assert proxy.folder.is_dir()
    assert not proxy.folder.exists()
    assert gateway.client.closed


async def test_any_free_ports_will_do_and_a_proxy_that_fails_leaves_no_gateway() -> None:
    gateway = Greeting()

    def failing(settings: dict[str, Any], folder: Path) -> AbstractAsyncContextManager[Pretended]:
        assert folder.is_dir()
        assert len({settings["listen"], settings["admin"]["listen"]}) == 2
        raise ProxyFailedError("it ended")

    with pytest.raises(ProxyFailedError):
        async with set_up(gateway, failing, ANY, lambda _: {}, lambda *_: None):
            pass
    assert gateway.client.closed


@asynccontextmanager
async def stood_up() -> AsyncIterator[tuple[Greeting, Pretended]]:
    gateway = Greeting()
    gateway.base_url = "http://gw.example"
    yield gateway, Pretended({"listen": "proxy.example", "admin": {"listen": "admin.example"}}, Path())


async def _well(stage: Stage, gateway: Greeting, proxy: Pretended) -> None:
    stage.scene("All is well")
    stage.check(f"{gateway.base_url} as {proxy.base_url}", held=True)


async def test_the_scenes_follow_the_title_and_the_verdict_follows_them() -> None:
    lines: list[str] = []
    held = await tell("A story", stood_up(), [_well, _well], lines.append, ["of a gateway"])
    said = [click.unstyle(line).strip() for line in lines]
    check = "✓ http://gw.example as http://proxy.example"
    assert said[:-1] == [
        "A story", "gateway http://gw.example · proxy http://proxy.example", "of a gateway",
        "", "1. All is well", check, "", "2. All is well", check, "",
    ]  # fmt: skip
    assert said[-1].startswith("✓ all 2 checks held (")
    assert held is True


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ProxyFailedError("it ended with 2"), "✗ it ended with 2"),
        (UnreadableError("no list in b''"), "✗ no list in b''"),
        (aiohttp.ClientPayloadError(), "✗ ClientPayloadError"),
        (TimeoutError(), "✗ TimeoutError"),
    ],
)
async def test_what_goes_wrong_ends_the_story_and_fails_it(error: Exception, said: str) -> None:
    async def broken(*_: object) -> None:
        raise error

    lines: list[str] = []
    assert await tell("A story", stood_up(), [_well, broken, _well], lines.append) is False
    told = [click.unstyle(line).strip() for line in lines]
    assert told[-3:-1] == [said, ""]
    assert told[-1].startswith("✗ 1 of 2 checks failed (")


@pytest.mark.parametrize(("up", "log"), [(quiet, None), (with_log, {"format": "text"})])
def test_a_proxy_is_made_with_its_log_in_a_file_or_on_the_terminal(up: Any, log: Any, tmp_path: Path) -> None:
    proxy = up(sys.executable)({"listen": "127.0.0.1:1", "admin": {"listen": "127.0.0.1:2"}}, tmp_path)
    written = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert written.get("log") == log
    assert proxy.command[0] == sys.executable
    assert vars(proxy)["_show_log"] is (log is not None)
