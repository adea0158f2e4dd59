"""Bytes in, bytes out: a scripted origin, a raw client and a proxy in this process between them."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from statusproxy.config.load import load
from statusproxy.observe.exchange_report import Report
from statusproxy.server import Server
from tests.ports import free_port
from tests.waiting import PATIENCE as PATIENCE  # noqa: PLC0414 - whoever uses the harness waits as it does
from tests.waiting import until as until  # noqa: PLC0414


def _most(buffers: str) -> int:
    """The bytes that the kernel may let one TCP socket's buffer grow to (`tcp_rmem` or `tcp_wmem`)."""
    return int(Path("/proc/sys/net/ipv4", buffers).read_text().split()[2])


#: Bytes that may be under way between a sender and a receiver that does not read: what the kernel keeps on four
#: sockets (it lets buffers grow with the traffic, differently on each machine), and what the proxy holds.
UNDER_WAY = 2 * (_most("tcp_rmem") + _most("tcp_wmem")) + 4 * 1024 * 1024

#: Bytes to send where more must be sent than all those buffers hold.
VOLUME = UNDER_WAY + 32 * 1024 * 1024

#: libyaml's, where PyYAML has it: it writes such a file in 0.14 ms, the other in 0.6, and hundreds of tests do.
_Dumper: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Message:
    """One HTTP message as it was on the wire: start line, fields in order, body with its framing undone."""

    start: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    framed: bytes = b""
    """The body as it came, chunk sizes and all."""

    def all(self, name: str) -> list[bytes]:
        """Every value of a field, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower().encode()]

    def get(self, name: str) -> bytes | None:
        """The first value of a field."""
        return next(iter(self.all(name)), None)

    @property
    def status(self) -> int:
        """An answer's status."""
        return int(self.start.split(b" ")[1])

    @property
    def target(self) -> bytes:
        """A request's target."""
        return self.start.split(b" ")[1]


@contextlib.contextmanager
def never_accepting(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A port where attempts to connect get no answer, as at a host that is down: the kernel's queue for it is full."""
    with socket.socket() as listening, socket.socket() as only:
        listening.bind((host, port))
        listening.listen(0)
        only.connect(listening.getsockname())
        held: int = listening.getsockname()[1]
        yield held


class Wire:
    """One connection's raw bytes, with just enough HTTP to read one message at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> Message:
        """The next message's head; its body stays to be read."""
        async with asyncio.timeout(PATIENCE):
            raw = await self.reader.readuntil(b"\r\n\r\n")
        start, *lines = raw[:-4].split(b"\r\n")
        headers = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        return Message(start, headers)

    async def message(self, *, bodiless: bool = False) -> Message:
        """The next message, whole: by length, by chunks, or (an answer with neither) up to the end."""
        message = await self.head()
        async with asyncio.timeout(PATIENCE):
            if bodiless or (message.start.startswith(b"HTTP/") and message.status in {204, 304, 101}):
                return message
            if b"chunked" in (message.get("Transfer-Encoding") or b""):
                await self.chunks(message)
            elif (length := message.get("Content-Length")) is not None:
                message.body = message.framed = await self.reader.readexactly(int(length))
            elif message.start.startswith(b"HTTP/"):
                message.body = message.framed = await self.reader.read()
        return message

    async def chunks(self, message: Message) -> None:
        """Read a body in chunks, with its trailers, into its message."""
        while True:
            size = await self.reader.readuntil(b"\r\n")
            message.framed += size
            count = int(size.split(b";")[0], 16)
            if count == 0:
                break
            data = await self.reader.readexactly(count + 2)
            message.framed += data
            message.body += data[:-2]
        while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
            message.framed += line
            name, _, value = line[:-2].partition(b":")
            message.trailers.append((name, value.strip()))
        message.framed += b"\r\n"

    async def rest(self) -> bytes:
        """Everything up to the end of the connection; a reset counts as the end."""
        got = b""
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionError):
                while data := await self.reader.read(65536):
                    got += data
        return got

    async def ending(self) -> str:
        """Wait for the end of the connection, whatever comes before it; `end` when it was orderly, else `reset`."""
        async with asyncio.timeout(PATIENCE):
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionResetError:
                return "reset"
        return "end"

    async def ended(self) -> bool:
        """Wait for the other side to end the connection; True when it does, with not a byte more."""
        return await self.rest() == b""

    def reset(self) -> None:
        """Break the connection off: the other side gets a reset and not an end."""
        sock = self.writer.get_extra_info("socket")
        if not self.writer.is_closing() and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        """Close the connection."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


Script = Callable[[Wire], Awaitable[None]]


class Origin:
    """A gateway that does just what its script says, connection by connection.

    `script` handles one connection. By default each request is recorded and answered with `answer` (bytes, or a
    function from the request to bytes).
    """

    def __init__(self) -> None:
        self.requests: list[Message] = []
        self.connections = 0
        self.answer: bytes | Callable[[Message], bytes] = OK
        self.script: Script = self.serve
        self.arrived = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def serve(self, wire: Wire) -> None:
        """Answer requests until the connection ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                async with asyncio.timeout(None):
                    request = await self.take(wire)
                answer = self.answer(request) if callable(self.answer) else self.answer
                await wire.send(answer)

    async def take(self, wire: Wire) -> Message:
        """The next request of a connection, recorded; waits as long as it takes."""
        raw = await wire.reader.readuntil(b"\r\n\r\n")
        start, *lines = raw[:-4].split(b"\r\n")
        request = Message(start, [(n, v.strip()) for n, _, v in (line.partition(b":") for line in lines)])
        if b"chunked" in (request.get("Transfer-Encoding") or b""):
            await wire.chunks(request)
        elif (length := request.get("Content-Length")) is not None:
            request.body = request.framed = await wire.reader.readexactly(int(length))
        await self.note(request)
        return request

    async def note(self, request: Message) -> None:
        """Record a request a script has read by itself."""
        async with self.arrived:
            self.requests.append(request)
            self.arrived.notify_all()

    async def received(self, count: int = 1) -> Message:
        """Wait for the `count`-th request; give it."""
        async with asyncio.timeout(PATIENCE), self.arrived:
            await self.arrived.wait_for(lambda: len(self.requests) >= count)
        return self.requests[count - 1]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Play the script on one connection, and close it."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.script(Wire(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def start(self) -> None:
        """Listen on a free port."""
        # One that no one else gets, so that no one listens there while it is stopped.
        self.port = self.port or free_port()
        self._server = await asyncio.start_server(self.connected, "127.0.0.1", self.port, limit=2**26)

    async def stop(self) -> None:
        """Stop listening and break what is open."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE)


class Running:
    """A proxy running in this process."""

    def __init__(self, server: Server) -> None:
        self.server = server
        host, _, port = server.addresses[0].rpartition(":")
        self.host, self.port = host, int(port) if port.isdigit() else 0
        self.wires: list[Wire] = []

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"http://{self.host}:{self.port}"

    async def connect(self) -> Wire:
        """A fresh connection to it."""
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=2**26)
        wire = Wire(reader, writer)
        self.wires.append(wire)
        return wire

    async def ask(self, data: bytes, *, bodiless: bool = False) -> Message:
        """Send one request's bytes on a connection of their own; give the answer."""
        wire = await self.connect()
        await wire.send(data)
        answer = await wire.message(bodiless=bodiless)
        await wire.close()
        return answer

    async def others_pass(self) -> None:
        """Three clients come and go: what could go on had as many turns of the loop, and of the kernel, as they."""
        for _ in range(3):
            assert (await self.ask(b"GET / HTTP/1.1\r\n\r\n")).status == 400  # needs no gateway: it has no Host

    async def close(self) -> None:
        """Close what `connect` opened."""
        for wire in self.wires:
            wire.writer.close()


