"""How many state changes a second become durable, and how long one takes: `python benchmarks/store.py [directory]`.

Each sender saves one record and one history line, waits until both are on disk (a real sync of the WAL), and
goes on with the next: what webhooks do. Beside it stands the disk's own speed, one sync after the other.
The directory (default: the working directory) decides which disk is measured; a RAM disk would measure nothing.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from statusproxy.status.sessions import Change, Override, Record
from statusproxy.status.signals import Kind
from statusproxy.store.sqlite import SqliteStore

SENDERS = (1, 8, 64)
SECONDS = 2.0
RUNS = 3
SESSIONS_PER_SENDER = 10
GOAL = 3_000  # durable changes a second with 64 senders


async def changes_per_second(path: Path, senders: int) -> tuple[float, float, list[float]]:
    """Durable changes a second, commits a second, and the seconds each change took, in order of size."""
    store = SqliteStore(path)
    await store.open()
    if not store.healthy:
        raise SystemExit(store.trouble)
    took: list[float] = []
    end = time.perf_counter() + SECONDS

    async def sender(number: int) -> None:
        turn = 0
        while (begun := time.perf_counter()) < end:
            turn += 1
            session, now = f"session-{number}-{turn % SESSIONS_PER_SENDER}", time.time()
            override = Override(since=now, at=now, began=now, event="status-find", word="browserClose")
            record = Record(session, Kind.DISCONNECTED, now, heard_at=now, event="status-find", override=override)
            change = Change(session, "started", "status-find browserClose", now, now, "connected")
            await store.save([record], [], [change])
            took.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(sender(number) for number in range(senders)))
    elapsed = time.perf_counter() - begun
    commits = store.commits
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


async def opening(path: Path, sessions: int) -> float:
    """Seconds to open a database with this many sessions, its check included."""
    store = SqliteStore(path)
    await store.open()
    await store.save(
        [Record(f"session-{n}", Kind.CONNECTED, 1.0, event="status-find") for n in range(sessions)], [], []
    )
    await store.close()
    store = SqliteStore(path)
    begun = time.perf_counter()
    records = await store.open()
    elapsed = time.perf_counter() - begun
    assert len(records) == sessions
    await store.close()
    return elapsed


def main() -> int:
    """Print the figures; 1 if the goal was missed."""
    where = sys.argv[1] if len(sys.argv) > 1 else "."
    reached = 0.0
    with tempfile.TemporaryDirectory(dir=where, prefix="bench-store-") as directory:
        place = Path(directory)
        print(f"the disk alone: {syncs_per_second(place / 'raw'):,.0f} syncs/s\n")
        print("senders   changes/s (of runs)          commits/s   p50      p99")
        for senders in SENDERS:
            runs = [asyncio.run(changes_per_second(place / f"{senders}-{run}.db", senders)) for run in range(RUNS)]
            rates = sorted(rate for rate, _, _ in runs)
            reached = statistics.median(rates)
            _, commits, took = runs[[rate for rate, _, _ in runs].index(reached)]
            p50, p99 = (took[int(len(took) * share)] * 1_000 for share in (0.5, 0.99))
            spread = f"{reached:>8,.0f} ({rates[0]:,.0f} to {rates[-1]:,.0f})"
            print(f"{senders:>7}   {spread:<27} {commits:>9,.0f}   {p50:.2f} ms  {p99:.2f} ms")
        print(f"\nopening with 10 000 sessions: {asyncio.run(opening(place / 'big.db', 10_000)) * 1_000:.0f} ms")
    print(f"goal: {GOAL:,} changes/s with {SENDERS[-1]} senders: {'met' if reached >= GOAL else 'MISSED'}")
    return 0 if reached >= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
