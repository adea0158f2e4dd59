"""How much the proxy's memory grows while large bodies pass: `python benchmarks/memory.py`.

The real program is a process of its own; this one is the client and the gateway at both its ends, and compares
hashes. Growth is the peak of the resident memory (`VmHWM`, reset before each run) above what was resident before it.
"""

import argparse
import asyncio
import hashlib
import json
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from statusproxy.demo.proxy import Proxy, configuration, free_port

MIB = 1024 * 1024
LIMIT = 20 * MIB
WEBHOOK = 50 * 1000 * 1000
VOLUME = 1000 * 1000 * 1000

#: One period of what is sent; a prime length, so that a piece lost, doubled or moved changes the hash.
_BLOCK = bytes((index * 131 + 7) & 255 for index in range(65521)) * 4
_BUFFER = 256 * 1024


@dataclass(frozen=True)
class Passage:
    """One body's way through the proxy."""

    what: str
    size: int
    """Bytes of the body."""
    unchanged: bool
    """Whether as many bytes with the same SHA-256 came out."""
    growth: int
    """Bytes by which the proxy's resident memory rose at most."""
    seconds: float

    def __str__(self) -> str:
        rate = self.size / self.seconds / 1e6
        same = "unchanged" if self.unchanged else "CHANGED"
        size, growth = f"{self.size / 1e6:,.0f} MB", f"+{self.growth / MIB:.1f} MiB"
        return f"{self.what:<28} {size:>9}  {same:<9} {growth:>10}  {rate:>6,.0f} MB/s"


async def passages(webhook: int = WEBHOOK, volume: int = VOLUME) -> list[Passage]:
    """Send a watched webhook of so many bytes, and a download and uploads of so many, through one proxy in turn."""
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as name:
        folder = Path(name)
        async with _gateway() as (port, received):
            settings = configuration(f"http://127.0.0.1:{port}", free_port(), free_port(), folder / "state.db")
            async with Proxy(settings, folder) as proxy:
                there = proxy.base_url.rpartition("//")[2]
                await _exchange(there, "POST", "/v1/webhooks/receive", _event(200_000, "isLogged"), chunked=False)
                seen = []
                for what, chunked in (("watched webhook", False), ("watched webhook, chunked", True)):
                    body = lambda: _event(webhook, "browserClose")  # noqa: E731
                    seen.append(
                        await _pass(proxy, what, body, received, "POST", "/v1/webhooks/receive", chunked=chunked)
                    )
                listed = await _exchange(there, "GET", "/api/channels", None, chunked=False)
                if b'"disconnected"' not in listed[2]:
                    raise SystemExit("the webhook was not understood")
                for what, chunked in (("unwatched upload", False), ("unwatched upload, chunked", True)):
                    body = lambda: _pattern(volume)  # noqa: E731
                    seen.append(await _pass(proxy, what, body, received, "POST", "/upload", chunked=chunked))
                for what, path in (("unwatched download", ""), ("unwatched download, chunked", "&chunked")):
                    begun, before = time.perf_counter(), _rest(proxy.pid)
                    size, digest, _ = await _exchange(
                        there, "GET", f"/download?bytes={volume}{path}", None, chunked=False
                    )
                    same = (size, digest) == _digest(_pattern(volume))
                    grown = _resident(proxy.pid, "VmHWM") - before
                    seen.append(Passage(what, size, same, grown, time.perf_counter() - begun))
                return seen


async def _pass(
    proxy: Proxy,
    what: str,
    body: Callable[[], Iterator[bytes]],
    received: list[tuple[int, str]],
    method: str,
    path: str,
    *,
    chunked: bool,
) -> Passage:
    """A request's body: compare what the gateway got with what was sent."""
    expected = _digest(body())
    begun, before = time.perf_counter(), _rest(proxy.pid)
    await _exchange(proxy.base_url.rpartition("//")[2], method, path, body(), chunked=chunked, size=expected[0])
    taken = time.perf_counter() - begun
    return Passage(what, expected[0], received[-1] == expected, _resident(proxy.pid, "VmHWM") - before, taken)


