"""Reads the files that `try` is given; `-` is standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 64 * 1024 * 1024

STANDARD_INPUT: Final = "-"


class FileError(ValueError):
    """A file that cannot be used. `str()` is one line."""


def read(name: str) -> bytes:
    """The content of a file. Raises FileError where it cannot be read, is not a file, or is beyond `MOST_BYTES`."""
    if not name:
        raise FileError("an empty text names no file; give a file's path, or - for standard input")
    try:
        if name == STANDARD_INPUT:
            content = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else str(error)
        raise FileError(f"{label(name)}: cannot be read: {problem}") from None
    if len(content) > MOST_BYTES:
        raise FileError(f"{label(name)}: larger than 64 MiB; give a part of it")
    return content


def label(name: str) -> str:
    """How a file is called in messages."""
    return "standard input" if name == STANDARD_INPUT else name
