"""What was found: rows of figures, goals and verdicts, as text for the terminal and for RESULTS.md."""

import contextlib
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

#: What a run itself writes, from the top of the repository.
_WRITTEN = (":!/benchmarks/RESULTS.md", ":!/benchmarks/machines.json")

MET, MISSED, NO_GOAL, UNKNOWN = "met", "**missed**", "", "not measured"


@dataclass(frozen=True)
class Median:
    """The middle of some measurements, and the least and the greatest of them."""

    value: float
    least: float
    greatest: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> "Median":
        """The median of at least one number."""
        return cls(statistics.median(numbers), min(numbers), max(numbers))

    @classmethod
    def of_ratios(cls, some: Sequence[float], others: Sequence[float]) -> "Median":
        """The median of the ratios within each turn: a machine that is slow for a while is so for both."""
        return cls.of([one / other for one, other in zip(some, others, strict=True)])

    def text(self, unit: str = "", digits: int = 0) -> str:
        """`20 000 (19 500 to 21 000) unit`."""
        middle, least, greatest = (grouped(n, digits) for n in (self.value, self.least, self.greatest))
        behind = f" {unit}" if unit else ""
        return f"{middle} ({least} to {greatest}){behind}" if self.least != self.greatest else f"{middle}{behind}"


def grouped(number: float, digits: int = 0) -> str:
    """`20 000.5`: thousands apart by a space."""
    return f"{number:,.{digits}f}".replace(",", " ")


@dataclass(frozen=True)
class Goal:
    """A bound that a figure is held against."""

    text: str
    bound: float
    at_least: bool = True

    def verdict(self, reached: float | None) -> str:
        """`met` or `missed`."""
        if reached is None:
            return UNKNOWN
        return MET if (reached >= self.bound if self.at_least else reached <= self.bound) else MISSED


@dataclass(frozen=True)
class Cost:
    """Processor time for one answer, as a figure that is kept for each machine."""

    cpu: float
    """Microseconds."""
    ratio: float | None = None
    """To the peer's, where one was measured."""
    peer: str = ""


@dataclass(frozen=True)
class Finding:
    """One line of the overview."""

    what: str
    figure: str
    against: str = ""
    goal: str = ""
    verdict: str = NO_GOAL
    cost: Cost | None = None


@dataclass
class Section:
    """A table under a heading, with a sentence on how it was measured."""

    title: str
    about: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def markdown(self) -> str:
        """The section as Markdown."""
        return f"## {self.title}\n\n{self.about}\n\n{table(self.columns, self.rows)}"


@dataclass
class Results:
    """All of one run."""

    quick: bool
    versions: dict[str, str]
    findings: list[Finding] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    against: str | None = None
    """The revision or checkout that was measured beside this one."""
    seconds: float = 0.0

    def add(self, section: Section, findings: Sequence[Finding]) -> None:
        """Keep a section, and show what it found."""
        self.sections.append(section)
        self.findings += findings
        for finding in findings:
            goal = f" · goal {finding.goal}: {finding.verdict.replace('*', '')}" if finding.goal else ""
            print(f"  {finding.what}: {finding.figure}{f' · {finding.against}' if finding.against else ''}{goal}")

    @property
    def missed(self) -> list[Finding]:
        """The findings that fall short of their goals."""
        return [finding for finding in self.findings if MISSED in finding.verdict]

    def markdown(self, machines: Section | None = None) -> str:
        """The whole report; `machines` has the figures of several machines side by side."""
        rows = [[f.what, f.figure, f.against, f.goal, f.verdict] for f in self.findings]
        overview = table(["what", "statusproxy", "against", "goal", "verdict"], rows)
        kind = "a quick run: short samples, large spread" if self.quick else "a full run"
        command = f"make bench AGAINST={self.against}" if self.against else "make bench"
        about = (
            f"Written by `{command}` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, of {commit()}; {kind},"
            f" {self.seconds:.0f} s."
            " Medians of alternating runs, with the least and the greatest in brackets; ratios are medians of the"
            " ratios within one turn, in which each proxy ran once. Why the figures are what they are stands in"
            " [docs/performance.md](../docs/performance.md)."
        )
        parts = [
            "# What the benchmarks found",
            about,
            "## Overview\n\n" + overview,
            *([machines.markdown()] if machines is not None else []),
            *(section.markdown() for section in self.sections),
            "## Machine and versions\n\n" + "\n".join(f"- {line}" for line in [*machine(), *self._versions()]),
        ]
        if self.missing:
            lines = [f"- {name}: {why.splitlines()[0]}" for name, why in self.missing.items()]
            parts.insert(3 if machines is None else 4, "## Skipped\n\n" + "\n".join(lines))
        return "\n\n".join(parts) + "\n"

    def _versions(self) -> list[str]:
        return [f"{name}: {version}" for name, version in self.versions.items()]


def commit() -> str:
    """The commit that is measured, and whether files were changed since; words where this is no checkout."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", *_WRITTEN)
        return f"commit {_git('rev-parse', '--short=8', 'HEAD')}{', with changes' if changed else ''}"
    return "an unknown commit"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def processors() -> tuple[int, str]:
    """How many cores, and what they are called."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    return len(models), models[0] if models else platform.machine()


def machine() -> list[str]:
    """What it ran on."""
    count, model = processors()
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    load = " ".join(Path("/proc/loadavg").read_text().split()[:3])
    return [
        f"{count} × {model}, {int(total.split()[1]) // 1024**2} GiB",
        f"Linux {platform.release()}, Python {platform.python_version()}; load at the end {load}",
    ]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
