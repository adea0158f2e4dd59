"""Real Sentinels for the tests: two servers, one the master, and three Sentinels that replace it when it is gone."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from statusproxy.config.state_url import Place
from tests.ports import free_port

from .redis_server import RedisServer

_CONFIG = """
port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor site 127.0.0.1 {master} 1
sentinel down-after-milliseconds site 300
sentinel failover-timeout site 1000
"""


class Sentinels:
    """A master, its replica, and the Sentinels that know the master as `site`."""

    def __init__(self, master: RedisServer, replica: RedisServer, ports: list[int]) -> None:
        self.master = master
        self.replica = replica
        self.ports = ports

    @property
    def place(self) -> Place:
        sentinels = tuple(("127.0.0.1", port) for port in self.ports)
        return Place(*sentinels[0], sentinels=sentinels, master="site")


@contextmanager
def watched(folder: Path) -> Iterator[Sentinels]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server here: apt-get install redis-server (or tests/install-peers.sh)")
    with ExitStack() as stack:
        master = RedisServer(folder / "master")
        replica = RedisServer(folder / "replica", "--repl-diskless-sync-delay", "0")
        for server in (master, replica):
            stack.callback(server.stop)
        master.start("--repl-diskless-sync-delay", "0")
        replica.start("--replicaof", "127.0.0.1", str(master.port))
        _until_linked(replica)
        ports = [free_port() for _ in range(2)]
        for port in ports:
            file = folder / f"sentinel-{port}.conf"
            file.write_text(_CONFIG.format(port=port, folder=folder, master=master.port))
            command = [program, str(file), "--sentinel"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            stack.callback(_end, process)
            assert process.stdout is not None
            for line in process.stdout:
                if "+monitor" in line:
                    break
        for port in ports:
            _until_it_knows_the_replica(port)
        yield Sentinels(master, replica, ports)


def _until_linked(replica: RedisServer) -> None:
    with replica.client() as client:
        while client.info("replication")["master_link_status"] != "up":
            pass


def _until_it_knows_the_replica(port: int) -> None:
    client: Any = redis.Redis(port=port)
    try:
        while not client.sentinel_slaves("site"):
            pass
    finally:
        client.close()


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()
