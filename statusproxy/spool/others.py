"""What other proxies did to entries, taken over as the store tells it: all that share a spool know all of it."""

from collections.abc import Callable, Sequence

from statusproxy.spool.ids import Ids
from statusproxy.spool.order import Order
from statusproxy.store.spooled import Entry, SpoolNews

__all__ = ["Others"]


class Others:
    """Hands on what the store tells, once what it held at the start is known."""

    def __init__(
        self,
        order: Order,
        ids: Ids,
        here: Callable[[Entry], Entry],
        vanished: Callable[[Sequence[str]], None],
        changed: Callable[[], None],
    ) -> None:
        """`here` gives an entry with its times on our own clock. `vanished` is called with the ids of the entries that
        the server lost, `changed` when there may be something to deliver, or nothing any more."""
        self._order = order
        self._ids = ids
        self._here = here
        self._vanished = vanished
        self._changed = changed
        self._early: list[SpoolNews] | None = []  # told before what was there at the start was taken in

    def take_in(self, entry: Entry) -> None:
        """An entry as the store has it. Later ids sort after its own."""
        self._ids.follow(entry.id)
        self._order.put(self._here(entry))

    def follow(self) -> None:
        """All that was there at the start was taken in: what was told meanwhile comes after it."""
        early, self._early = self._early or [], None
        for news in early:
            self.tell(news)

    def tell(self, news: SpoolNews) -> None:
        """As `SpoolReader.on_news`."""
        if self._early is not None:
            self._early.append(news)
            return
        for entry in news.entries:
            self.take_in(entry)
        for id_ in news.removed:
            self._order.remove(id_)
        if news.lost:
            self._vanished(news.lost)
        self._changed()
