"""The runbook walked through on a VPS: each block put in the way, verified, rolled back, and put in the way again.

So are the other ways of the webhooks, and each box of the page of operations. What was pasted and printed stands in
artifacts/runbook.log.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from tests.docs.machine import TYPED, Origin, vps
from tests.docs.pages import ROOT, Step, steps
from tests.docs.shell import Bash, Shell

RUNBOOK, WEBHOOKS, OPERATIONS = (f"docs/{name}.md" for name in ("runbook", "webhooks", "operations"))
LOG = ROOT / "artifacts" / "runbook.log"

ROLL_BACK = "Roll back"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Bash, Origin]]:
    """A VPS without statusproxy."""
    with vps(tmp_path, LOG, monkeypatch) as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_block_does_what_the_pages_promise(site: tuple[Bash, Origin]) -> None:
    bash, origin = site
    shell = Shell(bash, "/run/paste", "/root", TYPED)
    sections = by_heading(RUNBOOK, 1)
    assert [title.split()[0] for title in sections] == ["0.", "1.", "2.", "3.", "4.", "5.", "6.", "7."]
    pasted: dict[str, set[int]] = {RUNBOOK: set(), WEBHOOKS: set(), OPERATIONS: set()}

    def paste(page: str, some: list[Step]) -> None:
        for step in some:
            shell.paste(page, step)
            pasted[page].add(step.line)

    def there_and_back(page: str, some: list[Step]) -> None:
        paste(page, forth(some))
        paste(page, back(some))

    for title, some in sections.items():
        if title.startswith("4."):
            # A site takes one of the ways: each is put in force and taken back twice, before the next.
            other = by_heading(WEBHOOKS, 2)
            assert [way.split()[0] for way in other] == ["B.", "C."]
            for page, way in ((RUNBOOK, some), *((WEBHOOKS, way) for way in other.values())):
                there_and_back(page, way)
                there_and_back(page, way)
            paste(RUNBOOK, forth(some))
            continue
        if title.startswith("6."):
            origin.release("9.9.9")
        if title.startswith("7."):
            paste(OPERATIONS, steps((ROOT / OPERATIONS).read_text()))
        paste(RUNBOOK, forth(some))
        if back(some):
            paste(RUNBOOK, back(some))
            paste(RUNBOOK, forth(some))
    for page, lines in pasted.items():
        assert lines == {step.line for step in steps((ROOT / page).read_text())}, page


def by_heading(page: str, level: int) -> dict[str, list[Step]]:
    """A page's steps by the heading of that level that they stand under."""
    every = steps((ROOT / page).read_text())
    return {title: list(some) for title, some in groupby(every, lambda step: step.headings[level])}


def forth(some: list[Step]) -> list[Step]:
    """The steps of a block that put it in force."""
    return [step for step in some if ROLL_BACK not in step.headings]


def back(some: list[Step]) -> list[Step]:
    """The steps that take it back."""
    return [step for step in some if ROLL_BACK in step.headings]
