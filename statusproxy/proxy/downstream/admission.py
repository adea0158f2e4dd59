"""Admission of clients under `limits.connections`: who has a place, and who gives one up first when all are taken."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

ClientT = TypeVar("ClientT")

#: Clients looked at in one search. Those passed over have just become active, so there are never many in a row.
_LOOKED_AT: Final = 16


class Admission(Generic[ClientT]):
    """The clients that have a place: idle ones (no request has begun), those with a begun head, and those at work.

    The idle go first, the longest idle before the others, whether they had an answer before or never sent a byte.
    Then go those with a begun head, the one that began first before the others. Who is at work keeps its place.
    Each step takes the same time, however many there are.
    """

    __slots__ = ("_at_work", "_begun", "_idle")

    def __init__(self) -> None:
        self._idle: OrderedDict[ClientT, None] = OrderedDict()
        self._begun: OrderedDict[ClientT, None] = OrderedDict()
        self._at_work: set[ClientT] = set()

    def __len__(self) -> int:
        return len(self._idle) + len(self._begun) + len(self._at_work)

    def rest(self, client: ClientT) -> None:
        """`client`, which is new or was at work, is idle from now on."""
        self._at_work.discard(client)
        self._idle[client] = None

    def begin(self, client: ClientT) -> None:
        """`client` has sent the first bytes of a head."""
        if client in self._idle:
            del self._idle[client]
            self._begun[client] = None

    def work(self, client: ClientT) -> None:
        """A request of `client` is whole up to its body."""
        if client in self._idle:
            del self._idle[client]
        elif client in self._begun:
            del self._begun[client]
        self._at_work.add(client)

    def leave(self, client: ClientT) -> None:
        """`client` is gone, or goes. It may have no place any more."""
        self._idle.pop(client, None)
        self._begun.pop(client, None)
        self._at_work.discard(client)

    def first_to_go(self, may_go: Callable[[ClientT], bool]) -> ClientT | None:
        """The client that gives its place up first; None where none does.

        `may_go` tells of a client whether it still is what it seems: bytes of it that were not read yet may make a
        request. One that may not go counts as the last to have become idle, or to have begun.
        """
        for order in (self._idle, self._begun):
            for _ in range(min(len(order), _LOOKED_AT)):
                client = next(iter(order))
                if may_go(client):
                    return client
                order.move_to_end(client)
        return None
