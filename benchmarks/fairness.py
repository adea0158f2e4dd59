"""How long a poll every 10 ms waits while others give the proxy much to do: the 99th percentile beside each load.

Polls come at fixed moments, each on a connection that no other one waits on, and their time counts from the moment at
which they were due. On the core that they share, the poll comes before all else, and what makes the load runs only
while neither the poll nor the gateway does (`SCHED_IDLE`). So a row shows waits in the proxy, and not in that core's
queue.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator

import yaml

from benchmarks import load, rates
from benchmarks.fleet import HERE, Fleet, Proxy, start_statusproxy
from benchmarks.processes import cores, program
from benchmarks.results import Finding, Goal, Median, Section

_EVERY = 0.01
_THREE = Goal("p99 ≤ 3 × idle", 3.0, at_least=False)

_LARGE_WEBHOOK = 20_000_000
_BURST = 2_000
_SESSIONS = 2_000

#: A load: what runs it for that many seconds against a proxy.
Load = Callable[[Fleet, Proxy, float], list[str]]


def measure(fleet: Fleet, *, seconds: int, turns: int) -> tuple[Section, list[Finding]]:
    """All loads through ours; those that nginx can have, through nginx too."""
    section = Section(
        "A poll every 10 ms beside heavy work",
        f"A list of 10 channels, asked for at fixed moments for {seconds} s beside each load, {turns} times; the loads"
        " and the gateway share the poll's core. The page is open in a browser's stead: its stream is read, while one"
        " of 2 000 sessions changes every 100 ms. Beside large bodies, polls also ask the gateway itself while the load"
        " goes through the proxy: what they wait is not the proxy's.",
        ["beside", "proxy", "p50", "p99", "longest", "p99, × idle"],
    )
    findings = []
    with contextlib.ExitStack() as stack:
        ours = start_statusproxy(fleet, stack, "statusproxy beside loads")
        watched = start_statusproxy(fleet, stack, "statusproxy with a page open")
        del fleet.proxies[ours.name], fleet.proxies[watched.name]
        _make_known(watched)
        # One of ours after the other: each is idle first, so that what is left of a load does not count for the next.
        page: dict[str, Load] = {
            "an open page of 2 000 sessions": _page,
            "scrapes and page loads of 2 000 sessions": _scrapes,
        }
        contenders = [(rates.OURS, ours, _LOADS), (rates.OURS, watched, page)]
        contenders += [(rates.NGINX, nginx, _LOADS) for nginx in fleet.has(rates.NGINX)]
        for name, proxy, loads in contenders:
            idle = [_polls(proxy.port, seconds) for _ in range(turns)]
            calm = Median.of([_percentile(one, 0.99) for one in idle])
            section.rows.append([f"nothing{' (before the page)' * (proxy is watched)}", name, *_shown(idle), ""])
            for what, makes in loads.items():
                if makes is _upload and not fleet.differs:
                    continue
                seen = []
                for _ in range(turns):
                    with _beside(makes(fleet, proxy, seconds + 1.0)):
                        seen.append(_polls(proxy.port, seconds))
                worst = Median.of([_percentile(one, 0.99) for one in seen])
                section.rows.append([what, name, *_shown(seen), f"{worst.value / calm.value:.1f} ×"])
                if makes in _HEAVY_FOR_THE_GATEWAY:
                    section.rows.append(_straight(fleet, proxy, f"{what}, through {name}", makes, seconds, turns))
                if name == rates.OURS:
                    ratio = worst.value / calm.value
                    against = f"{ratio:.1f} × idle ({calm.value * 1e3:.2f} ms)"
                    figure = f"p99 {worst.value * 1e3:.2f} ms"
                    findings.append(
                        Finding(f"10 ms poll beside {what}", figure, against, _THREE.text, _THREE.verdict(ratio))
                    )
    return section, findings


def _straight(fleet: Fleet, proxy: Proxy, what: str, makes: Load, seconds: int, turns: int) -> list[str]:
    """What polls wait that ask the gateway itself beside the same load through the proxy: the gateway's part of it."""
    port, seen = fleet.upstream_port, []
    calm = Median.of([_percentile(_polls(port, seconds), 0.99) for _ in range(turns)])
    for _ in range(turns):
        with _beside(makes(fleet, proxy, seconds + 1.0)):
            seen.append(_polls(port, seconds))
    worst = Median.of([_percentile(one, 0.99) for one in seen])
    return [what, "none: the gateway is asked", *_shown(seen), f"{worst.value / calm.value:.1f} ×"]


