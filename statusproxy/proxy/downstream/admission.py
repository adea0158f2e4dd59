"""Admission of clients under `limits.connections`: who has a place, and who gives one up first when all are taken."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

ClientT = TypeVar("ClientT")

#: Clients looked at in one search. Those passed over have just become active, so there are never many in a row.
_LOOKED_AT: Final = 16

#: How much sooner a newcomer gives way than a client that had an answer, by how long each was idle. A newcomer has a
#: request to send and sends it at once, within a round trip; the longer it is silent, the less there is to lose. Who
#: was answered may ask again at any time, on a connection that it takes for open.
_SILENCE_COUNTS: Final = 20


class Admission(Generic[ClientT]):
    """The clients that have a place: idle ones (no request has begun), those with a begun head, and those at work.

    The idle go first: of the longest silent newcomer, which never had an answer, and the longest idle of the others,
    the one that was idle for longer; a newcomer's silence counts twenty times. Then go those with a begun head, the
    one that began first before the others. Who is at work keeps its place. Each step takes the same time, however
    many there are.
    """

    __slots__ = ("_answered", "_at_work", "_begun", "_clock", "_newcomers")

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` tells the time in seconds, from any moment on."""
        self._clock = clock
        self._newcomers: OrderedDict[ClientT, float] = OrderedDict()  # since when each is idle
        self._answered: OrderedDict[ClientT, float] = OrderedDict()  # the same
        self._begun: OrderedDict[ClientT, None] = OrderedDict()
        self._at_work: set[ClientT] = set()

    def __len__(self) -> int:
        return len(self._newcomers) + len(self._answered) + len(self._begun) + len(self._at_work)

    def arrive(self, client: ClientT) -> None:
        """`client` is new."""
        self._newcomers[client] = self._clock()

    def rest(self, client: ClientT) -> None:
        """`client`, which was at work or had begun a head, is idle from now on."""
        self._at_work.discard(client)
        self._begun.pop(client, None)
        self._answered[client] = self._clock()

    def begin(self, client: ClientT) -> None:
        """`client` has sent the first bytes of a head."""
        if self._end_rest(client):
            self._begun[client] = None

    def work(self, client: ClientT) -> None:
        """A request of `client` is whole up to its body."""
        if not self._end_rest(client):
            self._begun.pop(client, None)
        self._at_work.add(client)

    def leave(self, client: ClientT) -> None:
        """`client` is gone, or goes. It may have no place any more."""
        self._end_rest(client)
        self._begun.pop(client, None)
        self._at_work.discard(client)

    def first_to_go(self, may_go: Callable[[ClientT], bool]) -> ClientT | None:
        """The client that gives up its place first; None if no client may go.

        `may_go` says whether a client really is idle or in its head: bytes of it that were not read yet may make a
        request. A client that may not go counts as the last that became idle, or that began a head.
        """
        now = self._clock()
        for _ in range(min(len(self._newcomers) + len(self._answered), _LOOKED_AT)):
            idle = self._longest_idle(now)
            client = next(iter(idle))
            if may_go(client):
                return client
            idle.move_to_end(client)
            idle[client] = now
        for _ in range(min(len(self._begun), _LOOKED_AT)):
            client = next(iter(self._begun))
            if may_go(client):
                return client
            self._begun.move_to_end(client)
        return None

    def _longest_idle(self, now: float) -> OrderedDict[ClientT, float]:
        """Those of whom the first goes first: newcomers, or those that had an answer. At least one is idle."""
        if not self._newcomers:
            return self._answered
        if not self._answered:
            return self._newcomers
        silent = (now - next(iter(self._newcomers.values()))) * _SILENCE_COUNTS
        return self._newcomers if silent >= now - next(iter(self._answered.values())) else self._answered

    def _end_rest(self, client: ClientT) -> bool:
        """`client` is no longer idle; False where it was not."""
        return self._answered.pop(client, None) is not None or self._newcomers.pop(client, None) is not None
