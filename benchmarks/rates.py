"""Answers a second, latency and processor time for each answer: statusproxy and its peers in turn, under `wrk`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import load
from benchmarks.fleet import Fleet, Proxy
from benchmarks.load import Sample
from benchmarks.results import Cost, Finding, Goal, Median, Section

OURS, APART, LUA, NGINX = "statusproxy", "statusproxy, not sharing", "nginx + Lua", "nginx"
_WORDS = {"cpu": "CPU", "rate": "rate", "p50": "p50"}
_OTHERS = ("tuned ClientSession", "naive aiohttp", "http-proxy-middleware", "mitmproxy")


@dataclass(frozen=True)
class Aim:
    """A goal for the ratio of one figure of ours to the peer's."""

    of: str
    """`cpu` for each answer, `rate` or `p50`: a member of `Sample`."""
    goal: Goal


def _cpu(bound: float) -> Aim:
    return Aim("cpu", Goal(f"CPU ≤ {bound} ×", bound, at_least=False))


def _rate(bound: float) -> Aim:
    return Aim("rate", Goal(f"rate ≥ {bound} ×", bound))


def _p50(bound: float) -> Aim:
    return Aim("p50", Goal(f"p50 ≤ {bound} ×", bound, at_least=False))


@dataclass(frozen=True)
class Point:
    """One piece of work, the proxies that do it, and what is asked of ours."""

    what: str
    target: str
    proxies: Sequence[str]
    peer: str
    aims: Mapping[str, Sequence[Aim]] = field(default_factory=dict)
    """By the name of the proxy: that of ours as shipped, or of the one that does not share."""
    connections: int = 16
    measure: str = "rate"
    """`rate` (higher is better) or `p50` (lower is better): what is shown beside processor time."""
    script: str | None = None
    needs_lua: bool = False
    seconds: int = 1
    """Seconds of a run, before `--quick` or a full run multiplies them."""
    also: Sequence[str] = field(default_factory=tuple)
    """Peers shown for comparison; they run in two turns only."""


def points() -> list[Point]:
    """All of them, in the order of the report."""
    both = (OURS, APART, LUA)
    return [
        Point(
            "10 channels, one corrected, same answer each time",
            "/api/channels?n=10", both, LUA, {OURS: (_cpu(0.9), _rate(1.2))}, also=_OTHERS,
        ),
        Point(
            "10 channels, one corrected, answer differs each time",
            "/api/differing?n=10", both, LUA, {OURS: (_rate(1.0),), APART: (_cpu(1.5), _rate(0.7))},
            needs_lua=True, also=("tuned ClientSession",),
        ),
        Point(
            "10 channels, one corrected, each request with its own id",
            "/api/channels?n=10", both, LUA, {OURS: (_cpu(1.1), _rate(1.0))}, script="fresh-ids",
        ),
        Point(
            "10 channels, one connection, p50",
            "/api/channels?n=10", (OURS, LUA, "tuned ClientSession", "naive aiohttp"), LUA, {OURS: (_p50(1.3),)},
            connections=1, measure="p50",
        ),
        Point(
            "10 channels, one connection, p50, answer differs each time",
            "/api/differing?n=10", (OURS, LUA), LUA, {OURS: (_p50(1.25),)},
            connections=1, measure="p50", needs_lua=True,
        ),
        Point(
            "1 000 channels, same answer each time",
            "/api/channels?n=1000", both, LUA, {OURS: (_rate(3.0),)}, also=("tuned ClientSession",),
        ),
        Point(
            "1 000 channels, answer differs each time",
            "/api/differing?n=1000", both, LUA, {OURS: (_rate(3.0),), APART: (_rate(2.5),)}, needs_lua=True,
        ),
        Point(
            "10 000 channels, same answer each time",
            "/api/channels?n=10000", both, LUA, {OURS: (_rate(3.0),)}, connections=4,
        ),
        Point(
            "10 000 channels, answer differs each time",
            "/api/differing?n=10000", both, LUA, {OURS: (_rate(3.0),), APART: (_rate(2.5),)},
            connections=4, needs_lua=True,
        ),
        Point(
            "passing on a small answer",
            "/small", (OURS, NGINX, "haproxy"), NGINX, {OURS: (_cpu(2.0), _rate(0.6))}, also=_OTHERS,
        ),
        Point(
            "watched webhook of 1 kB", "/v1/webhooks/receive", (OURS, NGINX, "haproxy"), NGINX,
            {OURS: (_cpu(3.5), _rate(0.35))}, script="webhook-1k",
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
    shown = {"rate": "answers/s", "p50": "p50"}[point.measure]
    section = Section(
        point.what[0].upper() + point.what[1:],
        f"`{point.target}`, {point.connections} connection{'s' * (point.connections > 1)}, kept alive.",
        ["proxy", "CPU for each", f"CPU, × {point.peer}", "answers/s", "p50", "p99", f"{shown}, × {point.peer}"],
    )
    for name, runs in samples.items():
        ratios = [_ratio(point, samples, name, of) for of in ("cpu", point.measure)]
        cpu, other = (ratio.text("", 2) if ratio and name != point.peer else "" for ratio in ratios)
        cost, rate, p50, p99 = (Median.of([getattr(run, of) for run in runs]) for of in ("cpu", "rate", "p50", "p99"))
        section.rows.append([name, cost.text("µs"), cpu, rate.text(), p50.text("µs"), p99.text("µs"), other])
    return section, [_finding(point, samples, name) for name in (OURS, APART) if name in samples]


def _finding(point: Point, samples: dict[str, list[Sample]], name: str) -> Finding:
    """Processor time first: it is the steadier figure."""
    cost, ours = (Median.of([getattr(run, of) for run in samples[name]]) for of in ("cpu", point.measure))
    ratios = {of: _ratio(point, samples, name, of) for of in ("cpu", point.measure)}
    against = "; ".join(f"{_WORDS[of]} {ratio.text('×', 2)}" for of, ratio in ratios.items() if ratio)
    aims = point.aims.get(name, ())
    return Finding(
        point.what if name == OURS else f"— the same, `share: false` ({point.what})",
        f"CPU {cost.text('µs')}; {ours.text('/s') if point.measure == 'rate' else 'p50 ' + ours.text('µs')}",
        f"{against} {point.peer}" if against else "",
        ", ".join(aim.goal.text for aim in aims),
        ", ".join(f"{_WORDS[aim.of]} {aim.goal.verdict(_value(ratios.get(aim.of)))}" for aim in aims),
        Cost(cost.value, _value(ratios["cpu"]), point.peer),
    )


def _value(ratio: Median | None) -> float | None:
    return ratio.value if ratio else None


def _ratio(point: Point, samples: dict[str, list[Sample]], name: str, of: str) -> Median | None:
    """The median of the ratios within one turn."""
    pairs = zip(samples[name], samples.get(point.peer, ()), strict=False)
    ratios = [getattr(one, of) / getattr(other, of) for one, other in pairs if getattr(other, of)]
    return Median.of(ratios) if ratios else None
