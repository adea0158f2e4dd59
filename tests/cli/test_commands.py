"""The program: its version and its help."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from statusproxy import __version__
from statusproxy.cli.commands import main
from tests.cli.calling import call


def test_it_tells_its_version() -> None:
    result = call("--version")
    assert (result.exit_code, result.stdout) == (0, f"statusproxy {__version__}\n")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["run", "-h"], ["check", "-h"], ["try", "-h"], ["sessions", "-h"]]
)
def test_it_helps(arguments: list[str]) -> None:
    result = call(*arguments)
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: statusproxy")


#: What they print is no result: a log, a story that is told, a script for a shell.
WITHOUT_JSON = {"run", "demo", "completion"}


def leaves(group: click.Group, *names: str) -> Iterator[tuple[str, click.Command]]:
    """Each command that does something, by its name."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, *names, name)
        else:
            yield " ".join([*names, name]), command


def test_every_command_that_prints_a_result_prints_it_as_json() -> None:
    with_json = {name for name, command in leaves(main) if any("--json" in each.opts for each in command.params)}
    assert {name for name, _ in leaves(main)} - with_json == WITHOUT_JSON
