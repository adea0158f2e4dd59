"""What else can befall proxies that share a map under load: emptied, cut off and stopped, without anybody being killed.

| name | what happens |
| --- | --- |
| `flush` | Redis is emptied (`FLUSHALL`) |
| `cut` | Redis ends all connections of its clients (`CLIENT KILL`), again and again |
| `full` | Redis refuses writes for a while: its memory is full |
| `read-only` | Redis refuses writes for a while: it is a replica |
| `stop-redis` | Redis stands still (`SIGSTOP`) for a while |
| `stop-proxy` | one proxy stands still for a while |

Where the proxies keep events, the gateway is away when it begins and comes back in the middle of it. Beside the senders
an ordinary client asks each proxy for something that is passed on: it waits for none of this.
"""

from __future__ import annotations

import contextlib
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import redis

from tests.faults.program import Options
from tests.faults.wire import Client, WireError
from tests.kills.result import Result, figures_of
from tests.kills.shared import Settings, Site, drain, judge, look
from tests.kills.shown import until
from tests.kills.verdict import figures
from tests.ports import free_port

#: Seconds between two disturbances, and between two of those that come again and again.
_BETWEEN: Final = 0.2
_AGAIN: Final = 0.02

#: Seconds until something is answered again: longer than Redis is waited for.
_LONG: Final = 30.0

#: What an ordinary client is answered: the gateway's answer, or that it is away, which is no fault of the proxy.
_SERVED: Final = {200, 502, 504}

#: Seconds between two requests of the ordinary client.
_PAUSE: Final = 0.01


@dataclass
class Waits:
    """What an ordinary client waited at one proxy."""

    requests: int = 0
    refused: int = 0
    """Those that were not answered as they should be."""
    longest: float = 0.0


@dataclass
class Disturbed(Result):
    """What a run with disturbances gave."""

    waits: dict[int, Waits] = field(default_factory=dict)
    """By the proxy's place; of one that stood still there is none."""


def flush(site: Site, seconds: float) -> None:
    """Empty Redis."""
    del seconds
    with site.redis.client() as client:
        client.flushall()


def cut(site: Site, seconds: float) -> None:
    """End all connections to Redis, again and again for so many seconds."""
    end = time.monotonic() + seconds
    with site.redis.client() as client:
        while time.monotonic() < end:
            client.client_kill_filter(_type="normal", skipme=True)
            time.sleep(_AGAIN)


def full(site: Site, seconds: float) -> None:
    """Let Redis have no memory for writes."""
    with site.redis.client() as client:
        client.config_set("maxmemory", 1)
        time.sleep(seconds)
        client.config_set("maxmemory", 0)


def read_only(site: Site, seconds: float) -> None:
    """Let Redis be the replica of a server that is not there."""
    with site.redis.client() as client:
        client.replicaof("127.0.0.1", str(free_port()))
        time.sleep(seconds)
        client.replicaof("NO", "ONE")


def stop_redis(site: Site, seconds: float) -> None:
    """Let Redis stand still."""
    site.redis.tell(signal.SIGSTOP)
    time.sleep(seconds)
    site.redis.tell(signal.SIGCONT)


def stop_proxy(site: Site, seconds: float) -> None:
    """Let the first proxy stand still."""
    site.proxies[0].signal(signal.SIGSTOP)
    time.sleep(seconds)
    site.proxies[0].signal(signal.SIGCONT)


DISTURBANCES: Final[dict[str, Callable[[Site, float], None]]] = {
    "flush": flush,
    "cut": cut,
    "full": full,
    "read-only": read_only,
    "stop-redis": stop_redis,
    "stop-proxy": stop_proxy,
}


def run_disturbed(name: str, times: int, seconds: float, seed: int, options: Options, settings: Settings) -> Disturbed:
    """Disturb so often, each time for so long, and look. Raises where something does not start."""
    result, begun = Disturbed(seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="statusproxy-disturbed-") as folder:
        site = Site(Path(folder), seed, options, settings)
        try:
            site.start()
            for sender in site.senders:
                sender.start()
            stopped = {0} if name == "stop-proxy" else set()
            with _asking(result, site, stopped):
                for _ in range(times):
                    time.sleep(_BETWEEN)
                    before = site.answered()
                    with _gateway_away(site, seconds / 2) if settings.spool else contextlib.nullcontext():
                        DISTURBANCES[name](site, seconds)
                    # Some events are answered after it, or it would have disturbed nothing.
                    until(lambda before=before: site.answered() > before, _LONG)  # type: ignore[misc]
                    result.kills[name] += 1
            look(result, site)
            for sender in site.senders:
                sender.stop()
            look(result, site)
            if settings.spool:
                drain(result, site)
            if name != "flush":  # which empties the spool, too
                judge(result, site)
            result.figures = figures(site.sent, site.gateway.arrivals())
        finally:
            with contextlib.suppress(ProcessLookupError, redis.RedisError, AssertionError):
                site.redis.tell(signal.SIGCONT)
            for proxy in site.proxies:
                with contextlib.suppress(ProcessLookupError, AssertionError):
                    proxy.signal(signal.SIGCONT)
            site.end()
        result.note(sender.error for sender in site.senders if sender.error is not None)
    result.seconds = time.monotonic() - begun
    return result


@contextlib.contextmanager
def _gateway_away(site: Site, seconds: float) -> Iterator[None]:
    """Let events wait when it begins, and the gateway come back after so many seconds."""
    site.kill("the gateway")
    time.sleep(_BETWEEN)
    back = threading.Timer(seconds, site.start, ["the gateway"])
    back.start()
    try:
        yield
    finally:
        back.join()


@contextlib.contextmanager
def _asking(result: Disturbed, site: Site, stopped: set[int]) -> Iterator[None]:
    """Ask each proxy but the stopped one, until what is inside has ended."""
    end = threading.Event()

    def ask(port: int, waits: Waits) -> None:
        with Client(port) as client:
            while not end.wait(_PAUSE):
                asked = time.monotonic()
                try:
                    served = client.ask("GET", "/anything").status in _SERVED
                except (OSError, WireError):
                    served = False
                waits.requests += 1
                waits.refused += not served
                waits.longest = max(waits.longest, time.monotonic() - asked)
                if not served:
                    return

    threads = []
    for place, proxy in enumerate(site.proxies):
        if place not in stopped:
            result.waits[place] = Waits()
            threads.append(threading.Thread(target=ask, args=(proxy.port, result.waits[place]), daemon=True))
            threads[-1].start()
    try:
        yield
    finally:
        end.set()
        for thread in threads:
            thread.join()


def table(result: Disturbed) -> str:
    """The closing table."""
    lines = [f"{number} times {name}, --seed {result.seed}" for name, number in result.kills.items()]
    for place, waits in result.waits.items():
        longest = f"{waits.longest * 1000:.0f} ms the longest wait, {waits.refused} refused"
        lines.append(f"{waits.requests} ordinary requests at proxy {place + 1}: {longest}")
    return "\n".join([*lines, *figures_of(result)])
