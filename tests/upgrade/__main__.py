"""Upgrades two proxies from another version to this one under load, prints the closing table; 1 where it went wrong.

python -m tests.upgrade BEFORE [--requests 400]      BEFORE: a checkout with its .venv, or a revision of this one
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

import click

from tests.peers.processes import available
from tests.upgrade.run import run, table
from tests.upgrade.version import Version


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("before")
@click.option("--requests", type=click.IntRange(1, 800), default=400, show_default=True, help="In each of 7 stages.")
def main(before: str, requests: int) -> None:
    """Upgrade two proxies from the version BEFORE to this one under load, and look for what is refused or lost."""
    if shutil.which("redis-server") is None or not available("nginx"):
        raise click.ClickException("this needs redis-server and nginx: bash tests/install-peers.sh")
    with tempfile.TemporaryDirectory(prefix="statusproxy-upgrade-") as name:
        try:
            version = Version.of(before, Path(name))
        except ValueError as error:
            raise click.ClickException(str(error)) from error
        result = asyncio.run(run(Path(name), version, requests))
    click.echo(table(result))
    sys.exit(1 if result.wrong else 0)


if __name__ == "__main__":
    main()
