"""How many state changes a second become durable, and how long one takes: `python benchmarks/store.py [directory]`.

With `--redis` the state is kept in a redis-server instead of SQLite, one that is started for it with its files in
the directory, and that syncs them with each write (`--appendfsync everysec`: each second, which promises less). Then
it also tells how soon what one of several proxies hears is in force in all of them.

Each sender saves one record and one history line, waits until both are on disk (a real sync of the WAL), and
goes on with the next: what webhooks do. Beside it stands the disk's own speed, one sync after the other.
The directory (default: the working directory) decides which disk is measured; a RAM disk would measure nothing.
"""

import argparse
import asyncio
import json
import logging
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from statusproxy.config.load import load
from statusproxy.config.state_url import Place
from statusproxy.observe.metrics import Metrics
from statusproxy.registry.registry import SessionRegistry
from statusproxy.status.model import Change, Override, Record
from statusproxy.status.signals import SignalKind
from statusproxy.store.batch_writer import BatchWriter
from statusproxy.store.redis import RedisBackend, redis_store
from statusproxy.store.sqlite import SqliteBackend, sqlite_store

SENDERS = (1, 8, 64)
SECONDS = 2.0
RUNS = 3
SESSIONS_PER_SENDER = 10
PROXIES = (2, 5)
EVENTS = 200
GOAL = 3_000  # durable changes a second with 64 senders

DurableStore = BatchWriter[SqliteBackend] | BatchWriter[RedisBackend]

Make = Callable[[str], DurableStore]
"""Gives the store of a name, the same one again for the same name."""


async def changes_per_second(where: Path | DurableStore, senders: int) -> tuple[float, float, list[float]]:
    """Durable changes a second, commits a second, and the seconds each change took, in order of size.

    `where`: the path of an SQLite file, or a store that is not open yet.
    """
    store = sqlite_store(where) if isinstance(where, Path) else where
    await store.open()
    if not store.healthy:
        raise SystemExit(store.error)
    took: list[float] = []
    end = time.perf_counter() + SECONDS

    async def sender(number: int) -> None:
        turn = 0
        while (begun := time.perf_counter()) < end:
            turn += 1
            session, now = f"session-{number}-{turn % SESSIONS_PER_SENDER}", time.time()
            override = Override(since=now, at=now, began=now, event="status-find", word="browserClose")
            record = Record(session, SignalKind.DISCONNECTED, now, heard_at=now, event="status-find", override=override)
            change = Change(session, "started", "status-find browserClose", now, now, "connected")
            await store.save([record], [], [change])
            took.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(sender(number) for number in range(senders)))
    elapsed = time.perf_counter() - begun
    commits = store.backend.commits
    await store.close()
    return len(took) / elapsed, commits / elapsed, sorted(took)


def syncs_per_second(path: Path) -> float:
    """How often a second the disk takes 4 KiB and syncs it: what one commit costs at least."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        begun, turns = time.perf_counter(), 0
        while time.perf_counter() - begun < 0.5:
            os.pwrite(handle, b"x" * 4096, turns * 4096)
            os.fdatasync(handle)
            turns += 1
        return turns / (time.perf_counter() - begun)
    finally:
        os.close(handle)


async def opening(make: Make, sessions: int) -> float:
    """Seconds to open a store with this many sessions, its check included."""
    store = make("big")
    await store.open()
    await store.save(
        [Record(f"session-{n}", SignalKind.CONNECTED, 1.0, event="status-find") for n in range(sessions)], [], []
    )
    await store.close()
    store = make("big")
    begun = time.perf_counter()
    records = await store.open()
    elapsed = time.perf_counter() - begun
    assert len(records) == sessions
    await store.close()
    return elapsed


async def spreading(make: Make, proxies: int) -> list[float]:
    """Seconds until an event that one of so many proxies hears is in force in all of them, in order of size."""
    logging.getLogger("statusproxy").setLevel(logging.ERROR)  # each of these sessions is lost
    settings = load(None, {}, {}, gateway="http://gateway.example")
    rules = settings.signal_rules(), settings.session_rules()
    registries = [SessionRegistry(*rules, make("shared"), Metrics()) for _ in range(proxies)]
    for registry in registries:
        await registry.open()
    took: list[float] = []
    for number in range(EVENTS):
        event = {"event": "status-find", "session": f"session-{number}", "status": "browserClose"}
        begun = time.perf_counter()
        durable = registries[number % proxies].hear(json.dumps(event).encode(), "127.0.0.1")
        while any(registry.sessions.overrides <= number for registry in registries):  # noqa: ASYNC110 - to the moment
            await asyncio.sleep(0)
        took.append(time.perf_counter() - begun)
        if durable is not None:
            await durable
    for registry in registries:
        await registry.close()
    return sorted(took)


@contextmanager
def redis_server(directory: Path, fsync: str) -> Iterator[int]:
    """A redis-server with its files in a directory; its port."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("no redis-server here: apt-get install redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory), "--save", ""]
    command += ["--appendonly", "yes", "--appendfsync", fsync]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            if not any("Ready to accept connections" in line for line in process.stdout):
                raise SystemExit("redis-server did not start")
            yield port
        finally:
            process.kill()


def measure(place: Path, make: Make) -> int:
    """Print the figures; 1 if the goal was missed."""
    reached = 0.0
    print(f"the disk alone: {syncs_per_second(place / 'raw'):,.0f} syncs/s\n")
    print("senders   changes/s (of runs)          commits/s   p50      p99")
    for senders in SENDERS:
        runs = [asyncio.run(changes_per_second(make(f"{senders}-{run}"), senders)) for run in range(RUNS)]
        rates = sorted(rate for rate, _, _ in runs)
        reached = statistics.median(rates)
        _, commits, took = runs[[rate for rate, _, _ in runs].index(reached)]
        p50, p99 = (took[int(len(took) * share)] * 1_000 for share in (0.5, 0.99))
        spread = f"{reached:>8,.0f} ({rates[0]:,.0f} to {rates[-1]:,.0f})"
        print(f"{senders:>7}   {spread:<27} {commits:>9,.0f}   {p50:.2f} ms  {p99:.2f} ms")
    print(f"\nopening with 10 000 sessions: {asyncio.run(opening(make, 10_000)) * 1_000:.0f} ms")
    print(f"goal: {GOAL:,} changes/s with {SENDERS[-1]} senders: {'met' if reached >= GOAL else 'MISSED'}")
    return 0 if reached >= GOAL else 1


def main() -> int:
    """Measure the store that the arguments name."""
    arguments = argparse.ArgumentParser(description="Durable state changes a second.")
    arguments.add_argument("directory", nargs="?", default=".")
    arguments.add_argument("--redis", action="store_true")
    arguments.add_argument("--appendfsync", choices=["always", "everysec", "no"], default="always")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=given.directory, prefix="bench-store-") as directory:
        place = Path(directory).resolve()
        if not given.redis:
            return measure(place, lambda name: sqlite_store(place / f"{name}.db"))
        with redis_server(place, given.appendfsync) as port:

            def make(name: str) -> DurableStore:
                return redis_store(Place("127.0.0.1", port, prefix=f"{name}:"))

            missed = measure(place, make)
            for proxies in PROXIES:
                took = asyncio.run(spreading(make, proxies))
                p50, p99 = (took[int(len(took) * share)] * 1_000 for share in (0.5, 0.99))
                print(f"in force in all of {proxies} proxies: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
            return missed


if __name__ == "__main__":
    raise SystemExit(main())
