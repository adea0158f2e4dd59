"""One proxy with its state in SQLite, gateway, senders and kills together."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.faults.program import Options, Program
from tests.faults.stage import WEBHOOK
from tests.kills.ledger import Ledger
from tests.kills.result import Result
from tests.kills.sender import Sender
from tests.kills.shown import disconnected, start
from tests.kills.verdict import figures, wrongs
from tests.ports import free_port

#: Sessions that events come for at the same time.
SESSIONS: Final = 6

#: Seconds from a start to the next kill, and from a kill to the next start, at most.
_BETWEEN: Final = 0.6
_DOWN: Final = 0.3

#: Seconds that the delivery of all that waits may take: probes are half a minute apart at most.
_DRAIN: Final = 90.0


def run(kills: int, seed: int, options: Options) -> Result:
    """Kill so often, and look. Raises where proxy or gateway do not start."""
    result, begun = Result(seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="statusproxy-kills-") as folder:
        gateway = Ledger(free_port(), Path(folder) / "ledger", seed)
        proxy = Program(options, Path(folder) / "proxy", gateway.url, _settings(Path(folder)))
        senders = [Sender(f"session-{number}", [proxy.port], seed) for number in range(SESSIONS)]
        try:
            gateway.start()
            start(proxy)
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
        result.note(sender.error for sender in senders if sender.error is not None)
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
            result.kills["the proxy"] += 1
            with contextlib.ExitStack() as held:
                for sender in senders:  # no one is answered now: what was acknowledged is what the next start must know
                    held.enter_context(sender.posting)
                time.sleep(chance.random() * _DOWN)
                start(proxy)
                _look_at_states(result, proxy, senders)
            if chance.random() < 0.5 and not gateway.runs:
                gateway.start()
        else:
            gateway.kill()
            result.kills["the gateway"] += 1
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
    start(proxy)
    _look_at_states(result, proxy, senders)
    sent = {sender.session: sender.sent for sender in senders}
    entries = _listed(proxy)
    result.stood = sum(entry["state"] == "waiting" for entry in entries)
    result.note(wrongs(sent, gateway.arrivals(), {entry["id"] for entry in entries}))
    gateway.start()
    end = time.monotonic() + _DRAIN
    while any(entry["state"] == "waiting" for entry in _listed(proxy)):
        if time.monotonic() > end:
            result.note(["events still wait in the spool"])
            break
        time.sleep(0.2)
    arrived = gateway.arrivals()
    result.note(wrongs(sent, arrived))
    result.unknown = sum(entry["state"] == "unknown" for entry in _listed(proxy))
    result.figures = figures(sent, arrived)


def _look_at_states(result: Result, proxy: Program, senders: list[Sender]) -> None:
    """Whether the proxy knows each session's last acknowledged state, and no session that was never named."""
    shown = disconnected(proxy)
    for sender in senders:
        told = sender.told()
        if told is not None:
            result.looks += 1
            if shown.get(sender.session) is not told:
                result.note([f"{sender.session}: lost is {shown.get(sender.session)}, acknowledged was {told}"])
    strangers = shown.keys() - {sender.session for sender in senders}
    result.note([f"{session} was never named" for session in sorted(strangers)])


def _listed(proxy: Program) -> list[dict[str, Any]]:
    """What stands in the spool, as the command tells it."""
    command = [*proxy.options.command, "spool", "list", "--json", "--limit", "10000", "--config", str(proxy.config)]
    listed = subprocess.run(command, capture_output=True, check=True, cwd=proxy.folder)
    entries: list[dict[str, Any]] = json.loads(listed.stdout)["entries"]
    return entries
