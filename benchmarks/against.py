"""This checkout beside another version of it, in turns of one run: each point of `rates`, single steps, and starts.

All figures are ratios of ours to the other's within a turn. Processor time for each answer is the steadiest of them;
that has a goal, so that no change slips.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import fleet, load, rates, start, units_before
from benchmarks.load import Sample
from benchmarks.results import Finding, Goal, Median, Section
from tests.upgrade.version import Version

#: The names of the other version's proxies, by those of ours.
BEFORE = {rates.OURS: "before", rates.APART: "before, not sharing"}
_STARTS = (
    ("start to READY", "ready", "s", 2),
    ("memory at rest", "rest", "MiB", 1),
    ("memory after long lists", "after", "MiB", 1),
)
_NO_WORSE = Goal("CPU ≤ 1.03 × before", 1.03, at_least=False)


@contextlib.contextmanager
def beside(running: fleet.Fleet, version: Version) -> Iterator[None]:
    """The other version's proxies run beside ours."""
    with contextlib.ExitStack() as stack:
        for ours, before in BEFORE.items():
            fleet.start_statusproxy(running, stack, before, share=ours == rates.OURS, version=version)
        yield
    for before in BEFORE.values():
        del running.proxies[before]


def measure(
    running: fleet.Fleet, version: Version, told: dict[str, Path], *, turns: int, only: Sequence[str] = ()
) -> tuple[Section, list[Finding]]:
    """Every point that this machine can, or only those whose name has one of these words."""
    section = Section(
        f"Against {version.name}",
        "The same work with both, in turn; ratios are ours to the other's within a turn.",
        ["work", "CPU for each, × before", "rate, × before", "CPU, now", "CPU, before"],
    )
    worst: tuple[float, str] = (0.0, "")
    with beside(running, version):
        for point in rates.points():
            if (only and not any(word in point.what for word in only)) or (point.needs_lua and not running.differs):
                continue
            for ours in BEFORE:
                if ours in point.proxies:
                    what = point.what if ours == rates.OURS else f"{point.what}, `share: false`"
                    cpu, row = _row(running, point, told, ours, turns)
                    section.rows.append([what, *row])
                    worst = max(worst, (cpu, what))
    return section, [
        Finding(
            f"against {version.name}", f"CPU {worst[0]:.2f} × at most", worst[1],
            _NO_WORSE.text, _NO_WORSE.verdict(worst[0]),
        )
    ]  # fmt: skip


def _row(
    running: fleet.Fleet, point: rates.Point, told: dict[str, Path], ours: str, turns: int
) -> tuple[float, list[str]]:
    script = told[point.script] if point.script else None
    samples: dict[str, list[Sample]] = {}
    for turn in range(turns + 1):
        for proxy in running.has(ours, BEFORE[ours]):
            sample = load.run(
                proxy.process, proxy.port, point.target, seconds=1, connections=point.connections, script=script
            )
            if turn:  # the first warms up
                samples.setdefault(proxy.name, []).append(sample)
    now, before = samples[ours], samples[BEFORE[ours]]
    cpu, rate = (
        Median.of_ratios([getattr(run, of) for run in now], [getattr(run, of) for run in before])
        for of in ("cpu", "rate")
    )
    took = [Median.of([run.cpu for run in runs]).text("µs") for runs in (now, before)]
    return cpu.value, [cpu.text("", 2), rate.text("", 2), *took]


def steps(version: Version, *, turns: int) -> tuple[Section, list[Finding]]:
    """Reading an event and correcting a list, without sockets."""
    section = Section(
        f"Steps against {version.name}",
        "In the process; medians of all turns, and the ratio within a turn.",
        units_before.COLUMNS,
    )
    section.rows.extend(units_before.rows(Path(version.environment["PYTHONPATH"]), turns))
    return section, []


def starts(running: fleet.Fleet, version: Version, *, turns: int) -> tuple[Section, list[Finding]]:
    """Start to READY, and memory at rest."""
    section = Section(
        f"Start and memory against {version.name}",
        "Started in turn, the first of each left out; resident memory a second after READY, and after long lists.",
        ["what", "now", "before", "× before"],
    )
    ours, other = start.in_turn(running, [None, version], turns=turns)
    for title, of, unit, digits in _STARTS:
        now, before = ([getattr(each, of) for each in some] for some in (ours, other))
        ratio = Median.of_ratios(now, before)
        figures = [Median.of(some).text(unit, digits) for some in (now, before)]
        section.rows.append([title, *figures, ratio.text("", 2)])
    return section, []
