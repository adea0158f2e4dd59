"""Work in steps, done at once."""

from collections.abc import Generator
from typing import Any, TypeVar

_T = TypeVar("_T")


def at_once(steps: Generator[Any, None, _T]) -> _T:
    """Go all the steps; what comes of them."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: _T = stop.value
            return result
