"""Counts what happens to the spool's entries, and tells it and what is kept at this moment to Prometheus."""

from collections.abc import Iterator, Mapping

import msgspec
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from statusproxy.observe.families import by_label, gauge, total

__all__ = ["SpoolCounts", "SpoolMoment", "spool_gauges"]


class SpoolCounts:
    """The numbers since the start of the process. Reasons come from the code, never from traffic."""

    def __init__(self) -> None:
        # Known from the start, so that the first of a kind already is a rise from 0.
        self.kept_by: dict[str, int] = dict.fromkeys(("queued", "not-sent", "refused", "no-answer"), 0)
        self.dropped_by: dict[str, int] = dict.fromkeys(("age", "lost", "operator"), 0)
        self.not_kept_by: dict[str, int] = dict.fromkeys(("full", "store"), 0)
        self.deliveries = 0

    def kept(self, reason: str) -> None:
        """An event was kept; why it was not delivered at once."""
        self.kept_by[reason] = self.kept_by.get(reason, 0) + 1

    def delivered(self) -> None:
        """An entry was delivered."""
        self.deliveries += 1

    def dropped(self, reason: str) -> None:
        """An entry left the spool undelivered."""
        self.dropped_by[reason] = self.dropped_by.get(reason, 0) + 1

    def not_kept(self, reason: str) -> None:
        """An event could not be kept."""
        self.not_kept_by[reason] = self.not_kept_by.get(reason, 0) + 1

    def families(self) -> Iterator[Metric]:
        """The families of these numbers."""
        yield by_label(
            "statusproxy_spool_kept", "Events kept, by why they were not delivered at once.", "reason", self.kept_by
        )
        yield total("statusproxy_spool_delivered", "Kept events that were delivered.", self.deliveries)
        yield by_label(
            "statusproxy_spool_dropped", "Kept events that left the spool undelivered.", "reason", self.dropped_by
        )
        yield by_label("statusproxy_spool_not_kept", "Events that could not be kept.", "reason", self.not_kept_by)


class SpoolMoment(msgspec.Struct, frozen=True):
    """What is kept at this moment."""

    entries: Mapping[str, int]
    """Events by state: waiting, unknown, dead."""
    size: int
    """Bytes."""
    oldest_at: float | None
    """When the first of them came, in epoch seconds of the system's clock."""
    away: int
    """Receivers that are not tried just now."""


def spool_gauges(now: SpoolMoment) -> Iterator[Metric]:
    """The families of what is kept."""
    entries = GaugeMetricFamily("statusproxy_spool_entries", "Events that are kept, by state.", labels=["state"])
    for state, count in now.entries.items():
        entries.add_metric([state], count)
    yield entries
    yield gauge("statusproxy_spool_bytes", "Bytes of the events that are kept.", now.size)
    yield gauge(
        "statusproxy_spool_oldest_timestamp_seconds",
        "When the oldest event that is kept came, in seconds since the epoch; 0 where none is kept.",
        now.oldest_at or 0.0,
    )
    yield gauge("statusproxy_spool_dead", "Kept events that their receiver refuses for good.", now.entries["dead"])
    yield gauge("statusproxy_spool_unknown", "Kept events that were sent and not answered.", now.entries["unknown"])
    yield gauge("statusproxy_spool_circuit_open", "Receivers that do not take events just now.", now.away)
