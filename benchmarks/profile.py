"""Where the processor time of one answer goes, by part of the program: what py-spy sees while `wrk` loads the proxy.

py-spy looks at the stack 500 times a second, and counts a look only if the thread had a processor. A look counts for
the file of the innermost line of Python: what that line calls, in C and in the kernel, is its time. Lines that write to
a socket are a part of their own: nearly all of their time is the kernel's. The parts' shares are of the processor time
of an answer in a run without py-spy just before.
"""

import functools
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks import against, fleet, load, rates
from benchmarks.fleet import INSTALLED, Proxy
from benchmarks.results import Section, grouped
from tests.upgrade.version import Version

#: What has no row of its own.
_OTHER: Final = "other parts of statusproxy"

#: The parts, each with the files that belong to it, below `statusproxy/`. The first that fits counts.
PARTS: Final[Mapping[str, Sequence[str]]] = {
    "the client's connection, requests, answers: `proxy/downstream/`": ["proxy/downstream/"],
    "the gateway's connection, pool, calls: `proxy/upstream/`": ["proxy/upstream/"],
    "heads: `proxy/http1/`, `proxy/head_cache.py`, `proxy/request_head.py`, `proxy/response_head.py`": [
        "proxy/http1/", "proxy/head_cache.py", "proxy/request_head.py", "proxy/response_head.py",
    ],
    "one call for several polls: `proxy/coalescing.py`, `proxy/common_answer.py`": [
        "proxy/coalescing.py", "proxy/common_answer.py",
    ],
    "the exchange: `proxy/exchange.py`, `proxy/actions/`, the rest of `proxy/`": ["proxy/"],
    "reading, deciding, splicing: `status/`": ["status/"],
    "the map, metrics, statistics: `registry/`, `observe/`": ["registry/", "observe/"],
}  # fmt: skip
LOOP: Final = "event loop, and the kernel: waiting, reading, waking"
TO_CLIENT: Final = "the kernel, writing to the client"
TO_GATEWAY: Final = "the kernel, writing to the gateway"
ELSEWHERE: Final = "Python's and others' libraries"
_ORDER: Final = (LOOP, TO_CLIENT, TO_GATEWAY, *PARTS, _OTHER, ELSEWHERE)

#: A line that writes to a socket.
_WRITES: Final = re.compile(r"\btransport\.write(?:lines)?\(")

#: The innermost frame of a line of py-spy's raw format, and how often it was seen: `…;name (file:line) 12`.
_INNERMOST: Final = re.compile(r"(?:^|;)(?P<name>[^;]*) \((?P<file>[^;]*?)(?::(?P<line>\d+))?\) (?P<count>\d+)$")

_LOOKS: Final = 500


def points() -> dict[str, tuple[rates.Point, str]]:
    """The columns: a short name, the work, and which of our proxies does it."""
    work = {point.what: point for point in rates.points()}
    return {
        "passed on": (work["passing on a small answer"], rates.OURS),
        "webhook, 1 kB": (work["watched webhook of 1 kB"], rates.OURS),
        "list, shared": (work["10 channels, one corrected, same answer each time"], rates.OURS),
        "list, own id": (work["10 channels, one corrected, each request with its own id"], rates.OURS),
        "list, differs": (work["10 channels, one corrected, answer differs each time"], rates.OURS),
        "list, `share: false`": (work["10 channels, one corrected, same answer each time"], rates.APART),
        "differs, `share: false`": (work["10 channels, one corrected, answer differs each time"], rates.APART),
    }


def measure(running: fleet.Fleet, told: Mapping[str, Path], version: Version | None, *, seconds: int) -> list[Section]:
    """A table for this checkout, and one for another version. None without py-spy, and `running.missing` says so."""
    if spy() is None:
        running.missing["py-spy"] = "it is not installed: benchmarks/install-peers.sh"
        return []
    sections = [_table(running, told, "Where the time goes", "", seconds)]
    if version is not None:
        with against.beside(running, version):
            sections.append(_table(running, told, f"Where the time went in {version.name}", "before", seconds))
    return sections


