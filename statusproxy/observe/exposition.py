"""Metrics in Prometheus' text format, made at each scrape, without `*_created` series."""

import platform
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from statusproxy import __version__
from statusproxy.observe.families import by_label, histogram, labelled, single
from statusproxy.observe.metrics import Metrics

#: Samples written at once, a millisecond.
AT_ONCE: Final = 150


class Exposition:
    """Tells the numbers of one process, and of the other collectors that it is given."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, metrics: Metrics, *others: Collector) -> None:
        self.metrics = metrics
        """The numbers."""
        # One registry each, so that two of them in one process do not share their numbers.
        self._collectors = CollectorRegistry(auto_describe=False)
        self._collectors.register(Counters(metrics))
        ProcessCollector(registry=self._collectors)
        for other in others:
            self._collectors.register(other)

    def pieces(self, gauges: Iterable[Metric] = ()) -> Iterator[bytes]:
        """All metrics as text, in pieces of about a millisecond: with 500 sessions all together take 30.

        `gauges` are the families of the values of this moment (`gauges`); a long one may come in parts, one behind the
        other.
        """
        before = ""
        for family in chain(self._collectors.collect(), gauges):
            yield from _text(family, begun=family.name == before)
            before = family.name

    def expose(self, gauges: Iterable[Metric] = ()) -> bytes:
        """All metrics as text, at once."""
        return b"".join(self.pieces(gauges))


def _text(family: Metric, *, begun: bool) -> Iterator[bytes]:
    """A family as text: its head, unless it has begun, with the first samples, then the others."""
    for start in range(0, max(len(family.samples), 1), AT_ONCE):
        text = generate_latest(_Alone(_part(family, start)))
        if start or begun:
            _help, _type, text = text.split(b"\n", 2)
        yield text


def _part(family: Metric, start: int) -> Metric:
    part = Metric(family.name, family.documentation, family.type, family.unit)
    part.samples = family.samples[start : start + AT_ONCE]
    return part


class _Alone(Collector):
    """One family, for `generate_latest`."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family


class Counters(Collector):
    """The families of `Metrics`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Every family; `prometheus_client` asks for them."""
        metrics = self._metrics
        yield from self._requests()
        yield from self._latencies()
        yield by_label("statusproxy_bytes_total", {"request": metrics.bytes_up, "answer": metrics.bytes_down})
        yield labelled("statusproxy_signals_total", metrics.signals.items())
        yield single("statusproxy_overrides_started_total", metrics.overrides_started)
        yield single("statusproxy_overrides_repeated_total", metrics.overrides_repeated)
        yield single("statusproxy_sessions_evicted_total", metrics.sessions_evicted)
        yield single("statusproxy_sessions_forgotten_total", metrics.sessions_forgotten)
        yield by_label("statusproxy_releases_total", metrics.releases)
        yield single("statusproxy_answers_corrected_total", metrics.answers_corrected)
        yield single("statusproxy_channels_corrected_total", metrics.channels_corrected)
        yield by_label("statusproxy_correction_failures_total", metrics.correction_failures)
        yield labelled("statusproxy_unread_total", metrics.unread.items())
        yield single("statusproxy_store_failures_total", metrics.store_failures)
        yield from metrics.spool.families()
        yield from metrics.alerts.families()
        yield labelled("statusproxy_build_info", [((__version__, platform.python_version()), 1)])

    def _requests(self) -> Iterator[Metric]:
        yield labelled(
            "statusproxy_requests_total",
            (
                ((kind.name.lower(), method, str(status)), count)
                for kind, route in self._metrics.routes.items()
                for (method, status), count in route.requests.items()
            ),
        )
        yield by_label("statusproxy_request_problems_total", self._metrics.problems)

    def _latencies(self) -> Iterator[Metric]:
        used = [(kind.name.lower(), route) for kind, route in self._metrics.routes.items() if route.requests]
        for name, latencies in (
            ("statusproxy_request_seconds", [(kind, route.total) for kind, route in used]),
            ("statusproxy_gateway_seconds", [(kind, route.gateway) for kind, route in used]),
            ("statusproxy_own_seconds", [(kind, route.own) for kind, route in used]),
        ):
            yield histogram(name, (((kind,), each.buckets(), each.total) for kind, each in latencies))
