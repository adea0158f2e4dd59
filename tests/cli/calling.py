"""Calling the command line inside a test."""

from __future__ import annotations

import asyncio
from pathlib import Path

from click.testing import CliRunner, Result

from statusproxy.cli.commands import main


def call(*arguments: str | Path, **environment: str) -> Result:
    """Run `statusproxy ARGUMENTS` in this process."""
    return CliRunner().invoke(main, list(map(str, arguments)), env=environment, prog_name="statusproxy")


def written(folder: Path, text: str) -> Path:
    """A configuration file with this text."""
    file = folder / "config.yaml"
    file.write_text(text)
    return file


async def asking(folder: Path, *arguments: str) -> Result:
    """Run a command with the configuration in `folder`, while this thread goes on serving."""
    return await asyncio.to_thread(call, *arguments, "--config", folder / "config.yaml")
