"""The stand-in gateway as a process: it answers as `scenes` says, and keeps count of what came.

    python -m tests.faults.gateway      (prints its port, and serves until its standard input ends)

One process serves all faults. It is quick, so that what a client waits for is the proxy: raw protocols, on uvloop
where that is installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import socket
import struct
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, Final, Self, cast

import httptools

from tests import forks
from tests.faults import scenes
from tests.faults.worker import ROOT

#: Bytes of a body after which `/stop-reading` reads no more.
_STOP_AT: Final = 64 * 1024

#: Bytes of an endless answer that are written at once.
_BLOCK: Final = 64 * 1024

#: Serial numbers kept at most.
_SERIALS: Final = 500_000

_JSON: Final = b"application/json"

#: Counts the lists that are never the same twice in a row.
_TURNS: Final = itertools.count()


class Seen:
    """What came since the last report that cleared it."""

    def __init__(self) -> None:
        self.serials: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.open = 0
        self.cuts: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        """By the name of a half answer: set when it is to end."""

    def report(self, *, clear: bool) -> bytes:
        """Requests by their serial number, and how marked connections ended."""
        text = json.dumps({"serials": self.serials, "ends": self.ends, "open": self.open}).encode()
        if clear:
            self.serials.clear()
            self.ends.clear()
        return text


class Connection(asyncio.Protocol):
    """One connection to the gateway."""

    def __init__(self, seen: Seen, tasks: set[asyncio.Task[None]]) -> None:
        self._seen = seen
        self._tasks = tasks
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._resume: asyncio.Future[None] | None = None
        self._url = b""
        self._fields: dict[str, str] = {}
        self._hash = hashlib.sha256()
        self._size = 0
        self._busy = False
        self._tunnel: str | None = None
        self._mark: str | None = None
        self._held = b""

    # ---- asyncio's side ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._seen.open += 1
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Large answers leave in one burst, as a gateway's on the same host do.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024 * 1024)

    def connection_lost(self, exc: Exception | None) -> None:
        self._seen.open -= 1
        if self._mark is not None:
            self._seen.ends[f"{self._mark} {'reset' if exc is not None else 'fin'}"] += 1
        self.resume_writing()
        self._transport = None

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._resume = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._resume is not None and not self._resume.done():
            self._resume.set_result(None)
        self._resume = None

    def data_received(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._in_tunnel(data)
            return
        if self._busy:
            self._held += data
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if rest := data[upgrade.args[0] :]:
                self._in_tunnel(rest)
        except httptools.HttpParserError:
            if self._transport is not None:
                self._transport.close()

    # ---- llhttp's side ----

    def on_message_begin(self) -> None:
        self._url, self._fields, self._size = b"", {}, 0
        self._hash = hashlib.sha256()

    def on_url(self, part: bytes) -> None:
        self._url += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        path, _ = self._target()
        if path[0] == "tunnel":
            self._begin_tunnel(path[1])
        elif path[0] == "early":
            self._answer(413, b'{"error":"too large"}')

    def on_body(self, data: bytes) -> None:
        self._size += len(data)
        self._hash.update(data)
        if self._size >= _STOP_AT and self._target()[0][0] == "stop-reading" and self._transport is not None:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        serial = self._fields.get("x-serial")
        if serial is not None and len(self._seen.serials) < _SERIALS:
            self._seen.serials[serial] += 1
        path, query = self._target()
        self._respond(path, query)

    # ---- answers ----

    def _target(self) -> tuple[list[str], str]:
        path, _, query = self._url.decode("latin-1").partition("?")
        parts = path.strip("/").split("/")
        return (parts[2:] or [""]) if parts[0] == "at" else parts, query

    def _respond(self, path: list[str], query: str) -> None:
        what, method = path[0], self._parser.get_method()
        if what in {"tunnel", "early", "stop-reading"}:
            return
        if what == "gateway":
            self._answer(200, self._seen.report(clear="clear" in query))
        elif what == "bytes":
            self._answer(200, scenes.content(int(path[1])), b"application/octet-stream")
        elif what in {"chunked", "until-close"}:
            self._later(self._stream(int(path[1]), chunked=what == "chunked"))
        elif what == "wait":
            self._later(self._wait(float(path[1])))
        elif what == "cut":
            self._later(self._cut(path[1], path[2], path[3]))
        elif what == "cut-now":
            self._seen.cuts[path[1]].set()
            self._answer(200, b'{"status":"cut"}')
        elif what == "endless":
            self._later(self._endless(path[1], int(path[2])))
        elif path[:2] == ["api", "channels"] and method == b"GET":
            self._channels(path[2:], query)
        elif method == b"GET":
            self._answer(200, b'{"status":"ok"}')
        else:
            echoed = {"success": True, "bytes": self._size, "sha256": self._hash.hexdigest()}
            self._answer(200, json.dumps(echoed).encode())

    def _channels(self, names: list[str], query: str) -> None:
        if names:
            channel = {"id": names[0], "status": "connected", "connected": True}
            self._answer(200, json.dumps({"channel": channel}).encode())
            return
        body, coding = scenes.list_answer(query)
        if "crowded=" in query:
            body += b" " * (next(_TURNS) % 64)  # never the same twice in a row: each is to be corrected anew
        self._answer(200, body, _JSON, f"Content-Encoding: {coding}\r\n".encode() if coding else b"")

    def _answer(self, status: int, body: bytes, kind: bytes = _JSON, more: bytes = b"") -> None:
        serial = self._fields.get("x-serial")
        if serial is not None:
            more += f"X-Serial: {serial}\r\n".encode()
        self._write(
            b"HTTP/1.1 %d OK\r\nContent-Type: %b\r\n%bContent-Length: %d\r\n\r\n" % (status, kind, more, len(body)),
            b"" if self._parser.get_method() == b"HEAD" else body,
        )

    def _write(self, *pieces: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.writelines(pieces)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        self._busy = True
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._busy = False
        held, self._held = self._held, b""
        if held and self._transport is not None:
            self.data_received(held)

    async def _drained(self) -> bool:
        if self._resume is not None:
            await self._resume
        return self._transport is not None and not self._transport.is_closing()

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._answer(200, b'{"status":"waited"}')

    async def _stream(self, size: int, *, chunked: bool) -> None:
        body = scenes.content(size)
        serial = self._fields.get("x-serial", "-")
        framing = b"Transfer-Encoding: chunked" if chunked else b"Connection: close"
        self._write(b"HTTP/1.1 200 OK\r\nX-Serial: %b\r\n%b\r\n\r\n" % (serial.encode(), framing))
        for at in range(0, size, _BLOCK):
            piece = body[at : at + _BLOCK]
            self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if not await self._drained():
                return
        if chunked:
            self._write(b"0\r\n\r\n")
        elif self._transport is not None:
            self._transport.close()

    async def _cut(self, framing: str, how: str, name: str) -> None:
        """Half an answer of 64 KiB, and its end once the client has that half; `stall` is no end."""
        fields, piece = {
            "length": (b"Content-Length: 65536", scenes.content(32768)),
            "chunked": (b"Transfer-Encoding: chunked", b"8000\r\n" + scenes.content(32768) + b"\r\n"),
            "close": (b"Connection: close", scenes.content(32768)),
        }[framing]
        self._write(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n%b\r\n\r\n" % fields, piece)
        await self._seen.cuts[name].wait()
        if how == "fin" and self._transport is not None:
            self._transport.close()
        elif how == "reset":
            self._reset()

    async def _endless(self, what: str, size: int) -> None:
        head, piece = {
            "trailers": (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
                b"X-Trailer: " + b"t" * 1000 + b"\r\n",
            ),
            "interim": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"),
            "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
            "head": (b"HTTP/1.1 200 OK\r\n", b"X-Field: " + b"h" * 1000 + b"\r\n"),
        }[what]
        self._write(head)
        block = piece * max(1, _BLOCK // len(piece))
        sent = 0
        while sent < size and await self._drained():
            self._write(block)
            sent += len(block)
            await asyncio.sleep(0)  # a turn for the others
        if self._transport is not None and sent >= size:
            if what == "chunks":
                self._write(b"0\r\n\r\n")
            else:
                self._transport.close()

    # ---- tunnels ----

    def _begin_tunnel(self, how: str) -> None:
        self._tunnel = how
        self._mark = self._fields.get("x-mark")
        self._write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        if how == "over" and self._transport is not None:
            self._transport.close()

    def _in_tunnel(self, data: bytes) -> None:
        if self._tunnel == "echo":
            self._write(data)
        elif self._tunnel == "end" and self._transport is not None:
            self._transport.close()
        elif self._tunnel == "reset":
            self._reset()

    def _reset(self) -> None:
        transport = self._transport
        if transport is not None:
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()


class Gateway:
    """The gateway as a process of the caller's."""

    def __init__(self) -> None:
        self._process: forks.Process | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._process = forks.start("tests.faults.gateway", folder=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


async def stay(server: asyncio.Server) -> None:
    """Print a server's port, and close it when standard input ends."""
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    server.close()


async def serve() -> None:
    """Serve on a free loopback port until standard input ends."""
    loop = asyncio.get_running_loop()
    seen, tasks = Seen(), set[asyncio.Task[None]]()
    await stay(await loop.create_server(lambda: Connection(seen, tasks), "127.0.0.1", 0, backlog=4096))
    for task in tasks:
        task.cancel()


def _run() -> None:
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve())


if __name__ == "__main__":
    _run()
