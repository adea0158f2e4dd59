"""The proxy as the demonstration runs it: the real program, as a process of its own, from a file."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import socket
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Self

import aiohttp
import yaml

READY_WITHIN: Final = 60.0
"""Seconds a start may take before the demonstration gives up; it takes under one, on a very busy machine many."""

STOP_WITHIN: Final = 10.0
"""Seconds between asking the proxy to end and ending it."""

#: Ports to choose from: below those that Linux gives to connections and to programs that want any, one of which may be
#: taken again before the proxy listens on it.
_PORTS: Final = range(32_000, 32_768)

_TAIL: Final = 2000


class ProxyFailedError(Exception):
    """The proxy did not come up; the message ends with what it said last."""


def free_ports(*wanted: int) -> list[int]:
    """Different ports, each the wanted one if it is free, else any free port (0: any). OSError if there is none."""
    found: list[int] = []
    for port in wanted:
        found.append(free_port(port, besides={*found, *wanted}))
    return found


def free_port(wanted: int = 0, host: str = "127.0.0.1", besides: Collection[int] = ()) -> int:
    """`wanted` if it is free, else any free port but those `besides`. OSError if there is none."""
    for port in [wanted] * bool(wanted) + [port for port in random.sample(_PORTS, len(_PORTS)) if port not in besides]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(errno.EADDRINUSE, f"no port of {host} is free between {_PORTS[0]} and {_PORTS[-1]}")


def configuration(gateway: str, port: int, admin_port: int, state: Path, **more: Any) -> dict[str, Any]:
    """The demonstration's settings: the shipped preset, both webhook legs watched, the map on disk."""
    return {
        "listen": f"127.0.0.1:{port}",
        "gateway": gateway,
        "preset": "gateway-wrapper",
        "webhooks": [
            {"path": "/v1/webhooks/receive"},
            {"path": "/hub/webhook", "forward_to": f"{gateway}/demo/hub-inbox"},
        ],
        "state": {"url": f"sqlite:///{state.absolute()}"},
        "admin": {"listen": f"127.0.0.1:{admin_port}"},
        **more,
    }


class Proxy:
    """One proxy process: `start`, `kill` as often as the story wants, always `stop` at the end."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        folder: Path,
        *,
        python: str = sys.executable,
        show_log: bool = False,
    ) -> None:
        self.base_url = f"http://{settings['listen']}"
        self.admin_url = f"http://{settings['admin']['listen']}"
        self.log = folder / "proxy.log"
        """What the process printed in all its lives; with `show_log` that goes to the terminal instead."""
        self._config = folder / "config.yaml"
        self._config.write_text(yaml.safe_dump(dict(settings), sort_keys=False), encoding="utf-8")
        self._python = python
        self._show_log = show_log
        self._process: asyncio.subprocess.Process | None = None

    @property
    def command(self) -> Sequence[str]:
        """The command line of the process."""
        return (self._python, "-m", "statusproxy", "run", "--config", str(self._config))

    @property
    def pid(self) -> int:
        """The id of the process that runs now."""
        if self._process is None:
            raise RuntimeError("the proxy was not started")
        return self._process.pid

    async def start(self) -> None:
        """Start the process and wait until requests reach the gateway through it."""
        with contextlib.ExitStack() as files:
            output: IO[bytes] | None = None
            if not self._show_log:
                output = files.enter_context(self.log.open("ab"))
            self._process = await asyncio.create_subprocess_exec(
                *self.command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            async with asyncio.timeout(READY_WITHIN):
                await self._ready(self._process)
        except TimeoutError:
            await self.stop()
            raise ProxyFailedError(f"the proxy was not ready in {READY_WITHIN:.0f} s\n{self._tail()}") from None

    async def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None

    async def stop(self) -> None:
        """Ask it to end (SIGTERM), and kill it where it does not within `STOP_WITHIN` seconds."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def ended(self) -> int:
        """Wait until the process ends by itself; its exit code."""
        if self._process is None:
            raise RuntimeError("the proxy was not started")
        return await self._process.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        async with aiohttp.ClientSession() as client:
            while True:
                if process.returncode is not None:
                    raise ProxyFailedError(f"the proxy ended with exit code {process.returncode}\n{self._tail()}")
                try:
                    async with client.get(f"{self.base_url}/health") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.03)

    def _tail(self) -> str:
        if not self.log.exists():
            return ""
        return self.log.read_text(encoding="utf-8", errors="replace")[-_TAIL:].strip()
