"""A thousand WebSocket tunnels: how quickly they open, how long a message takes there and back, what each costs."""

import asyncio
import contextlib
import os
import time

from benchmarks.fleet import Fleet, Proxy, start_statusproxy
from benchmarks.processes import cores
from benchmarks.results import Finding, Section, grouped

TUNNELS = 1_000
MESSAGES = 10
_AT_ONCE = 50
_MESSAGE = b"\x82\x7e\x00\x7c" + b"m" * 124  # a binary frame of 124 bytes

_ASK = (
    b"GET /echo HTTP/1.1\r\nHost: gateway.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def _run(proxy: Proxy, port: int) -> tuple[float, list[float], float, float]:
    """Tunnels opened a second, seconds of each round trip, KiB for each tunnel, microseconds of CPU for a message."""
    gate = asyncio.Semaphore(_AT_ONCE)
    before = proxy.process.memory()

    async def open_one() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(_ASK)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            if b" 101 " not in head:
                raise SystemExit(f"benchmarks: {proxy.name} opens no tunnel: {head!r} {await reader.read(300)!r}")
            return reader, writer

    begun = time.perf_counter()
    tunnels = await asyncio.gather(*(open_one() for _ in range(TUNNELS)))
    opened = TUNNELS / (time.perf_counter() - begun)
    each = (proxy.process.memory() - before) * 1024 / TUNNELS
    trips: list[float] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(MESSAGES):
            async with gate:
                sent = time.perf_counter()
                writer.write(_MESSAGE)
                await asyncio.wait_for(reader.readexactly(len(_MESSAGE)), 30)
                trips.append(time.perf_counter() - sent)

    cpu = proxy.process.cpu()
    await asyncio.gather(*(talk(*tunnel) for tunnel in tunnels))
    cpu = (proxy.process.cpu() - cpu) / (TUNNELS * MESSAGES) * 1e6
    for _, writer in tunnels:
        writer.transport.abort()
    return opened, sorted(trips), each, cpu


def measure(fleet: Fleet) -> tuple[Section, list[Finding]]:
    """statusproxy and nginx, one after the other."""
    section = Section(
        f"{grouped(TUNNELS)} WebSocket tunnels",
        f"Opened {_AT_ONCE} at a time, all open at once; then {MESSAGES} messages of {len(_MESSAGE)} bytes there and"
        f" back on each, {_AT_ONCE} at a time.",
        ["proxy", "opened/s", "round trip p50", "p99", "CPU for each message", "memory for each"],
    )
    findings = []
    pinned = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(cores()[1])})
    try:
        with contextlib.ExitStack() as stack:
            ours = start_statusproxy(
                fleet, stack, "statusproxy before the echo", gateway_port=fleet.echo_port, tell=False
            )
            runs = [(proxy, asyncio.run(_run(proxy, proxy.port))) for proxy in (ours, *fleet.has("nginx"))]
            del fleet.proxies[ours.name]
        for proxy, (opened, trips, each, cpu) in runs:
            p50, p99 = (trips[int(len(trips) * share)] * 1e6 for share in (0.5, 0.99))
            name = proxy.name.partition(" before")[0]
            section.rows.append([
                name, grouped(opened), f"{grouped(p50)} µs", f"{grouped(p99)} µs", f"{grouped(cpu)} µs",
                f"{each:.1f} KiB",
            ])  # fmt: skip
            if name == "statusproxy":
                figure = f"all open, {grouped(opened)} opened/s, {cpu:.0f} µs CPU a message, {each:.0f} KiB each"
                findings.append(Finding("1 000 WebSocket tunnels", figure, "", "all open and echoing", "met"))
    finally:
        os.sched_setaffinity(0, pinned)
    return section, findings
