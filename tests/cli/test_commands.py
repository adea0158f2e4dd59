"""The program: its version and its help."""

from __future__ import annotations

import subprocess
import sys
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
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, *names, name)
        else:
            yield " ".join([*names, name]), command


def test_every_command_that_prints_a_result_prints_it_as_json() -> None:
    with_json = {name for name, command in leaves(main) if any("--json" in each.opts for each in command.params)}
    assert {name for name, _ in leaves(main)} - with_json == WITHOUT_JSON


@pytest.mark.slow
def test_the_service_imports_the_module_of_no_other_command() -> None:
    script = "from statusproxy.cli import commands; import sys; commands.main(['run', '--help'], standalone_mode=False)"
    listing = "print(*sorted(name for name in sys.modules if name.startswith('statusproxy.cli.')))"
    done = subprocess.run([sys.executable, "-c", f"{script}; {listing}"], capture_output=True, text=True, check=True)
    imported = done.stdout.splitlines()[-1].split()
    assert imported == [f"statusproxy.cli.{name}" for name in ("commands", "options", "output", "service", "settings")]


def test_a_command_that_does_not_exist_is_refused() -> None:
    result = call("magic")
    assert result.exit_code == 2
    assert "No such command 'magic'" in result.stderr
    assert "Did you mean" not in result.stderr


@pytest.mark.parametrize(
    ("said", "meant"), [(["chekc"], "check"), (["sesions", "--json"], "sessions"), (["spool", "lst"], "list")]
)
def test_a_misspelt_command_gets_a_suggestion(said: list[str], meant: str) -> None:
    result = call(*said)
    assert result.exit_code == 2
    _, _, suggested = result.stderr.partition("Did you mean")
    assert f"'{meant}'" in suggested
