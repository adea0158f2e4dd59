"""Counts of the attempts to send alerts, and of heartbeats, as plain numbers."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from statusproxy.observe.families import by_label, labelled

__all__ = ["AlertCounts", "HeartbeatCounts"]


class HeartbeatCounts:
    """Heartbeats since the start."""

    def __init__(self) -> None:
        self.answered = 0
        self.failed = 0
        self.withheld = 0
        """Not sent, since the store or the gateway did not answer."""
        self.last_at: float | None = None
        """When the monitor last answered, epoch seconds."""


class AlertCounts:
    """Implements `alerts.dispatch.DispatchCounter`. Since the start of the process."""

    def __init__(self) -> None:
        self.deliveries: dict[tuple[str, str], int] = {}
        """By the target's name, which the configuration alone makes, and `sent` or `failed`."""
        self.heartbeat = HeartbeatCounts()

    def configured(self, targets: list[str]) -> None:
        """Count for these targets, by their names: known from the start, so that the first failure is a rise from 0."""
        for target in targets:
            for result in ("sent", "failed"):
                self.deliveries.setdefault((target, result), 0)

    def attempted(self, target: str, *, sent: bool) -> None:
        """Count an attempt that ended."""
        key = target, "sent" if sent else "failed"
        self.deliveries[key] = self.deliveries.get(key, 0) + 1

    def families(self) -> Iterator[Metric]:
        """Their families."""
        yield labelled("statusproxy_alert_deliveries_total", self.deliveries.items())
        beat = self.heartbeat
        yield by_label(
            "statusproxy_heartbeats_total",
            {"answered": beat.answered, "failed": beat.failed, "withheld": beat.withheld},
        )
