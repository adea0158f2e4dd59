"""What is counted and measured, for Prometheus: plain numbers while traffic passes, families when somebody asks.

Everything here runs on the event loop's thread, what counts and what exposes alike. So the numbers need none of the
locks that `prometheus_client`'s own counters take (they cost more than the counting), and only its families and its
text format are used.

No label's variety is in a client's hands: made-up methods, statuses and codes share the label `other`, and sessions
have series of their own up to `SESSION_SERIES`. There are no `*_created` series.
"""

import platform
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from statusproxy import __version__
from statusproxy.observe.exchange_report import Kind, Report
from statusproxy.status.sessions import EVICTED, FORGOTTEN, Record, Release

if TYPE_CHECKING:
    from statusproxy.proxy.handler import Proxy
    from statusproxy.registry.registry import SessionRegistry

#: Seconds; from what a loopback hop takes to what a list that asks many engines takes.
BUCKETS: Final = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
)

#: Methods with a label of their own; a client may make up any other.
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

#: Values of one free label (a code, a reason) that are told apart; the sources name about a dozen.
LABEL_VALUES: Final = 64

#: Sessions with series of their own: a busy site has some dozens. Beyond, the ones to be worried about go first.
SESSION_SERIES: Final = 500

#: Characters of a session's id that a label shows.
LABEL_LENGTH: Final = 128

OTHER: Final = "other"

_BOUNDS: Final = (*(str(bound) for bound in BUCKETS), "+Inf")


