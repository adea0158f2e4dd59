"""Counts the steps of work that is done in steps."""

from collections.abc import Generator
from typing import Any, TypeVar

T = TypeVar("T")


def counted(steps: Generator[Any, None, T]) -> tuple[T, int]:
    """What the steps lead to, and how many came before."""
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value, count
        count += 1
