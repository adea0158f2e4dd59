"""What was missing in requests, by the peer that sent them: counted for the doctor, the page and the metrics.

A fault that shows by what does not come (`proxy.front_proxy` has the signs) costs nobody a request, and so no error
tells of it. It is logged when it is first seen, and again each hour that it goes on.
"""

import logging
from collections import Counter
from typing import Any, Final

log = logging.getLogger("statusproxy.proxy")

#: What is left out: for whom a request is made (`X-Forwarded-For`), and the `Upgrade` of a WebSocket handshake.
CLIENT: Final = "client"
UPGRADE: Final = "upgrade"

#: Peers told apart; a site has one or two proxies in front. Beyond, they share one line.
PEERS: Final = 16

#: Seconds between two log lines about the same, and for which what was seen counts as going on.
HOUR: Final = 3600.0

OTHER: Final = "other"

_LINES: Final = {
    CLIENT: "%s passes requests on and does not say for whom (no X-Forwarded-For): events from outside would be "
    "trusted as its own; statusproxy doctor has the fix",
    UPGRADE: "a WebSocket handshake came through %s without Upgrade, so that it cannot become one; "
    "statusproxy doctor has the fix",
}


class _Seen:
    __slots__ = ("count", "last", "logged", "webhooks")

    def __init__(self) -> None:
        self.count = 0
        self.webhooks = 0
        self.last = 0.0
        self.logged = float("-inf")


class Absences:
    """The tallies; noting is a dictionary look-up and some additions."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Seen] = {}
        self.counts: Counter[str] = Counter({CLIENT: 0, UPGRADE: 0})
        """Requests since the start by what they lacked."""

    def note(self, what: str, peer: str, now: float, *, webhook: bool) -> None:
        """A request of this peer lacked something; `now` in epoch seconds. `webhook`: it was a watched one."""
        key = (what, peer)
        seen = self._seen.get(key)
        if seen is None:
            if len(self._seen) >= PEERS:
                key = (what, OTHER)
            seen = self._seen.setdefault(key, _Seen())
        self.counts[what] += 1
        seen.count += 1
        seen.webhooks += webhook
        seen.last = now
        if not 0 <= now - seen.logged < HOUR:
            seen.logged = now
            log.warning(_LINES[what], key[1], extra={"client": key[1], "missing": what})

    def going_on(self, now: float) -> list[str]:
        """What was missing within the last hour."""
        return sorted({what for (what, _), seen in self._seen.items() if now - seen.last < HOUR})

    def report(self) -> list[dict[str, Any]]:
        """All of it as JSON's types; times in epoch seconds."""
        return [
            {"missing": what, "peer": peer, "count": seen.count, "webhooks": seen.webhooks, "last": seen.last}
            for (what, peer), seen in self._seen.items()
        ]
