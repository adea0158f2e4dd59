"""Measures steps of whichever `statusproxy` is found first: bodies on standard input, seconds of each step on output.

Run by `units_before` as a program of its own, once for each checkout.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Mapping

from statusproxy.config.load import load
from statusproxy.status import signals
from statusproxy.status.channels import correct
from statusproxy.status.sessions import SessionMap

#: Seconds of processor time for a round, and rounds of a step; the least counts.
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
        costs[name] = _least(lambda body=body: signals.read(body, rules, now))  # type: ignore[misc]
    for name, text in bodies["lists"].items():
        body = text.encode()
        assert correct(body, rule, sessions, now, now).corrected
        costs[name] = _least(lambda body=body: correct(body, rule, sessions, now, now))  # type: ignore[misc]
    json.dump(costs, sys.stdout)


def _least(step: Callable[[], object]) -> float:
    step()
    begun = time.process_time()
    step()
    calls = max(1, int(_ROUND / max(time.process_time() - begun, 1e-7)))
    least = float("inf")
    for _ in range(_ROUNDS):
        begun = time.process_time()
        for _ in range(calls):
            step()
        least = min(least, (time.process_time() - begun) / calls)
    return least


if __name__ == "__main__":
    main()
