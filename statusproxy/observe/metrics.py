"""Metrics as plain numbers, counted while traffic passes. `exposition` formats them for Prometheus.

Everything here runs on the event loop's thread, what counts and what exposes alike. So the numbers need none of the
locks that `prometheus_client`'s own counters take (they cost more than the counting).

No label's variety is in a client's hands: made-up methods, statuses and codes share the label `other`.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from statusproxy.observe.alert_counts import AlertCounts
from statusproxy.observe.exchange_report import Report, RouteKind
from statusproxy.observe.latencies import BUCKETS, Latencies
from statusproxy.observe.session_losses import SessionLosses
from statusproxy.observe.spool_counts import SpoolCounts
from statusproxy.status.model import EVICTED, FORGOTTEN, RELEASED, STARTED, Change, Release

#: Methods with a label of their own; a client may make up any other.
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

#: How many values of one free label (a code, a reason) are distinguished; the sources name about a dozen.
LABEL_VALUES: Final = 64

OTHER: Final = "other"


class RouteNumbers:
    """The numbers of one kind of route."""

    __slots__ = ("gateway", "own", "requests", "total")

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], int] = {}
        """By method and status."""
        self.total = Latencies()
        self.gateway = Latencies()
        self.own = Latencies()


class Metrics:
    """The numbers since the start of the process. As a subscriber it counts every change of a session."""

    def __init__(self) -> None:
        self.routes = {kind: RouteNumbers() for kind in RouteKind}
        self.bytes_up = 0
        self.bytes_down = 0
        self.answers_corrected = 0
        self.channels_corrected = 0
        self.store_failures = 0
        self.sessions_evicted = 0
        self.problems: dict[str, int] = {}
        """Requests that failed, by the problem's code."""
        self.signals: dict[tuple[str, str], int] = {}
        """Webhooks by what they say and their result."""
        self.overrides_started = 0
        self.overrides_repeated = 0
        self.sessions_forgotten = 0
        # Known from the start, so that the first release of a kind already is a rise from 0.
        self.releases: dict[str, int] = dict.fromkeys([*(release.value for release in Release), EVICTED], 0)
        self.correction_failures: dict[str, int] = {}
        self.unread: dict[tuple[str, str], int] = {}
        """Bodies passed untouched, by what they are and why."""
        self.spool = SpoolCounts()
        self.losses = SessionLosses()
        """The losses of each session."""
        self.alerts = AlertCounts()

    def report(self, report: Report) -> None:
        """Count one finished exchange: the hot path, once a request."""
        route = self.routes[report.kind]
        key = (report.method, report.status)
        requests = route.requests
        if key in requests:
            requests[key] += 1
        else:
            key = (key[0] if key[0] in METHODS else OTHER, key[1] if 100 <= key[1] <= 599 else 0)
            requests[key] = requests.get(key, 0) + 1
        # Three times the same, written out: calls would double what counting a request costs.
        seconds = report.seconds
        latencies = route.total
        latencies.counts[bisect_left(BUCKETS, seconds)] += 1
        latencies.total += seconds
        waited = report.upstream_seconds
        if waited is not None:
            latencies = route.gateway
            latencies.counts[bisect_left(BUCKETS, waited)] += 1
            latencies.total += waited
            seconds -= waited
        latencies = route.own
        latencies.counts[bisect_left(BUCKETS, seconds)] += 1
        latencies.total += seconds
        self.bytes_up += report.received
        self.bytes_down += report.sent
        if report.problem is not None:
            _count(self.problems, report.problem)

    def refused(self, code: str) -> None:
        """Count an answer given before a request could be read."""
        _count(self.problems, code)

    def signal(self, kind: str, verdict: str) -> None:
        """Count one webhook read: what it says, and its result."""
        try:
            self.signals[kind, verdict] += 1
        except KeyError:
            _count_pair(self.signals, (kind, verdict))

    def changed(self, changes: Sequence[Change], now: float) -> None:
        """Count changes of overrides; what began one has too many spellings for a label."""
        self.losses.changed(changes, now)
        for change in changes:
            if change.what == RELEASED:
                _count(self.releases, change.reason)
            elif change.what == STARTED:
                self.overrides_started += 1
            elif change.what == FORGOTTEN:
                self.sessions_forgotten += 1
            else:
                self.overrides_repeated += 1

    def corrected(self, channels: int) -> None:
        """Count one answer and the channels corrected in it; none is no correction."""
        self.answers_corrected += channels > 0
        self.channels_corrected += channels

    def unreadable(self, what: str, why: str, count: int = 1) -> None:
        """Count a body passed untouched, since it could not be corrected (`channels`) or watched (all others).

        Of a body of several events, `count` of these.
        """
        if what == "channels":
            _count(self.correction_failures, why)
        else:
            _count_pair(self.unread, (what, why), count)

    def evicted(self, sessions: int) -> None:
        """Count sessions evicted from the full map."""
        self.sessions_evicted += sessions

    def store_failed(self) -> None:
        """Count a write that failed."""
        self.store_failures += 1


def _count(counts: dict[str, int], key: str) -> None:
    if key not in counts and len(counts) >= LABEL_VALUES:
        key = OTHER
    counts[key] = counts.get(key, 0) + 1


def _count_pair(counts: dict[tuple[str, str], int], key: tuple[str, str], count: int = 1) -> None:
    if key not in counts and len(counts) >= LABEL_VALUES:
        key = (OTHER, OTHER)
    counts[key] = counts.get(key, 0) + count
