"""This checkout beside another version of it, and nothing else: `make bench-before BEFORE=…`.

BEFORE is a checkout with its `.venv`, or a revision of this one. `make bench AGAINST=…` measures both.
"""

from benchmarks import against, fleet, other, rates
from benchmarks.results import Results


def main() -> None:
    """Measure, and print Markdown tables."""
    parser = other.parser("before", __doc__)
    parser.add_argument("--turns", type=int, default=7, help="turns of a second for each proxy")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only the work whose name has one of these words")
    arguments = parser.parse_args()
    with other.unpacked(arguments.before) as (version, folder), fleet.running(folder, peers=False) as running:
        told, only = rates.scripts(running.folder), arguments.only or ()
        results = Results(quick=False, versions={})
        results.add(*against.measure(running, version, told, turns=arguments.turns, only=only))
        if not only:
            results.add(*against.starts(running, version, turns=arguments.turns))
            results.add(*against.steps(version, turns=arguments.turns))
    print("\n\n".join(section.markdown() for section in results.sections))


if __name__ == "__main__":
    main()
