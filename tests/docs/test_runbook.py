"""The runbook walked through on a VPS: each block put in the way, verified, rolled back, and put in the way again.

So are the other ways of the webhooks, and each box of the page of operations. What was pasted and printed stands in
artifacts/runbook.log.
"""

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

from statusproxy import __version__
from tests.docs.machine import TYPED, Origin, vps
from tests.docs.pages import ROOT, Step, steps
from tests.docs.shell import Bash, Shell

RUNBOOK, WEBHOOKS, OPERATIONS = (f"docs/{name}.md" for name in ("runbook", "webhooks", "operations"))
LOG = ROOT / "artifacts" / "runbook.log"

ROLL_BACK = "Roll back"

#: The environment of the version serves the second installation too: to build it again takes 10 s of processor time.
_KEEP = "mkdir /var/cache/kept && cp -al /opt/statusproxy/[0-9]* /var/cache/kept/"
_PUT_BACK = "mkdir /opt/statusproxy && mv /var/cache/kept/* /opt/statusproxy/"

#: How the README names the installer.
INSTALL = "sudo ./systemd/install.sh"
README, PORTUGUESE = ROOT / "README.md", ROOT / "docs" / "pt-BR" / "README.md"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Bash, Origin]]:
    """A VPS without statusproxy."""
    with vps(tmp_path, LOG) as made:
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
            upgrades_and_goes_back(shell, origin, some, paste)
            continue
        if title.startswith("7."):
            paste(OPERATIONS, steps((ROOT / OPERATIONS).read_text()))
        paste(RUNBOOK, forth(some))
        if title.startswith("2."):
            says(shell, _KEEP, "")
        if back(some):
            paste(RUNBOOK, back(some))
            if title.startswith("2."):
                says(shell, _PUT_BACK, "")
            paste(RUNBOOK, forth(some))
        if title.startswith("2."):
            # As the README says it, in the checkout: it is all there already.
            says(shell, f'cd "$CHECKOUT" && {INSTALL}', "active (nothing to do)")
            says(shell, 'cd "$OLDPWD"', "")
    for page, lines in pasted.items():
        assert lines == {step.line for step in steps((ROOT / page).read_text())}, page


def upgrades_and_goes_back(
    shell: Shell, origin: Origin, some: list[Step], paste: Callable[[str, list[Step]], None]
) -> None:
    """The block of the upgrade, there, back and there again; each time that very version runs."""
    origin.release("9.9.9")
    paste(RUNBOOK, forth(some))
    says(shell, "statusproxy --version", "statusproxy 9.9.9")
    paste(RUNBOOK, back(some))
    says(shell, "statusproxy --version", f"statusproxy {__version__}")
    paste(RUNBOOK, forth(some))
    says(shell, "statusproxy --version", "statusproxy 9.9.9")


def says(shell: Shell, command: str, expected: str) -> None:
    """What is not in the page: run in the same shell, with these words in what it prints."""
    assert expected in shell.paste(RUNBOOK, Step(command, None, 0, ()))


@pytest.mark.parametrize("page", [README, PORTUGUESE], ids=["en", "pt-BR"])
def test_the_readme_names_the_installer_as_it_is_run_here(page: Path) -> None:
    assert f"`{INSTALL}`" in page.read_text()


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
