"""Counts of what happened to the spool's entries, as plain numbers. All labels are known from the start, at 0."""

from collections.abc import Iterator
from typing import Final

from prometheus_client.metrics_core import Metric

from statusproxy.observe.families import by_label, single

#: Why an event was not delivered at once, as `store.spooled.Reason` has it.
_KEPT: Final = ("queued", "not-sent", "refused", "no-answer")

_DROPPED: Final = ("age", "operator", "lost")
_NOT_KEPT: Final = ("full", "store")


class SpoolCounts:
    """Implements `spool.spool.Counter`. Since the start of the process."""

    def __init__(self) -> None:
        self._kept = dict.fromkeys(_KEPT, 0)
        self._dropped = dict.fromkeys(_DROPPED, 0)
        self._not_kept = dict.fromkeys(_NOT_KEPT, 0)
        self._delivered = 0

    def kept(self, reason: str) -> None:
        """Count an event that was kept."""
        self._kept[reason] += 1

    def delivered(self) -> None:
        """Count an entry that was delivered."""
        self._delivered += 1

    def dropped(self, reason: str) -> None:
        """Count an entry that left undelivered: `age`, `operator` or `lost`."""
        self._dropped[reason] += 1

    def not_kept(self, reason: str) -> None:
        """Count an event that could not be kept: `full` or `store`."""
        self._not_kept[reason] += 1

    def families(self) -> Iterator[Metric]:
        """Their families."""
        yield by_label("statusproxy_spool_kept_total", self._kept)
        yield single("statusproxy_spool_delivered_total", self._delivered)
        yield by_label("statusproxy_spool_dropped_total", self._dropped)
        yield by_label("statusproxy_spool_not_kept_total", self._not_kept)
