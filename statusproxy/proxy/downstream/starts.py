"""How many requests that change something begin in one turn of the event loop; the others wait for the next turns.

An engine that has been silent sends hundreds of webhooks at once. All of them begun in one turn would keep that turn
busy for tens of milliseconds, and everyone else would wait for it, twice: for its request and for its answer. So only a
few begin in each turn, in the order in which they came. What only asks (GET) is never counted and never waits: it
passes by those that wait.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

#: Requests that begin in one turn of the loop: half a millisecond of work, and as much when their answers come.
AT_ONCE: Final = 4


class Starts:
    """Tells each request that changes something when it begins. Each is told once, and tells once that it has begun.

    No timer is spent on it: the last of those that were told to begin tells the next ones, whose tasks then run in the
    loop's next turn.
    """

    __slots__ = ("_coming", "_waiting")

    def __init__(self) -> None:
        self._coming = 0  # told to begin, and have not begun: their tasks run in this turn or the next
        self._waiting: deque[Callable[[], None]] = deque()

    def ask(self, begin: Callable[[], None]) -> None:
        """Call `begin` when this request's turn has come: at once where few have come before it."""
        if self._coming < AT_ONCE and not self._waiting:
            self._coming += 1
            begin()
        else:
            self._waiting.append(begin)

    def begun(self) -> None:
        """One that was told to begin has begun."""
        self._coming -= 1
        if self._waiting and not self._coming:
            self._tell(min(AT_ONCE, len(self._waiting)))

    def all(self) -> None:
        """Tell all that wait to begin: the proxy stops."""
        self._tell(len(self._waiting))

    def _tell(self, count: int) -> None:
        self._coming += count
        for _ in range(count):
            self._waiting.popleft()()
