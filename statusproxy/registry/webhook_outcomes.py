"""Outcomes of webhooks: counted for the metrics and the doctor; ignored signals are logged."""

from typing import Final

import msgspec

from statusproxy.observe.metrics import Metrics
from statusproxy.observe.webhook_stats import WebhookStats
from statusproxy.registry.change_log import ChangeLog
from statusproxy.status.dialect import Dialect
from statusproxy.status.fields import fold_word
from statusproxy.status.model import DUPLICATE, LATE, Outcome
from statusproxy.status.signals import Reading, Verdict

#: What a signal comes to that changes nothing (`Outcome.verdict`).
_IGNORED = frozenset({LATE, DUPLICATE})

_SAID: Final = {verdict: verdict.value for verdict in Verdict}  # an attribute of an enum takes as long as all else here
_UNMATCHED: Final = Verdict.UNMATCHED.value
_PRESENCE: Final = Verdict.PRESENCE.value


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A trusted webhook, as it came."""

    source: str
    """The sender's address."""
    path: str
    """The webhook's path that it came on."""
    session: str | None
    """The session in that path."""
    by_address: bool
    """The sender is trusted for its address alone."""
    now: float
    """When it came, by our own clock."""
    wall: float
    """When it came, by the system's."""


class WebhookOutcomes:
    """Reports each webhook once. `now` is of our own clock, `wall` of the system's; both are epoch seconds."""

    def __init__(self, metrics: Metrics, stats: WebhookStats, log: ChangeLog) -> None:
        self._metrics = metrics
        self._stats = stats
        self._log = log

    def heard(
        self,
        arrival: Arrival,
        reading: Reading,
        outcome: Outcome,
        now: float,
        dialect: Dialect,
        *,
        first: bool = True,
    ) -> None:
        """An event of a trusted webhook was read by `dialect`, and taken in by the map at `now`.

        A webhook of several events counts with the `first` of them.
        """
        source, came, wall, by_address = arrival.source, arrival.now, arrival.wall, arrival.by_address
        signal = reading.signal
        if signal is None:
            event, said = reading.event, _SAID[reading.verdict]
            if said == _UNMATCHED and event and fold_word(event) in dialect.presence_events:
                # In the engine's own shape no rule names it; it is most of what comes, and known for what it is.
                said = _PRESENCE
            self._metrics.signal("none", said)
            self._stats.heard(source, event, said, came, by_address, first)
            return
        self._metrics.signal(signal.kind.value, outcome.verdict)
        self._stats.heard(source, reading.event, outcome.verdict, came, by_address, first)
        if not dialect.own_clock:
            self._stats.timed(signal.at if signal.at is not None else signal.ahead, wall)
        if signal.ahead is not None:
            self._log.dated_ahead(source, arrival.path, signal.ahead - wall)
        if outcome.verdict in _IGNORED:
            self._log.ignored(signal.session, reading.event, outcome.verdict, now)

    def untrusted(self, source: str, why: str, now: float) -> None:
        """A webhook's sender failed the check `why`."""
        self._metrics.signal("none", "untrusted")
        self._stats.untrusted(source, why, now)
