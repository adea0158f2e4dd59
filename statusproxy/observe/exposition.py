"""Metrics in Prometheus' text format, made at each scrape, without `*_created` series."""

import platform
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from statusproxy import __version__
from statusproxy.observe.families import by_label, counter, total
from statusproxy.observe.latencies import Latencies
from statusproxy.observe.metrics import Metrics


class Exposition:
    """Tells the numbers of one process, and of the other collectors that it is given."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, metrics: Metrics, *others: Collector) -> None:
        self.metrics = metrics
        """The numbers."""
        self._counters = Counters(metrics)
        # One registry each, so that two of them in one process do not share their numbers.
        self._collectors = CollectorRegistry(auto_describe=False)
        self._collectors.register(self._counters)
        ProcessCollector(registry=self._collectors)
        for other in others:
            self._collectors.register(other)

    def expose(self, gauges: Iterable[Metric] = ()) -> bytes:
        """All metrics as text. `gauges` are the families of the values of this moment (`gauges`)."""
        self._counters.gauges = gauges
        try:
            return generate_latest(self._collectors)
        finally:
            self._counters.gauges = ()


class Counters(Collector):
    """The families of `Metrics`, and the gauges of this moment behind them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.gauges: Iterable[Metric] = ()

    def collect(self) -> Iterator[Metric]:
        """Every family; `prometheus_client` asks for them."""
        metrics = self._metrics
        yield from self._requests()
        yield from self._latencies()
        yield by_label(
            "statusproxy_bytes",
            "Bytes carried: of requests' bodies, and of answers.",
            "direction",
            {"request": metrics.bytes_up, "answer": metrics.bytes_down},
        )
        yield counter(
            "statusproxy_signals",
            "Webhooks read, by what they say and what became of it.",
            ["kind", "verdict"],
            metrics.signals.items(),
        )
        yield total("statusproxy_overrides_started", "Corrections that came into force.", metrics.overrides_started)
        yield total(
            "statusproxy_overrides_repeated",
            "Disconnects reported once more while a correction was in force.",
            metrics.overrides_repeated,
        )
        yield total(
            "statusproxy_sessions_evicted",
            "Sessions forgotten for lack of room (sessions.max_sessions).",
            metrics.sessions_evicted,
        )
        yield total("statusproxy_sessions_forgotten", "Sessions removed by an operator.", metrics.sessions_forgotten)
        yield by_label("statusproxy_releases", "Corrections that ended.", "reason", metrics.releases)
        yield total(
            "statusproxy_answers_corrected", "Answers in which something was corrected.", metrics.answers_corrected
        )
        yield total("statusproxy_channels_corrected", "Channels corrected in answers.", metrics.channels_corrected)
        yield by_label(
            "statusproxy_correction_failures",
            "Lists that could not be corrected and passed as they came.",
            "reason",
            metrics.correction_failures,
        )
        yield counter(
            "statusproxy_unread",
            "Webhooks and other bodies that could not be looked at and passed as they came.",
            ["what", "reason"],
            metrics.unread.items(),
        )
        yield total("statusproxy_store_failures", "Writes of the state that failed.", metrics.store_failures)
        yield from metrics.spool.families()
        yield from metrics.alerts.families()
        build = GaugeMetricFamily("statusproxy_build_info", "The version running.", labels=["version", "python"])
        build.add_metric([__version__, platform.python_version()], 1)
        yield build
        yield from self.gauges

    def _requests(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "statusproxy_requests",
            "Requests finished; status 499: the client left before its answer was whole; 0: a stop cut it off.",
            labels=["route", "method", "status"],
        )
        for kind, route in self._metrics.routes.items():
            for (method, status), count in route.requests.items():
                requests.add_metric([kind.name.lower(), method, str(status)], count)
        yield requests
        yield by_label(
            "statusproxy_request_problems",
            "Requests that failed or were answered by the proxy itself.",
            "code",
            self._metrics.problems,
        )

    def _latencies(self) -> Iterator[Metric]:
        for name, text, part in (
            ("request", "Seconds from a request's head to its answer's last byte.", "total"),
            ("gateway", "Seconds from sending a request on to the head of its answer.", "gateway"),
            ("own", "Seconds of a request not spent waiting for the gateway's head: our work, and the bodies.", "own"),
        ):
            family = HistogramMetricFamily(f"statusproxy_{name}_seconds", text, labels=["route"])
            for kind, route in self._metrics.routes.items():
                if route.requests:
                    latencies: Latencies = getattr(route, part)
                    family.add_metric([kind.name.lower()], latencies.buckets(), latencies.total)
            yield family
