"""A gateway that writes down each event before it answers, and may be killed at any moment.

    python -m tests.kills.ledger PORT FILE SEED

A line is written by one call, so that a kill leaves whole lines. Now and then an event is refused before it is written.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from tests import forks
from tests.faults.wire import HOST
from tests.faults.worker import ROOT

#: The part of events that is answered 503.
_REFUSED: Final = 0.02

#: Seconds a start may take on a busy machine.
_START: Final = 30.0


class Arrival(NamedTuple):
    """An event as it arrived."""

    session: str
    number: int
    digest: str
    repeat: bool
    """Whether the spool delivered it: it carried an id."""


class Ledger:
    """The gateway as a process, on the same port and with the same ledger after each kill."""

    def __init__(self, port: int, file: Path, seed: int) -> None:
        self._port = port
        self._file = file
        self._seed = seed
        self._starts = 0
        self._read = 0
        self._arrivals: list[Arrival] = []
        self._reading = threading.Lock()
        self._process: forks.Process | None = None
        file.touch()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self._port}"

    @property
    def runs(self) -> bool:
        """Whether it was started, and not killed since."""
        return self._process is not None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._starts += 1
        arguments = [str(self._port), str(self._file), str(self._seed + self._starts)]
        self._process = forks.start("tests.kills.ledger", *arguments, folder=ROOT)
        end = time.monotonic() + _START
        while True:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self._port), 1.0):
                return
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the gateway did not start")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it by SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def arrivals(self) -> list[Arrival]:
        """All that arrived so far, in order."""
        with self._reading, self._file.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if line.endswith(b"\n"):
                    self._arrivals.append(Arrival(*json.loads(line)))
                    self._read += len(line)
            return list(self._arrivals)

    def has(self, digest: str) -> bool:
        """Whether an event with this digest arrived."""
        return any(each.digest == digest for each in reversed(self.arrivals()))


def digest(body: bytes) -> str:
    """What tells one body from another."""
    return hashlib.sha256(body).hexdigest()[:16]


async def serve(port: int, file: int, chance: Random) -> None:
    """Serve until the process is killed."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
                body = await reader.readexactly(int(length or 0))
                status = b"200 OK"
                if body and chance.random() < _REFUSED:
                    status = b"503 Service Unavailable"
                elif body:
                    event = json.loads(body)
                    arrival = Arrival(event["session"], event["number"], digest(body), b"\r\nwebhook-id:" in head)
                    os.write(file, (json.dumps(arrival) + "\n").encode())
                writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)
                await writer.drain()

    server = await asyncio.start_server(connected, HOST, port, limit=2**20)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND), Random(int(sys.argv[3]))))
