"""The command version: the version, and with --json what it runs on, for reports of errors and for inventories."""

import platform
from importlib import metadata
from typing import Final

import click

from statusproxy import __version__
from statusproxy.cli.options import json_option
from statusproxy.cli.output import show_json

#: The packages that statusproxy may use (`pyproject.toml`).
PACKAGES: Final = (
    "aiohappyeyeballs", "aiohttp", "apprise", "backports.zstd", "brotli", "click", "hiredis", "httptools", "msgspec",
    "multidict", "prometheus-client", "PyJWT", "pyyaml", "redis", "uvloop",
)  # fmt: skip


@click.command()
@json_option
def version(as_json: bool) -> None:
    """Print the version. With --json also those of Python, the system and each package (null: not installed)."""
    if not as_json:
        click.echo(f"statusproxy {__version__}")
        return
    show_json(
        {
            "version": __version__,
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "platform": platform.platform(),
            "packages": {name: _installed(name) for name in PACKAGES},
        }
    )


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