def _percentile(took: list[float], share: float) -> float:
    return sorted(took)[min(len(took) - 1, int(len(took) * share))]


def _shown(seen: list[list[float]]) -> list[str]:
    """The median, the 99th percentile and the longest of each turn, in milliseconds."""
    return [Median.of([_percentile(one, share) * 1e3 for one in seen]).text("ms", 2) for share in (0.5, 0.99, 1.0)]


def _polls(port: int, seconds: float) -> list[float]:
    """The seconds that each poll took, measured by a process of its own."""
    command = [sys.executable, "-m", "benchmarks.fairness", "poll", str(port), str(seconds)]
    done = subprocess.run(
        _on_their_core(command), capture_output=True, text=True, check=True, timeout=seconds + 60, cwd=HERE.parent
    )
    took: list[float] = json.loads(done.stdout)
    return took


def _on_their_core(command: list[str]) -> list[str]:
    return [program("taskset") or "taskset", "-c", cores()[1], *command]


@contextlib.contextmanager
def _beside(command: list[str]) -> Iterator[None]:
    """A load runs, from a moment before until after; it ends by itself too."""
    with subprocess.Popen(
        _on_their_core([program("chrt") or "chrt", "--idle", "0", *command]),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=HERE.parent, text=True,
    ) as running:  # fmt: skip
        try:
            time.sleep(0.5)
            yield
            if running.poll():
                raise SystemExit(f"benchmarks: {command}: {running.communicate()[1]}")
        finally:
            running.terminate()


# ---- the loads ----


def _upload(fleet: Fleet, proxy: Proxy, seconds: float) -> list[str]:
    """Webhooks of 20 MB, two at a time."""
    script = fleet.folder / "webhook-20m.lua"
    if not script.exists():
        load.post_script(fleet.folder, "webhook-20m", rates.media_event(_LARGE_WEBHOOK))
    wrk = program("wrk") or "wrk"
    target = f"http://127.0.0.1:{proxy.port}/v1/webhooks/receive"
    return [wrk, "-t1", "-c2", f"-d{seconds:.0f}s", "--timeout", "60s", "-s", str(script), target]


def _download(fleet: Fleet, proxy: Proxy, seconds: float) -> list[str]:
    """Answers of 1 GiB, two at a time, one after the other."""
    del fleet
    target = f"http://127.0.0.1:{proxy.port}/large"
    return [program("wrk") or "wrk", "-t1", "-c2", f"-d{seconds:.0f}s", "--timeout", "60s", target]


def _burst(fleet: Fleet, proxy: Proxy, seconds: float) -> list[str]:
    """2 000 webhooks at once, every second."""
    del fleet
    return [sys.executable, "-m", "benchmarks.fairness", "burst", str(proxy.port), str(seconds)]


def _page(fleet: Fleet, proxy: Proxy, seconds: float) -> list[str]:
    """The status page's stream is read, and a session changes every 100 ms."""
    return _at_its_admin("page", fleet, proxy, seconds)


def _scrapes(fleet: Fleet, proxy: Proxy, seconds: float) -> list[str]:
    """Metrics, all sessions and the status page are asked for, again and again."""
    return _at_its_admin("scrapes", fleet, proxy, seconds)


def _at_its_admin(what: str, fleet: Fleet, proxy: Proxy, seconds: float) -> list[str]:
    settings = json.dumps({"admin": _admin(fleet, proxy)})
    return [sys.executable, "-m", "benchmarks.fairness", what, str(proxy.port), str(seconds), settings]


_LOADS: dict[str, Load] = {
    "webhooks of 20 MB": _upload,
    "downloads of 1 GiB": _download,
    "a burst of 2 000 webhooks a second": _burst,
}

#: Loads whose bodies keep the gateway's stand-in busy as well.
_HEAVY_FOR_THE_GATEWAY = (_upload, _download)


def _admin(fleet: Fleet, proxy: Proxy) -> str:
    """Where the status page of a proxy is: by its own configuration."""
    settings = yaml.safe_load((fleet.folder / f"statusproxy-{proxy.port}.yaml").read_text())
    address: str = settings["admin"]["listen"]
    return address


def _event(session: str, word: str) -> bytes:
    return json.dumps({"event": "status-find", "session": session, "status": word}).encode()


