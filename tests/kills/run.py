"""Proxy, gateway, senders and kills together; the closing table."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.faults.program import Options, Program
from tests.faults.stage import WEBHOOK
from tests.faults.wire import HOST, WireError
from tests.kills.ledger import Ledger
from tests.kills.sender import Sender
from tests.kills.verdict import Figures, figures, wrongs
from tests.ports import free_port

#: Sessions that events come for at the same time.
SESSIONS: Final = 6

#: Seconds from a start to the next kill, and from a kill to the next start, at most.
_BETWEEN: Final = 0.6
_DOWN: Final = 0.3

#: Seconds that a start, and the delivery of all that waits, may take: probes are half a minute apart at most.
_START: Final = 30.0
_DRAIN: Final = 90.0

#: Wrong things that are kept word for word.
_KEPT: Final = 20


@dataclass
class Result:
    """What a run gave."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    figures: Figures = field(default_factory=Figures)
    stood: int = 0
    """Events that stood in the spool while the gateway was away at the end."""
    unknown: int = 0
    """Events that are kept as unknown at the end: their senders were told 502."""
    looks: int = 0
    """Sessions whose state was looked at after a kill of the proxy, and could be told."""
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


def run(kills: int, seed: int, options: Options) -> Result:
    """Kill so often, and look. Raises where proxy or gateway do not start."""
    result, begun = Result(seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="statusproxy-kills-") as folder:
        gateway = Ledger(free_port(), Path(folder) / "ledger", seed)
        proxy = Program(options, Path(folder) / "proxy", gateway.url, _settings(Path(folder)))
        senders = [Sender(f"session-{number}", proxy.port, seed) for number in range(SESSIONS)]
        try:
            gateway.start()
            _start(proxy)
            for sender in senders:
                sender.start()
            _kill_again_and_again(result, kills, proxy, gateway, senders)
            for sender in senders:
                sender.stop()
            _settle(result, proxy, gateway, senders)
        finally:
            for sender in senders:
                sender.stop()
            proxy.kill()
            gateway.kill()
        errors = [line for line in proxy.lines() if "inside the proxy" in str(line.get("message"))]
        result.wrong += [f"logged: {line['message']}" for line in errors]
    result.seconds = time.monotonic() - begun
    return result


def _settings(folder: Path) -> dict[str, Any]:
    return {
        "state": {"url": f"sqlite:///{folder / 'state' / 'state.db'}"},
        "webhooks": [{"path": WEBHOOK, "spool": True}],
        "spool": {"schedule": ["100ms", "200ms", "500ms"]},
    }


def _kill_again_and_again(result: Result, kills: int, proxy: Program, gateway: Ledger, senders: list[Sender]) -> None:
    chance = Random(result.seed)
    for _ in range(kills):
        time.sleep(chance.random() * _BETWEEN)
        if chance.random() < 0.5:
            proxy.kill()
            result.kills["proxy"] += 1
            with contextlib.ExitStack() as held:
                for sender in senders:  # no one is answered now: what was acknowledged is what the next start must know
                    held.enter_context(sender.posting)
                time.sleep(chance.random() * _DOWN)
                _start(proxy)
                _look_at_states(result, proxy, senders)
            if chance.random() < 0.5 and not gateway.runs:
                gateway.start()
        else:
            gateway.kill()
            result.kills["gateway"] += 1
            time.sleep(chance.random() * _DOWN)
            if chance.random() < 0.7:  # else it stays away until the next kill
                gateway.start()
        if not gateway.runs and chance.random() < 0.5:
            gateway.start()


def _settle(result: Result, proxy: Program, gateway: Ledger, senders: list[Sender]) -> None:
    """Look at what stands in the spool while the gateway is away, and at everything once it is back."""
    gateway.kill()
    for sender in senders:  # the last word of each session is acknowledged
        while (last := sender.post()) is None or not last.acknowledged:
            time.sleep(0.01)
    proxy.kill()
    _start(proxy)
    _look_at_states(result, proxy, senders)
    sent = {sender.session: sender.sent for sender in senders}
    entries = _listed(proxy)
    result.stood = sum(entry["state"] == "waiting" for entry in entries)
    _note(result, wrongs(sent, gateway.arrivals(), {entry["id"] for entry in entries}))
    gateway.start()
    end = time.monotonic() + _DRAIN
    while any(entry["state"] == "waiting" for entry in _listed(proxy)):
        if time.monotonic() > end:
            _note(result, ["events still wait in the spool"])
            break
        time.sleep(0.2)
    arrived = gateway.arrivals()
    _note(result, wrongs(sent, arrived))
    result.unknown = sum(entry["state"] == "unknown" for entry in _listed(proxy))
    result.figures = figures(sent, arrived)


def _look_at_states(result: Result, proxy: Program, senders: list[Sender]) -> None:
    """Whether the proxy knows each session's last acknowledged state, and no session that was never named."""
    sessions = json.loads(proxy.admin("/sessions").body)["sessions"]
    shown = {session["session"]: session["shows"] == "disconnected" for session in sessions}
    for sender in senders:
        told = sender.told()
        if told is not None:
            result.looks += 1
            if shown.get(sender.session) is not told:
                _note(result, [f"{sender.session}: lost is {shown.get(sender.session)}, acknowledged was {told}"])
    strangers = shown.keys() - {sender.session for sender in senders}
    _note(result, [f"{session} was never named" for session in sorted(strangers)])


def _listed(proxy: Program) -> list[dict[str, Any]]:
    """What stands in the spool, as the command tells it."""
    command = [*proxy.options.command, "spool", "list", "--json", "--limit", "10000", "--config", str(proxy.config)]
    listed = subprocess.run(command, capture_output=True, check=True, cwd=proxy.folder)
    entries: list[dict[str, Any]] = json.loads(listed.stdout)["entries"]
    return entries


def _note(result: Result, found: list[str]) -> None:
    result.wrong += found[: max(0, _KEPT - len(result.wrong))]


def _start(proxy: Program) -> None:
    """Start the proxy, and wait until it answers, whether the gateway is there or not."""
    proxy.launch()
    end = time.monotonic() + _START
    while True:
        try:
            proxy.admin("/healthz")
        except (OSError, WireError):
            if proxy.ended or time.monotonic() > end:
                raise RuntimeError(f"the proxy did not start on {HOST}:\n{proxy.text()[-4000:]}") from None
            time.sleep(0.01)
        else:
            return


def table(result: Result) -> str:
    """The closing table."""
    counts, kills = result.figures, result.kills
    lines = [
        f"{kills['proxy']} kills of the proxy, {kills['gateway']} of the gateway, --seed {result.seed}",
        f"{counts.sent} events sent in {result.seconds:.0f} s",
        f"{counts.acknowledged} answered with a success, of these {counts.spooled} with 202",
        f"{counts.arrived} arrived, {counts.repeats} times one came again",
        f"{result.stood} stood in the spool at the end, {result.unknown} are unknown",
        f"{result.looks} states were looked at after a start",
    ]
    lines += [f"FAILED: {wrong}" for wrong in result.wrong] or ["all is well"]
    return "\n".join(lines)
