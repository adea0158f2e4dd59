"""How long one client waits while others attack: each way of flooding the proxied port, measured against idle.

    python -m tests.faults.client_floods [--program PATH] [--seconds 4] [--only NAME] [--asyncio]

Starts the program on a port of its own before a small gateway, and asks for a page a hundred times a second, first
with nothing else going on, then under each attack. Prints the median, the 99th percentile and the longest wait, and
the ratio of the last two to the idle median. `--program` names another checkout's `statusproxy` to compare with.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HOST = "127.0.0.1"

#: Requests a second of the client that is measured.
RATE = 100

#: Bytes a second that each attack sends at most.
FLOOD = 5_000_000

HEAD = b"POST /upload HTTP/1.1\r\nHost: proxy.example\r\nTransfer-Encoding: chunked\r\n\r\n"


def send_for(seconds: float, port: int, begin: bytes, repeat: bytes, connections: int = 1) -> None:
    """Send `begin` once and `repeat` again and again, on each of so many connections, `FLOOD` bytes a second in all."""
    socks = [open_to(port) for _ in range(connections)]
    piece = repeat * max(1, 65536 // len(repeat))
    with contextlib.suppress(OSError):
        for sock in socks:
            sock.sendall(begin)
    until, sent, begun = time.monotonic() + seconds, 0, time.monotonic()
    left: dict[socket.socket, bytes] = {}
    while time.monotonic() < until:
        for at, sock in enumerate(socks):
            data = left.pop(sock, b"") or piece
            try:
                done = sock.send(data)
                left[sock] = data[done:]
                sent += done
                with contextlib.suppress(BlockingIOError):
                    while sock.recv(65536):
                        pass
                raise BlockingIOError
            except BlockingIOError:
                pass
            except OSError:  # refused: come again, as an attacker would
                sock.close()
                left.pop(sock, None)
                with contextlib.suppress(OSError):
                    socks[at] = open_to(port)
                    socks[at].send(begin)
        time.sleep(max(0.001, sent / FLOOD - (time.monotonic() - begun)))


def open_to(port: int) -> socket.socket:
    """A connection that never blocks."""
    sock = socket.create_connection((HOST, port), 5)
    sock.setblocking(False)
    return sock


def empty_lines(seconds: float, port: int) -> None:
    """Nothing but line ends."""
    send_for(seconds, port, b"", b"\r\n")


def tiny_chunks(seconds: float, port: int) -> None:
    """Chunks of one byte."""
    send_for(seconds, port, HEAD, b"1\r\nx\r\n")


def tiny_chunks_of_many(seconds: float, port: int) -> None:
    """Chunks of one byte, from 50 clients."""
    send_for(seconds, port, HEAD, b"1\r\nx\r\n", 50)


def extensions(seconds: float, port: int) -> None:
    """Chunks of one byte with long extensions."""
    send_for(seconds, port, HEAD, b"1;" + b"x" * 4000 + b"\r\nx\r\n")


def trailers(seconds: float, port: int) -> None:
    """Trailers without end."""
    send_for(seconds, port, HEAD + b"0\r\n", b"X: y\r\n")


def tiny_requests(seconds: float, port: int) -> None:
    """Requests that the proxy answers by itself, one behind the other."""
    send_for(seconds, port, b"", b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")


def silent_connections(seconds: float, port: int) -> None:
    """More connections that say nothing than `limits.connections` allows."""
    hold_connections(seconds, port, 4500)


def hold_connections(seconds: float, port: int, count: int) -> None:
    """Connect and say nothing."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 10_000), hard))
    held: list[socket.socket] = []
    until = time.monotonic() + seconds
    with contextlib.suppress(OSError):
        while len(held) < count and time.monotonic() < until:
            held.append(socket.create_connection((HOST, port), 5))
    time.sleep(max(0.0, until - time.monotonic()))


