"""The pages about tools that poll: each block run, or asked as the tool asks, at a running proxy."""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from pytest_aiohttp import AiohttpClient

from statusproxy.admin.messages import Up
from statusproxy.status.session_state import SessionState
from tests.admin.harness import Admin, running_admin
from tests.docs.pages import ROOT, blocks, steps
from tests.docs.shell import Shell

PAGES = {"en": "docs/polling.md", "pt-BR": "docs/pt-BR/polling.md"}
ADDRESS = "http://127.0.0.1:8091"
TOKEN = "a-token"


@pytest.fixture(params=PAGES)
async def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def admin(language: str, tmp_path: Path, aiohttp_client: AiohttpClient) -> AsyncIterator[Admin]:
    """A proxy with a token, and a session that is connected."""
    async with running_admin(tmp_path, aiohttp_client, admin={"token": TOKEN}, language=language) as admin:
        await admin.list_channels(sales="connected")
        yield admin


def page(language: str, admin: Admin) -> str:
    """The page's text with the address of this proxy in it."""
    return (ROOT / PAGES[language]).read_text().replace(ADDRESS, f"http://{admin.netloc}")


async def test_every_block_of_the_shell_does_what_the_page_promises(
    admin: Admin, language: str, tmp_path: Path
) -> None:
    pings: list[tuple[str, str]] = []

    async def ping(request: web.Request) -> web.Response:
        pings.append((request.path, await request.text()))
        return web.Response()

    receiver = web.Application()
    receiver.router.add_route("*", "/{path:.*}", ping)
    server = TestServer(receiver)
    await server.start_server()
    environment = {**os.environ, "TOKEN": TOKEN, "PING": str(server.make_url("/key"))}

    def bash(script: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stdout + done.stderr

    shell = await asyncio.to_thread(Shell, bash, str(tmp_path / "shell"), str(tmp_path))
    for step in steps(page(language, admin)):
        await asyncio.to_thread(shell.paste, PAGES[language], step)
    assert pings == [("/key", "")]
    await admin.lose("sales")
    (ask,) = [step for step in steps(page(language, admin)) if "$PING" in step.command]
    await asyncio.to_thread(shell.paste, PAGES[language], ask)
    await server.close()
    path, told = pings[-1]
    assert path == "/key/fail"
    assert "status-find disconnectedMobile" in told


async def test_the_tools_get_what_their_settings_ask_for(admin: Admin, language: str) -> None:
    """Each tool's URL and header as the page gives them."""
    text = page(language, admin)
    (gatus,) = [yaml.safe_load(block.text) for block in blocks(text) if block.language == "yaml"]
    (endpoint,) = gatus["endpoints"]
    documents = [json.loads(block.text) for block in blocks(text) if block.language == "json"]
    (node,) = next(one for one in documents if "nodes" in one)["nodes"]
    kuma = next(one for one in documents if "Authorization" in one)
    assert kuma["Authorization"].replace("TOKEN", TOKEN) == f"Bearer {TOKEN}"
    assert endpoint["headers"]["Authorization"].replace("${STATUSPROXY_TOKEN}", TOKEN) == f"Bearer {TOKEN}"
    urls = {endpoint["url"], node["parameters"]["url"], *re.findall(rf"`(http://{admin.netloc}[^`]*)`", text)}
    assert {url.partition(admin.netloc)[2] for url in urls} == {"/sessions/sales/up", "/up", "/sessions"}
    for url in urls:
        answer = await admin.ask(url.partition(admin.netloc)[2])
        said: dict[str, Any] = json.loads(answer.body)
        assert answer.status == 200
        assert said.get("up", True) is True
        assert said.get("sessions") is None or isinstance(said["sessions"], list)


def test_the_example_has_the_keys_of_an_answer_and_the_table_every_state(language: str) -> None:
    text = (ROOT / PAGES[language]).read_text()
    example = next(json.loads(block.text) for block in blocks(text) if '"reason"' in block.text)
    assert tuple(example) == Up.__struct_fields__
    assert re.findall(r"^\| `(\w+)` \| .* \| (?:yes|no|sim|não) \|$", text, re.MULTILINE) == list(SessionState)
