"""In front of a real Express gateway, as users have it: what the proxy adds to an answer, beside nginx and no proxy.

The gateway and the load share one core; the proxy has the other. So the gateway is the limit, as it is at a site, and
the figures are processor time for each answer and the time that one client waits.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import fleet, load, rates
from benchmarks.load import Sample
from benchmarks.processes import Process, cores, free_port, program
from benchmarks.results import Cost, Finding, Goal, Median, Section

#: The gateway itself, without a proxy.
_DIRECT = "no proxy"
_OURS, _LUA = "statusproxy before Express", "nginx + Lua before Express"
_NAMES = {_DIRECT: _DIRECT, _OURS: rates.OURS, _LUA: rates.LUA}

_KEEPS_UP = Goal("rate ≥ 0.95 × no proxy", 0.95)


@dataclass(frozen=True)
class _Work:
    what: str
    target: str
    script: str | None = None


_WORK = (
    _Work("10 channels, one corrected", "/api/channels?n=10"),
    _Work("a small answer", "/small"),
    _Work("a watched webhook of 1 kB", "/v1/webhooks/receive", "webhook-1k"),
)


def measure(running: fleet.Fleet, told: dict[str, Path], *, turns: int) -> list[tuple[Section, list[Finding]]]:
    """A table for 16 connections and for one; nothing where Express is not installed."""
    node = program("node")
    if node is None or not (fleet.INSTALLED / "node_modules/express").exists():
        running.missing["Express"] = "Node.js or express is not installed"
        return []
    with contextlib.ExitStack() as stack:
        port = free_port()
        command = [node, str(fleet.PEERS / "express.mjs"), str(port), str(fleet.INSTALLED / "node_modules")]
        gateway = Process(command, cores()[1], running.folder / "express.log", port=port)
        stack.callback(gateway.stop)
        contenders = [fleet.Proxy(_DIRECT, gateway, port)]
        contenders.append(fleet.start_statusproxy(running, stack, _OURS, gateway_port=port))
        if running.has(rates.LUA):
            contenders.append(fleet.start_nginx_lua(running, stack, _LUA, upstream=port))
        found = [_table(contenders, told, connections, turns) for connections in (16, 1)]
        for name in (_OURS, _LUA):
            running.proxies.pop(name, None)
    return found


def _table(
    contenders: Sequence[fleet.Proxy], told: dict[str, Path], connections: int, turns: int
) -> tuple[Section, list[Finding]]:
    one = connections == 1
    section = Section(
        f"Before a real Express gateway, {'one connection' if one else f'{connections} connections'}",
        "The gateway makes each answer anew; it and the load share a core, the proxy has the other.",
        ["work", "proxy", "CPU for each", "answers/s", "p50", "p99", "p50, × no proxy" if one else "rate, × no proxy"],
    )
    findings = []
    for work in _WORK:
        script = told[work.script] if work.script else None
        samples: dict[str, list[Sample]] = {}
        for turn in range(turns + 1):
            for proxy in contenders:
                sample = load.run(
                    proxy.process, proxy.port, work.target, seconds=1, connections=connections, script=script
                )
                if turn:  # the first warms up
                    samples.setdefault(proxy.name, []).append(sample)
        compared = "p50" if one else "rate"
        for name, runs in samples.items():
            ours, direct = ([getattr(run, compared) for run in some] for some in (runs, samples[_DIRECT]))
            ratio = Median.of_ratios(ours, direct)
            cpu, rate, p50, p99 = (
                Median.of([getattr(run, of) for run in runs]) for of in ("cpu", "rate", "p50", "p99")
            )
            shown = (cpu.text("µs"), rate.text(), p50.text("µs"), p99.text("µs"), ratio.text("×", 2))
            section.rows.append([work.what, _NAMES[name], *shown])
            if name == _OURS:
                goal, verdict = ("", "") if one else (_KEEPS_UP.text, _KEEPS_UP.verdict(ratio.value))
                figure = f"CPU {cpu.text('µs')}; {'p50 ' + p50.text('µs') if one else rate.text('/s')}"
                what = f"before Express: {work.what}{', one connection' if one else ''}"
                against = f"{compared} {ratio.text('×', 2)} no proxy"
                findings.append(Finding(what, figure, against, goal, verdict, Cost(cpu.value)))
    return section, findings
