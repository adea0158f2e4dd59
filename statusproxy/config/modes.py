"""The permissions of a Unix socket in the configuration: an octal number, whichever way YAML can hold one.

YAML 1.1 reads `0666` as the octal number 438, YAML 1.2 as the decimal number 666, and a program that writes YAML may
turn it into `438`. So a number without a leading zero is refused: its meaning depends on who wrote it. In quotes
nothing is ambiguous.
"""

import re
from typing import Final

from statusproxy.config.forms import Form
from statusproxy.config.spot import Spot
from statusproxy.config.yaml_tree import Kind, Scalar

__all__ = ["MODE_ALLOWED", "format_mode", "socket_mode"]

MODE_ALLOWED: Final = "an octal mode such as 0666 (everybody), 0660 (owner and group) or 0600 (owner only)"

_OCTAL: Final = re.compile(r"(?:0o?)?([0-7]{3})")
_DECIMAL: Final = re.compile(r"[1-9][0-9]{1,2}")


def socket_mode() -> Form[int]:
    """Who may connect to a Unix socket, as its file's mode: `0660`, `"0660"`, `"660"` or `0o660`.

    To connect is to write (unix(7)), so that each class of users has both or neither of `r` and `w`, and the owner
    has them.
    """

    def read(spot: Spot) -> int:
        text = spot.text(MODE_ALLOWED)
        bare_number = isinstance(spot.node, Scalar) and spot.node.kind is Kind.INT and not text.startswith("0")
        match = None if bare_number else _OCTAL.fullmatch(text)
        if match is None:
            raise spot.found(f"allowed: {MODE_ALLOWED}{_meant(text)}")
        mode = int(match[1], 8)
        fit = _lets_connect(mode)
        if fit != mode:
            raise spot.found(
                f'allowed: {MODE_ALLOWED}; to connect, a user needs both r and w; did you mean "{format_mode(fit)}"?'
            )
        return mode

    return Form(read, format_mode)


def format_mode(mode: int) -> str:
    """The mode as `ls` and `chmod` users write it: `0660`."""
    return f"0{mode:03o}"


def _lets_connect(mode: int) -> int:
    """The nearest mode that lets the owner connect, and each other class either connect or not."""
    others = sum(6 << shift for shift in (3, 0) if (mode >> shift) & 6)
    return (mode & 0o111) | 0o600 | others


def _meant(text: str) -> str:
    """The octal mode that a number without a leading zero may stand for, as the end of an error."""
    if not _DECIMAL.fullmatch(text):
        return ""
    modes = [int(text, 8)] if _OCTAL.fullmatch(text) else []
    modes.append(int(text))  # written by a program from an octal number
    meant = next((mode for mode in modes if mode <= 0o777 and _lets_connect(mode) == mode), None)
    return "" if meant is None else f'; did you mean "{format_mode(meant)}"?'
