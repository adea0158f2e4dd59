"""A heap from which each item can be taken out, so that it never holds anything outdated. Pure."""

__all__ = ["Heap"]

Item = tuple[float, str, str]
"""A time, an entry's id, and the key under which it is found."""


class Heap:
    """Items by key, the one with the earliest time first. Each change takes a few steps, however many there are."""

    def __init__(self) -> None:
        self._items: list[Item] = []  # as `heapq` orders them
        self._places: dict[str, int] = {}  # by key

    def __len__(self) -> int:
        return len(self._items)

    @property
    def first(self) -> Item | None:
        """The item with the earliest time, and of these the earliest id."""
        return self._items[0] if self._items else None

    def put(self, key: str, at: float, id_: str) -> None:
        """Add an item, or replace the one of this key."""
        place = self._places.get(key)
        if place is None:
            place = len(self._items)
            self._items.append((at, id_, key))
        self._settle((at, id_, key), place)

    def remove(self, key: str) -> None:
        """Take out the item of this key, if there is one."""
        place = self._places.pop(key, None)
        if place is None:
            return
        last = self._items.pop()
        if place < len(self._items):
            self._settle(last, place)

    def _settle(self, item: Item, place: int) -> None:
        """Fill a place that is free: it sinks to the bottom, and the item rises from there to where it belongs."""
        items, places, count = self._items, self._places, len(self._items)
        while (below := 2 * place + 1) < count:
            if below + 1 < count and items[below + 1] < items[below]:
                below += 1
            moved = items[place] = items[below]
            places[moved[2]] = place
            place = below
        while place and item < (moved := items[(place - 1) >> 1]):
            items[place] = moved
            places[moved[2]] = place
            place = (place - 1) >> 1
        items[place] = item
        places[item[2]] = place
