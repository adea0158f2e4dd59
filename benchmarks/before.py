"""This checkout beside another version of it, and nothing else: `make bench-before BEFORE=…`.

BEFORE is a checkout with its `.venv`, or a revision of this one. `make bench AGAINST=…` measures both.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import against, fleet, rates
from benchmarks.results import Results
from tests.upgrade.version import Version


def main() -> None:
    """Measure, and print Markdown tables."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="statusproxy-bench-") as name:
        folder = Path(name)
        try:
            version = Version.of(arguments.before, folder)
        except ValueError as error:
            raise SystemExit(f"benchmarks: {error}") from None
        with fleet.running(folder, peers=False) as running:
            told, only = rates.scripts(running.folder), arguments.only or ()
            results = Results(quick=False, versions={})
            results.add(*against.measure(running, version, told, turns=arguments.turns, only=only))
            if not only:
                results.add(*against.starts(running, version, turns=arguments.turns))
                results.add(*against.steps(version, turns=arguments.turns))
    print("\n\n".join(section.markdown() for section in results.sections))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.before", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("before", help="the other version: a checkout with its .venv, or a revision of this one")
    parser.add_argument("--turns", type=int, default=7, help="turns of a second for each proxy")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only the work whose name has one of these words")
    return parser.parse_args()


if __name__ == "__main__":
    main()
