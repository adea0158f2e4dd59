"""Long lists put in order, and let go, some entries at a time, so that others have their turn meanwhile."""

from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import islice
from typing import Any, Final, TypeVar

from statusproxy.pacing import Pacer

__all__ = ["emptied", "in_order", "let_go"]

T = TypeVar("T")

#: Entries sorted, merged or let go before others have their turn: a millisecond or two.
_AT_ONCE: Final = 1_000


async def in_order(entries: Iterable[T], key: Callable[[T], Any], pacer: Pacer) -> list[T]:
    """Entries in the order of their keys; those of equal keys stay as they came.

    They are taken from `entries` some at a time, which must not change meanwhile, unless by being emptied.
    """
    pieces: list[Iterator[T]] = []
    left, long = iter(entries), False
    while piece := list(islice(left, _AT_ONCE)):
        piece.sort(key=key)
        piece.reverse()
        long = long or len(piece) == _AT_ONCE
        pieces.append(emptied(piece))
        if long:
            await pacer.step()
    ordered: list[T] = []
    merged = merge(*pieces, key=key)
    while piece := list(islice(merged, _AT_ONCE)):
        ordered += piece
        if long:
            await pacer.step()
    return ordered


def emptied(entries: list[T]) -> Iterator[T]:
    """The entries from the last to the first, each taken out of the list: it is let go once it is dealt with."""
    while entries:
        yield entries.pop()


async def let_go(entries: list[Any], pacer: Pacer) -> None:
    """Empty a list of which nothing else has the entries: to free a hundred thousand at once takes its time."""
    while entries:
        del entries[-_AT_ONCE:]
        if entries:
            await pacer.step()
