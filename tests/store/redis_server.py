"""A real Redis server for the tests, on a port of its own, and stores that work with it quickly."""

import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from statusproxy.config.state_url import Place
from statusproxy.store import redis as redis_module
from statusproxy.store.batch_writer import BatchWriter
from statusproxy.store.condition import Timing
from statusproxy.store.redis import RedisBackend, RedisTiming
from statusproxy.store.redis_time import ServerClock
from tests.ports import free_port

from .samples import NOW

RedisStore = BatchWriter[RedisBackend]

#: Seconds after which a server that says nothing is given up.
LIMIT = 10.0

#: Short pauses; limits that a server on a busy machine keeps.
_QUICK = Timing(first_retry=0.01, last_retry=0.02, save_limit=LIMIT, close_limit=LIMIT)
_SERVER_QUICK = RedisTiming(answer_limit=LIMIT, history_limit=LIMIT, open_wait=0, lock_wait=0)


class SameTime(ServerClock):
    """The server's clock where a test's own stands still: it says the same."""

    @property
    def offset(self) -> float:
        return 0.0


class RedisServer:
    """A server with its files in `folder`; `settings` are those of redis.conf, as the command line takes them."""

    def __init__(self, folder: Path, *settings: str, program: str = "redis-server", inside: Sequence[str] = ()) -> None:
        """`inside` stands before the command: how to run it somewhere else."""
        self._inside = inside
        self.port = free_port()
        self._program = program
        self._folder = folder
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None

    def start(self, *settings: str, until_ready: bool = True) -> None:
        """Start it, with more settings if need be; wait until it has loaded its data, or only until it answers."""
        program = shutil.which(self._program)
        if program is None:
            pytest.skip(f"no {self._program} here: apt-get install {self._program} (or tests/install-peers.sh)")
        self._folder.mkdir(exist_ok=True)
        command = [
            *self._inside, program, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder),
            "--save", "", "--appendonly", "yes", "--appendfsync", "always", *self._settings, *settings,
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._process.stdout is not None
        said = ""
        for line in self._process.stdout:
            said += line
            if "Ready to accept connections" in line or ("Server initialized" in line and not until_ready):
                return
        raise AssertionError(f"redis-server did not start:\n{said}")

    def tell(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End it, by default as a power cut of the process would."""
        if self._process is None:
            return
        self.tell(number)
        self.tell(signal.SIGCONT)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def forget(self) -> None:
        """Delete its files, while it is stopped."""
        shutil.rmtree(self._folder)

    @property
    def place(self) -> Place:
        return Place("127.0.0.1", self.port)

    @contextmanager
    def client(self, **options: Any) -> Iterator["redis.Redis"]:
        """Another client of the server: what an operator sees with redis-cli."""
        client = redis.Redis(port=self.port, **options)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def running(folder: Path, *settings: str) -> Iterator[RedisServer]:
    server = RedisServer(folder, *settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def redis_store(place: Place, **options: Any) -> RedisStore:
    """A store with a clock that stands still and short pauses; `options` may change any of its times."""
    values: dict[str, Any] = {"clock": lambda: NOW, "server_clock": SameTime()} | options
    for name, quick in (("timing", _QUICK), ("server_timing", _SERVER_QUICK)):
        changed = {key: values.pop(key) for key in quick.__slots__ if key in values}
        values[name] = replace(quick, **changed)
    return redis_module.redis_store(place, **values)
