"""What this process has open of a folder."""

import contextlib
import os
from pathlib import Path


def open_below(folder: Path) -> list[str]:
    """The folder and the files below it that are open, also those whose names are gone."""
    found: list[str] = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one of the list itself
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return [name for name in found if Path(name).is_relative_to(folder)]
