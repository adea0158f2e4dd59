"""The runbook walked through on a VPS: each block put in the way, verified, rolled back, and put in the way again.

What was pasted and printed stands in artifacts/runbook.log.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from tests.docs.machine import TYPED, Origin, vps
from tests.docs.pages import ROOT, Step, blocks, steps
from tests.docs.shell import Bash, Shell

ENGLISH, PORTUGUESE = ROOT / "docs" / "runbook.md", ROOT / "docs" / "pt-BR" / "runbook.md"
PAGE = "docs/runbook.md"
LOG = ROOT / "artifacts" / "runbook.log"

ROLL_BACK = "Roll back"
UPGRADE = "6. Upgrade, and back"

#: Sections of which a site takes one: each is walked through, and left again for the next.
WAYS = ("4A.", "4B.", "4C.")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Bash, Origin]]:
    """A VPS without statusproxy."""
    with vps(tmp_path, LOG, monkeypatch) as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_block_does_what_the_page_promises(site: tuple[Bash, Origin]) -> None:
    bash, origin = site
    shell = Shell(bash, "/run/paste", "/root", TYPED)
    every = steps(ENGLISH.read_text())
    sections = [(title, list(group)) for title, group in groupby(every, section)]
    assert [title.split()[0] for title, _ in sections] == [
        "0.",
        "1.",
        "2.",
        "3.",
        "4A.",
        "4B.",
        "4C.",
        "5.",
        "6.",
        "7.",
        "8.",
    ]
    pasted: set[int] = set()

    def paste(some: list[Step]) -> None:
        for step in some:
            shell.paste(PAGE, step)
            pasted.add(step.line)

    way_a = next(some for title, some in sections if title.startswith("4A."))
    for title, some in sections:
        if title == UPGRADE:
            origin.release("9.9.9")
        if title.startswith("5."):
            paste(forth(way_a))  # acceptance wants the webhooks in the way; the engine's own is the best
        paste(forth(some))
        if back(some):
            paste(back(some))
            if title.startswith(WAYS):
                paste(forth(some))
                paste(back(some))
            else:
                paste(forth(some))
    assert pasted == {step.line for step in every}


def test_both_languages_have_the_same_blocks() -> None:
    english, portuguese = blocks(ENGLISH.read_text()), blocks(PORTUGUESE.read_text())
    assert [(block.language, block.text) for block in portuguese] == [(block.language, block.text) for block in english]


def section(step: Step) -> str:
    """The `##` heading a step stands under."""
    return step.headings[1]


def forth(some: list[Step]) -> list[Step]:
    """The steps of a block that put it in force."""
    return [step for step in some if ROLL_BACK not in step.headings]


def back(some: list[Step]) -> list[Step]:
    """The steps that take it back."""
    return [step for step in some if ROLL_BACK in step.headings]