def _rest(pid: int) -> int:
    """Forget the peak so far; the bytes resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _resident(pid, "VmRSS")


def _resident(pid: int, field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def _pattern(size: int) -> Iterator[bytes]:
    while size > 0:
        yield _BLOCK[:size]
        size -= len(_BLOCK)


def _event(size: int, word: str) -> Iterator[bytes]:
    """A webhook as large as that: most of it is media as base64 in one string, before what matters."""
    head = b'{"event":"status-find","media":"'
    tail = b'","session":"sales","status":"' + word.encode() + b'"}'
    yield head
    left = size - len(head) - len(tail)
    piece = b"/9j/4AAQSkZJRgABAQEASABIAAD" * 9600
    while left > 0:
        yield piece[:left]
        left -= len(piece)
    yield tail


def _digest(body: Iterator[bytes]) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    for piece in body:
        size += len(piece)
        digest.update(piece)
    return size, digest.hexdigest()


async def _exchange(
    there: str, method: str, path: str, body: Iterator[bytes] | None, *, chunked: bool, size: int | None = None
) -> tuple[int, str, bytes]:
    """One request with a stream for a body; the answer's size, SHA-256 and first bytes."""
    host, _, port = there.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=_BUFFER)
    pieces = list(body) if body is not None and size is None else body
    if size is None:
        size = sum(map(len, pieces)) if isinstance(pieces, list) else 0
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: proxy.example\r\n{framing}\r\n\r\n".encode())
    for piece in pieces or ():
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")
    fields = await _head(reader)
    count, digest, begin = 0, hashlib.sha256(), b""
    async for piece in _body(reader, fields):
        count += len(piece)
        digest.update(piece)
        begin = begin or piece
    writer.close()
    return count, digest.hexdigest(), begin


async def _head(reader: asyncio.StreamReader) -> dict[bytes, bytes]:
    lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
    return {**fields, b":start": lines[0]}


async def _body(reader: asyncio.StreamReader, fields: dict[bytes, bytes]) -> AsyncIterator[bytes]:
    if fields.get(b"transfer-encoding") == b"chunked":
        while (left := int(await reader.readuntil(b"\r\n"), 16)) > 0:
            async for piece in _exactly(reader, left):
                yield piece
            await reader.readexactly(2)
        await reader.readexactly(2)
        return
    async for piece in _exactly(reader, int(fields.get(b"content-length", b"0"))):
        yield piece


async def _exactly(reader: asyncio.StreamReader, left: int) -> AsyncIterator[bytes]:
    while left > 0:
        piece = await reader.read(min(left, _BUFFER))
        if not piece:
            raise EOFError("the body ended early")
        left -= len(piece)
        yield piece


@asynccontextmanager
async def _gateway() -> AsyncIterator[tuple[int, list[tuple[int, str]]]]:
    """A gateway that hashes what it gets and gives what it is asked for, at full speed and in flat memory."""
    received: list[tuple[int, str]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                fields = await _head(reader)
                method, target, _ = fields[b":start"].split(b" ")
                size, digest = 0, hashlib.sha256()
                async for piece in _body(reader, fields):
                    size += len(piece)
                    digest.update(piece)
                if method == b"POST":
                    received.append((size, digest.hexdigest()))
                wanted = re.match(rb"/download\?bytes=(\d+)(&chunked)?", target)
                if wanted is None:
                    answer = json.dumps({"channels": [{"id": "sales", "status": "connected"}]}).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
                    continue
                framing = b"Transfer-Encoding: chunked" if wanted[2] else b"Content-Length: %b" % wanted[1]
                writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)
                for piece in _pattern(int(wanted[1])):
                    writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if wanted[2] else piece)
                    await writer.drain()
                if wanted[2]:
                    writer.write(b"0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=_BUFFER)
    try:
        yield server.sockets[0].getsockname()[1], received
    finally:
        server.close()


def main() -> int:
    """Print the figures; 1 if a body was changed or the memory grew beyond the limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--webhook", type=int, default=WEBHOOK, help="bytes of the watched webhook")
    parser.add_argument("--volume", type=int, default=VOLUME, help="bytes of the unwatched bodies")
    wanted = parser.parse_args()
    seen = asyncio.run(passages(wanted.webhook, wanted.volume))
    for one in seen:
        print(one)
    held = all(one.unchanged and one.growth < LIMIT for one in seen)
    print(f"goal: unchanged, and less than {LIMIT // MIB} MiB more: {'met' if held else 'MISSED'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
