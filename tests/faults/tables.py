"""Results as text: lines for a terminal, and the tables of `docs/reliability.md`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tests.faults.fault import Fault, Outcome

_MIB: Final = 1024 * 1024


def listing(faults: Iterable[Fault]) -> str:
    """One line for each fault."""
    return "\n".join(f"{fault.item:4} {fault.name:24} {fault.what}" for fault in faults)


def told(outcome: Outcome) -> str:
    """What came of one fault, for a person."""
    beside = (
        f"{outcome.seconds} s, load {outcome.load}, {outcome.others} processors busy with other programs, machine stood"
        f" still for {outcome.stood_still * 1e3:.0f} ms at most"
    )
    lines = [f"{_verdict(outcome):8} {outcome.item:4} {outcome.name} ({beside})"]
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
    rows = [(fault.item, fault.what, fault.how, fault.sees, "nothing", f"`{fault.command}`") for fault in catalogue]
    return _markdown(("item", "fault", "how it is made", "what the user sees", "what is lost", "command"), rows)


def comparison(catalogue: Iterable[Fault], before: Iterable[Outcome], after: Iterable[Outcome]) -> str:
    """Two runs side by side as a Markdown table: one row for each fault."""
    earlier, later = _by_name(before), _by_name(after)
    rows = []
    for fault in catalogue:
        cells = zip(_cells(earlier.get(fault.name)), _cells(later.get(fault.name)), strict=True)
        wait, memory, descriptors, lost, failed = (f"{was} → {now}" for was, now in cells)
        rows.append((f"{fault.item} `{fault.name}`", wait, f"{memory} MiB", descriptors, lost, failed))
    return _markdown(("fault", "longest wait (times idle)", "memory grew by", "descriptors", "lost", "failed"), rows)


def replaced(page: str, mark: str, table: str) -> str:
    """A page with `table` between the comments `mark` and `end of mark`. `LookupError` where it has none."""
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    if begin not in page or end not in page:
        raise LookupError(f"the page has no place for a table: {begin.strip()} … {end}")
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n{table}\n\n{end}{rest.partition(end)[2]}"


def _by_name(outcomes: Iterable[Outcome]) -> Mapping[str, Outcome]:
    return {outcome.name: outcome for outcome in outcomes}


def _cells(outcome: Outcome | None) -> tuple[str, str, str, str, str]:
    """Wait, memory in MiB, descriptors, what was lost, checks that failed."""
    if outcome is None:
        return ("…", "…", "…", "…", "…")
    if outcome.skipped is not None:
        return ("skipped", "–", "–", "–", "–")
    failed = sum(not check.ok for check in outcome.checks)
    memory, descriptors = outcome.memory, outcome.descriptors
    return (
        _longest(outcome),
        "–" if memory is None else f"{(memory.peak - memory.before) / _MIB:.0f}",
        "–" if descriptors is None else str(descriptors.peak),
        str(outcome.lost),
        "could not be run" if outcome.error else f"{failed} of {len(outcome.checks)}",
    )


def _longest(outcome: Outcome) -> str:
    """The kind of request that waited longest: how long, and how many times the idle maximum that is."""
    if not outcome.waits:
        return "–"
    worst = max(outcome.waits.values(), key=lambda measured: measured.beside.worst)
    failed = sum(sum(measured.beside.failed.values()) for measured in outcome.waits.values())
    text = _seconds(worst.beside.worst) + (f" ({worst.ratio:.0f} times)" if worst.ratio else "")
    return f"{text}, {failed} not served" if failed else text


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [" | ".join(titles), " | ".join(["---"] * len(titles)), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)
