"""What is counted and measured, in Prometheus' terms, with labels of bounded variety."""

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from statusproxy import __version__
from statusproxy.proxy.site import Report

if TYPE_CHECKING:
    from statusproxy.ledger import Ledger
    from statusproxy.proxy.handler import Proxy

#: Seconds; from what a loopback hop takes to what a list that asks many engines takes.
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

#: Methods with a label of their own; a client may make up any other.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The process's counters; one registry each, so that tests do not share them."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "statusproxy_requests", "Requests finished.", ["route", "method", "status"], registry=registry
        )
        self._problems = Counter(
            "statusproxy_request_problems", "Requests answered by the proxy itself.", ["code"], registry=registry
        )
        self._seconds = Histogram(
            "statusproxy_request_seconds",
            "Seconds from a request's head to its answer's last byte.",
            ["route"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._gateway_seconds = Histogram(
            "statusproxy_gateway_seconds",
            "Seconds from sending a request on to the head of its answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._bytes = Counter("statusproxy_bytes", "Bytes of bodies carried.", ["direction"], registry=registry)
        self._signals = Counter(
            "statusproxy_signals", "Webhooks read, by what they say and what became of it.", ["kind", "verdict"],
            registry=registry,
        )  # fmt: skip
        self._changes = Counter(
            "statusproxy_overrides_changed", "Overrides started, repeated and released.", ["change", "reason"],
            registry=registry,
        )  # fmt: skip
        self._corrected = Counter("statusproxy_channels_corrected", "Channels corrected in answers.", registry=registry)
        self._unreadable = Counter(
            "statusproxy_passed_untouched",
            "Bodies that could not be watched or corrected.",
            ["what", "why"],
            registry=registry,
        )
        self._store_failures = Counter(
            "statusproxy_store_failures", "Writes of the state that failed.", registry=registry
        )
        Gauge("statusproxy_build_info", "The version running.", ["version"], registry=registry).labels(__version__).set(
            1
        )
        self._since = Gauge(
            "statusproxy_disconnected_since_seconds",
            "When a session now shown as disconnected was disconnected, epoch seconds.",
            ["session"],
            registry=registry,
        )
        self._overrides = Gauge("statusproxy_overrides", "Sessions shown as disconnected now.", registry=registry)
        self._sessions = Gauge("statusproxy_sessions", "Sessions something is known of.", registry=registry)
        self._store_healthy = Gauge("statusproxy_store_healthy", "Whether the last write succeeded.", registry=registry)
        self._in_flight = Gauge("statusproxy_requests_in_flight", "Requests under way.", registry=registry)
        self._silence = Gauge(
            "statusproxy_seconds_since_webhook", "Seconds since a webhook was heard, or since the start.",
            registry=registry,
        )  # fmt: skip
        self._upstream = Gauge(
            "statusproxy_upstream_connections", "Connections to the gateway.", ["state"], registry=registry
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram, Histogram]] = {}
        self._up = self._bytes.labels("request")
        self._down = self._bytes.labels("answer")

    def report(self, report: Report) -> None:
        """Count one finished exchange."""
        method = report.method if report.method in _METHODS else "other"
        key = (report.kind.name.lower(), method, report.status)
        children = self._children.get(key)
        if children is None:
            # Looking a child up by its labels costs more than counting does.
            children = (
                self._requests.labels(key[0], method, str(report.status)),
                self._seconds.labels(key[0]),
                self._gateway_seconds.labels(key[0]),
            )
            self._children[key] = children
        children[0].inc()
        children[1].observe(report.seconds)
        if report.upstream_seconds is not None:
            children[2].observe(report.upstream_seconds)
        if report.received:
            self._up.inc(report.received)
        self._down.inc(report.sent)
        if report.problem is not None:
            self._problems.labels(report.problem).inc()

    def refused(self, code: str) -> None:
        """Count an answer given before a request could be read."""
        self._problems.labels(code).inc()

    def signal(self, kind: str, verdict: str) -> None:
        """Count one webhook read."""
        self._signals.labels(kind, verdict).inc()

    def change(self, what: str, reason: str) -> None:
        """Count one change of an override; what began it has too many spellings for a label."""
        self._changes.labels(what, reason if what == "released" else "event").inc()

    def corrected(self, channels: int) -> None:
        """Count the channels corrected in one answer."""
        self._corrected.inc(channels)

    def unreadable(self, what: str, why: str) -> None:
        """Count a body passed untouched."""
        self._unreadable.labels(what, why).inc()

    def store_failed(self) -> None:
        """Count a write that failed."""
        self._store_failures.inc()

    def refresh(self, ledger: "Ledger", proxy: "Proxy") -> None:
        """Take the gauges' values, which are looked up only when somebody asks.

        A session's id becomes a label only while it is shown as disconnected: those are few, and they are what an
        alert is about.
        """
        now = ledger.now()
        records = ledger.records()
        self._since.clear()
        for record in records:
            if record.override is not None:
                self._since.labels(record.session).set(record.override.since)
        self._overrides.set(ledger.sessions.overrides)
        self._sessions.set(len(records))
        self._store_healthy.set(1 if ledger.store.healthy else 0)
        self._in_flight.set(proxy.in_flight)
        self._silence.set(now - (ledger.heard_at or ledger.started_at))
        pools = proxy.site.pools.values()
        self._upstream.labels("active").set(sum(pool.in_use for pool in pools))
        self._upstream.labels("idle").set(sum(pool.idle for pool in pools))

    def expose(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