def _make_known(proxy: Proxy) -> None:
    """Tell it of 2 000 sessions, a tenth of which are lost."""
    for number in range(_SESSIONS):
        word = "desconnectedMobile" if number % 10 == 0 else "inChat"
        target = f"http://127.0.0.1:{proxy.port}/v1/webhooks/receive"
        post = urllib.request.Request(target, _event(f"known-{number}", word), {"Content-Type": "application/json"})
        with urllib.request.urlopen(post, timeout=10):
            pass


# ---- what runs as a program of its own ----


def _request(method: str, target: str, body: bytes = b"", host: str = "gateway.example") -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _answered(reader: asyncio.StreamReader) -> None:
    """Read one answer of known length."""
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise ValueError(head.decode(errors="replace"))
    await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0))


async def _poll(port: int, seconds: float) -> list[float]:
    """Ask every 10 ms, and give the seconds each took from the moment at which it was due.

    A poll that still waits does not delay the next one: that goes on another connection.
    """
    asked = _request("GET", "/api/channels?n=10")
    free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def one(due: float) -> float:
        reader, writer = free.pop() if free else await asyncio.open_connection("127.0.0.1", port)
        writer.write(asked)
        await _answered(reader)
        free.append((reader, writer))
        return time.perf_counter() - due

    await one(time.perf_counter())
    loop, polls = asyncio.get_running_loop(), list[asyncio.Task[float]]()

    def begin(due: float) -> None:
        polls.append(asyncio.create_task(one(due)))

    def tick() -> None:
        """A loop's own timers are up to 2 ms late, longer than an idle proxy takes; a thread's sleep is not."""
        due = time.perf_counter()
        for _ in range(int(seconds / _EVERY)):
            due += _EVERY
            time.sleep(max(0.0, due - time.perf_counter()))
            loop.call_soon_threadsafe(begin, due)

    await asyncio.to_thread(tick)
    await asyncio.sleep(0)
    took = list(await asyncio.gather(*polls))
    for _, writer in free:
        writer.close()
    return took


async def _posts(port: int, count: int) -> None:
    """So many webhooks on one connection, one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asked = _request("POST", "/v1/webhooks/receive", rates.presence_event(1_000).encode())
    for _ in range(count):
        writer.write(asked)
        await _answered(reader)
    writer.close()


async def _bursts(port: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        await asyncio.gather(*(_posts(port, _BURST // 200) for _ in range(200)))
        await asyncio.sleep(max(0.0, 1.0 - (time.monotonic() - begun)))


async def _open_page(port: int, seconds: float, admin: str) -> None:
    """Read the page's stream to the end, and let a session change every 100 ms."""
    host, _, admin_port = admin.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(admin_port), limit=2**20)
    writer.write(_request("GET", "/events", host=admin))  # the admin listener answers under its own name only
    await reader.readuntil(b"event: sessions")

    async def read() -> None:
        while await reader.read(65536):
            pass

    reading = asyncio.create_task(read())
    end, turn = time.monotonic() + seconds, 0
    _, posting = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < end:
        turn += 1
        word = "desconnectedMobile" if turn % 2 else "inChat"
        posting.write(_request("POST", "/v1/webhooks/receive", _event("known-5", word)))
        await asyncio.sleep(0.1)
    reading.cancel()
    posting.close()
    writer.close()


async def _scrape(seconds: float, admin: str) -> None:
    """Ask for metrics and sessions on one connection, and for the page's data on another, one after the other."""
    host, _, port = admin.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**20)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in ("/metrics", "/sessions"):
            writer.write(_request("GET", path, host=admin))
            await _answered(reader)
        told, page = await asyncio.open_connection(host, int(port), limit=2**20)
        page.write(_request("GET", "/events", host=admin))
        await told.readuntil(b"event: sessions")
        page.close()
    writer.close()


def main() -> None:
    """Be the poll or one of the loads."""
    what, port, seconds, *more = sys.argv[1:]
    if what == "poll":
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        print(json.dumps(asyncio.run(_poll(int(port), float(seconds)))))
    elif what == "burst":
        asyncio.run(_bursts(int(port), float(seconds)))
    elif what == "page":
        asyncio.run(_open_page(int(port), float(seconds), json.loads(more[0])["admin"]))
    else:
        asyncio.run(_scrape(float(seconds), json.loads(more[0])["admin"]))


if __name__ == "__main__":
    main()
