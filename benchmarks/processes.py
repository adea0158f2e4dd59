"""Processes that are measured: started on a core of their own, read through /proc, ended by their id."""

import contextlib
import functools
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Seconds in which a process must take connections.
PATIENCE = 20.0

_TICK = os.sysconf("SC_CLK_TCK")
_PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def program(name: str) -> str | None:
    """The path of a program, also of one that only root has in its path; None where it is not installed."""
    return shutil.which(name, path=_PATH)


@functools.cache
def cores() -> tuple[str, str]:
    """The core of the proxies, and that of all else; the same where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return str(allowed[0]), str(allowed[-1])


def free_port() -> int:
    """A port of 127.0.0.1 on which no one listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """One running program. `pid` is the process that does the work, which may be a child of the one started."""

    def __init__(
        self,
        command: Sequence[str],
        core: str,
        log: Path,
        *,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
        works_in_child: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        self._log = log.open("wb")
        pinned = [program("taskset") or "taskset", "-c", core, *command]
        self._popen = subprocess.Popen(
            pinned,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        self.pid = self._popen.pid
        try:
            if port is not None:
                self._await_port(port, log, patience)
            if works_in_child:
                self.pid = self._worker()
        except BaseException:
            self.stop()
            raise

    def _await_port(self, port: int, log: Path, patience: float) -> None:
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self._popen.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.02)
        said = log.read_text(errors="replace")[-1500:]
        raise RuntimeError(f"{self._popen.args!r} does not take connections:\n{said}")

    def _worker(self) -> int:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            children = Path(f"/proc/{self._popen.pid}/task/{self._popen.pid}/children").read_text().split()
            if children:
                return int(children[0])
            time.sleep(0.02)
        raise RuntimeError("no worker process")

    def cpu(self) -> float:
        """Seconds of processor time used so far, the kernel's on its behalf included."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def memory(self, field: str = "VmRSS") -> float:
        """MiB of resident memory now, or another field of /proc/PID/status; all of the process's children left out."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        raise KeyError(field)

    def forget_peak(self) -> None:
        """Begin a new peak of resident memory (`VmHWM`)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def stop(self) -> None:
        """End the process and wait for it."""
        if self._popen.poll() is None:
            self._popen.terminate()
            try:
                self._popen.wait(10)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        self._log.close()
