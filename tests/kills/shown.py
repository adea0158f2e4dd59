"""What proxies show of themselves: which states, which events in the spool; whether all of them agree."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from tests.faults.program import Program
from tests.faults.wire import HOST, WireError

#: Seconds that a start may take on a busy machine.
_START: Final = 60.0

#: What all proxies must show alike of a session: all but the moments, which each tells by its own clock.
_ALIKE: Final = ("shows", "reason", "word", "known", "transient", "transient_word", "released", "last_event")


def start(proxy: Program) -> None:
    """Start a proxy, and wait until it answers, whether the gateway is there or not."""
    proxy.launch()
    if not until(lambda: _answers(proxy) or proxy.ended, _START) or proxy.ended:
        raise RuntimeError(f"the proxy did not start on {HOST}:\n{proxy.text()[-4000:]}")


def until(condition: Callable[[], bool], patience: float) -> bool:
    """Wait until something is so; whether it came to be within `patience` seconds."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def sessions(proxy: Program) -> dict[str, dict[str, Any]]:
    """All sessions that a proxy knows by events; which others the list has, each proxy knows by what it passed on."""
    known = json.loads(proxy.admin("/sessions").body)["sessions"]
    return {each["session"]: each for each in known if each["last_event"] is not None}


def disconnected(proxy: Program) -> dict[str, bool]:
    """Whether each session is shown as disconnected."""
    return {name: session["shows"] == "disconnected" for name, session in sessions(proxy).items()}


def alike(proxy: Program) -> dict[str, dict[str, Any]]:
    """What all proxies must show alike."""
    return {name: {key: session.get(key) for key in _ALIKE} for name, session in sessions(proxy).items()}


def kept(proxy: Program) -> list[dict[str, Any]]:
    """What stands in the spool, as this proxy tells it."""
    answer = proxy.admin("/spool?limit=10000")
    return list(json.loads(answer.body)["entries"]) if answer.status == 200 else []


def healthy(proxies: Sequence[Program]) -> bool:
    """Whether each proxy has its store, knows of all the others, and has nothing in its journal."""
    for proxy in proxies:
        try:
            health = json.loads(proxy.admin("/readyz").body)
        except (OSError, WireError):
            return False
        if health["store"] != "ok" or len(health["proxies"]) < len(proxies) or list(proxy.folder.glob("*.journal")):
            return False
    return True


def _answers(proxy: Program) -> bool:
    try:
        return proxy.admin("/healthz").status == 200
    except (OSError, WireError):
        return False
