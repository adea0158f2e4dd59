"""Which source files are not covered by their own test file: `python -m tests.quality.coverage_own [--room ROOM]`.

Each own test file runs once, alone, in a process of its own, measuring nothing but its source.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import coverage

from tests.quality.mirror import ROOT, module, own_test, sources

#: Seconds for one test file.
LIMIT = 240.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a source file's own tests leave open. Nothing of it: fully covered."""

    source: Path
    failure: str = ""
    """Why there is no measurement: no such test file, or its tests fail."""
    lines: tuple[int, ...] = ()
    branches: tuple[tuple[int, int], ...] = ()
    """From which line to which; a negative one leaves the function that begins there."""

    def __str__(self) -> str:
        if self.failure:
            return f"{self.source}: {self.failure}"
        gaps = [f"{first}-{last}" if first < last else str(first) for first, last in _runs(self.lines)]
        gaps += [f"{start}->{'exit' if end < 0 else end}" for start, end in self.branches]
        return f"{self.source}: {', '.join(gaps) or 'fully covered'}"

    @property
    def covered(self) -> bool:
        """Whether nothing is left open."""
        return not (self.failure or self.lines or self.branches)


def examine(source: Path, root: Path = ROOT) -> Finding:
    """Run the own test file of `source` and say what it does not cover.

    A file that is wholly covered once it is imported holds only values, and needs no test file.
    """
    test = own_test(source)
    exists = (root / test).is_file()
    with tempfile.TemporaryDirectory() as folder:
        settings = _settings(Path(folder), source, root)
        what = ["-m", "pytest", "-qx", "-p", "no:cacheprovider", f"--basetemp={folder}/t", str(test)]
        if not exists:
            (Path(folder) / "imported.py").write_text(f"import {module(source)}\n")
            what = [f"{folder}/imported.py"]
        command = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}", *what]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        try:
            done = subprocess.run(
                command, cwd=root, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            return Finding(source, f"{test} takes longer than {LIMIT:.0f} s")
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines() or [""]
            return Finding(source, f"{test} fails: {said[-1]}" if exists else f"cannot be imported: {said[-1]}")
        found = _open(source, settings, root)
    return found if exists or found.covered else Finding(source, f"no {test}")


def _settings(folder: Path, source: Path, root: Path) -> Path:
    """coverage's settings to measure one file, the lines that never count as in pyproject.toml."""
    report = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage"]["report"]
    left_out = "".join(f"\n    {pattern}" for pattern in report["exclude_also"])
    path = folder / "coveragerc"
    path.write_text(
        f"[run]\nbranch = True\ninclude = {root / source}\ndata_file = {folder}/data\n"
        f"disable_warnings = no-data-collected\n[report]\nexclude_also ={left_out}\n"
    )
    return path


def _open(source: Path, settings: Path, root: Path) -> Finding:
    """What the measurement just made leaves open in `source`."""
    report = settings.with_name("report.json")
    measured = coverage.Coverage(config_file=str(settings))
    measured.load()
    try:
        measured.json_report(outfile=str(report))
    except coverage.exceptions.NoDataError:
        return Finding(source, f"{own_test(source)} never imports it")
    (entry,) = json.loads(report.read_text())["files"].values()
    lines = entry["missing_lines"]
    branches = [(start, end) for start, end in entry["missing_branches"] if start not in lines and end not in lines]
    return Finding(source, lines=tuple(lines), branches=tuple(branches))


def _runs(lines: Iterable[int]) -> list[tuple[int, int]]:
    """Sorted lines as runs of neighbours, first and last."""
    runs: list[tuple[int, int]] = []
    for line in lines:
        if runs and runs[-1][1] == line - 1:
            runs[-1] = (runs[-1][0], line)
        else:
            runs.append((line, line))
    return runs


def main(arguments: list[str] | None = None) -> int:
    """Print every source file of the room that is not covered; 1 if there is one."""
    parser = argparse.ArgumentParser(prog="coverage-own", description=__doc__)
    parser.add_argument("--room", default="", help="a folder or file below statusproxy/; all by default")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args(arguments)
    files = sources(options.room)
    with ThreadPoolExecutor(options.workers) as pool:
        findings = list(pool.map(examine, files))
    gaps = [finding for finding in findings if not finding.covered]
    whole = f"{len(files) - len(gaps)} of {len(files)} source files are fully covered by their own tests"
    sys.stdout.write("".join(f"{line}\n" for line in (*gaps, whole)))
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main())
