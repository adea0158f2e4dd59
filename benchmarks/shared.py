"""Proxies that share a map on one Redis: how soon an event at one counts at all, and how many they take a second.

`python -m benchmarks.shared [directory] [--appendfsync everysec] [--events 1000] [--proxies 1 2 4]`. Each proxy is a
process of its own with what a proxy does of an event but for HTTP: it is read, the map changes, the change becomes
durable, and the others take it over. The redis-server has its files in the directory.

*Propagation*: one event after the other, each at the next proxy, and the time until all others hold it. *Throughput*:
each proxy takes events of sessions of its own as quickly as it can, 64 at a time. *Costs*: one proxy does so, and
the others take its events over; the processor time of both for an event.
"""

import argparse
import asyncio
import json
import logging
import multiprocessing
import os
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.store import redis_server
from statusproxy.config.load import loads
from statusproxy.config.state_url import Place
from statusproxy.demo.events import status_find
from statusproxy.observe.metrics import Metrics
from statusproxy.registry.registry import SessionRegistry
from statusproxy.store.redis import redis_store

SECONDS = 3.0
SENDERS = 64
SESSIONS = 200
#: Seconds between two looks at the map: the figures are that exact. Those who look must not take the processor.
_LOOK = 0.001
#: Seconds that anything may take at most.
LIMIT = 60.0


async def _serve(port: int, number: int, pipe: Connection) -> None:
    """Be one proxy, told by the pipe what to do."""
    settings = loads("gateway: http://gateway.example")
    store = redis_store(Place("127.0.0.1", port))
    registry = SessionRegistry(settings.signal_rules(), settings.session_rules(), store, Metrics())
    await registry.open()
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[Any] = asyncio.Queue()
    loop.add_reader(pipe.fileno(), lambda: told.put_nowait(pipe.recv()))
    pipe.send("ready")
    while (command := await told.get()) is not None:
        what, *arguments = command
        if what == "hear":
            durable = _hear(registry, *arguments)
            pipe.send("heard")
            await durable
            pipe.send("durable")
        elif what == "watch":
            pipe.send(await _watch(registry, *arguments))
        elif what == "run":
            pipe.send(await _run(registry, number, *arguments))
    loop.remove_reader(pipe.fileno())
    await registry.close()


def _hear(registry: SessionRegistry, session: str, word: str) -> Any:
    return registry.hear(json.dumps(status_find(session, word)).encode(), "192.0.2.1")


async def _watch(registry: SessionRegistry, session: str, lost: bool) -> float:
    """Wait until it holds that; the moment."""
    async with asyncio.timeout(LIMIT):
        while True:
            record = registry.sessions.get(session)
            if record is not None and (record.override is not None) is lost:
                return time.monotonic()
            await asyncio.sleep(_LOOK)


async def _run(registry: SessionRegistry, number: int, until: float, senders: int) -> tuple[int, float, int]:
    """Take events as quickly as it can; how many, the processor time, and how many of others were taken over.

    Without senders it only takes over.
    """
    sharing = registry.store.sharing
    assert sharing is not None
    taken, before, begun = 0, sharing.received, time.process_time()

    async def send(sender: int) -> None:
        nonlocal taken
        turn = 0
        while time.monotonic() < until:
            session, turn = f"{number}-{sender}-{turn % (SESSIONS // SENDERS + 1)}", turn + 1
            await _hear(registry, session, "browserClose" if turn // (SESSIONS // SENDERS + 1) % 2 else "inChat")
            taken += 1

    await asyncio.gather(*(send(sender) for sender in range(senders)))
    await asyncio.sleep(max(0.0, until - time.monotonic()))
    used = time.process_time() - begun
    sharing = registry.store.sharing
    assert sharing is not None
    return taken, used, sharing.received - before


def _child(port: int, number: int, pipe: Connection) -> None:
    logging.disable()
    asyncio.run(_serve(port, number, pipe))


class Proxies:
    """The processes, and the pipes to them."""

    def __init__(self, port: int, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipes: list[Connection] = []
        self._processes = []
        for number in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_child, args=(port, number, theirs), daemon=True)
            process.start()
            self.pipes.append(ours)
            self._processes.append(process)
        for pipe in self.pipes:
            _answer(pipe)

    def end(self) -> None:
        """End them in order."""
        for pipe in self.pipes:
            pipe.send(None)
        for process in self._processes:
            process.join(LIMIT)
            process.kill()


def _answer(pipe: Connection) -> Any:
    if not pipe.poll(LIMIT):
        raise SystemExit("a proxy does not answer")
    return pipe.recv()


def propagation(proxies: Proxies, events: int) -> list[float]:
    """Seconds from an event at one until all others hold it, in order of size."""
    took: list[float] = []
    for number in range(events):
        session, lost = f"session-{number % SESSIONS}", number // SESSIONS % 2 == 0
        here, *others = proxies.pipes[number % len(proxies.pipes) :] + proxies.pipes[: number % len(proxies.pipes)]
        for pipe in others:
            pipe.send(("watch", session, lost))
        time.sleep(0.002)  # they look
        begun = time.monotonic()
        here.send(("hear", session, "browserClose" if lost else "inChat"))
        took.append(max(map(_answer, others)) - begun)
        _answer(here), _answer(here)
    return sorted(took)


def throughput(proxies: Proxies) -> float:
    """Events a second in all."""
    return sum(result[0] for result in _run_all(proxies, len(proxies.pipes))) / SECONDS


def costs(proxies: Proxies) -> tuple[float, float]:
    """Microseconds that a proxy takes for an event of its own where it alone has some, and others to take it over."""
    (taken, used, _), *others = _run_all(proxies, 1)
    received = sum(result[2] for result in others)
    return used / taken * 1e6, sum(result[1] for result in others) / received * 1e6 if received else 0.0


def _run_all(proxies: Proxies, having: int) -> list[tuple[int, float, int]]:
    """Let the first of them take events of their own; what all give."""
    end = time.monotonic() + SECONDS
    for place, pipe in enumerate(proxies.pipes):
        pipe.send(("run", end, SENDERS if place < having else 0))
    return [_answer(pipe) for pipe in proxies.pipes]


def main() -> None:
    """Print both tables."""
    arguments = argparse.ArgumentParser(description="Proxies that share a map on one Redis.")
    arguments.add_argument("directory", nargs="?", default=".")
    arguments.add_argument("--appendfsync", choices=["always", "everysec", "no"], default="everysec")
    arguments.add_argument("--events", type=int, default=1_000)
    arguments.add_argument("--proxies", type=int, nargs="+", default=[1, 2, 4, 5])
    given = arguments.parse_args()
    print(f"appendfsync {given.appendfsync}; load average {os.getloadavg()[0]:.2f}\n")
    print("proxies   all hold it after: median, p99, worst    events/s   CPU for one   to take it over")
    for count in given.proxies:
        with (
            tempfile.TemporaryDirectory(dir=given.directory, prefix="bench-shared-") as directory,
            redis_server(Path(directory).resolve(), given.appendfsync) as port,
        ):
            proxies = Proxies(port, count)
            took = propagation(proxies, given.events) if count > 1 else []
            rate = throughput(proxies)
            own, over = costs(proxies)
            proxies.end()
        waits = "-"
        if took:
            points = (statistics.median(took), took[len(took) * 99 // 100], took[-1])
            waits = ", ".join(f"{1000 * one:.1f} ms" for one in points)
        print(f"{count:>7}   {waits:<42} {rate:>7,.0f}   {own:>8,.0f} µs   {over:>8,.0f} µs", flush=True)


if __name__ == "__main__":
    main()
