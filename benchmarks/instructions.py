"""Instructions of the processor for one answer, here and in another version: `make bench-instructions BEFORE=…`.

Processor time for the same work varies by a tenth and more from second to second on a shared machine. The number of
instructions that the process runs in user mode does not: two counts of the same version differ by less than 1 %, so
a change of two percent shows. Cachegrind counts them (valgrind runs the whole process, some 25 times slower). Not
counted: the kernel's work, and what a cache that misses costs.

One process of a version answers a few requests of each kind, and another for each kind the same and `_MORE` of that
kind: the difference is what these took. One connection, one request after the other.
"""

import contextlib
import http.client
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks import fleet, other, rates
from benchmarks.load import LoadError
from benchmarks.processes import program
from benchmarks.results import Finding, Goal, Section, grouped
from tests.upgrade.version import TODAY, Version

_WARM: Final = 100
_MORE: Final = 1_000
_NO_MORE: Final = Goal("instructions ≤ 1.03 × before", 1.03, at_least=False)

#: In valgrind's log: `==12== I refs:      1,234,567`; `I` and `refs` were farther apart in older versions.
_COUNT: Final = re.compile(r"\bI\s+refs:\s+([\d,]+)")

Request = tuple[str, str, bytes | None, dict[str, str]]
_GET: Final = ("GET", None, {})
_OWN_ID: Final = {"Accept": "application/json", "X-Gateway-Secret": "made-up", "X-Request-Id": "req-{n:010d}"}


def kinds(*, differs: bool) -> dict[str, Request]:
    """The work: method, target, body and fields of each kind. `{n}` in a field becomes the request's number."""
    event = rates.presence_event(1_000).encode()
    work: dict[str, tuple[str, bytes | None, dict[str, str]]] = {
        "passing on a small answer": _GET,
        "watched webhook of 1 kB": ("POST", event, {"Content-Type": "application/json"}),
        "10 channels, one corrected, same answer each time": _GET,
        "10 channels, one corrected, each request with its own id": ("GET", None, _OWN_ID),
        "10 channels, one corrected, answer differs each time": _GET,
    }
    points = {point.what: point for point in rates.points()}
    return {
        what: (method, points[what].target, body, fields)
        for what, (method, body, fields) in work.items()
        if differs or not points[what].needs_lua
    }


def main() -> None:
    """Print a Markdown table."""
    arguments = other.parser("instructions", __doc__).parse_args()
    with other.unpacked(arguments.before) as (version, folder), fleet.running(folder, peers=False) as running:
        found = measure(running, version)
    if not found:
        raise SystemExit(f"benchmarks: {running.missing['valgrind']}")
    print(found[0][0].markdown())


def measure(running: fleet.Fleet, version: Version) -> list[tuple[Section, list[Finding]]]:
    """A table with both versions. Nothing without valgrind, and `running.missing` says so."""
    if program("valgrind") is None:
        running.missing["valgrind"] = "valgrind is not installed: benchmarks/install-peers.sh"
        return []
    work = kinds(differs=running.differs)
    now, before = (_counts(running, of, work) for of in (TODAY, version))
    section = Section(
        f"Instructions against {version.name}",
        "Of the process in user mode, for one answer, counted by Cachegrind: without the kernel's work. Two counts of"
        " one version differ by less than 1 %.",
        ["work", "now", "before", "× before"],
        [[kind, grouped(now[kind]), grouped(before[kind]), f"{now[kind] / before[kind]:.3f}"] for kind in work],
    )
    worst, kind = max((now[kind] / before[kind], kind) for kind in work)
    finding = Finding(
        f"instructions against {version.name}", f"{worst:.3f} × at most", kind, _NO_MORE.text, _NO_MORE.verdict(worst)
    )
    return [(section, [finding])]


def _counts(running: fleet.Fleet, version: Version, work: Mapping[str, Request]) -> dict[str, float]:
    """Instructions for one answer, by kind."""
    # Else only the first process would compile the files of a version that has not run yet.
    sources = Path(version.environment["PYTHONPATH"], "statusproxy")
    subprocess.run([version.python, "-m", "compileall", "-q", str(sources)], check=True, timeout=300)
    least = _count(running, version, work, None)
    return {kind: (_count(running, version, work, kind) - least) / _MORE for kind in work}


def _count(running: fleet.Fleet, version: Version, work: Mapping[str, Request], most: str | None) -> int:
    """All instructions of a process that answers each kind, and the kind `most` more often."""
    log = running.folder / "valgrind.log"
    name = "statusproxy, counted"
    counter = [
        program("valgrind") or "valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null",
        f"--log-file={log}",
    ]  # fmt: skip
    # Python's hashes of text are else others in each process, and with them the work of its dictionaries.
    steady = Version(version.name, version.python, {**version.environment, "PYTHONHASHSEED": "0"})
    with contextlib.ExitStack() as stack:
        proxy = fleet.start_statusproxy(running, stack, name, version=steady, under=counter)
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
        stack.callback(connection.close)
        for kind, request in work.items():
            _ask(connection, request, _WARM + (_MORE if kind == most else 0))
    del running.proxies[name]
    said = log.read_text(errors="replace")
    count = counted(said)
    if count is None:
        raise LoadError(f"valgrind counted nothing of {version.name}: {said[-1500:]}")
    return count


def counted(said: str) -> int | None:
    """The instructions that valgrind's log names at its end; None if it names none."""
    found = _COUNT.search(said)
    return int(found[1].replace(",", "")) if found else None


def _ask(connection: http.client.HTTPConnection, request: Request, times: int) -> None:
    method, target, body, fields = request
    for n in range(times):
        connection.request(method, target, body, {name: value.format(n=n) for name, value in fields.items()})
        answer = connection.getresponse()
        answer.read()
        if answer.status >= 300:
            raise LoadError(f"{method} {target}: {answer.status}")


if __name__ == "__main__":
    main()
