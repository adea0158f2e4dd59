"""The program under test as a process: its configuration, its memory, its descriptors, its log."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self

import msgspec
import yaml

from tests import forks
from tests.faults.wire import HOST, Answer, ask
from tests.forks import Process
from tests.ports import free_port

Loop = Literal["uvloop", "asyncio"]

#: Seconds a start may take on a busy machine.
_START: Final = 30.0

#: Seconds an orderly end may take; what runs may finish (`timeouts.drain` is 1 s here).
_END: Final = 10.0

#: Seconds between two looks at memory and descriptors.
_LOOK: Final = 0.05

_KIB: Final = 1024

#: What resets a process's peak of resident memory (proc(5), clear_refs).
_CLEAR_PEAK: Final = "5"


#: The program of this checkout.
_OWN: Final = (sys.executable, "-m", "statusproxy")


class Use(msgspec.Struct, frozen=True):
    """What a process held at one moment, or at most."""

    memory: int
    """Resident bytes."""
    descriptors: int


@dataclass(frozen=True)
class Options:
    """Which program is tested, and how it runs."""

    command: Sequence[str] = _OWN
    loop: Loop = "uvloop"

    @classmethod
    def of(cls, binary: Path | None, loop: Loop) -> Self:
        """The program `binary` (None: the one installed for this interpreter)."""
        return cls(loop=loop) if binary is None else cls((str(binary.absolute()),), loop)

    @property
    def forked(self) -> bool:
        """Whether it may be a fork of a process that has imported it."""
        return self.command == _OWN and self.loop == "uvloop"

    @property
    def python(self) -> str:
        """The interpreter that the program runs on."""
        return sys.executable if len(self.command) > 1 else str(Path(self.command[0]).with_name("python"))

    @property
    def checkout(self) -> Path:
        """The folder the program was installed from, where its environment lies in that."""
        return Path(__file__ if len(self.command) > 1 else self.command[0]).parents[2]


@dataclass
class Program:
    """A proxy in front of `gateway`, with its files in `folder`; `settings` are keys of config.yaml.

    `descriptors` is the hard limit on open files (0: the system's).
    """

    options: Options
    folder: Path
    gateway: str
    settings: dict[str, Any] = field(default_factory=dict)
    descriptors: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.port, self.admin_port = free_port(), free_port()
        self.log = self.folder / "proxy.log"
        self.config = self.folder / "config.yaml"
        self._process: Process | None = None
        self._watch: _Watch | None = None
        configuration: dict[str, Any] = {
            "listen": f"{HOST}:{self.port}",
            "gateway": self.gateway,
            "state": {"url": "memory:"},
            "admin": {"listen": f"{HOST}:{self.admin_port}"},
            "log": {"format": "json"},
            **self.settings,
        }
        configuration["timeouts"] = {"drain": "1s", **self.settings.get("timeouts", {})}
        self.config.write_text(yaml.safe_dump(configuration))

    def start(self) -> None:
        """Start it, and wait until it serves. RuntimeError with its log where it does not."""
        self.launch()
        end = time.monotonic() + _START
        while not self._serves():
            if self.ended or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"the proxy did not start:\n{self.text()[-4000:]}")
            time.sleep(0.02)
        self._watch = _Watch(self.pid)

    def launch(self) -> None:
        """Start it, and wait for nothing."""
        if self.options.forked:
            with self.log.open("ab") as log:
                self._process = forks.start(
                    "statusproxy", "run", "--config", str(self.config), folder=self.folder, stdout=log, stderr=log,
                    environ=self._environment(), descriptors=self.descriptors,
                )  # fmt: skip
            return
        limit = ["/bin/sh", "-c", 'ulimit -n "$0" && exec "$@"', str(self.descriptors)] if self.descriptors else []
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*limit, *self.options.command, "run", "--config", str(self.config)],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment(),
            )  # fmt: skip

    def _environment(self) -> dict[str, str]:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if self.options.loop == "asyncio":
            # A module of that name that cannot be imported stands before the installed one.
            hidden = self.folder / "without-uvloop"
            hidden.mkdir(exist_ok=True)
            (hidden / "uvloop.py").write_text('raise ImportError("left out for this run")\n')
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(hidden), os.environ.get("PYTHONPATH")]))
        return environment

    def _serves(self) -> bool:
        try:
            return ask(self.port, "GET", "/ping").status == 200
        except (OSError, RuntimeError):
            return False

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def wait(self, patience: float) -> int | None:
        """The exit code once it has ended by itself; None if it still runs after `patience` seconds."""
        assert self._process is not None
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def stop(self) -> None:
        """End it in order, or at once where that takes too long."""
        if self._process is None:
            return
        self._unwatch()
        if not self.ended:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END)
        self.kill()

    def kill(self) -> None:
        """End it as a power cut of the process would (SIGKILL)."""
        self._unwatch()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- what can be seen of it ----

    def text(self) -> str:
        """Its log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def lines(self) -> list[dict[str, Any]]:
        """Its log so far, as values; lines that are no JSON are left out."""
        found = []
        for line in self.text().splitlines():
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, dict):
                    found.append(value)
        return found

    def admin(self, path: str, method: str = "GET") -> Answer:
        """What the admin listener answers."""
        return ask(self.admin_port, method, path)

    def metric(self, name: str) -> float:
        """The sum of all series that begin with `name`."""
        lines = self.admin("/metrics").body.decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    def use(self) -> Use:
        """What the process holds now."""
        return _use(self.pid)

    def watch_anew(self) -> Use:
        """What the process holds now; `peak` counts from here on."""
        assert self._watch is not None
        with contextlib.suppress(OSError):  # where it may not be written, the peak is that since the start
            Path(f"/proc/{self.pid}/clear_refs").write_text(_CLEAR_PEAK)
        self._watch.descriptors = 0
        return self.use()

    def peak(self) -> Use:
        """What it held at most since it started, or since `watch_anew`."""
        assert self._watch is not None
        peak = self._watch.descriptors
        return Use(memory=_status(self.pid, "VmHWM"), descriptors=max(peak, _use(self.pid).descriptors))

    def processor(self) -> float:
        """Seconds of processor time it took since it started."""
        fields = Path(f"/proc/{self.pid}/stat").read_bytes().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _Watch:
    """Looks at a process's descriptors from time to time, and remembers the most."""

    def __init__(self, pid: int) -> None:
        self.descriptors = 0
        self._pid = pid
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._end.wait(_LOOK):
            try:
                self.descriptors = max(self.descriptors, _use(self._pid).descriptors)
            except OSError:
                return

    def stop(self) -> None:
        self._end.set()
        self._thread.join()


def _use(pid: int) -> Use:
    return Use(memory=_status(pid, "VmRSS"), descriptors=len(os.listdir(f"/proc/{pid}/fd")))


def _status(pid: int, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) * _KIB if found else 0
