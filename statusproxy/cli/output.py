"""What a command prints, and the exit codes of those that fail."""

import json
import sys
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import click

from statusproxy.observe.visible import json_visible, visible

EXIT_CONFIG: Final = 2
"""The configuration or the options cannot be used."""
EXIT_FAILURE: Final = 1
"""The service cannot start, or cannot be asked."""


def show(report: str) -> None:
    """Print a report. A terminal that cannot show a sign gets another for it."""
    encoding = sys.stdout.encoding or "ascii"
    click.echo(report.encode(encoding, "replace").decode(encoding))


def show_json(document: Mapping[str, Any]) -> None:
    """Print a JSON document for people and `jq`, with control characters escaped for terminals."""
    for line in json.dumps(document, indent=2, ensure_ascii=False).split("\n"):
        click.echo(json_visible(line))


def fail(message: str, code: int) -> NoReturn:
    """Say in one line on standard error why nothing was done, and end with this exit code; under `--json` as well."""
    click.echo(visible(message), err=True)
    sys.exit(code)
