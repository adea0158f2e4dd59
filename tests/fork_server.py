"""Runs Python programs without importing anything: what they all need is there, and each is a fork of this process.

    python -m tests.fork_server DESCRIPTOR

`tests.forks` starts one and asks it over the socket pair with that descriptor. A request is a `Job` with four
descriptors: where the process id and later the exit code are written, and the program's standard streams. When the
asking process is gone, this one kills the programs that still run, and ends.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import os
import resource
import runpy
import selectors
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

#: What programs of the tests import late or early. The rest comes with them.
_MODULES: Final = (
    "statusproxy.cli.commands",
    "statusproxy.server",
    "statusproxy.store.sqlite",
    "statusproxy.store.redis",
    "statusproxy.store.memory",
    "redis.asyncio",
    "uvloop",
    "tests.faults.wire",
)

#: Bytes of the longest request. Most of it is the environment.
_LONGEST: Final = 1 << 17

_STREAMS: Final = 3

#: That a namespace is one of networks: see setns(2).
_CLONE_NEWNET: Final = 0x40000000


#: The exit code of the program that this process is; empty while it is the server.
_ended: Final[list[int]] = []


class Job(msgspec.Struct):
    """A program to run, as `python -m MODULE ARGUMENTS` would."""

    module: str
    arguments: Sequence[str]
    folder: str
    environ: Mapping[str, str]
    descriptors: int = 0
    """The hard limit on open files; 0: this process's."""
    network: int = 0
    """A process whose network it sees; 0: this process."""


class _Server:
    def __init__(self, asked: socket.socket) -> None:
        self._asked = asked
        self._selector = selectors.DefaultSelector()
        self._selector.register(asked, selectors.EVENT_READ)
        self._running: dict[int, tuple[int, socket.socket]] = {}
        """The process id and the socket of whoever waits for its end, by the descriptor that tells of it."""

    def serve(self) -> Job | None:
        """Fork for each request; give its job in the new process, and None in this one when nobody can ask any more."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._asked:
                    self._tell_end(key.fd)
                    continue
                said, descriptors, _, _ = socket.recv_fds(self._asked, _LONGEST, _STREAMS + 1)
                if not said:
                    self._end()
                    return None
                job = msgspec.json.decode(said, type=Job)
                if self._forked(job, socket.socket(fileno=descriptors[0]), descriptors[1:]):
                    return job

    def _forked(self, job: Job, waiting: socket.socket, streams: Sequence[int]) -> bool:
        """Whether this is the new process."""
        pid = os.fork()
        if pid:
            for stream in streams:
                os.close(stream)
            ended = os.pidfd_open(pid)
            self._running[ended] = pid, waiting
            self._selector.register(ended, selectors.EVENT_READ)
            waiting.send(b"%d" % pid)
            return False
        waiting.close()
        self._leave()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        return True

    def _tell_end(self, ended: int) -> None:
        self._selector.unregister(ended)
        os.close(ended)
        pid, waiting = self._running.pop(ended)
        _, status = os.waitpid(pid, 0)
        with waiting:
            try:
                waiting.send(b"%d" % os.waitstatus_to_exitcode(status))
            except OSError:  # nobody waits for it
                pass

    def _leave(self) -> None:
        """In the new process: hold nothing of this server's."""
        self._selector.close()
        self._asked.close()
        for ended, (_, waiting) in self._running.items():
            os.close(ended)
            waiting.close()

    def _end(self) -> None:
        for pid, _ in self._running.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _become(job: Job) -> None:
    """Be like a process that was just started for this."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(job.folder)
    os.environ.clear()
    os.environ.update(job.environ)
    time.tzset()
    sys.argv = [job.module, *job.arguments]
    if job.network:
        with open(f"/proc/{job.network}/ns/net") as network:
            libc = ctypes.CDLL(None, use_errno=True)  # Python has setns(2) since 3.12
            if libc.setns(network.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
    if job.descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (job.descriptors, job.descriptors))


def _end_at_once() -> None:
    """In a program that is over, with its threads and whatever it registered: end without taking apart what it has.

    Python would visit each of the server's objects, and so copy all of its memory: longer than most programs take.
    """
    if _ended:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(_ended[0])


def _run(job: Job) -> None:
    """Run its program. An exception that it does not catch is shown, and ends this process, as ever."""
    try:
        runpy.run_module(job.module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            _ended.append(end.code or 0)
        raise
    _ended.append(0)


def main(descriptor: int) -> None:
    """Serve, and in each new process run its program."""
    atexit.register(_end_at_once)  # before all that the modules register, so that it comes last
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: who asks ends this
    for name in _MODULES:
        importlib.import_module(name)
    job = _Server(socket.socket(fileno=descriptor)).serve()
    if job is not None:
        _become(job)
        _run(job)


if __name__ == "__main__":
    main(int(sys.argv[1]))
