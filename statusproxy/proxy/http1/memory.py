"""How heads that were read are kept, so that one that comes again is not read again: few, and all dropped when full."""

from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


def keep(cache: dict[_K, _V], key: _K, value: _V, most: int) -> None:
    """Put into `cache`, which holds at most so many. When it is full, all that it holds is dropped."""
    if len(cache) >= most:
        cache.clear()
    cache[key] = value
