"""The real program as a process, in front of a gateway of one list, for the command line's and the page's tests."""

import os
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests import forks
from tests.ports import free_port
from tests.stand_ins.gateway import Gateway
from tests.waiting import PATIENCE, wait_until


@dataclass
class Process:
    """A running proxy and its gateway."""

    url: str
    admin_url: str
    config: Path
    gateway: Gateway
    popen: forks.Process | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, and wait until it is healthy."""
        log = self.config.with_name("proxy.log").open("ab")
        with log:
            self.popen = forks.start(
                "statusproxy", "run", "--config", str(self.config), folder=self.config.parent, stdout=log, stderr=log
            )
        wait_until(self._is_healthy, "the proxy is healthy")

    def _is_healthy(self) -> bool:
        assert self.popen is not None
        try:
            urllib.request.urlopen(f"{self.admin_url}/healthz", timeout=5).close()
        except OSError:
            assert self.popen.poll() is None, self.config.with_name("proxy.log").read_text()
            return False
        return True

    def stop(self) -> None:
        """End it, politely; not in time, at once."""
        if self.popen is None:
            return
        self.popen.terminate()
        try:
            self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.popen = None

    def command(self, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run `statusproxy …` beside it, with its configuration."""
        with tempfile.TemporaryFile() as errors:
            running = forks.start(
                "statusproxy", *arguments, folder=self.config.parent, stdout=subprocess.PIPE, stderr=errors,
                environ={**os.environ, "STATUSPROXY_CONFIG": str(self.config), "TZ": "UTC", **environ},
            )  # fmt: skip
            said, _ = running.communicate(timeout=PATIENCE)
            errors.seek(0)
            return subprocess.CompletedProcess(arguments, running.wait(), said.decode(), errors.read().decode())


@contextmanager
def running_process(folder: Path, document: Any, **settings: Any) -> Iterator[Process]:
    """A proxy with its state in SQLite, in front of a gateway that answers `document`."""
    gateway = Gateway(document, port=free_port())
    ports = free_port(), free_port()
    configuration: dict[str, Any] = {
        "listen": f"127.0.0.1:{ports[0]}",
        "gateway": gateway.url,
        "state": {"url": f"sqlite:///{folder / 'state.db'}"},
        "timeouts": {"drain": "1s"},  # only waited for
        **settings,
    }
    configuration["admin"] = {"listen": f"127.0.0.1:{ports[1]}", **settings.get("admin", {})}
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(configuration))
    process = Process(f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}", config, gateway)
    try:
        process.start()
        yield process
    finally:
        process.stop()
        gateway.stop()
