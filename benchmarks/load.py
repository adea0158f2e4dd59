"""Load from `wrk`: bounded in time, one thread, keep-alive, pinned to the core that the proxies do not have."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Process, cores, program


@dataclass(frozen=True)
class Sample:
    """One run against one proxy."""

    rate: float
    """Answers a second."""
    p50: float
    """Microseconds in which half of the answers came."""
    p99: float
    cpu: float
    """Microseconds of the proxy's processor time for one answer."""


class LoadError(Exception):
    """A run that measured nothing: no answers, or wrong ones."""


def run(
    proxy: Process, port: int, target: str, *, seconds: int, connections: int = 16, script: Path | None = None
) -> Sample:
    """Ask for `target` as fast as it is answered. Raises `LoadError` if any answer was an error."""
    before = proxy.cpu()
    command = [
        program("taskset") or "taskset", "-c", cores()[1], program("wrk") or "wrk", "-t1", f"-c{connections}",
        f"-d{seconds}s", "--timeout", "30s", "--latency", *(["-s", str(script)] if script else []),
        f"http://127.0.0.1:{port}{target}",
    ]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False).stdout
    used = proxy.cpu() - before
    count = re.search(r"(\d+) requests in", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    times = {share: re.search(rf"^\s+{share}%\s+([\d.]+)(us|ms|s)", said, re.MULTILINE) for share in (50, 99)}
    if count is None or rate is None or not int(count[1]) or "Non-2xx" in said or "Socket errors" in said:
        raise LoadError(said.strip())
    p50, p99 = (_microseconds(times[share]) for share in (50, 99))
    return Sample(float(rate[1]), p50, p99, used / int(count[1]) * 1e6)


def _microseconds(found: re.Match[str] | None) -> float:
    if found is None:
        return float("nan")
    return float(found[1]) * {"us": 1.0, "ms": 1e3, "s": 1e6}[found[2]]


def post_script(folder: Path, name: str, body: str) -> Path:
    """A script for `wrk` that posts `body` (text without quotes of Lua's long kind) as JSON."""
    path = folder / f"{name}.lua"
    data = folder / f"{name}.json"
    data.write_text(body)
    path.write_text(
        f'local file = io.open("{data}"); wrk.body = file:read("*a"); file:close()\n'
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
    )
    return path


def fresh_ids_script(folder: Path) -> Path:
    """A script for `wrk` that gives each request an `X-Request-Id` of its own, as the hub does."""
    path = folder / "fresh-ids.lua"
    path.write_text(
        "local turn = 0\n"
        "request = function()\n"
        "  turn = turn + 1\n"
        '  return wrk.format(nil, nil, { ["Accept"] = "application/json", ["X-Gateway-Secret"] = "made-up",\n'
        '    ["X-Request-Id"] = string.format("req-%010d", turn) })\n'
        "end\n"
    )
    return path
