"""Gauges for Prometheus: sessions, store and connections, from values of the moment.

Sessions have series of their own up to `SESSION_SERIES`, so that no flood of made-up ids floods Prometheus.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from prometheus_client.metrics_core import Metric

from statusproxy.observe.families import by_label, labelled, single
from statusproxy.observe.session_losses import SessionLosses
from statusproxy.status.model import Record
from statusproxy.status.session_state import SessionState

#: Sessions with series of their own: a busy site has some dozens. Beyond, the ones to be worried about go first.
SESSION_SERIES: Final = 500

#: Characters of a session's id that a label shows.
LABEL_LENGTH: Final = 128


class RegistryNow(msgspec.Struct, frozen=True):
    """What the session registry knows at this moment; times in epoch seconds of the system's clock."""

    own_now: float
    """The time on the proxy's own clock, epoch seconds: that of `losses`."""
    records: Sequence[Record]
    heard_at: float
    """When the last trusted webhook came; the start where there was none."""
    store_healthy: bool
    damage: int
    """Damages of the stored state that no operator has acknowledged."""
    repairs: Mapping[str, int]
    """Repairs of the stored state since the start, by cause."""
    losses: SessionLosses
    missing: Mapping[str, int]
    """Requests since the start that lacked what a proxy in front should have passed on, by what."""
    states: Mapping[str, SessionState] = {}
    """How each session stands, by its id; also of channels in the gateway's list that no event told of."""
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
    yield from _sessions(registry)
    yield single("statusproxy_last_webhook_timestamp_seconds", registry.heard_at)
    yield single("statusproxy_store_healthy", registry.store_healthy)
    yield single("statusproxy_state_damage", registry.damage)
    yield by_label("statusproxy_state_repairs_total", registry.repairs)
    yield by_label("statusproxy_requests_missing_total", registry.missing)
    if registry.proxies is not None:
        yield single("statusproxy_proxies", registry.proxies)
        yield by_label("statusproxy_shared_changes_total", registry.shared)


def proxy_gauges(in_flight: int, pools: Iterable[PoolNow], *, gateway_up: bool) -> Iterator[Metric]:
    """The families of what is under way: `in_flight` requests, and the pools' connections."""
    yield single("statusproxy_gateway_up", gateway_up)
    yield single("statusproxy_requests_in_flight", in_flight)
    now: dict[tuple[str, str], float] = {}
    opened: dict[str, float] = {}
    for pool in pools:
        now[pool.to, "active"] = now.get((pool.to, "active"), 0) + pool.active
        now[pool.to, "idle"] = now.get((pool.to, "idle"), 0) + pool.idle
        opened[pool.to] = opened.get(pool.to, 0) + pool.opened
    yield labelled("statusproxy_upstream_connections", now.items())
    yield by_label("statusproxy_upstream_connections_opened_total", opened)


def spool_gauges(spool: SpoolNow) -> Iterator[Metric]:
    """The families of the spool's state."""
    yield by_label("statusproxy_spool_entries", spool.states)
    yield single("statusproxy_spool_bytes", spool.size)
    yield single("statusproxy_spool_oldest_timestamp_seconds", spool.waiting_since)
    yield single("statusproxy_spool_unknown", spool.states["unknown"])
    yield single("statusproxy_spool_dead", spool.states["dead"])
    yield by_label("statusproxy_spool_circuit_open", spool.away)


def worth_telling(records: Iterable[Record], listed: Iterable[str] = ()) -> list[tuple[str, Record | None]]:
    """The sessions that get series of their own, `SESSION_SERIES` at most, with what is known of them.

    `listed` are channels of the gateway's list that no event told of. Those shown as disconnected come first, then
    those that ever told of their own connection, then the others; in each of these those that the gateway's own list
    has named, then the one known longest, so that a flood of made-up ids pushes no known session out.
    """
    ranks: tuple[list[tuple[str, Record | None]], ...] = ([], [], [], [], [], [])
    for record in records:
        rank = 0 if record.override is not None else 2 if record.verdict is not None or record.alive_at else 4
        ranks[rank + (not record.confirmed)].append((record.session, record))
    ranks[4].extend((channel, None) for channel in listed)
    return [session for rank in ranks for session in rank][:SESSION_SERIES]


def _sessions(registry: RegistryNow) -> Iterator[Metric]:
    records = registry.records
    known = {record.session for record in records}
    listed = [session for session in registry.states if session not in known]
    told = worth_telling(records, listed)
    overridden = [record for record in records if record.override is not None]
    yield single("statusproxy_sessions", len(records))
    yield single("statusproxy_sessions_without_series", len(records) + len(listed) - len(told))
    yield single("statusproxy_overrides", len(overridden))
    yield single("statusproxy_overrides_shown", sum(record.shown_at is not None for record in overridden))
    states, since, heard, alive, losses, flaps, seconds = (list[tuple[tuple[str, ...], float]]() for _ in range(7))
    labels: set[str] = set()
    for session, record in told:
        label = session_label(session)
        if label in labels:  # two ids that differ only in what a label cannot show
            continue
        labels.add(label)
        state = registry.states.get(session, SessionState.UNKNOWN)
        states += [((label, each), each == state) for each in SessionState]
        totals = registry.losses.of(session)
        losses.append(((label,), totals.losses))
        flaps.append(((label,), totals.flaps))
        seconds.append(((label,), totals.lost_seconds(registry.own_now)))
        if record is None:
            continue
        if record.override is not None:
            since.append(((label,), record.override.since))
        if record.heard_at:
            heard.append(((label,), record.heard_at))
        if record.alive_at:
            alive.append(((label,), record.alive.here))
    yield labelled("statusproxy_session_state", states)
    yield labelled("statusproxy_override_since_timestamp_seconds", since)
    yield labelled("statusproxy_session_last_event_timestamp_seconds", heard)
    yield labelled("statusproxy_session_last_message_timestamp_seconds", alive)
    yield labelled("statusproxy_session_losses_total", losses)
    yield labelled("statusproxy_session_flaps_total", flaps)
    yield labelled("statusproxy_session_lost_seconds_total", seconds)


def session_label(session: str) -> str:
    """A session's id as a label's value: of bounded length, and UTF-8 for any event."""
    return session[:LABEL_LENGTH].encode("utf-8", "replace").decode("utf-8")
