"""Answers a second, latency and processor time for each answer: statusproxy and its peers in turn, under `wrk`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import load
from benchmarks.fleet import Fleet, Proxy
from benchmarks.load import Sample
from benchmarks.results import Finding, Goal, Median, Section

OURS, APART, LUA, NGINX = "statusproxy", "statusproxy, not sharing", "nginx + Lua", "nginx"
_OTHERS = ("tuned ClientSession", "naive aiohttp", "http-proxy-middleware", "mitmproxy")


@dataclass(frozen=True)
class Point:
    """One piece of work, the proxies that do it, and what is asked of ours."""

    what: str
    target: str
    proxies: Sequence[str]
    peer: str
    goal: Goal | None = None
    connections: int = 16
    measure: str = "rate"
    """`rate` (higher is better) or `p50` (lower is better): what the ratio is made of."""
    script: str | None = None
    needs_lua: bool = False
    seconds: int = 1
    """Seconds of a run, before `--quick` or a full run multiplies them."""
    also: Sequence[str] = field(default_factory=tuple)
    """Peers shown for comparison; they run in two turns only."""


def points() -> list[Point]:
    """All of them, in the order of the report."""
    once, thrice = Goal("≥ 1.0 × nginx + Lua", 1.0), Goal("≥ 3 × nginx + Lua", 3.0)
    both = (OURS, APART, LUA)
    return [
        Point("10 channels, one corrected, same answer each time", "/api/channels?n=10", both, LUA, once, also=_OTHERS),
        Point(
            "10 channels, one corrected, answer differs each time",
            "/api/differing?n=10", both, LUA, once, needs_lua=True, also=("tuned ClientSession",),
        ),
        Point(
            "10 channels, one corrected, each request with its own id",
            "/api/channels?n=10", both, LUA, once, script="fresh-ids",
        ),
        Point(
            "10 channels, one connection, p50",
            "/api/channels?n=10", (OURS, LUA, "tuned ClientSession", "naive aiohttp"), LUA,
            Goal("≤ 1.3 × nginx + Lua", 1.3, at_least=False), connections=1, measure="p50",
        ),
        Point(
            "10 channels, one connection, p50, answer differs each time",
            "/api/differing?n=10", (OURS, LUA), LUA, Goal("≤ 1.3 × nginx + Lua", 1.3, at_least=False),
            connections=1, measure="p50", needs_lua=True,
        ),
        Point(
            "1 000 channels, same answer each time",
            "/api/channels?n=1000", both, LUA, thrice, also=("tuned ClientSession",),
        ),
        Point("1 000 channels, answer differs each time", "/api/differing?n=1000", both, LUA, thrice, needs_lua=True),
        Point("10 000 channels, same answer each time", "/api/channels?n=10000", both, LUA, thrice, connections=4),
        Point(
            "10 000 channels, answer differs each time",
            "/api/differing?n=10000", both, LUA, thrice, connections=4, needs_lua=True,
        ),
        Point("passing on a small answer", "/small", (OURS, NGINX, "haproxy"), NGINX, also=_OTHERS),
        Point(
            "watched webhook of 1 kB", "/v1/webhooks/receive", (OURS, NGINX, "haproxy"), NGINX,
            Goal("≥ 0.4 × nginx", 0.4), script="webhook-1k",
        ),
        Point(
            "watched webhook of 5 MB", "/v1/webhooks/receive", (OURS, NGINX), NGINX,
            script="webhook-5m", connections=4, needs_lua=True,
        ),
    ]  # fmt: skip


def scripts(folder: Path) -> dict[str, Path]:
    """What `wrk` is told for the points that need more than a GET."""
    return {
        "fresh-ids": load.fresh_ids_script(folder),
        "webhook-1k": load.post_script(folder, "webhook-1k", presence_event(1_000)),
        "webhook-5m": load.post_script(folder, "webhook-5m", media_event(5_000_000)),
    }


def presence_event(size: int) -> str:
    """The event that makes up nearly all of the traffic: a contact came online. It says nothing about the session."""
    event = {
        "event": "onpresencechanged",
        "session": "session-00001",
        "id": "5500000000000@c.us",
        "isOnline": True,
        "isGroup": False,
        "state": "available",
        "t": 1768504026490,
        "padding": "",
    }
    event["padding"] = "x" * (size - len(json.dumps(event)))
    return json.dumps(event)


def media_event(size: int) -> str:
    """A message with a picture in it, as the engine posts it: base64 in the body."""
    message = {"event": "onmessage", "session": "session-00001", "fromMe": False, "type": "image", "body": ""}
    message["body"] = "QUJD" * (size // 4)
    return json.dumps(message)


def measure(fleet: Fleet, point: Point, told: dict[str, Path], *, turns: int, factor: int) -> dict[str, list[Sample]]:
    """The samples of each proxy, in turn; each is warmed up first."""
    script = told[point.script] if point.script else None
    seconds = point.seconds * factor

    def run(proxy: Proxy, seconds: int) -> Sample:
        try:
            return load.run(
                proxy.process, proxy.port, point.target, seconds=seconds, connections=point.connections, script=script
            )
        except load.LoadError as error:
            raise SystemExit(f"benchmarks: {proxy.name}, {point.what}:\n{error}") from error

    samples: dict[str, list[Sample]] = {}
    contenders, others = fleet.has(*point.proxies), fleet.has(*point.also)
    for proxy in [*contenders, *others]:
        run(proxy, 1)
    for turn in range(turns):
        for proxy in [*contenders, *(others if turn < 2 else [])]:
            samples.setdefault(proxy.name, []).append(run(proxy, seconds))
    return samples


def report(point: Point, samples: dict[str, list[Sample]]) -> tuple[Section, list[Finding]]:
    """The table of one point, and how ours stands against the peer it is held against."""
    section = Section(
        point.what[0].upper() + point.what[1:],
        f"`{point.target}`, {point.connections} connection{'s' * (point.connections > 1)}, kept alive.",
        ["proxy", "answers/s", "p50", "p99", "CPU for each", f"{point.measure} against {point.peer}"],
    )
    for name, runs in samples.items():
        ratio = _ratio(point, samples, name)
        section.rows.append([
            name,
            Median.of([run.rate for run in runs]).text(),
            Median.of([run.p50 for run in runs]).text("µs"),
            Median.of([run.p99 for run in runs]).text("µs"),
            Median.of([run.cpu for run in runs]).text("µs"),
            ratio.text("×", 2) if ratio is not None and name != point.peer else "",
        ])  # fmt: skip
    findings = []
    for name in (OURS, APART):
        if name not in samples:
            continue
        ours = Median.of([getattr(run, point.measure) for run in samples[name]])
        ratio = _ratio(point, samples, name)
        cpu = _ratio(point, samples, name, "cpu")
        # The goal is for the proxy as shipped; the other row shows what sharing adds.
        goal = point.goal if name == OURS else None
        findings.append(
            Finding(
                point.what if name == OURS else f"— the same, `share: false` ({point.what})",
                ours.text("/s" if point.measure == "rate" else "µs"),
                "" if ratio is None else f"{ratio.text('×', 2)} {point.peer}"
                + (f"; CPU {cpu.value:.2f} ×" if cpu is not None else ""),
                goal.text if goal else "",
                goal.verdict(ratio.value if ratio else None) if goal else "",
            )
        )  # fmt: skip
    return section, findings


def _ratio(point: Point, samples: dict[str, list[Sample]], name: str, measure: str | None = None) -> Median | None:
    peer = samples.get(point.peer)
    if not peer:
        return None
    what = measure or point.measure
    pairs = zip(samples[name], peer, strict=False)
    return Median.of([getattr(one, what) / getattr(other, what) for one, other in pairs if getattr(other, what)])
