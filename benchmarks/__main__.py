"""All benchmarks, one after the other: `make bench`, or `python -m benchmarks [--quick] [--only WORD] [--against REF]`.

With `--against`, a revision of this repository or another checkout is measured beside this one, in the same turns.
Peers are installed by `install-peers.sh`; one that cannot be had is skipped with a line that says so. Everything is
bounded in time, stays on the loopback interface, and ends what it started. The report goes to benchmarks/RESULTS.md;
processor times are kept in benchmarks/machines.json too, so that the report shows several machines side by side. With
`--quick` or `--only`, the tables are printed and no file is written.
"""

import argparse
import asyncio
import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    against,
    changes,
    express,
    fairness,
    fleet,
    instructions,
    machines,
    memory,
    other,
    polls,
    profile,
    rates,
    start,
    store,
    tunnels,
    units,
    volumes,
)
from benchmarks.results import Finding, Goal, Median, Results, Section, grouped
from tests.upgrade.version import Version

HERE = Path(__file__).parent

Step = Callable[[], Sequence[tuple[Section, Sequence[Finding]]]]


def main() -> int:
    """Run, report; 1 if a goal was missed, 0 else."""
    arguments = _arguments()
    # Ended from outside, what was started must end too: `finally` runs on an exception only.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not arguments.no_install:
        subprocess.run([str(HERE / "install-peers.sh")], check=False, timeout=900)
    begun = time.monotonic()
    results = Results(quick=arguments.quick, versions=fleet.versions())
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="statusproxy-bench-")))
        before = other.version(arguments.against, folder) if arguments.against else None
        results.against = None if before is None else before.name
        running = stack.enter_context(fleet.running(folder))
        results.missing = running.missing
        for peer, why in running.missing.items():
            print(f"skipped: {peer}: {why}")
        for title, step in chosen(_steps(running, before, quick=arguments.quick), arguments.only or ()):
            print(f"{title} …", flush=True)
            for section, findings in step():
                results.add(section, findings)
    results.seconds = time.monotonic() - begun
    output = arguments.output
    if arguments.only or (arguments.quick and output is None):
        print("", *(section.markdown() for section in results.sections), "", sep="\n\n")
    else:
        if not arguments.quick:
            machines.keep(results.findings)
        output = output or HERE / "RESULTS.md"
        output.write_text(results.markdown(machines.side_by_side()), encoding="utf-8")
        print(f"\nwritten: {output} ({results.seconds:.0f} s)")
    met = "every goal met" if results.findings else "no goal is judged by these steps"
    print(f"goals missed: {len(results.missed)}" if results.missed else met)
    return 1 if results.missed else 0


def chosen(steps: Sequence[tuple[str, Step]], words: Sequence[str]) -> list[tuple[str, Step]]:
    """The steps whose title has one of these words; all of them without any. A word that no title has ends the run."""
    unknown = [word for word in words if not any(word in title for title, _ in steps)]
    if unknown:
        titles = "\n".join(f"  {title}" for title, _ in steps)
        print(f"benchmarks: --only {' '.join(unknown)}: no step has this in its title:\n{titles}", file=sys.stderr)
        raise SystemExit(2)
    return [(title, step) for title, step in steps if not words or any(word in title for word in words)]


def _arguments() -> Any:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="about four minutes: one short sample of each")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only the steps whose title has one of these words")
    parser.add_argument("--against", metavar="REF", help="a revision, or a checkout with its .venv, to measure beside")
    parser.add_argument("--no-install", action="store_true", help="take the peers that are there")
    parser.add_argument(
        "--output", type=Path, help="a file for the report; default: benchmarks/RESULTS.md in a full run"
    )
    return parser.parse_args()


