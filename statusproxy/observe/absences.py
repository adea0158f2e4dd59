"""Counts requests without a header that a proxy in front should pass on, by peer: for doctor, page and metrics.

A missing header (`proxy.front_proxy` has the signs) makes no request fail, so no error reports the fault. It is logged
when it is first seen, and again each hour while it lasts.
"""

import logging
from collections import Counter
from typing import Final

import msgspec

log = logging.getLogger("statusproxy.proxy")

#: What is left out: the client's address (`X-Forwarded-For`), and the `Upgrade` of a WebSocket handshake.
CLIENT: Final = "client"
UPGRADE: Final = "upgrade"

#: How many peers are distinguished; a site has one or two proxies in front. All further peers share one line.
PEERS: Final = 16

#: Seconds between two log lines about the same, and for which what was seen counts as going on.
HOUR: Final = 3600.0

OTHER: Final = "other"

_LINES: Final = {
    CLIENT: "%s passes requests on without the client's address (no X-Forwarded-For): events from outside would be "
    "trusted as its own; statusproxy doctor has the fix",
    UPGRADE: "a WebSocket handshake came through %s without Upgrade, so it cannot become a WebSocket; "
    "statusproxy doctor has the fix",
}


class AbsenceReport(msgspec.Struct, frozen=True):
    """What one peer leaves out of its requests."""

    missing: str
    """`client` or `upgrade`."""
    peer: str
    count: int
    """Such requests since the start, and how many of them were watched webhooks."""
    webhooks: int
    last: float
    """Epoch seconds."""


class _Tally:
    __slots__ = ("count", "last", "logged", "webhooks")

    def __init__(self) -> None:
        self.count = 0
        self.webhooks = 0
        self.last = 0.0
        self.logged = float("-inf")


class Absences:
    """Counts what requests lacked. Counting is a dictionary look-up and some additions."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self.counts: Counter[str] = Counter({CLIENT: 0, UPGRADE: 0})
        """Requests since the start by what they lacked."""

    def note(self, what: str, peer: str, now: float, *, webhook: bool) -> None:
        """A request of this peer lacked something; `now` in epoch seconds. `webhook`: it was a watched one."""
        key = (what, peer)
        tally = self._tallies.get(key)
        if tally is None:
            if len(self._tallies) >= PEERS:
                key = (what, OTHER)
            tally = self._tallies.setdefault(key, _Tally())
        self.counts[what] += 1
        tally.count += 1
        tally.webhooks += webhook
        tally.last = now
        if not 0 <= now - tally.logged < HOUR:
            tally.logged = now
            log.warning(_LINES[what], key[1], extra={"client": key[1], "missing": what})

    def going_on(self, now: float) -> list[str]:
        """What was missing within the last hour."""
        return sorted({what for (what, _), tally in self._tallies.items() if now - tally.last < HOUR})

    def report(self) -> list[AbsenceReport]:
        """All counts."""
        return [
            AbsenceReport(what, peer, tally.count, tally.webhooks, tally.last)
            for (what, peer), tally in self._tallies.items()
        ]
