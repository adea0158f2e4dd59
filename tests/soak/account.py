"""The soak's account: what was asked, answered and delivered, and everything that was wrong."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Final

from tests.faults.waits import quantile

#: Seconds that no request may take.
TOO_LONG: Final = 5.0

#: Wrong things kept word for word; the others are counted.
_KEPT: Final = 20


class Account:
    """Filled by all walkers at once."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.wrongs = 0
        self._lock = threading.Lock()
        self._waits: defaultdict[str, list[float]] = defaultdict(list)
        self._sent: set[str] = set()
        self._acknowledged: set[str] = set()
        self._arrived: Counter[str] = Counter()

    def took(self, kind: str, seconds: float) -> None:
        """A request of this kind was answered after so many seconds."""
        with self._lock:
            self._waits[kind].append(seconds)

    def complain(self, what: str) -> None:
        """Something was wrong."""
        with self._lock:
            self.wrongs += 1
            if len(self.wrong) < _KEPT:
                self.wrong.append(what)

    def sent(self, serial: str) -> None:
        """A request that must not be delivered twice is about to be sent."""
        with self._lock:
            self._sent.add(serial)

    def acknowledged(self, serial: str) -> None:
        """It was answered with a success: it must have been delivered."""
        with self._lock:
            self._acknowledged.add(serial)

    def arrived(self, serials: Mapping[str, int]) -> None:
        """What the gateway got since it was asked last."""
        with self._lock:
            self._arrived.update(serials)

    @property
    def lost(self) -> int:
        """Requests that were answered with a success and never reached the gateway."""
        return sum(self._arrived[serial] == 0 for serial in self._acknowledged)

    @property
    def twice(self) -> int:
        """Requests that reached the gateway more than once, and must not."""
        return sum(self._arrived[serial] > 1 for serial in self._sent)

    @property
    def requests(self) -> int:
        """Requests that were answered."""
        return sum(map(len, self._waits.values()))

    @property
    def too_long(self) -> int:
        """Requests that took longer than any may."""
        return sum(wait > TOO_LONG for waits in self._waits.values() for wait in waits)

    def rows(self) -> list[tuple[str, int, float, float, float, int]]:
        """For each kind: how many, the median, the 99th percentile and the longest in seconds, and those too long."""
        rows = []
        for kind, waits in sorted(self._waits.items()):
            ordered = sorted(waits)
            over = sum(wait > TOO_LONG for wait in ordered)
            rows.append((kind, len(ordered), quantile(ordered, 0.5), quantile(ordered, 0.99), ordered[-1], over))
        return rows