def _steps(running: fleet.Fleet, before: Version | None, *, quick: bool) -> list[tuple[str, Step]]:
    turns, factor = (1, 1) if quick else (5, 2)
    seconds, times = (2, 1) if quick else (5, 3)
    told = rates.scripts(running.folder)

    def rate(point: rates.Point) -> Step:
        def measure() -> list[tuple[Section, list[Finding]]]:
            samples = rates.measure(running, point, told, turns=turns, factor=factor)
            return [rates.report(point, samples)] if samples else []

        return measure

    steps: list[tuple[str, Step]] = [
        (f"rates: {point.what}", rate(point)) for point in rates.points() if running.differs or not point.needs_lua
    ]
    steps += [
        ("express: before a real gateway", lambda: express.measure(running, told, turns=turns)),
        ("fairness: a poll beside heavy work", lambda: [fairness.measure(running, seconds=seconds, turns=times)]),
        ("volumes: 1 GiB down and up", lambda: [volumes.measure(running, turns=1 if quick else 3)]),
        ("memory: large bodies", lambda: [_memory(quick)]),
        ("store: durable changes", lambda: [_store(1 if quick else 3)]),
        ("tunnels: 1 000 WebSockets", lambda: [tunnels.measure(running)]),
        ("start: READY and memory at rest", lambda: [start.measure(running, turns=2 if quick else 5)]),
        ("polls: shared listing", lambda: [polls.measure(running)]),
        ("units: the domain's own costs", units.measure),
        ("changes: many at once, beside large lists", changes.measure),
    ]
    steps.append(
        (
            "profile: where the time goes",
            lambda: [(section, []) for section in profile.measure(running, told, before, seconds=seconds)],
        )
    )
    if before is not None:
        steps += [
            (f"against {before.name}: rates", lambda: [against.measure(running, before, told, turns=turns)]),
            (f"against {before.name}: start and memory", lambda: [against.starts(running, before, turns=turns)]),
            (f"against {before.name}: steps", lambda: [against.steps(before, turns=turns)]),
            (f"against {before.name}: instructions", lambda: instructions.measure(running, before)),
        ]
    return steps


def _store(runs: int) -> tuple[Section, list[Finding]]:
    """What `benchmarks/store.py` measures, for the report; on the disk of the working directory."""
    goal = Goal(f"≥ {grouped(store.GOAL)}/s", store.GOAL)
    section = Section(
        "Durable state changes",
        "Each sender waits until its change is on disk (SQLite, a real sync), as a webhook does.",
        ["senders", "changes/s", "commits/s", "p50", "p99"],
    )
    reached = Median(0, 0, 0)
    with tempfile.TemporaryDirectory(dir=".", prefix="bench-store-") as directory:
        place = Path(directory)
        syncs = store.syncs_per_second(place / "raw")
        for senders in store.SENDERS:
            samples = [
                asyncio.run(store.changes_per_second(place / f"{senders}-{run}.db", senders)) for run in range(runs)
            ]
            reached = Median.of([sample[0] for sample in samples])
            took = samples[-1][2]
            p50, p99 = (took[int(len(took) * share)] * 1_000 for share in (0.5, 0.99))
            commits = Median.of([sample[1] for sample in samples])
            section.rows.append([str(senders), reached.text(), commits.text(), f"{p50:.2f} ms", f"{p99:.2f} ms"])
    finding = Finding(
        f"durable changes, {store.SENDERS[-1]} senders", reached.text("/s"),
        f"the disk alone: {grouped(syncs)} syncs/s", goal.text, goal.verdict(reached.value),
    )  # fmt: skip
    return section, [finding]


def _memory(quick: bool) -> tuple[Section, list[Finding]]:
    """What `benchmarks/memory.py` measures, for the report."""
    size = 10 if quick else 1
    passages = asyncio.run(memory.passages(memory.WEBHOOK // size, memory.VOLUME // size))
    section = Section(
        "Memory while large bodies pass",
        "Both ends compare hashes; growth is the peak of resident memory above what it was before.",
        ["body", "MB", "unchanged", "growth", "MB/s"],
        [
            [
                passage.what, grouped(passage.size / 1e6), "yes" if passage.unchanged else "**no**",
                f"{passage.growth / memory.MIB:.1f} MiB", grouped(passage.size / passage.seconds / 1e6),
            ]
            for passage in passages
        ],
    )  # fmt: skip
    worst = max(passage.growth for passage in passages) / memory.MIB
    goal = Goal(f"< {memory.LIMIT // memory.MIB} MiB, every byte as it came", memory.LIMIT / memory.MIB, at_least=False)
    whole = all(passage.unchanged for passage in passages)
    verdict = goal.verdict(worst if whole else None)
    return section, [Finding("memory growth, large bodies", f"{worst:.1f} MiB at most", "", goal.text, verdict)]


if __name__ == "__main__":
    raise SystemExit(main())
