"""The figures of several machines side by side: what each full run found is kept in machines.json, by kind of machine.

Processor time for each answer is what is compared: it is the steadiest figure, and the ratio to a peer on the same
machine is what another machine can be expected to show.
"""

import json
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.results import Finding, Section, grouped, processors

KEPT = Path(__file__).parent / "machines.json"


def this_machine() -> str:
    """The name by which a kind of machine is known: its cores."""
    count, model = processors()
    return f"{count} × {model}"


def keep(findings: Sequence[Finding], file: Path = KEPT) -> None:
    """Keep what was found here, in place of what was found on this kind of machine before."""
    kept = _read(file)
    kept[this_machine()] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "cpu": {
            finding.what: {
                "microseconds": round(finding.cost.cpu, 1),
                "ratio": None if finding.cost.ratio is None else round(finding.cost.ratio, 2),
                "peer": finding.cost.peer,
            }
            for finding in findings
            if finding.cost is not None
        },
    }
    file.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def side_by_side(file: Path = KEPT) -> Section:
    """A column for each machine; the work in the order of the run that was kept last."""
    kept = dict(sorted(_read(file).items(), key=lambda item: str(item[1]["date"]), reverse=True))
    section = Section(
        "The same work on several machines",
        "Processor time for each answer, and its ratio to the peer's on that machine. Each column is the last full run"
        " on that kind of machine, so an older column is of older code.",
        ["work", *(f"{name}, {run['date']}, Python {run['python']}" for name, run in kept.items())],
    )
    works = list(dict.fromkeys(work for run in kept.values() for work in run["cpu"]))
    section.rows.extend([work, *(_cell(run["cpu"].get(work)) for run in kept.values())] for work in works)
    return section


def _cell(cost: dict[str, Any] | None) -> str:
    if cost is None:
        return ""
    against = "" if cost["ratio"] is None else f", {cost['ratio']:.2f} × {cost['peer']}"
    return f"{grouped(cost['microseconds'])} µs{against}"


def _read(file: Path) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return kept