def hurry(server: Server) -> None:
    """Have it end without waiting for what is under way, as a second signal does."""
    server.ask_to_stop()
    server.ask_to_stop()


async def push(proxy: Running, wire: Wire, count: int) -> int:
    """Send up to `count` bytes until the other side accepts no more; how many it took.

    It accepts no more when nothing has moved while others passed.
    """
    piece, sent, before = b"x" * 65536, 0, -1

    async def send() -> None:
        nonlocal sent
        while sent < count:
            wire.writer.write(piece)
            sent += len(piece)
            await wire.writer.drain()

    sending = asyncio.create_task(send())
    while not sending.done() and sent != before:
        before = sent
        await proxy.others_pass()
    sending.cancel()
    await asyncio.wait([sending])
    return sent


def reports(proxy: Running) -> list[Report]:
    """What the proxy reports of each exchange from now on."""
    seen: list[Report] = []
    told = proxy.server.proxy.report

    def report(report: Report) -> None:
        seen.append(report)
        told(report)

    proxy.server.proxy.report = report
    return seen


def get(target: str = "/", *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
    """The bytes of a simple request, `Host` included; a body gets its length."""
    lines = [f"{method} {target} HTTP/1.1", "Host: proxy.example", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def answer(body: bytes = b"", *fields: str, status: str = "200 OK") -> bytes:
    """The bytes of a simple answer with a length."""
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@contextlib.asynccontextmanager
async def running(tmp_path: Any, gateway: str, **settings: Any) -> AsyncIterator[Running]:
    """A proxy in front of `gateway`, configured by `settings` (config.yaml's keys), on a free port, state in memory."""
    async with running_by(time.time, tmp_path, gateway, **settings) as proxy:
        yield proxy


@contextlib.asynccontextmanager
async def running_by(
    clock: Callable[[], float], tmp_path: Any, gateway: str, **settings: Any
) -> AsyncIterator[Running]:
    """As `running`, with a clock that gives epoch seconds."""
    document = {
        "listen": "127.0.0.1:0",
        "gateway": gateway,
        "state": {"url": "memory:"},
        "admin": {"listen": None},
        "language": "en",
        **settings,
    }
    file = tmp_path / "config.yaml"
    file.write_text(yaml.dump(document, Dumper=_Dumper))
    server = Server(load(file, environ={}), lambda: load(file, environ={}), clock=clock)
    await server.start()
    proxy = Running(server)
    try:
        yield proxy
    finally:
        await proxy.close()
        hurry(server)
        await asyncio.wait_for(server.stop(), PATIENCE)
