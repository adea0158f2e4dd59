"""How a story is told: a gateway and a proxy are set up, the scenes are played one after the other, and judged."""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiohttp

from statusproxy.demo.look import UnreadableError
from statusproxy.demo.loopback import LoopbackServer
from statusproxy.demo.proxy import Proxy, ProxyFailedError, configuration, free_ports
from statusproxy.demo.stage import Say, Stage


class Up(Protocol):
    """A proxy that is up, and can be killed and started again."""

    base_url: str
    admin_url: str

    async def kill(self) -> None:
        """End it at once."""

    async def start(self) -> None:
        """Start it again."""


G = TypeVar("G", bound=LoopbackServer)
P = TypeVar("P", bound=Up)

Raise = Callable[[dict[str, Any], Path], AbstractAsyncContextManager[P]]
"""Brings a proxy up with these settings, its files in a folder."""

Ports = tuple[int, int, int]
"""Those of gateway, proxy and admin listener; 0 is any free one."""

ANY: Ports = (0, 0, 0)


def quiet(python: str) -> Raise[Proxy]:
    """A proxy whose log goes to a file."""
    return lambda settings, folder: Proxy(settings, folder, python=python)


def with_log(python: str) -> Raise[Proxy]:
    """A proxy whose log goes to the terminal, for a person to read."""
    return lambda settings, folder: Proxy({**settings, "log": {"format": "text"}}, folder, python=python, show_log=True)


@asynccontextmanager
async def set_up(
    gateway: G, up: Raise[P], ports: Ports, differing: Callable[[G], Mapping[str, Any]], wire: Callable[[G, P], None]
) -> AsyncIterator[tuple[G, P]]:
    """Gateway and proxy on loopback; the proxy's state in a folder that goes with them.

    `differing` gives the settings that differ from the demonstration's, once the gateway listens; `wire` tells the
    gateway where the proxy is.
    """
    at, proxy_at, admin_at = ports
    with tempfile.TemporaryDirectory(prefix="statusproxy-demo-") as name:
        folder = Path(name)
        await gateway.start(port=at)
        try:
            proxy_at, admin_at = free_ports(proxy_at, admin_at)
            settings = configuration(gateway.base_url, proxy_at, admin_at, folder / "state.db", **differing(gateway))
            async with up(settings, folder) as proxy:
                wire(gateway, proxy)
                yield gateway, proxy
        finally:
            await gateway.stop()


async def tell(
    title: str,
    both: AbstractAsyncContextManager[tuple[G, P]],
    scenes: Iterable[Callable[[Stage, G, P], Awaitable[None]]],
    say: Say,
    notes: Iterable[str] = (),
) -> bool:
    """Play the scenes with `both`, gateway and proxy; `say` what is seen at each, and tell whether all of it held."""
    started = time.monotonic()
    stage = Stage(say)
    try:
        async with both as (gateway, proxy):
            stage.title(title)
            stage.note(f"gateway {gateway.base_url} · proxy {proxy.base_url}")
            for note in notes:
                stage.note(note)
            for scene in scenes:
                await scene(stage, gateway, proxy)
    except (ProxyFailedError, aiohttp.ClientError, TimeoutError, UnreadableError) as error:
        stage.check(str(error) or type(error).__name__, held=False)
    stage.verdict(time.monotonic() - started)
    return stage.held
