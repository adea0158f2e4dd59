"""Results as text: lines for a terminal, and the tables of `docs/reliability.md`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tests.faults.fault import Fault, Growth, Outcome

_MIB: Final = 1024 * 1024


def listing(faults: Iterable[Fault]) -> str:
    """One line for each fault."""
    return "\n".join(f"{fault.item:4} {fault.name:24} {fault.what}" for fault in faults)


def told(outcome: Outcome) -> str:
    """What came of one fault, for a person."""
    lines = [f"{_verdict(outcome):8} {outcome.item:4} {outcome.name} ({outcome.seconds} s, load {outcome.load})"]
    if outcome.skipped or outcome.error:
        lines.append(f"           {outcome.skipped or outcome.error}")
    for check in outcome.checks:
        mark = "  " if check.ok else "✗ "
        lines.append(f"         {mark}{check.what}: {check.found} (allowed: {check.allowed})")
    return "\n".join(lines)


def summary(outcomes: Sequence[Outcome]) -> str:
    """One line over all of them."""
    found = [outcome.name for outcome in outcomes if not outcome.ok]
    skipped = sum(outcome.skipped is not None for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    text = f"{len(outcomes)} faults in {seconds:.0f} s, {len(found)} found, {skipped} skipped"
    return f"{text}: {', '.join(found)}" if found else text


def _verdict(outcome: Outcome) -> str:
    if outcome.skipped is not None:
        return "skipped"
    return "held" if outcome.ok else "FOUND"


def faults(catalogue: Iterable[Fault]) -> str:
    """The faults as a Markdown table."""
    rows = [
        (fault.item, fault.what, fault.how, fault.sees, "nothing", f"`{fault.command}`")
        for fault in catalogue
    ]  # fmt: skip
    return _markdown(("", "fault", "how it is made", "what the user sees", "what is lost", "command"), rows)


def comparison(catalogue: Iterable[Fault], before: Iterable[Outcome], after: Iterable[Outcome]) -> str:
    """Two runs side by side as a Markdown table: one row for each fault."""
    earlier, later = _by_name(before), _by_name(after)
    rows = [
        (
            f"{fault.item} `{fault.name}`",
            *(cell for pair in zip(_cells(earlier.get(fault.name)), _cells(later.get(fault.name)), strict=True)
              for cell in pair),
        )
        for fault in catalogue
    ]  # fmt: skip
    titles = ("longest wait (times idle)", "memory grew by", "descriptors at most", "what failed")
    return _markdown(("fault", *(f"{title}, {when}" for title in titles for when in ("before", "after"))), rows)


def _by_name(outcomes: Iterable[Outcome]) -> Mapping[str, Outcome]:
    return {outcome.name: outcome for outcome in outcomes}


def _cells(outcome: Outcome | None) -> tuple[str, str, str, str]:
    if outcome is None:
        return ("", "", "", "")
    if outcome.skipped is not None:
        return ("skipped", "", "", "")
    failed = [check.what for check in outcome.checks if not check.ok]
    return (
        _longest(outcome),
        _grown(outcome.memory),
        _most(outcome.descriptors),
        outcome.error or "; ".join(failed) or "nothing",
    )


def _longest(outcome: Outcome) -> str:
    """The worst kind of request: what it waited, and how many times the idle maximum that is."""
    if not outcome.waits:
        return "–"
    kind, worst = max(outcome.waits.items(), key=lambda item: item[1].ratio)
    failed = sum(worst.beside.failed.values())
    text = f"{_seconds(worst.beside.worst)} ({worst.ratio:.0f}, {kind})"
    return f"{text}, {failed} of {worst.beside.count} not served" if failed else text


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _grown(growth: Growth | None) -> str:
    return "–" if growth is None else f"{(growth.peak - growth.before) / _MIB:.0f} MiB"


def _most(growth: Growth | None) -> str:
    return "–" if growth is None else str(growth.peak)


def _markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [" | ".join(titles), " | ".join(["---"] * len(titles)), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)
