"""What a command prints, and the exit codes of those that fail."""

import sys
from typing import Final, NoReturn

import click

from statusproxy.observe.visible import visible

EXIT_CONFIG: Final = 2
"""The configuration or the options cannot be used."""
EXIT_FAILURE: Final = 1
"""The service cannot start, or cannot be asked."""


def show(report: str) -> None:
    """Print a report. A terminal that cannot show a sign gets another for it."""
    encoding = sys.stdout.encoding or "ascii"
    click.echo(report.encode(encoding, "replace").decode(encoding))


def fail(message: str, code: int) -> NoReturn:
    """Say in one line on standard error why nothing was done, and end with this exit code."""
    click.echo(visible(message), err=True)
    sys.exit(code)
