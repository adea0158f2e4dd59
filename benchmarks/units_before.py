"""Reading an event and correcting a list, here and in another version: `make bench-units BEFORE=…`.

BEFORE is a checkout with its `.venv`, or a revision of this one. Each turn measures both, in the order of the turn
before reversed; the ratio is ours to the other's within a turn. Both run with this interpreter and its packages.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks import other
from benchmarks.fleet import SESSION, channels
from benchmarks.rates import media_event, presence_event
from benchmarks.results import Median, grouped, table

COLUMNS = ("step", "now", "before", "× before")

_HERE = Path(__file__).resolve().parents[1]


def main() -> None:
    """Print a Markdown table."""
    parser = other.parser("units_before", __doc__)
    parser.add_argument("--turns", type=int, default=9, help="turns of some seconds")
    arguments = parser.parse_args()
    with other.unpacked(arguments.before) as (version, _):
        found = rows(Path(version.environment["PYTHONPATH"]), arguments.turns)
    print(table(COLUMNS, found))


def rows(checkout: Path, turns: int) -> list[list[str]]:
    """A row of `COLUMNS` for each step, with the medians of so many turns."""
    checkouts = (_HERE, checkout.resolve())
    bodies = json.dumps(_bodies())
    seen: dict[Path, list[dict[str, float]]] = {checkout: [] for checkout in checkouts}
    for turn in range(turns):
        for checkout in checkouts if turn % 2 else reversed(checkouts):
            seen[checkout].append(_measured(checkout, bodies))
    ours, others = (seen[checkout] for checkout in checkouts)
    found = []
    for step in ours[0]:
        now, before = ([costs[step] * 1e6 for costs in of] for of in (ours, others))
        ratio = Median.of_ratios(now, before)
        found.append([step, Median.of(now).text("µs", 1), Median.of(before).text("µs", 1), ratio.text("", 2)])
    return found


def _bodies() -> dict[str, dict[str, str]]:
    """The bodies of both kinds, by what is measured with them."""
    unlinked = {"event": "status-find", "session": SESSION, "status": "desconnectedMobile"}
    message = {"event": "onmessage", "session": SESSION, "from": "1", "data": {"body": "x" * 700}}
    return {
        "events": {
            "a phone was unlinked": json.dumps(unlinked),
            "a message of 800 bytes": json.dumps(message),
            "a contact's presence, 1 kB": presence_event(1_000),
            "a message with a picture, 1 MB": media_event(1_000_000),
        },
        "lists": {
            f"a list of {grouped(size)} channels, one corrected": json.dumps(channels(size), separators=(",", ":"))
            for size in (10, 1_000, 10_000)
        },
    }


def _measured(checkout: Path, bodies: str) -> dict[str, float]:
    program = [sys.executable, "-P", str(_HERE / "benchmarks" / "unit_costs.py")]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    ended = subprocess.run(program, input=bodies, env=environment, check=True, capture_output=True, text=True)
    costs: dict[str, float] = json.loads(ended.stdout)
    return costs


if __name__ == "__main__":
    main()
