"""How many requests begin in one turn of the event loop; the others wait for the next turns.

An engine that has been silent sends hundreds of webhooks at once, and after a break all clients ask at once. All of
them begun in one turn would keep that turn busy for tens of milliseconds, and everyone else would wait for it, twice:
for its request and for its answer. So only a few begin in each turn, in the order in which they came. What only asks
(GET) has a queue of its own: it passes by webhooks that wait.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

#: Requests that change something which begin in one turn of the loop: half a millisecond of work, and as much when
#: their answers come.
AT_ONCE: Final = 4

#: The same for requests that only ask, some 2 ms. Those that begin together share a call to the gateway if they are
#: alike, so there are more of them.
ASKED_AT_ONCE: Final = 32


class Starts:
    """Tells each request when it begins. Each is told once, and tells once that it has begun.

    No timer is spent on it: the last of those that were told to begin tells the next ones, whose tasks then run in the
    loop's next turn.
    """

    __slots__ = ("_at_once", "_coming", "_waiting")

    def __init__(self, at_once: int) -> None:
        """`at_once` begin in one turn."""
        self._at_once = at_once
        self._coming = 0  # told to begin, and have not begun: their tasks run in this turn or the next
        self._waiting: deque[Callable[[], None]] = deque()

    def ask(self, begin: Callable[[], None]) -> None:
        """Call `begin` when this request's turn has come: at once where few have come before it."""
        if self._coming < self._at_once and not self._waiting:
            self._coming += 1
            begin()
        else:
            self._waiting.append(begin)

    def begun(self) -> None:
        """One that was told to begin has begun."""
        self._coming -= 1
        if self._waiting and not self._coming:
            self._tell(min(self._at_once, len(self._waiting)))

    def all(self) -> None:
        """Tell all that wait to begin: the proxy stops."""
        self._tell(len(self._waiting))

    def _tell(self, count: int) -> None:
        self._coming += count
        for _ in range(count):
            self._waiting.popleft()()
