"""Which changes to the code nobody's tests notice: `python -m tests.quality.mutants [--room ROOM] [--sample N]`.

A sample is drawn by a seed, so that the same mutants come again; each is tried against the own test file of its source.
With `--others`, what survives that is tried against all quick tests of the same folder, too.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.quality.mirror import ROOT, module, own_test, sources
from tests.quality.mutation_worker import NOTICED, SLOW, Fate, Job
from tests.quality.mutations import mutations

_NOTICED = (NOTICED, SLOW)

#: Seconds of other files' tests that a mutant is tried with.
_MOST = 10.0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a file's mutants: how many were tried, and those that no one noticed, as text."""

    source: Path
    tried: int = 0
    slow: int = 0
    """How many of those noticed were so by the time they took."""
    others: int = 0
    """How many of those noticed were so by other tests of the folder alone."""
    survivors: tuple[str, ...] = ()
    failure: str = ""

    @property
    def noticed(self) -> int:
        """How many mutants a test noticed."""
        return self.tried - len(self.survivors)

    def __str__(self) -> str:
        by_others = f", {self.others} of them by other tests" if self.others else ""
        return f"{self.source}: {self.failure or f'{self.noticed} of {self.tried} noticed{by_others}'}"


def sample(files: list[Path], size: int, seed: int, root: Path = ROOT) -> dict[Path, list[int]]:
    """`size` mutants of the files (0: all), drawn evenly: their numbers by file."""
    everything = [(path, one.number) for path in files for one in mutations((root / path).read_text())]
    chosen = everything if not 0 < size < len(everything) else random.Random(seed).sample(everything, size)
    by_file: dict[Path, list[int]] = {}
    for path, number in sorted(chosen):
        by_file.setdefault(path, []).append(number)
    return by_file


def attempt(source: Path, numbers: list[int], seconds: float, root: Path = ROOT, *, others: bool = False) -> Result:
    """Try mutants of one file in a process of its own. Those not begun within so many seconds are left out.

    `others`: what its own test file does not notice is tried against the quick tests beside that.
    """
    if not (root / own_test(source)).is_file():
        return Result(source, failure=f"no {own_test(source)}")
    end = time.monotonic() + seconds
    try:
        fates = _tried(source, numbers, seconds, root, [str(own_test(source))])
        left = [fate.number for fate in fates if fate.fate not in _NOTICED]
        more: list[Fate] = []
        if others and left:
            beside = [str(own_test(source).parent), f"--deselect={own_test(source)}", "-m", "not slow"]
            seconds = max(0.0, end - time.monotonic())
            more = [one for one in _tried(source, left, seconds, root, beside, _MOST) if one.fate in _NOTICED]
    except subprocess.TimeoutExpired:
        return Result(source, failure="takes too long")
    except subprocess.CalledProcessError as error:
        return Result(source, failure=(error.stderr.strip().splitlines() or ["failed"])[-1])
    by_others = {one.number for one in more}
    lost = [one for one in fates if one.fate not in _NOTICED and one.number not in by_others]
    slow = sum(one.fate == SLOW for one in (*fates, *more))
    return Result(source, len(fates), slow, len(by_others), tuple(f"{one.mutation} ({one.fate})" for one in lost))


def _tried(
    source: Path, numbers: list[int], seconds: float, root: Path, tests: list[str], most: float = math.inf
) -> list[Fate]:
    """What becomes of them; after `most` seconds of tests a mutant counts as not noticed."""
    with tempfile.TemporaryDirectory() as folder:
        job = Job(str(source), module(source), tests, numbers, folder, seconds, most=most)
        done = subprocess.run(
            [sys.executable, "-m", "tests.quality.mutation_worker"],
            input=json.dumps(asdict(job)),
            cwd=root,
            env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{ROOT}"},
            capture_output=True,
            text=True,
            timeout=seconds + 100,
            check=True,
        )
    return [Fate(**fate) for fate in json.loads(done.stdout)]


def main(arguments: list[str] | None = None) -> int:
    """Print survivors by module and the share noticed; 1 where that is below what is asked for."""
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--room", default="", help="a folder or file below statusproxy/; all by default")
    parser.add_argument("--sample", type=int, default=200, help="how many mutants; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=600, help="how long the whole may take")
    parser.add_argument("--others", action="store_true", help="try survivors against the tests beside their own, too")
    parser.add_argument("--share", type=float, default=0, help="per cent that must be noticed in all")
    options = parser.parse_args(arguments)
    chosen = sample(sources(options.room), options.sample, options.seed)
    end = time.monotonic() + options.seconds

    def work(source: Path) -> Result:
        left = end - time.monotonic()
        if left > 0:
            result = attempt(source, chosen[source], left, others=options.others)
        else:
            result = Result(source, failure="no time left")
        lines = [str(result), *(f"  {line}" for line in result.survivors)]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        return result

    files = list(chosen)
    random.Random(options.seed).shuffle(files)  # where time ends, it is not always the same that are left
    with ThreadPoolExecutor(options.workers) as pool:
        results = list(pool.map(work, files))
    tried, noticed = sum(one.tried for one in results), sum(one.noticed for one in results)
    share = 100 * noticed / tried if tried else 100.0
    slow = sum(one.slow for one in results)
    others = sum(one.others for one in results)
    how = f"{slow} by the time they took{f', {others} by other tests alone' if options.others else ''}"
    sys.stdout.write(f"{noticed} of {tried} mutants noticed: {share:.1f} % ({how})\n")
    return 1 if share < options.share or any(one.failure for one in results) else 0


if __name__ == "__main__":
    sys.exit(main())
