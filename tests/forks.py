"""Programs of this project as processes of their own, quickly: each is a fork of a process that has imported them.

Importing takes most of a start, and the tests start hundreds. `start` is for tests that need a process of its own to
talk to, stop or kill. Tests of the start itself run `python -m statusproxy`.

Only within pytest (`tests/conftest.py` calls `allow`): what is run by hand starts as its users start it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Protocol

import msgspec

from tests.fork_server import Job
from tests.waiting import PATIENCE

_ROOT: Final = Path(__file__).parents[1]

Stream = int | IO[Any]


class Process(Protocol):
    """What tests use of `subprocess.Popen`."""

    @property
    def pid(self) -> int:
        """The process's id."""

    stdin: IO[bytes] | None
    """Its standard input, where that is a pipe."""

    @property
    def stdout(self) -> IO[bytes] | None:
        """Its standard output, where that is a pipe."""

    def poll(self) -> int | None:
        """The exit code; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended; `subprocess.TimeoutExpired` where that takes longer."""

    def communicate(self, *, timeout: float | None = None) -> tuple[bytes, bytes | None]:
        """Close its standard input, and give what it still says, once it has ended."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal; nothing, if it has ended."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it at once."""


class _Forked:
    """A program that the fork server runs."""

    def __init__(self, module: str, told: socket.socket, pipes: Mapping[int, int]) -> None:
        self.stdin: IO[bytes] | None = os.fdopen(pipes[0], "wb") if 0 in pipes else None
        self.stdout: IO[bytes] | None = os.fdopen(pipes[1], "rb") if 1 in pipes else None
        self.returncode: int | None = None
        self._module = module
        self._told = told
        self._reading = threading.Lock()
        self.pid = int(self._said(PATIENCE))

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        with self._reading:
            if self.returncode is None:
                self.returncode = int(self._said(timeout))
                self._told.close()
            return self.returncode

    def communicate(self, *, timeout: float | None = None) -> tuple[bytes, bytes | None]:
        if self.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.stdin.close()
        end, said = None if timeout is None else time.monotonic() + timeout, b""
        if self.stdout is not None:
            while True:
                left = None if end is None else max(0.0, end - time.monotonic())
                if not select.select([self.stdout], [], [], left)[0]:
                    raise subprocess.TimeoutExpired(self._module, timeout or 0)
                more = os.read(self.stdout.fileno(), 1 << 16)
                if not more:
                    break
                said += more
            self.stdout.close()
        self.wait(None if end is None else max(0.0, end - time.monotonic()))
        return said, None

    def _said(self, timeout: float | None) -> bytes:
        if not select.select([self._told], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self._module, timeout or 0)
        said = self._told.recv(32)
        if not said:
            raise RuntimeError(f"the fork server ended, and so did {self._module}")
        return said

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Client:
    """Starts the fork server at the first program, and asks it."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._asks: socket.socket | None = None

    def start(self, job: Job, streams: Sequence[Stream]) -> _Forked:
        with self._starting:
            asks = self._asks = self._asks or self._started()
        told, tells = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given, theirs, pipes = [tells.fileno()], [], {}
        for number, stream in enumerate(streams):
            if stream == subprocess.PIPE:
                reads, writes = os.pipe()
                pipes[number], their = (writes, reads) if number == 0 else (reads, writes)
                theirs.append(their)
            elif stream == subprocess.DEVNULL:
                their = os.open(os.devnull, os.O_RDWR)
                theirs.append(their)
            else:
                their = stream if isinstance(stream, int) else stream.fileno()
            given.append(their)
        try:
            socket.send_fds(asks, [msgspec.json.encode(job)], given)
        finally:
            tells.close()
            for their in theirs:
                os.close(their)
        return _Forked(job.module, told, pipes)

    def _started(self) -> socket.socket:
        asks, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with asked:
            server = subprocess.Popen(
                [sys.executable, "-m", "tests.fork_server", str(asked.fileno())],
                cwd=_ROOT, pass_fds=[asked.fileno()], stdin=subprocess.DEVNULL,
            )  # fmt: skip

        def end() -> None:
            asks.close()
            server.wait()

        atexit.register(end)
        return asks


_allowed: list[_Client] = []


def allow() -> None:
    """Let programs be forks from now on, where the system can."""
    if hasattr(os, "pidfd_open") and not _allowed:
        _allowed.append(_Client())


def start(
    module: str,
    *arguments: str,
    folder: Path,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = 1,
    stderr: Stream = 2,
    environ: Mapping[str, str] | None = None,
    descriptors: int = 0,
    network: int = 0,
    python: str = sys.executable,
) -> Process:
    """Start `python -m MODULE ARGUMENTS` in `folder`.

    `descriptors` is the hard limit on open files, `network` a process whose network it sees; 0: as here. With another
    interpreter than this one, it starts as its users start it.
    """
    if _allowed and python == sys.executable:
        job = Job(module, arguments, str(folder), dict(environ or os.environ), descriptors, network)
        return _allowed[0].start(job, (stdin, stdout, stderr))
    inside = ["nsenter", f"--net=/proc/{network}/ns/net"] if network else []
    limit = ["/bin/sh", "-c", 'ulimit -n "$0" && exec "$@"', str(descriptors)] if descriptors else []
    return subprocess.Popen(
        [*inside, *limit, python, "-m", module, *arguments],
        cwd=folder, stdin=stdin, stdout=stdout, stderr=stderr, env=environ,
    )  # fmt: skip
