"""Proxy, gateway, walkers and reloads together; the closing table."""

from __future__ import annotations

import json
import signal
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.faults.gateway import Gateway
from tests.faults.program import Options, Program
from tests.faults.wire import ask
from tests.soak.account import Account
from tests.soak.flatness import Flatness, flatness
from tests.soak.walker import Walker

WALKERS: Final = 12

#: Seconds between two reloads of the configuration, and between two questions to the gateway about what arrived.
_RELOAD: Final = 7.0
_COLLECT: Final = 5.0

#: Seconds after which what goes on has ended.
_LAST: Final = 15.0

_MIB: Final = 1024 * 1024

#: What memory and descriptors may have grown by at the end: the allocator's noise beside large bodies, and the pool's.
_MEMORY: Final = 12 * _MIB
_DESCRIPTORS: Final = 16

#: Seconds from which on a run is long enough to tell flat from rising.
_LONG_ENOUGH: Final = 60.0


@dataclass
class Result:
    """What a soak gave."""

    seconds: float
    account: Account
    moments: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    """Resident bytes of the proxy, once a second."""
    descriptors: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """Lines that the proxy logged as errors, and how it ended, where that was not in order."""

    @property
    def memory_flat(self) -> Flatness | None:
        """How memory went; None where the run was too short to tell."""
        return flatness(self.moments, self.memory) if self.seconds >= _LONG_ENOUGH else None

    @property
    def descriptors_flat(self) -> Flatness | None:
        """How the number of descriptors went."""
        return flatness(self.moments, self.descriptors) if self.seconds >= _LONG_ENOUGH else None

    @property
    def failures(self) -> list[str]:
        """Everything that must not be; empty where all is well."""
        account, found = self.account, list(self.errors)
        if account.wrongs:
            found.append(f"{account.wrongs} wrong: " + "; ".join(account.wrong[:5]))
        for count, what in (
            (account.too_long, "requests took more than 5 s"),
            (account.lost, "requests were answered and never delivered"),
            (account.twice, "requests were delivered twice"),
        ):
            if count:
                found.append(f"{count} {what}")
        memory, descriptors = self.memory_flat, self.descriptors_flat
        if memory is not None and memory.growth > _MEMORY:
            found.append(f"memory grew by {memory.growth / _MIB:.1f} MiB")
        if descriptors is not None and descriptors.growth > _DESCRIPTORS:
            found.append(f"descriptors grew by {descriptors.growth:.0f}")
        return found


def soak(seconds: float, seed: int, options: Options, walkers: int = WALKERS) -> Result:
    """Let the walkers walk for `seconds` through a fresh proxy. Raises where that does not start."""
    account = Account()
    result = Result(seconds, account)
    sessions = [f"session-{number}" for number in range(walkers)]
    with tempfile.TemporaryDirectory(prefix="statusproxy-soak-") as folder, Gateway() as gateway:
        state = {"url": f"sqlite:///{Path(folder) / 'state' / 'state.db'}"}
        proxy = Program(options, Path(folder) / "proxy", gateway.url, {"state": state})
        with proxy:
            stopping = threading.Event()
            walking = [Walker(number, proxy.port, sessions, seed, account) for number in range(walkers)]
            threads = [threading.Thread(target=walker.walk, args=[stopping], daemon=True) for walker in walking]
            for thread in threads:
                thread.start()
            _watch(result, proxy, gateway)
            stopping.set()
            for thread in threads:
                thread.join(_LAST)
            _collect(account, gateway)
            if proxy.ended:
                result.errors.append("the proxy ended by itself")
        result.errors += [
            f"logged: {line.get('message')}" for line in proxy.lines() if line.get("level", "").lower() == "error"
        ][:5]
    return result


def _watch(result: Result, proxy: Program, gateway: Gateway) -> None:
    """Look at the proxy once a second, reload it now and then, until the time is over."""
    begun = reloaded = collected = time.monotonic()
    while (now := time.monotonic()) - begun < result.seconds and not proxy.ended:
        use = proxy.use()
        result.moments.append(now - begun)
        result.memory.append(use.memory)
        result.descriptors.append(use.descriptors)
        if now - reloaded >= _RELOAD:
            proxy.signal(signal.SIGHUP)
            reloaded = now
        if now - collected >= _COLLECT:
            _collect(result.account, gateway)
            collected = now
        time.sleep(max(0.0, min(1.0, begun + result.seconds - time.monotonic())))


def _collect(account: Account, gateway: Gateway) -> None:
    account.arrived(json.loads(ask(gateway.port, "GET", "/gateway/report?clear").body)["serials"])


def table(result: Result) -> str:
    """The closing table."""
    lines = [f"{'':16}{'requests':>10}{'median':>10}{'p99':>10}{'longest':>10}{'over 5 s':>10}"]
    for kind, count, median, p99, longest, over in result.account.rows():
        lines.append(
            f"{kind:16}{count:>10}{median * 1000:>7.1f} ms{p99 * 1000:>7.1f} ms{longest * 1000:>7.0f} ms{over:>10}"
        )
    account = result.account
    lines.append(f"{account.requests} requests in {result.seconds:.0f} s; {account.too_long} took more than 5 s")
    lines.append(f"{account.wrongs} wrong answers, {account.lost} lost, {account.twice} delivered twice")
    for what, unit, flat in (
        ("memory", _MIB, result.memory_flat),
        ("descriptors", 1, result.descriptors_flat),
    ):
        if flat is not None:
            lines.append(
                f"{what}: {flat.first / unit:.1f} → {flat.last / unit:.1f}, "
                f"{flat.slope * 3600 / unit:+.2f} an hour by least squares" + (" (MiB)" if unit > 1 else "")
            )
    lines += [f"FAILED: {failure}" for failure in result.failures] or ["all is well"]
    return "\n".join(lines)
