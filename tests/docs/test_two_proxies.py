"""docs/two-proxies.md walked through on a VPS with nginx and Redis, from one proxy to two, upgraded, and back.

What was pasted and printed stands in artifacts/two-proxies.log.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.machine import TYPED, Origin, vps
from tests.docs.pages import ROOT, blocks, steps
from tests.docs.shell import Bash, Shell

RUNBOOK = ROOT / "docs" / "runbook.md"
ENGLISH, PORTUGUESE = ROOT / "docs" / "two-proxies.md", ROOT / "docs" / "pt-BR" / "two-proxies.md"
LOG = ROOT / "artifacts" / "two-proxies.log"

#: What of the runbook the page builds on: the names, and the service without what takes it back.
BEFORE = ("0. Names", "2. The service")
TAKES_BACK = "Roll back"

UPGRADE = "Upgrade"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Bash, Origin]]:
    """A VPS with Redis and without statusproxy."""
    with vps(tmp_path, LOG) as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_block_does_what_the_page_promises(site: tuple[Bash, Origin]) -> None:
    bash, origin = site
    shell = Shell(bash, "/run/paste", "/root", TYPED)
    for step in steps(RUNBOOK.read_text()):
        if step.headings[1] in BEFORE and TAKES_BACK not in step.headings:
            shell.paste("docs/runbook.md", step)
    released = False
    for step in steps(ENGLISH.read_text()):
        if UPGRADE in step.headings and not released:
            origin.release("9.9.9")
            released = True
        shell.paste("docs/two-proxies.md", step)
    assert released


def test_both_languages_have_the_same_blocks() -> None:
    english, portuguese = blocks(ENGLISH.read_text()), blocks(PORTUGUESE.read_text())
    assert [(block.language, block.text) for block in portuguese] == [(block.language, block.text) for block in english]
