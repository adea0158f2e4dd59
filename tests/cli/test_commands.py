"""The program: its version and its help."""

from __future__ import annotations

import pytest

from statusproxy import __version__
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