def spy() -> Path | None:
    """The program; None where it is not installed."""
    program = INSTALLED / "py-spy/bin/py-spy"
    return program if program.exists() else None


def _table(running: fleet.Fleet, told: Mapping[str, Path], title: str, which: str, seconds: int) -> Section:
    seen: dict[str, dict[str, float]] = {}
    for name, (point, ours) in points().items():
        if point.needs_lua and not running.differs:
            continue
        proxy = running.proxies[against.BEFORE[ours] if which else ours]
        script = told[point.script] if point.script else None
        seen[name] = _costs(running, proxy, point, script, seconds)
    return Section(
        title,
        f"Microseconds of processor time for one answer, by part, and in percent of the column. py-spy, {_LOOKS} times"
        f" a second for {seconds} s, {points()['passed on'][0].connections} connections. A line of Python counts with"
        " all that it calls in C and in the kernel.",
        ["part", *seen],
        rows(seen),
    )


def rows(seen: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """A row for each part that any column has, and the sum: `seen` is microseconds by part, by column."""
    found = [part for part in _ORDER if any(column.get(part) for column in seen.values())]
    sums = [sum(column.values()) for column in seen.values()]
    table = [
        [part, *(_cell(column.get(part, 0.0), whole) for column, whole in zip(seen.values(), sums, strict=True))]
        for part in found
    ]
    return [*table, ["all of it", *(f"{grouped(whole)} µs" for whole in sums)]]


def _cell(cost: float, whole: float) -> str:
    return f"{cost:.1f} ({cost / whole:.0%})" if cost else "–"


def _costs(
    running: fleet.Fleet, proxy: Proxy, point: rates.Point, script: Path | None, seconds: int
) -> dict[str, float]:
    def ask(seconds: int) -> load.Sample:
        return load.run(
            proxy.process, proxy.port, point.target, seconds=seconds, connections=point.connections, script=script
        )

    ask(1)  # warms up
    cost = ask(2).cpu
    raw = running.folder / "py-spy.txt"
    command = [
        str(spy()), "record", "--pid", str(proxy.process.pid), "--rate", str(_LOOKS), "--duration", str(seconds),
        "--format", "raw", "--full-filenames", "--output", str(raw), "--nonblocking",
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as looking:
        ask(seconds + 1)
        _, said = looking.communicate(timeout=seconds + 30)
    if looking.returncode:
        raise SystemExit(f"benchmarks: py-spy: {said.decode(errors='replace').strip()}")
    looks = counted(raw.read_text().splitlines())
    whole = sum(looks.values())
    return {part: cost * count / whole for part, count in looks.items()}


def counted(lines: Iterable[str]) -> Counter[str]:
    """How often each part was seen, of lines in py-spy's raw format."""
    looks: Counter[str] = Counter()
    for line in lines:
        found = _INNERMOST.search(line)
        if found is not None:
            looks[part_of(found["file"], int(found["line"] or 0))] += int(found["count"])
    return looks


def part_of(file: str, line: int) -> str:
    """The part that a line of a file belongs to."""
    _, ours, below = file.rpartition("/statusproxy/")
    if not ours or "/site-packages/" in file:
        return LOOP if Path(file).name in {"runners.py", "loop.pyx"} or "uvloop" in file else ELSEWHERE
    if below.startswith("proxy/") and _WRITES.search(_text(file, line)):
        return TO_GATEWAY if below.startswith("proxy/upstream/") else TO_CLIENT
    if below in {"__main__.py", "cli/service.py"}:
        return LOOP
    return next((part for part, files in PARTS.items() if below.startswith(tuple(files))), _OTHER)


@functools.cache
def _lines(file: str) -> list[str]:
    path = Path(file)
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _text(file: str, line: int) -> str:
    lines = _lines(file)
    return lines[line - 1] if 0 < line <= len(lines) else ""
