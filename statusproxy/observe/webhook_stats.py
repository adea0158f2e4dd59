"""What came by on the webhooks' ways since the start: who sent, what was believed, what it was about.

Counted for people who ask whether the proxy is on the webhooks' way at all (`statusproxy doctor`). Nothing in it
grows with the traffic: the tables are bounded, and no body, contact or field's value is kept.
"""

from collections import Counter, deque
from typing import Any, Final

from statusproxy.observe.silence import Rhythm
from statusproxy.status.signals import FURTHEST_AHEAD

#: Senders, paths and kinds of events told apart; a site has a handful of each. Beyond, they share one line.
SENDERS: Final = 32
PATHS: Final = 16
EVENTS: Final = 64

#: Signals whose own times are compared with the clock: enough that one late delivery does not count as a skew.
TIMED: Final = 32

#: Characters of an event's name that are shown.
_NAME: Final = 64

OTHER: Final = "other"


class _Sender:
    __slots__ = ("believed", "doubts", "last")

    def __init__(self) -> None:
        self.believed = 0
        self.doubts: Counter[str] = Counter()
        self.last = 0.0


class _Path:
    __slots__ = ("rhythm", "statuses")

    def __init__(self) -> None:
        self.rhythm = Rhythm()
        self.statuses: Counter[int] = Counter()


class Seen:
    """The tallies; every method is a few dictionary look-ups."""

    def __init__(self) -> None:
        self._senders: dict[str, _Sender] = {}
        self._paths: dict[str, _Path] = {}
        self._events: Counter[tuple[str, str]] = Counter()
        self._lags: deque[float] = deque(maxlen=TIMED)
        self._ahead = 0
        self.rhythm = Rhythm()
        """Of all trusted webhooks."""

    def heard(self, source: str, event: str | None, verdict: str, now: float) -> None:
        """A believed webhook was read: the event it names, and what became of it."""
        self.rhythm.came(now)
        sender = self._sender(source)
        sender.believed += 1
        sender.last = now
        key = ((event or "")[:_NAME], verdict)
        if key not in self._events and len(self._events) >= EVENTS:
            key = (OTHER, verdict if len(self._events) < 2 * EVENTS else OTHER)
        self._events[key] += 1

    def doubted(self, source: str, why: str, now: float) -> None:
        """A webhook came from a sender that is not believed, and why not."""
        sender = self._sender(source)
        sender.doubts[why] += 1
        sender.last = now

    def trust_changed(self) -> None:
        """Other senders are trusted from now on: what was doubted before says nothing any more."""
        for address, sender in list(self._senders.items()):
            sender.doubts.clear()
            if not sender.believed:
                del self._senders[address]

    def timed(self, at: float | None, now: float) -> None:
        """A signal's own time, usable or not, beside the clock."""
        if at is None:
            return
        if at > now + FURTHEST_AHEAD:
            self._ahead += 1
        else:
            self._lags.append(now - at)

    def passed(self, path: str, status: int, now: float) -> None:
        """A request for a watched path was answered with `status` (0: the client had gone)."""
        way = self._paths.get(path)
        if way is None:
            if len(self._paths) >= PATHS:
                path = OTHER
            way = self._paths.setdefault(path, _Path())
        way.rhythm.came(now)
        way.statuses[status] += 1

    def totals(self) -> dict[str, Any]:
        """How many webhooks came, how many from trusted senders, and why the others were not trusted."""
        doubts: Counter[str] = Counter()
        for one in self._senders.values():
            doubts.update(one.doubts)
        trusted = sum(one.believed for one in self._senders.values())
        return {"came": trusted + doubts.total(), "trusted": trusted, "untrusted": dict(doubts)}

    def report(self) -> dict[str, Any]:
        """All of it as JSON's types; times in epoch seconds."""
        return {
            "heard": self.rhythm.count,
            "gap": self.rhythm.gap,
            "senders": [
                {"address": address, "believed": one.believed, "doubts": dict(one.doubts), "last": one.last}
                for address, one in self._senders.items()
            ],
            "paths": [
                {
                    "path": path,
                    "count": one.rhythm.count,
                    "last": one.rhythm.last,
                    "gap": one.rhythm.gap,
                    "statuses": {str(status): count for status, count in one.statuses.items()},
                }
                for path, one in self._paths.items()
            ],
            "events": [
                {"event": event, "verdict": verdict, "count": count}
                for (event, verdict), count in self._events.most_common()
            ],
            # Deliveries can be late but not early: the quickest of the last few tells how the clocks differ.
            "clock": {"timed": len(self._lags), "lag": min(self._lags, default=None), "ahead": self._ahead},
        }

    def _sender(self, source: str) -> _Sender:
        sender = self._senders.get(source)
        if sender is None:
            if len(self._senders) >= SENDERS:
                # A flood from made-up senders pushes none out that was ever believed.
                idle = next((each for each, one in self._senders.items() if not one.believed and each != OTHER), None)
                if idle is None:
                    source = OTHER
                else:
                    gone = self._senders.pop(idle)
                    self._senders.setdefault(OTHER, _Sender()).doubts += gone.doubts
            sender = self._senders.setdefault(source, _Sender())
        return sender