class _Latencies:
    """One histogram's numbers for one route."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def buckets(self) -> list[tuple[str, float]]:
        """The counts as Prometheus has them: each bucket holds all that are below its bound."""
        running = 0
        cumulated: list[tuple[str, float]] = []
        for bound, count in zip(_BOUNDS, self.counts, strict=True):
            running += count
            cumulated.append((bound, running))
        return cumulated


class _Route:
    """The numbers of one kind of route."""

    __slots__ = ("gateway", "own", "requests", "total")

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], int] = {}
        self.total = _Latencies()
        self.gateway = _Latencies()
        self.own = _Latencies()


class Metrics(Collector):
    """The process's numbers; one registry each, so that tests do not share them."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._routes = {kind: _Route() for kind in Kind}
        self._bytes_up = 0
        self._bytes_down = 0
        self._answers_corrected = 0
        self._channels_corrected = 0
        self._store_failures = 0
        self._evicted = 0
        self._problems: dict[str, int] = {}
        self._signals: dict[tuple[str, str], int] = {}
        self._started = 0
        self._repeated = 0
        self._forgotten = 0
        # Known from the start, so that the first release of a kind already is a rise from 0.
        self._releases: dict[str, int] = dict.fromkeys([*(release.value for release in Release), EVICTED], 0)
        self._correction_failures: dict[str, int] = {}
        self._unread: dict[tuple[str, str], int] = {}
        self._now: list[Metric] = []
        self.collectors = CollectorRegistry(auto_describe=False)
        self.collectors.register(self)
        ProcessCollector(registry=self.collectors)

    # ---- counting ----

    def report(self, report: Report) -> None:
        """Count one finished exchange: the hot path, once a request."""
        route = self._routes[report.kind]
        key = (report.method, report.status)
        requests = route.requests
        if key in requests:
            requests[key] += 1
        else:
            key = (key[0] if key[0] in METHODS else OTHER, key[1] if 100 <= key[1] <= 599 else 0)
            requests[key] = requests.get(key, 0) + 1
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
        self._bytes_up += report.received
        self._bytes_down += report.sent
        if report.problem is not None:
            _count(self._problems, report.problem)

    def refused(self, code: str) -> None:
        """Count an answer given before a request could be read."""
        _count(self._problems, code)

    def signal(self, kind: str, verdict: str) -> None:
        """Count one webhook read: what it says, and what became of it."""
        key = (kind, verdict)
        if key not in self._signals and len(self._signals) >= LABEL_VALUES:
            key = (OTHER, OTHER)
        self._signals[key] = self._signals.get(key, 0) + 1

    def change(self, what: str, reason: str) -> None:
        """Count one change of an override; what began it has too many spellings for a label."""
        if what == "released":
            _count(self._releases, reason)
        elif what == "started":
            self._started += 1
        elif what == FORGOTTEN:
            self._forgotten += 1
        else:
            self._repeated += 1

    def corrected(self, channels: int) -> None:
        """Count one answer and the channels corrected in it; none is no correction."""
        self._answers_corrected += channels > 0
        self._channels_corrected += channels

    def unreadable(self, what: str, why: str) -> None:
        """Count a body passed untouched, since it could not be corrected (`channels`) or watched (all others)."""
        if what == "channels":
            _count(self._correction_failures, why)
            return
        key = (what, why)
        if key not in self._unread and len(self._unread) >= LABEL_VALUES:
            key = (OTHER, OTHER)
        self._unread[key] = self._unread.get(key, 0) + 1

    def evicted(self, sessions: int) -> None:
        """Count sessions forgotten for want of room."""
        self._evicted += sessions

    def store_failed(self) -> None:
        """Count a write that failed."""
        self._store_failures += 1

    # ---- exposing ----

    def expose(self) -> bytes:
        """All of it in Prometheus' text format; the gauges as of the last `refresh`."""
        return generate_latest(self.collectors)

    def refresh(self, registry: "SessionRegistry", proxy: "Proxy") -> None:
        """Take the gauges' values, which are looked up only when somebody asks."""
        records = registry.records()
        told = worth_telling(records)
        self._now = [
            *_sessions_now(registry.clock.wall(), records, told),
            _gauge(
                "statusproxy_seconds_since_webhook",
                "Seconds since a believed webhook was heard, or since the start.",
                max(0.0, registry.clock.wall() - (registry.heard_at or registry.started_at)),
            ),
            _gauge("statusproxy_store_healthy", "Whether the last write succeeded.", float(registry.store.healthy)),
            _gauge(
                "statusproxy_state_damage",
                "Damages of the stored state that no operator has acknowledged.",
                len(registry.damage),
            ),
            _counter(
                "statusproxy_state_repairs",
                "Repairs of the stored state, by what had happened to its files.",
                ["cause"],
                _single(registry.repairs),
            ),
            _counter(
                "statusproxy_requests_missing",
                "Requests that lacked what a proxy in front should have passed on.",
                ["what"],
                _single(registry.absences.counts),
            ),
            _gauge("statusproxy_requests_in_flight", "Requests under way.", proxy.in_flight),
            *_connections_now(proxy),
        ]

    def collect(self) -> Iterator[Metric]:
        """Every family; `prometheus_client` asks for them."""
        yield from self._requests()
        yield from self._latencies()
        yield _counter(
            "statusproxy_bytes",
            "Bytes carried: of requests' bodies, and of answers.",
            ["direction"],
            _single({"request": self._bytes_up, "answer": self._bytes_down}),
        )
        yield _counter(
            "statusproxy_signals",
            "Webhooks read, by what they say and what became of it.",
            ["kind", "verdict"],
            self._signals.items(),
        )
        yield _counter("statusproxy_overrides_started", "Corrections that came into force.", [], [((), self._started)])
        yield _counter(
            "statusproxy_overrides_repeated",
            "Disconnects reported once more while a correction was in force.",
            [],
            [((), self._repeated)],
        )
        yield _counter(
            "statusproxy_sessions_evicted", "Sessions forgotten for want of room (sessions.max_sessions).", [],
            [((), self._evicted)],
        )  # fmt: skip
        yield _counter(
            "statusproxy_sessions_forgotten", "Sessions removed by an operator.", [], [((), self._forgotten)]
        )
        yield _counter("statusproxy_releases", "Corrections that ended.", ["reason"], _single(self._releases))
        yield _counter(
            "statusproxy_answers_corrected", "Answers in which something was corrected.", [],
            [((), self._answers_corrected)],
        )  # fmt: skip
        yield _counter(
            "statusproxy_channels_corrected", "Channels corrected in answers.", [], [((), self._channels_corrected)]
        )
        yield _counter(
            "statusproxy_correction_failures",
            "Lists that could not be corrected and passed as they came.",
            ["reason"],
            _single(self._correction_failures),
        )
        yield _counter(
            "statusproxy_unread",
            "Webhooks and other bodies that could not be looked at and passed as they came.",
            ["what", "reason"],
            self._unread.items(),
        )
        yield _counter(
            "statusproxy_store_failures", "Writes of the state that failed.", [], [((), self._store_failures)]
        )
        build = GaugeMetricFamily("statusproxy_build_info", "The version running.", labels=["version", "python"])
        build.add_metric([__version__, platform.python_version()], 1)
        yield build
        yield from self._now

    def _requests(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "statusproxy_requests",
            "Requests finished; status 499: the client left before its answer was whole; 0: a stop cut it off.",
            labels=["route", "method", "status"],
        )
        for kind, route in self._routes.items():
            for (method, status), count in route.requests.items():
                requests.add_metric([kind.name.lower(), method, str(status)], count)
        yield requests
        yield _counter(
            "statusproxy_request_problems",
            "Requests that failed or were answered by the proxy itself.",
            ["code"],
            _single(self._problems),
        )

    def _latencies(self) -> Iterator[Metric]:
        for name, text, part in (
            ("request", "Seconds from a request's head to its answer's last byte.", "total"),
            ("gateway", "Seconds from sending a request on to the head of its answer.", "gateway"),
            ("own", "Seconds of a request not spent waiting for the gateway's head: our work, and the bodies.", "own"),
        ):
            family = HistogramMetricFamily(f"statusproxy_{name}_seconds", text, labels=["route"])
            for kind, route in self._routes.items():
                if route.requests:
                    latencies: _Latencies = getattr(route, part)
                    family.add_metric([kind.name.lower()], latencies.buckets(), latencies.total)
            yield family


