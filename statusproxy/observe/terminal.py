"""Whether a terminal may be sent colours: it shows them, and its user has not refused them."""

from collections.abc import Mapping
from typing import TextIO

__all__ = ["colours", "commands"]


def colours(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether text on `stream` may have colours and bold type.

    Not in a file or a pipe, not where `NO_COLOR` holds anything (https://no-color.org), and not on a terminal that
    knows no commands (`TERM=dumb`, terminfo(5)).
    """
    return commands(stream, environ) and not environ.get("NO_COLOR")


def commands(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether `stream` is a terminal that knows commands, such as one that moves its cursor."""
    return stream.isatty() and environ.get("TERM") != "dumb"
