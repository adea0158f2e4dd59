"""Peers that no one here wrote, as processes: started, awaited and ended by their own id, all bounded in time.

    @requires("express")
    async def test_…() -> None:
        async with express_gateway(COMPRESSION="1") as base_url:
            ...

A peer that is not installed skips the test and says how to install it; with `STATUSPROXY_REQUIRE_PEERS=1` in the
environment (as on a build machine) nothing is skipped, and the test fails instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

FOLDER: Final = Path(__file__).parent
INSTALL: Final = "bash tests/install-peers.sh"
NODE_MAJOR: Final = 20

READY_WITHIN: Final = 60.0
"""Seconds until a peer must have said where it listens; half a second on an idle machine."""

STOP_WITHIN: Final = 3.0
"""Seconds between SIGTERM and SIGKILL."""

_LAST_WORDS: Final = 4000


class PeerFailedError(Exception):
    """A peer did not start, or ended badly; the message ends with what it said last."""


def requires(*names: str) -> pytest.MarkDecorator:
    """Skip a test where one of these peers is missing: those of `_AVAILABLE`."""
    missing = [name for name in names if not available(name)]
    insisted = os.environ.get("STATUSPROXY_REQUIRE_PEERS", "") not in ("", "0")
    return pytest.mark.skipif(bool(missing) and not insisted, reason=f"needs {', '.join(missing)}: {INSTALL}")


@cache
def available(name: str) -> bool:
    """Whether this peer can be used here. An unknown name is an error of the test."""
    return _AVAILABLE[name]()


def program(name: str) -> str:
    """The path of an installed program; Debian keeps nginx where only root looks."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if path is None:
        raise PeerFailedError(f"{name} is not installed: {INSTALL}")
    return path


@asynccontextmanager
async def express_gateway(**environment: str) -> AsyncIterator[str]:
    """The real Express gateway, until the block ends; gives its base URL. gateway.mjs lists the settings."""
    scheme = "https" if "TLS_CERT" in environment else "http"
    async with node_server("gateway.mjs", **environment) as port:
        yield f"{scheme}://127.0.0.1:{port}"


@asynccontextmanager
async def socketio_server(**environment: str) -> AsyncIterator[str]:
    """The socket.io server, until the block ends; gives its base URL."""
    async with node_server("socketio.mjs", **environment) as port:
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def node_server(script: str, **environment: str) -> AsyncIterator[int]:
    """A script of this folder that prints `{"port": N}` when it is ready; gives that port."""
    process = await asyncio.create_subprocess_exec(
        program("node"),
        str(FOLDER / script),
        env={**os.environ, "PORT": "0", **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = bytearray()
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    reader = asyncio.create_task(_listen(process, said, listening))
    try:
        try:
            port = await asyncio.wait_for(listening, READY_WITHIN)
        except TimeoutError:
            raise PeerFailedError(f"{script} said nothing of a port in {READY_WITHIN:.0f} s\n{_text(said)}") from None
        yield port
    finally:
        await _end(process)
        await reader


async def node_client(script: str, *arguments: object, within: float = 60.0) -> Any:
    """Run a script of this folder to its end and give the JSON it printed, whatever its exit code."""
    return await _answer((program("node"), str(FOLDER / script), *map(str, arguments)), within)


async def php_hub(
    method: str, url: str, body: str = "", *, secret: str = "", patience: int = 30, within: float = 120.0
) -> Any:
    """One call as the hub makes it with PHP's cURL, and its reading of the answer, as a dict (hub.php).

    `patience` is the call's CURLOPT_TIMEOUT in whole seconds.
    """
    command = (program("php"), str(FOLDER / "hub.php"), method, url, body, secret, str(patience))
    return await _answer(command, within)


async def curl(*arguments: str, within: float = 60.0) -> tuple[int, bytes]:
    """Run curl, quietly; its exit code and what it wrote on standard output."""
    code, output, _ = await run((program("curl"), "--silent", *arguments), within)
    return code, output


async def run(command: Sequence[str], within: float = 60.0) -> tuple[int, bytes, bytes]:
    """Run a program to its end: exit code, standard output, standard error. Past `within` seconds it is ended."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, trouble = await asyncio.wait_for(process.communicate(), within)
    except TimeoutError:
        raise PeerFailedError(f"{command[0]} did not end in {within:.0f} s") from None
    finally:
        await _end(process)
    return process.returncode or 0, output, trouble


async def _answer(command: Sequence[str], within: float) -> Any:
    code, output, trouble = await run(command, within)
    try:
        return json.loads(output)
    except ValueError:
        said = _text(output + trouble)
        raise PeerFailedError(f"{command[1]} ended with {code} and printed no JSON\n{said}") from None


async def _listen(process: asyncio.subprocess.Process, said: bytearray, listening: asyncio.Future[int]) -> None:
    """Read all a server says, so that it never blocks, and keep the end of it."""
    assert process.stdout is not None
    async for line in process.stdout:
        said += line
        del said[:-_LAST_WORDS]
        if not listening.done() and line.startswith(b'{"port"'):
            listening.set_result(json.loads(line)["port"])
    if not listening.done():
        listening.set_exception(PeerFailedError(f"the peer ended before it listened\n{_text(said)}"))


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _text(said: bytes | bytearray) -> str:
    return said.decode(errors="replace").strip()


def _has(name: str) -> bool:
    try:
        program(name)
    except PeerFailedError:
        return False
    return True


def _node_is_new_enough() -> bool:
    if not _has("node"):
        return False
    printed = subprocess.run([program("node"), "--version"], capture_output=True, text=True, timeout=20, check=False)
    major = printed.stdout.strip().removeprefix("v").partition(".")[0]
    return major.isdecimal() and int(major) >= NODE_MAJOR


def _php_has_curl() -> bool:
    if not _has("php"):
        return False
    printed = subprocess.run([program("php"), "-m"], capture_output=True, text=True, timeout=20, check=False)
    return "curl" in printed.stdout.split()


def _package(name: str) -> bool:
    return available("node") and (FOLDER / "node_modules" / name / "package.json").is_file()


_AVAILABLE: Final[Mapping[str, Callable[[], bool]]] = {
    "node": _node_is_new_enough,
    "express": lambda: _package("express"),
    "socket.io": lambda: _package("socket.io") and _package("socket.io-client"),
    "wppconnect": lambda: _package("@wppconnect-team/wppconnect"),
    "whatsapp-web.js": lambda: _package("whatsapp-web.js"),
    "php": _php_has_curl,
    "nginx": lambda: _has("nginx"),
    "haproxy": lambda: _has("haproxy"),
    "curl": lambda: _has("curl"),
    "chromium": lambda: _has("chromium"),
}
