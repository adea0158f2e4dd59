"""Gauges for Prometheus: sessions, store and connections, from values of the moment.

Sessions have series of their own up to `SESSION_SERIES`, so that no flood of made-up ids floods Prometheus.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from statusproxy.observe.families import by_label, gauge
from statusproxy.status.model import Record

#: Sessions with series of their own: a busy site has some dozens. Beyond, the ones to be worried about go first.
SESSION_SERIES: Final = 500

#: Characters of a session's id that a label shows.
LABEL_LENGTH: Final = 128


class RegistryNow(msgspec.Struct, frozen=True):
    """What the session registry knows at this moment; times in epoch seconds of the system's clock."""

    now: float
    records: Sequence[Record]
    heard_at: float
    """When the last trusted webhook came; the start where there was none."""
    store_healthy: bool
    damage: int
    """Damages of the stored state that no operator has acknowledged."""
    repairs: Mapping[str, int]
    """Repairs of the stored state since the start, by cause."""
    missing: Mapping[str, int]
    """Requests since the start that lacked what a proxy in front should have passed on, by what."""
    proxies: int | None = None
    """Proxies that share the stored state; None for a store that one has alone."""
    shared: Mapping[str, int] = {}
    """What came of the sharing since the start: `received` from others, `merged` because both wrote at once."""


class SpoolNow(msgspec.Struct, frozen=True):
    """What the spool holds at this moment."""

    states: Mapping[str, int]
    """Entries by state: `waiting`, `unknown`, `dead`."""
    size: int
    """Bytes."""
    waiting_since: float | None
    """When the oldest of those that wait came, epoch seconds of the system's clock; None where none waits."""
    away: Mapping[str, bool]
    """By receiver (`gateway` or `hub`): whether one is not tried just now."""


class PoolNow(msgspec.Struct, frozen=True):
    """The connections of one pool."""

    to: str
    """`gateway` or `hub`."""
    active: int
    idle: int
    opened: int
    """Since the start."""


def registry_gauges(registry: RegistryNow) -> Iterator[Metric]:
    """The families of the registry's state."""
    yield from _sessions(registry.now, registry.records)
    yield gauge(
        "statusproxy_seconds_since_webhook",
        "Seconds since a trusted webhook was heard, or since the start.",
        max(0.0, registry.now - registry.heard_at),
    )
    yield gauge("statusproxy_store_healthy", "Whether the last write succeeded.", float(registry.store_healthy))
    yield gauge(
        "statusproxy_state_damage",
        "Damages of the stored state that no operator has acknowledged.",
        registry.damage,
    )
    yield by_label(
        "statusproxy_state_repairs",
        "Repairs of the stored state, by what had happened to its files.",
        "cause",
        registry.repairs,
    )
    yield by_label(
        "statusproxy_requests_missing",
        "Requests that lacked what a proxy in front should have passed on.",
        "what",
        registry.missing,
    )
    if registry.proxies is not None:
        yield gauge("statusproxy_proxies", "Proxies that share the stored state, this one included.", registry.proxies)
        yield by_label(
            "statusproxy_shared_changes",
            "Sessions' records that other proxies wrote: received, and merged since both wrote at once.",
            "what",
            registry.shared,
        )


def proxy_gauges(in_flight: int, pools: Iterable[PoolNow]) -> Iterator[Metric]:
    """The families of what is under way: `in_flight` requests, and the pools' connections."""
    yield gauge("statusproxy_requests_in_flight", "Requests under way.", in_flight)
    now: dict[tuple[str, str], float] = {}
    opened: dict[str, float] = {}
    for pool in pools:
        now[pool.to, "active"] = now.get((pool.to, "active"), 0) + pool.active
        now[pool.to, "idle"] = now.get((pool.to, "idle"), 0) + pool.idle
        opened[pool.to] = opened.get(pool.to, 0) + pool.opened
    family = GaugeMetricFamily(
        "statusproxy_upstream_connections", "Connections to the gateway, and to the hub.", labels=["to", "state"]
    )
    for labels, value in now.items():
        family.add_metric(labels, value)
    yield family
    yield by_label("statusproxy_upstream_connections_opened", "Connections opened.", "to", opened)


def spool_gauges(spool: SpoolNow) -> Iterator[Metric]:
    """The families of the spool's state."""
    entries = GaugeMetricFamily(
        "statusproxy_spool_entries",
        "Events kept, by any proxy that shares the state, by what they wait for.",
        labels=["state"],
    )
    for state, count in spool.states.items():
        entries.add_metric([state], count)
    yield entries
    yield gauge("statusproxy_spool_bytes", "Bytes of all events kept, by any proxy that shares the state.", spool.size)
    oldest = GaugeMetricFamily(
        "statusproxy_spool_oldest_timestamp_seconds",
        "When the oldest event that waits for its delivery came, at any proxy that shares the state, epoch seconds.",
    )
    if spool.waiting_since is not None:
        oldest.add_metric([], spool.waiting_since)
    yield oldest
    yield gauge(
        "statusproxy_spool_unknown", "Events sent and not answered: they may have arrived.", spool.states["unknown"]
    )
    yield gauge("statusproxy_spool_dead", "Events that their receiver refuses for good.", spool.states["dead"])
    away = GaugeMetricFamily(
        "statusproxy_spool_circuit_open",
        "Whether this proxy does not try a receiver except for probes.",
        labels=["to"],
    )
    for to, is_away in spool.away.items():
        away.add_metric([to], float(is_away))
    yield away


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


def _sessions(now: float, records: Sequence[Record]) -> Iterator[Metric]:
    told = worth_telling(records)
    overridden = [record for record in records if record.override is not None]
    yield gauge("statusproxy_sessions", "Sessions something is known of.", len(records))
    yield gauge(
        "statusproxy_sessions_without_series", "Sessions beyond those that have series.", len(records) - len(told)
    )
    yield gauge(
        "statusproxy_overrides", "Sessions whose next answer reads disconnected: corrections in force.", len(overridden)
    )
    yield gauge(
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


def session_label(session: str) -> str:
    """A session's id as a label's value: of bounded length, and UTF-8 for any event."""
    return session[:LABEL_LENGTH].encode("utf-8", "replace").decode("utf-8")
