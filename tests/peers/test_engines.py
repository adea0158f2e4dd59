"""The engines of gateways, as npm has them: WPPConnect with a real Chromium before the real proxy, and their words.

What WPPConnect asks of WhatsApp's page is answered by a page of the tests (`wa-version/index.cjs`); the browser, what
becomes of it, and each word said of the session are real.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from statusproxy.config.load import loads
from statusproxy.config.settings import Settings
from tests.peers.processes import FOLDER, PeerFailedError, program, requires, run
from tests.presets.stage import Caller
from tests.presets.wppconnect_server import WppconnectServer
from tests.proxy.harness import running_by
from tests.stand_ins.served import served

HOOK = "/v1/webhooks/receive/pixel"

#: Seconds for a word of the engine: one or two on an idle machine, most of it the engine's own intervals.
WITHIN = 120.0


class Engine:
    """A session of the real engine, by the orders that `wppconnect.mjs` takes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def order(self, order: str) -> None:
        """What happens to it next."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n".encode())
        await self._process.stdin.drain()

    async def says(self, *words: str) -> None:
        """Wait until it has said all of these, in any order and among others, and until the proxy has taken each."""
        missing = set(words)
        while missing:
            assert self._process.stdout is not None
            line = await asyncio.wait_for(self._process.stdout.readline(), WITHIN)
            if not line:
                raise PeerFailedError(f"the engine ended before it said {', '.join(sorted(missing))}")
            said = json.loads(line)
            assert said["taken"] == 204, said
            missing.discard(said["status"])


@asynccontextmanager
async def engine(folder: Path, webhook: str) -> AsyncIterator[Engine]:
    """The engine, until the block ends; with it ends its browser."""
    script = str(FOLDER / "wppconnect.mjs")
    process = await asyncio.create_subprocess_exec(
        program("node"), script, program("chromium"), str(folder), webhook, "pixel",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Engine(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), WITHIN)
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def lived(folder: Path) -> AsyncIterator[tuple[Engine, Caller]]:
    """The engine, whose webhook is the proxy, and who asks the proxy. The server behind it says CONNECTED for ever."""
    async with (
        served(*WppconnectServer().routes()) as url,
        running_by(time.time, folder, url, preset="wppconnect-server") as proxy,
        aiohttp.ClientSession() as client,
        engine(folder, proxy.url + HOOK) as session,
    ):
        yield session, Caller(client, proxy)


async def words(hub: Caller) -> tuple[str, bool]:
    """What the two single answers say."""
    status = await hub.get("/api/pixel/status-session")
    return status["status"], (await hub.get("/api/pixel/check-connection-session"))["status"]


LOST = ("CLOSED", False)
WORKS = ("CONNECTED", True)


@requires("wppconnect", "chromium")
async def test_a_browser_that_is_killed_reads_closed_until_its_code_was_scanned_anew(tmp_path: Path) -> None:
    async with lived(tmp_path) as (session, hub):
        await session.order("open signed-in")
        await session.says("isLogged", "inChat")
        assert await words(hub) == WORKS
        await session.order("kill")
        await session.says("browserClose")
        assert await words(hub) == LOST

        await session.order("open code-shown")
        await session.says("notLogged")
        assert await words(hub) == LOST
        await session.order("scan")
        await session.says("inChat", "qrReadSuccess")
        assert await words(hub) == WORKS

        await session.order("unlink")
        await session.says("disconnectedMobile")
        assert await words(hub) == LOST


@requires("wppconnect", "chromium")
@pytest.mark.parametrize(
    ("scene", "said"),
    [
        ("never-scanned", ("notLogged", "autocloseCalled", "browserClose")),
        ("phone-away", ("phoneNotConnected", "autocloseCalled", "browserClose")),
    ],
)
async def test_a_start_that_comes_to_nothing_reads_closed(tmp_path: Path, scene: str, said: tuple[str, ...]) -> None:
    async with lived(tmp_path) as (session, hub):
        await session.order(f"open {scene}")
        await session.says(*said)
        assert await words(hub) == LOST


def settings(preset: str) -> Settings:
    """The settings of a preset."""
    return loads(f"gateway: http://127.0.0.1:1\npreset: {preset}")


async def exported(package: str, name: str) -> dict[str, str]:
    """An enum of a package."""
    module = str(FOLDER / "node_modules" / package)
    script = f"console.log(JSON.stringify(require({module!r})[{name!r}]))"
    command = (program("node"), "--input-type=commonjs", "--eval", script)
    code, output, error = await run(command)
    assert code == 0, error
    enum: dict[str, Any] = json.loads(output)
    return enum


@requires("wppconnect")
async def test_each_word_of_wppconnects_status_is_judged_or_known_to_say_nothing() -> None:
    said = set((await exported("@wppconnect-team/wppconnect", "StatusFind")).values())
    rule = settings("wppconnect-server").events[0]
    judged = {*rule.disconnected, *rule.connected}
    assert said - judged == {"isLogged", "qrReadSuccess"}
    assert judged - said == {"desconnectedMobile", "deleteToken"}, "of older versions"


@requires("whatsapp-web.js")
async def test_the_words_of_wwebjs_api_are_those_of_whatsapp_web_js() -> None:
    events = set((await exported("whatsapp-web.js", "Events")).values())
    states = set((await exported("whatsapp-web.js", "WAState")).values())
    preset = settings("wwebjs-api")
    named = {event for rule in preset.events for event in rule.event}
    assert named - events == {"status"}, "the gateway's own name for `auth_failure`"
    state = next(rule for rule in preset.events if "change_state" in rule.event)
    assert {*state.disconnected, *state.connected} <= states
