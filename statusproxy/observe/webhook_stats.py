"""Statistics of the webhooks since the start: senders, trust, paths and events.

Counted for people who ask whether the proxy is on the webhooks' path at all (`statusproxy doctor`). Nothing in it
grows with the traffic: the tables are bounded, and no body, contact or field's value is kept.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Final

import msgspec

from statusproxy.observe.silence import Rhythm
from statusproxy.status.signals import FURTHEST_AHEAD

#: How many senders, paths and kinds of events are distinguished; a site has a handful of each. All further ones share
#: one line.
SENDERS: Final = 32
PATHS: Final = 16
EVENTS: Final = 64

#: Signals whose own times are compared with the clock: enough that one late delivery does not count as a skew.
TIMED: Final = 32

#: Characters of an event's name that are shown.
_NAME: Final = 64

OTHER: Final = "other"


class SenderReport(msgspec.Struct, frozen=True):
    """What came from one address. In JSON, the first release's keys stay: `believed` and `doubts`."""

    address: str
    trusted: int = msgspec.field(name="believed")
    """Webhooks that passed every check."""
    untrusted: dict[str, int] = msgspec.field(name="doubts")
    """The others, by the check that they failed (`network`, `secret`, `jwt`, `signature`, `token`)."""
    last: float
    """Epoch seconds."""
    by_address: int = 0
    """Trusted ones that named no other client and proved nothing: the address is all that speaks for them."""


class PathReport(msgspec.Struct, frozen=True):
    """What was posted to one watched path, and how it was answered."""

    path: str
    count: int
    last: float
    """Epoch seconds."""
    gap: float
    """The longest gap between the last arrivals, in seconds."""
    statuses: dict[str, int]
    """Answers by their status code."""


class EventReport(msgspec.Struct, frozen=True):
    """How often an event of this name came to this."""

    event: str
    verdict: str
    count: int


class ClockReport(msgspec.Struct, frozen=True):
    """How the senders' clock compares with ours."""

    timed: int
    """Signals with a time of their own, of the last `TIMED`."""
    lag: float | None
    """Seconds by which the quickest of them was behind; None where there was none."""
    ahead: int
    """Signals dated too far ahead to be used, since the start."""


class WebhooksReport(msgspec.Struct, frozen=True):
    """All counts, for the doctor."""

    last_heard: float | None
    """When the last trusted webhook came, epoch seconds."""
    heard: int
    gap: float
    senders: list[SenderReport]
    paths: list[PathReport]
    events: list[EventReport]
    clock: ClockReport


class WebhookTotals(msgspec.Struct, frozen=True):
    """How many webhooks came, how many from trusted senders, and the others by the check that they failed."""

    came: int
    trusted: int
    untrusted: dict[str, int]


class _Sender:
    __slots__ = ("by_address", "last", "trusted", "untrusted")

    def __init__(self) -> None:
        self.trusted = 0
        self.by_address = 0
        self.untrusted: Counter[str] = Counter()
        self.last = 0.0


class _Path:
    __slots__ = ("rhythm", "statuses")

    def __init__(self) -> None:
        self.rhythm = Rhythm()
        self.statuses: Counter[int] = Counter()


class WebhookStats:
    """Counts webhooks. Every method is a few dictionary look-ups.

    It goes by the proxy's own clock, so a system clock that is set makes no gap. What it reports is in the system's
    time.
    """

    def __init__(self, shift: Callable[[], float] = lambda: 0.0) -> None:
        """`shift` gives the seconds by which the system's clock is ahead of the proxy's own."""
        self._shift = shift
        self._senders: dict[str, _Sender] = {}
        self._paths: dict[str, _Path] = {}
        self._events: dict[tuple[str, str], int] = {}
        self._lags: deque[float] = deque(maxlen=TIMED)
        self._ahead = 0
        self.rhythm = Rhythm()
        """Of all trusted webhooks, on the proxy's own clock."""

    def heard(
        self, source: str, event: str | None, verdict: str, now: float, by_address: bool = False, first: bool = True
    ) -> None:
        """A trusted webhook was read: the event it names, the result, and whether only the sender's address is known.

        For a webhook with several events this is called for each event; the `first` counts as the webhook.
        """
        if first:
            self.rhythm.came(now)
            sender = self._senders.get(source) or self._sender(source)
            sender.trusted += 1
            sender.by_address += by_address
            sender.last = now
        key, events = ((event or "")[:_NAME], verdict), self._events
        try:
            events[key] += 1
        except KeyError:
            if len(events) >= EVENTS:
                key = (OTHER, verdict if len(events) < 2 * EVENTS else OTHER)
            events[key] = events.get(key, 0) + 1

    def untrusted(self, source: str, why: str, now: float) -> None:
        """A webhook came from a sender that is not trusted, and why not."""
        sender = self._sender(source)
        sender.untrusted[why] += 1
        sender.last = now

    def trust_changed(self) -> None:
        """Other senders are trusted from now on: what was not trusted before says nothing any more."""
        for address, sender in list(self._senders.items()):
            sender.untrusted.clear()
            if not sender.trusted:
                del self._senders[address]

    def timed(self, at: float | None, now: float) -> None:
        """A signal's own time, usable or not, beside the system's clock."""
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

    @property
    def last_heard(self) -> float | None:
        """When the last trusted webhook came, epoch seconds; None before the first."""
        return self.rhythm.last + self._shift() if self.rhythm.count else None

    def totals(self) -> WebhookTotals:
        """How many came, from all senders."""
        untrusted: Counter[str] = Counter()
        for one in self._senders.values():
            untrusted.update(one.untrusted)
        trusted = sum(one.trusted for one in self._senders.values())
        return WebhookTotals(trusted + untrusted.total(), trusted, dict(untrusted))

    def report(self) -> WebhooksReport:
        """All counts."""
        shift = self._shift()
        return WebhooksReport(
            last_heard=self.last_heard,
            heard=self.rhythm.count,
            gap=self.rhythm.gap,
            senders=[
                SenderReport(address, one.trusted, dict(one.untrusted), one.last + shift, one.by_address)
                for address, one in self._senders.items()
            ],
            paths=[
                PathReport(
                    path,
                    one.rhythm.count,
                    one.rhythm.last + shift,
                    one.rhythm.gap,
                    {str(status): count for status, count in one.statuses.items()},
                )
                for path, one in self._paths.items()
            ],
            events=[EventReport(*key, count) for key, count in Counter(self._events).most_common()],
            # Deliveries can be late but not early: the quickest of the last few tells how the clocks differ.
            clock=ClockReport(len(self._lags), min(self._lags, default=None), self._ahead),
        )

    def _sender(self, source: str) -> _Sender:
        sender = self._senders.get(source)
        if sender is None:
            if len(self._senders) >= SENDERS:
                # A flood from made-up senders pushes none out that was ever trusted.
                idle = next((each for each, one in self._senders.items() if not one.trusted and each != OTHER), None)
                if idle is None:
                    source = OTHER
                else:
                    gone = self._senders.pop(idle)
                    self._senders.setdefault(OTHER, _Sender()).untrusted += gone.untrusted
            sender = self._senders.setdefault(source, _Sender())
        return sender
