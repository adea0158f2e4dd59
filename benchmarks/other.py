"""The other version that is measured beside this checkout: as the command line names it, and unpacked."""

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.upgrade.version import Version


def parser(module: str, text: str | None) -> argparse.ArgumentParser:
    """The command line of a module whose docstring is `text`: `before` names the other version."""
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{module}", description=(text or "").partition("\n")[0])
    made.add_argument("before", help="the other version: a checkout with its .venv, or a revision of this one")
    return made


@contextlib.contextmanager
def unpacked(before: str) -> Iterator[tuple[Version, Path]]:
    """That version, and a folder for the time of the measurement."""
    with tempfile.TemporaryDirectory(prefix="statusproxy-bench-") as name:
        folder = Path(name)
        yield version(before, folder), folder


def version(before: str, folder: Path) -> Version:
    """That version; a revision is unpacked into `folder`. Ends the program with a message where there is none."""
    try:
        return Version.of(before, folder)
    except ValueError as error:
        raise SystemExit(f"benchmarks: {error}") from None
