"""A number of things as sentences have it: `1 event`, `2 events`."""

from __future__ import annotations


def counted(count: int, one: str, many: str | None = None) -> str:
    """The number and the word that goes with it; `many` is the plural that is not `one` with an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"
