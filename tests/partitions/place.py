"""Two proxies, Redis and a gateway, each on a host of its own; a switch between proxies and Redis, one to the gateway.

The proxies listen on Unix sockets, which reach across network namespaces: the cables are theirs alone.
"""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from statusproxy.demo.events import status_find
from tests import forks
from tests.faults.stage import WEBHOOK
from tests.faults.worker import ROOT
from tests.partitions.network import Host, Network
from tests.store.redis_server import RedisServer

REDIS: Final = "redis"
GATEWAY: Final = "gateway"
"""The switches."""

SESSIONS: Final = tuple(f"s{number}" for number in range(8))

_PORT: Final = 8080

#: Seconds that an answer, and whatever is waited for, may take.
PATIENCE: Final = 60.0


class _OverUnix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("127.0.0.1", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self._path))


@dataclass
class Proxy:
    """A proxy on a host; its clock may be ahead by so many seconds."""

    host: Host
    folder: Path
    ahead: float
    timeouts: Mapping[str, str]
    address: str
    """Which the gateway sees."""
    _process: forks.Process | None = None

    def start(self, gateway: str, redis: str) -> None:
        """Start it; `ready` tells when it serves."""
        self.folder.mkdir()
        settings = {
            "listen": f"unix:{self.folder}/http.sock",
            "admin": {"listen": f"unix:{self.folder}/admin.sock"},
            "gateway": gateway,
            "preset": "gateway-wrapper",
            "state": {"url": redis, "journal": str(self.folder)},
            "timeouts": dict(self.timeouts),
            "webhooks": [{"path": WEBHOOK, "spool": True}],
            "spool": {"schedule": ["500ms"]},
            "log": {"format": "json"},
        }
        config = self.folder / "config.yaml"
        config.write_text(yaml.safe_dump(settings))
        command, ahead = ("run", "--config", str(config)), [str(ROOT / "tests/partitions/ahead.py"), str(self.ahead)]
        with (self.folder / "log").open("ab") as log:
            if self.ahead:  # before anything is imported
                self._process = subprocess.Popen(
                    [*self.host.inside, sys.executable, "-P", *ahead, *command],
                    cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
            else:
                self._process = forks.start(
                    "statusproxy", *command, folder=self.folder, stdout=log, stderr=log, network=self.host.pid
                )
        until(self._serves, lambda: f"it does not serve:\n{(self.folder / 'log').read_text()}")

    def _serves(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()
        try:
            return self.ask("GET", "/healthz", admin=True)[0] == 200
        except OSError:
            return False

    def end(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def ask(self, method: str, path: str, body: Any = None, *, admin: bool = False) -> tuple[int, Any]:
        """What it answers: the code, and the body's value where it is JSON."""
        connection = _OverUnix(self.folder / ("admin.sock" if admin else "http.sock"))
        try:
            said = None if body is None else json.dumps(body)
            connection.request(method, path, said, {"Content-Type": "application/json"} if said else {})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text.startswith((b"{", b"[")) else text
        finally:
            connection.close()

    def tell(self, session: str, word: str) -> int:
        """Post an event as the engine does; the code of the answer."""
        return self.ask("POST", WEBHOOK, status_find(session, word))[0]

    def waiting(self) -> int:
        """How many events wait in the spool, as far as it knows."""
        return int(self.ask("GET", "/spool", admin=True)[1]["totals"]["waiting"])

    def lost(self) -> list[str]:
        """The sessions that it knows to be lost."""
        sessions = self.ask("GET", "/sessions", admin=True)[1]["sessions"]
        return sorted(each["session"] for each in sessions if each["shows"] == "disconnected")

    def listed(self) -> list[str]:
        """The sessions that its list shows as disconnected."""
        code, answer = self.ask("GET", "/api/channels")
        assert code == 200, answer
        return sorted(each["id"] for each in answer["channels"] if each["status"] == "disconnected")

    def health(self) -> Mapping[str, Any]:
        """What `/readyz` says."""
        return dict(self.ask("GET", "/readyz", admin=True)[1])

    def known(self) -> dict[str, Any]:
        """What all proxies must know alike: all but moments, which each tells by its own clock, and what was asked."""
        alike = ("shows", "reason", "word", "known", "released", "last_event")
        sessions = self.ask("GET", "/sessions", admin=True)[1]["sessions"]
        known = (each for each in sessions if each["last_event"] is not None)  # others are of the list that it saw
        return {each["session"]: [each.get(key) for key in alike] for each in known}


@dataclass
class Place:
    """Everything, cabled."""

    network: Network
    a: Proxy
    b: Proxy

    @property
    def proxies(self) -> Sequence[Proxy]:
        """Both."""
        return self.a, self.b

    def arrived(self, session: str) -> list[tuple[str, str]]:
        """The states of a session that have reached the gateway, in order, and from which address."""
        code, came = self.b.ask("GET", "/arrivals")
        return [(each["status"], each["from"]) for each in came if each["session"] == session] if code == 200 else []

    def agree(self, lost: Sequence[str]) -> None:
        """Wait until both are well, know each other, and know the same: these sessions are lost."""

        def agreed() -> bool:
            return (
                all(proxy.lost() == sorted(lost) and proxy.health()["store"] == "ok" for proxy in self.proxies)
                and self.a.known() == self.b.known()
            )

        until(agreed, lambda: f"{[proxy.lost() for proxy in self.proxies]}, wanted {lost}: {self.a.known()}"
              f" {self.b.known()} {[proxy.health() for proxy in self.proxies]}")  # fmt: skip


def until(condition: Callable[[], bool], otherwise: str | Callable[[], str]) -> None:
    """Wait until something is so. AssertionError where it does not come to be."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, otherwise if isinstance(otherwise, str) else otherwise()
        time.sleep(0.05)


@contextmanager
def place(*ahead: float, timeouts: Mapping[str, str] | None = None) -> Iterator[Place]:
    """Two proxies whose clocks are ahead by so many seconds; `timeouts` are those of the first.

    The folder's name is short, for the sockets in it.
    """
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="sp-", dir="/tmp"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        network = stack.enter_context(Network())
        gateway, redis = network.host("gateway"), network.host("redis")
        redis_at, gateway_at = network.cable(redis, REDIS), network.cable(gateway, GATEWAY)
        server = RedisServer(folder / "redis", "--bind", redis_at, "--protected-mode", "no", inside=redis.inside)
        stack.callback(server.stop)
        server.start()
        behind = forks.start(
            "tests.partitions.gateway", gateway_at, str(_PORT), *SESSIONS,
            folder=ROOT, stdout=subprocess.PIPE, network=gateway.pid,
        )  # fmt: skip
        stack.callback(_end, behind)
        assert behind.stdout is not None
        assert behind.stdout.readline() == b"ready\n"
        proxies: list[Proxy] = []
        for name, seconds in zip("ab", ahead, strict=True):
            host = network.host(name)
            network.cable(host, REDIS)
            address = network.cable(host, GATEWAY)
            proxies.append(Proxy(host, folder / name, seconds, {} if proxies else timeouts or {}, address))
            stack.callback(proxies[-1].end)
            proxies[-1].start(f"http://{gateway_at}:{_PORT}", f"redis://{redis_at}:{server.port}/0")
        yield Place(network, *proxies)


def _end(process: forks.Process) -> None:
    process.kill()
    process.communicate()