ATTACKS: dict[str, Callable[[float, int], None]] = {
    function.__name__: function
    for function in (
        empty_lines,
        tiny_chunks,
        tiny_chunks_of_many,
        extensions,
        trailers,
        tiny_requests,
        silent_connections,
    )
}


async def waits(port: int, seconds: float) -> list[float]:
    """How long each request waited, each on a connection of its own; a failed one counts as 10 s."""
    found: list[float] = []

    async def ask() -> None:
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(10):
                reader, writer = await asyncio.open_connection(HOST, port)
                writer.write(b"GET / HTTP/1.1\r\nHost: proxy.example\r\nConnection: close\r\n\r\n")
                answer = await reader.read()
                writer.close()
            found.append(time.perf_counter() - begun if answer.startswith(b"HTTP/1.1 200") else 10.0)
        except (OSError, TimeoutError):
            found.append(10.0)

    async with asyncio.TaskGroup() as tasks:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            tasks.create_task(ask())
            await asyncio.sleep(1 / RATE)
    return found


async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each GET; read and forget everything else."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"chunked" in head.lower():
                while await reader.read(65536):
                    pass
                break
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
    writer.close()


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def program(path: str, gateway_port: int, loop: str) -> Iterator[tuple[int, int]]:
    """The program, running: its port and process id."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        file = Path(folder) / "config.yaml"
        file.write_text(
            f"gateway: http://{HOST}:{gateway_port}\nlisten: {HOST}:{port}\nadmin: {{listen: null}}\n"
            "state: {url: 'memory:'}\nlog: {level: error}\n"
        )
        environment = dict(os.environ)
        if loop == "asyncio":
            (Path(folder) / "uvloop.py").write_text("raise ImportError\n")
            environment["PYTHONPATH"] = folder
        process = subprocess.Popen([path, "run", "--config", str(file)], env=environment, stderr=subprocess.DEVNULL)
        try:
            for _ in range(200):
                with contextlib.suppress(OSError):
                    socket.create_connection((HOST, port), 1).close()
                    break
                time.sleep(0.05)
            yield port, process.pid
        finally:
            process.kill()
            process.wait()


def processor_seconds(pid: int) -> float:
    """Processor time the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """MiB of memory the process has had at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


async def measure(path: str, seconds: float, only: str | None, loop: str) -> None:
    server = await asyncio.start_server(gateway, HOST, 0, limit=2**20)
    gateway_port = server.sockets[0].getsockname()[1]
    columns = ["median", "99 %", "longest", "99 %/idle", "longest/idle", "cpu", "MiB"]
    sys.stdout.write(f"{'attack':22}" + "".join(f"{column:>14}" for column in columns) + "\n")
    for name, attack in ATTACKS.items():
        if only is not None and name != only:
            continue
        with program(path, gateway_port, loop) as (port, pid):
            await waits(port, 0.5)
            idle = statistics.median(await waits(port, 2.0))
            used = processor_seconds(pid)
            attacker = multiprocessing.get_context("spawn").Process(target=attack, args=(seconds + 1.5, port))
            attacker.start()
            await asyncio.sleep(1.0)
            found = sorted(await waits(port, seconds))
            used = processor_seconds(pid) - used
            attacker.kill()
            attacker.join()
            middle, most, last = statistics.median(found), found[int(len(found) * 0.99)], found[-1]
            times = "".join(f"{value * 1000:12.1f}ms" for value in (middle, most, last))
            ratios = f"{most / idle:14.1f}{last / idle:14.1f}"
            sys.stdout.write(f"{name:22}{times}{ratios}{used / (seconds + 1):14.0%}{resident(pid):14.0f}\n")
            sys.stdout.flush()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=str(Path(sys.executable).with_name("statusproxy")))
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--only", choices=list(ATTACKS))
    parser.add_argument("--asyncio", action="store_true")
    chosen = parser.parse_args()
    asyncio.run(measure(chosen.program, chosen.seconds, chosen.only, "asyncio" if chosen.asyncio else "uvloop"))


if __name__ == "__main__":
    main()
