"""Measures steps of whichever `statusproxy` is found first: bodies on standard input, seconds of each step on output.

Run by `units_before` as a program of its own, once for each checkout.
"""

import asyncio
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping

from statusproxy.config.load import load
from statusproxy.config.settings import Settings
from statusproxy.observe.metrics import Metrics
from statusproxy.registry.registry import SessionRegistry
from statusproxy.status import signals
from statusproxy.status.channels import correct
from statusproxy.status.sessions import SessionMap
from statusproxy.store import open_store

#: Seconds of processor time for a round, and rounds of a step; their median counts.
_ROUND = 0.02
_ROUNDS = 10


def main() -> None:
    """Read the bodies, and print the cost of each step."""
    bodies: dict[str, dict[str, str]] = json.load(sys.stdin)
    gc.disable()
    environment: Mapping[str, str] = {}
    settings = load(None, {}, environment, gateway="http://gateway.example")
    rules, rule, now = settings.signal_rules(), settings.channels[0].rule(), time.time()
    sessions = SessionMap(settings.session_rules())
    lost = bodies["events"]["a phone was unlinked"].encode()
    sessions.hear(signals.read(lost, rules, now), now)
    costs: dict[str, float] = {}
    for name, text in bodies["events"].items():
        body = text.encode()
        costs[name] = _cost(lambda body=body: signals.read(body, rules, now))  # type: ignore[misc]
    costs |= asyncio.run(_entered(settings, bodies["events"]))
    for name, text in bodies["lists"].items():
        body = text.encode()
        assert correct(body, rule, sessions, now, now).corrected
        costs[name] = _cost(lambda body=body: correct(body, rule, sessions, now, now))  # type: ignore[misc]
    json.dump(costs, sys.stdout)


async def _entered(settings: Settings, events: dict[str, str]) -> dict[str, float]:
    """The costs of reading events and entering them into the map, of those that start no override."""
    store = open_store("memory:", None)
    registry = SessionRegistry(settings.signal_rules(), settings.session_rules(), store, Metrics())
    await registry.open()
    costs: dict[str, float] = {}
    for name, text in events.items():
        body = text.encode()
        if registry.hear(body, "127.0.0.1", "/in") is None:
            costs[f"{name}, entered"] = _cost(lambda body=body: registry.hear(body, "127.0.0.1", "/in"))  # type: ignore[misc]
    await registry.close()
    return costs


def _cost(step: Callable[[], object]) -> float:
    step()
    begun = time.process_time()
    step()
    calls = max(1, int(_ROUND / max(time.process_time() - begun, 1e-7)))
    rounds = []
    for _ in range(_ROUNDS):
        begun = time.process_time()
        for _ in range(calls):
            step()
        rounds.append((time.process_time() - begun) / calls)
    return statistics.median(rounds)


if __name__ == "__main__":
    main()
