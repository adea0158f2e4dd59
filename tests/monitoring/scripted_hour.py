"""An hour of a proxy's life as Prometheus would have scraped it, told by the program's own metrics.

Everything goes wrong in it that a panel shows: sessions are lost, the gateway restarts, events are kept, writes fail.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Final

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from statusproxy.observe.exchange_report import RouteKind
from statusproxy.observe.exposition import Exposition
from statusproxy.observe.families import single
from statusproxy.observe.gauges import (
    PoolNow,
    RegistryNow,
    SessionNow,
    SessionSeries,
    SpoolNow,
    proxy_gauges,
    registry_gauges,
    spool_gauges,
)
from statusproxy.observe.loop_lag import LoopLag
from statusproxy.observe.metrics import Metrics
from statusproxy.status.model import RELEASED, REPEATED, STARTED, Change, Override, Record
from statusproxy.status.session_state import SessionState
from statusproxy.status.signals import SignalKind
from tests.observe.prometheus import report

#: Any hour will do; epoch seconds.
START: Final = 1_760_000_400
HOUR: Final = 3600
END: Final = START + HOUR
INTERVAL: Final = 30

#: What happens to the session `sales`, in minutes: it flaps, is lost for ten minutes, and is lost at the end.
FLAP: Final = 5.0, 5.5
OUTAGE: Final = 10.0, 20.0
LOST_AT: Final = 55.0

#: When the gateway is away, and events are kept for it.
AWAY: Final = 25.0, 30.0

_STATES: Final = {
    "support": SessionState.CONNECTED,
    "orders": SessionState.NEEDS_QR,
    "returns": SessionState.REPORTED_DOWN,
    "press": SessionState.UNKNOWN,
}


class Story:
    """The hour, a scrape at a time."""

    def __init__(self) -> None:
        self._now = float(START)
        self._metrics = Metrics()
        self._metrics.alerts.configured(["webhook hub.example"])
        self._lag = LoopLag(lambda: self._now)
        self._exposition = Exposition(self._metrics, self._lag)
        self._lost_since: float | None = None

    def scrapes(self) -> Iterator[tuple[float, str]]:
        """The time and text of each scrape."""
        while self._now <= END:
            self._live((self._now - START) / 60)
            yield self._now, self._exposition.expose(self._gauges((self._now - START) / 60)).decode()
            self._now += INTERVAL

    def _live(self, minute: float) -> None:
        metrics, away = self._metrics, AWAY[0] <= minute < AWAY[1]
        for kind in RouteKind:
            metrics.report(report(kind=kind, status=200))
        metrics.report(report(kind=RouteKind.CHANNELS, status=502, problem="gateway_unreachable"))
        for said, verdict in (("connected", "applied"), ("alive", "unchanged"), ("none", "untrusted")):
            metrics.signal(said, verdict)
        metrics.unreadable("webhook", "not-json")
        metrics.unreadable("channels", "not-json")
        self._lag.note(0.004)
        if minute in (FLAP[0], OUTAGE[0], LOST_AT):
            self._change(STARTED, "status-find: browserClose")
            self._lost_since = self._now
        if minute in (FLAP[1], OUTAGE[1]):
            self._change(RELEASED, "connected-event")
            self._lost_since = None
        if minute == OUTAGE[0] + 1:
            self._change(REPEATED, "status-find: browserClose")
        metrics.corrected(1 if self._lost_since is not None else 0)
        if minute == 40:
            metrics.store_failed()
        if away:
            for reason in ("not-sent", "refused"):
                metrics.spool.kept(reason)
            metrics.spool.not_kept("full")
            metrics.alerts.attempted("webhook hub.example", sent=False)
        if minute == AWAY[1]:
            metrics.spool.delivered()
            metrics.spool.dropped("age")
        metrics.alerts.heartbeat.answered += 1

    def _change(self, what: str, reason: str) -> None:
        self._metrics.changed([Change("sales", what, reason, self._now, self._now)], self._now)

    def _gauges(self, minute: float) -> Iterator[Metric]:
        away = AWAY[0] <= minute < AWAY[1]
        sessions = list(self._sessions())
        records = [session.record for session in sessions if session.record is not None]
        series = SessionSeries()
        series.add(sessions)
        self._metrics.losses.look(records, self._now)
        registry = RegistryNow(
            sessions=series,
            known=len(records),
            overrides=sum(record.override is not None for record in records),
            shown=sum(record.override is not None and record.shown_at is not None for record in records),
            heard_at=self._now - 20,
            store_healthy=minute != 40,
            damage=int(minute >= 45),
            repairs={"damaged": int(minute >= 45), "deleted": 0, "replaced": 0},
            losses=self._metrics.losses,
            missing={"client": int(minute), "upgrade": 0},
            proxies=2,
            shared={"received": int(minute * 2), "merged": 0},
        )
        pools = [PoolNow("gateway", 2, 3, int(minute * 2)), PoolNow("hub", 0, 1, 1)]
        spool = SpoolNow(
            {"waiting": int(away), "unknown": 1, "dead": 0},
            700 if away else 350,
            self._now - 30 if away else None,
            {"gateway": away, "hub": False},
        )
        return chain(
            registry_gauges(registry),
            proxy_gauges(2, pools, gateway_up=not away),
            spool_gauges(spool),
            [
                single("statusproxy_alerts_waiting", int(away)),
            ],
        )

    def _sessions(self) -> Iterator[SessionNow]:
        since, state, override = self._lost_since, SessionState.CONNECTED, None
        if since is not None:
            state, override = SessionState.LOST, Override(since, since, since, "status-find", "browserClose")
        record = Record(
            "sales",
            verdict=SignalKind.CONNECTED,
            heard_at=self._now - 20,
            alive_at=self._now - 90,
            override=override,
            shown_at=since,
            confirmed=True,
        )
        yield SessionNow("sales", state, record, True, ("sales",))
        for name, its_state in _STATES.items():
            yield SessionNow(name, its_state, None, True)


def open_metrics() -> str:
    """The hour in OpenMetrics, with the time of each sample, as `promtool tsdb create-blocks-from` takes it.

    With the series that Prometheus makes itself: `up`, and one alert that fires at the end.
    """
    families: dict[tuple[str, str], list[str]] = {}
    for at, text in Story().scrapes():
        for family in text_string_to_metric_families(text):
            lines = families.setdefault((family.name, family.type), [])
            for sample in family.samples:
                lines.append(_line(sample.name, sample.labels, sample.value, at))
        families.setdefault(("up", "gauge"), []).append(_line("up", {}, 1, at))
        if at >= START + LOST_AT * 60 + 60:
            alert = {"alertname": "StatusproxySessionLost", "alertstate": "firing", "severity": "critical"}
            families.setdefault(("ALERTS", "gauge"), []).append(_line("ALERTS", {**alert, "session": "sales"}, 1, at))
    parts = [f"# TYPE {name} {kind}\n" + "".join(lines) for (name, kind), lines in families.items() if lines]
    return "".join(parts) + "# EOF\n"


def _line(name: str, labels: dict[str, str], value: float, at: float) -> str:
    every = {**labels, "job": "statusproxy", "instance": "a"}
    inner = ",".join(f'{label}="{its}"' for label, its in every.items())
    return f"{name}{{{inner}}} {float(value)} {at}\n"