def worth_telling(records: Iterable[Record]) -> list[Record]:
    """The sessions that get series of their own, `SESSION_SERIES` at most.

    Those shown as disconnected come first, then those that ever told of their own connection, then the others; in each
    of these those that the gateway's own list has named, then the one known longest, so that a flood of made-up ids
    pushes no known session out.
    """
    ranks: tuple[list[Record], ...] = ([], [], [], [], [], [])
    for record in records:
        rank = 0 if record.override is not None else 2 if record.verdict is not None or record.alive_at else 4
        ranks[rank + (not record.confirmed)].append(record)
    return [record for rank in ranks for record in rank][:SESSION_SERIES]


def _sessions_now(now: float, records: list[Record], told: list[Record]) -> Iterator[Metric]:
    overridden = [record for record in records if record.override is not None]
    yield _gauge("statusproxy_sessions", "Sessions something is known of.", len(records))
    yield _gauge(
        "statusproxy_sessions_without_series", "Sessions beyond those that have series.", len(records) - len(told)
    )
    yield _gauge(
        "statusproxy_overrides", "Sessions whose next answer reads disconnected: corrections in force.", len(overridden)
    )
    yield _gauge(
        "statusproxy_overrides_shown",
        "Sessions that an answer has shown as disconnected, of those with a correction in force.",
        sum(record.shown_at is not None for record in overridden),
    )
    since = GaugeMetricFamily(
        "statusproxy_override_since_timestamp_seconds",
        "When a session with a correction in force was disconnected, epoch seconds.",
        labels=["session"],
    )
    heard = GaugeMetricFamily(
        "statusproxy_session_seconds_since_event",
        "Seconds since any event about a session, presence of its contacts included.",
        labels=["session"],
    )
    alive = GaugeMetricFamily(
        "statusproxy_session_seconds_since_message",
        "Seconds since a message or call came in on a session.",
        labels=["session"],
    )
    labels: set[str] = set()
    for record in told:
        label = session_label(record.session)
        if label in labels:  # two ids that differ only in what a label cannot show
            continue
        labels.add(label)
        if record.override is not None:
            since.add_metric([label], record.override.since)
        if record.heard_at:
            heard.add_metric([label], max(0.0, now - record.heard_at))
        if record.alive_at:
            alive.add_metric([label], max(0.0, now - record.alive.here))
    yield from (since, heard, alive)


def _connections_now(proxy: "Proxy") -> Iterator[Metric]:
    now: dict[tuple[str, str], float] = {}
    opened: dict[str, float] = {}
    for name, pool in proxy.site.pools.items():
        to = "gateway" if name.startswith("gateway") else "hub"
        now[to, "active"] = now.get((to, "active"), 0) + pool.in_use
        now[to, "idle"] = now.get((to, "idle"), 0) + pool.idle
        opened[to] = opened.get(to, 0) + pool.opened
    family = GaugeMetricFamily(
        "statusproxy_upstream_connections", "Connections to the gateway, and to the hub.", labels=["to", "state"]
    )
    for labels, value in now.items():
        family.add_metric(labels, value)
    yield family
    yield _counter("statusproxy_upstream_connections_opened", "Connections opened.", ["to"], _single(opened))


def session_label(session: str) -> str:
    """A session's id as a label's value: of bounded length, and UTF-8 whatever the event held."""
    return session[:LABEL_LENGTH].encode("utf-8", "replace").decode("utf-8")


def _count(counts: dict[str, int], key: str) -> None:
    if key not in counts and len(counts) >= LABEL_VALUES:
        key = OTHER
    counts[key] = counts.get(key, 0) + 1


def _single(counts: Mapping[str, float]) -> Iterable[tuple[Iterable[str], float]]:
    return [((key,), count) for key, count in counts.items()]


def _counter(name: str, text: str, labels: list[str], values: Iterable[tuple[Iterable[str], float]]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in values:
        family.add_metric(list(key), value)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
