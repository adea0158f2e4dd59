"""What a rush of connections costs any server on an event loop: a server that does nothing but answer, as a measure.

    python -m tests.faults.bare_server uvloop      (prints its port, and serves until its standard input ends)

The kernel queues connections, and each waits for all before it. How long that is depends on the machine and the loop.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final, cast

from tests import forks
from tests.faults import attacks
from tests.faults.gateway import stay
from tests.faults.program import Loop
from tests.faults.wire import ask, connect, reset
from tests.faults.worker import ROOT, working

#: Connections that the kernel queues: as many as the proxy asks for (`statusproxy/listeners.py`).
QUEUED: Final = 1024

_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class _Connection(asyncio.Protocol):
    """Answers what comes first, and ends."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(_ANSWER)
        self._transport.close()


def rush(port: int, count: int) -> float:
    """Seconds that a request on a fresh connection waits behind `count` connections that were just opened."""
    attacks.allow_open_files(count + 64)
    held = [connect(port, source="127.0.0.2") for _ in range(count)]
    begun = time.monotonic()
    ask(port, "GET", "/ping")
    wait = time.monotonic() - begun
    for sock in held:
        reset(sock)
    return wait


def wait_behind(count: int, loop: Loop) -> float:
    """The same of a server on `loop` that does nothing else, in seconds."""
    server = forks.start(
        "tests.faults.bare_server", loop, folder=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert server.stdin is not None
    assert server.stdout is not None
    port = int(server.stdout.readline())
    try:
        with working(rush) as worker:
            worker.ready()
            worker.begin(port=port, count=count)
            return float(worker.result(30.0))
    finally:
        server.communicate(timeout=10.0)


async def serve() -> None:
    """Serve on a free loopback port until standard input ends."""
    attacks.allow_open_files(2 * QUEUED)
    loop = asyncio.get_running_loop()
    await stay(await loop.create_server(_Connection, "127.0.0.1", 0, backlog=QUEUED))


def _run(loop: str) -> None:
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve())


if __name__ == "__main__":
    _run(sys.argv[1])
