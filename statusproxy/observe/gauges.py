"""Gauges for Prometheus: sessions, store and connections, from values of the moment.

Sessions have series of their own up to `SESSION_SERIES`, so that no flood of made-up ids floods Prometheus.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from prometheus_client.metrics_core import Metric

from statusproxy.observe.families import by_label, labelled, single
from statusproxy.observe.session_losses import SessionLosses
from statusproxy.status.model import Record
from statusproxy.status.session_state import SessionState

#: Sessions with series of their own: a busy site has some dozens. Beyond, the ones to be worried about go first.
SESSION_SERIES: Final = 500

#: Sessions whose states are told in one part of that family, which has a sample for each state.
_STATES_OF: Final = 50

#: Characters of a session's id that a label shows.
LABEL_LENGTH: Final = 128


class SessionNow(msgspec.Struct, frozen=True):
    """One session as it stands; an event of it may never have come."""

    session: str
    state: SessionState
    record: Record | None
    """What events said, in the system's time; None if no event came."""
    listed: bool
    """The gateway's last list has it."""
    spellings: tuple[str, ...] = ()
    """Every id under which its events came."""


class RegistryNow(msgspec.Struct, frozen=True):
    """What the session registry knows at this moment; times in epoch seconds of the system's clock."""

    sessions: "SessionSeries"
    known: int
    """Sessions of which an event came."""
    overrides: int
    shown: int
    """Overrides that an answer has shown."""
    heard_at: float
    """When the last trusted webhook came; the start if there was none."""
    store_healthy: bool
    damage: int
    """Damages of the stored state that no operator has acknowledged."""
    repairs: Mapping[str, int]
    """Repairs of the stored state since the start, by cause."""
    losses: SessionLosses
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
    """When the oldest waiting entry came, epoch seconds of the system's clock; None if no entry waits."""
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


class SessionSeries:
    """Chooses the sessions that get series of their own, at most `SESSION_SERIES`. Sessions are added in batches.

    Sessions shown as disconnected come first, then those whose events ever said something about their own connection,
    then the others. Within each group, those that the gateway's own list has named come first, then those known
    longest. So a flood of made-up ids pushes no known session out.
    """

    __slots__ = ("_ranks", "told")

    def __init__(self) -> None:
        self._ranks: tuple[list[SessionNow], ...] = ([], [], [], [], [], [])
        self.told = 0
        """Sessions added so far."""

    def add(self, sessions: Iterable[SessionNow]) -> None:
        """Add a batch of sessions, also those of which no event came. Each session is added once."""
        for session in sessions:
            self.told += 1
            rank = self._ranks[_rank(session)]
            if len(rank) < SESSION_SERIES:
                rank.append(session)

    def chosen(self) -> list[SessionNow]:
        """The sessions that get series of their own."""
        return [session for rank in self._ranks for session in rank][:SESSION_SERIES]


def _rank(session: SessionNow) -> int:
    record = session.record
    if record is None:
        rank = 4
    else:
        rank = 0 if record.override is not None else 2 if record.verdict is not None or record.alive_at else 4
    confirmed = session.listed or (record is not None and record.confirmed)
    return rank + (not confirmed)


def _sessions(registry: RegistryNow) -> Iterator[Metric]:
    chosen = registry.sessions.chosen()
    yield single("statusproxy_sessions", registry.known)
    yield single("statusproxy_sessions_without_series", registry.sessions.told - len(chosen))
    yield single("statusproxy_overrides", registry.overrides)
    yield single("statusproxy_overrides_shown", registry.shown)
    by_name: dict[tuple[str], SessionNow] = {}
    for session in chosen:
        # Of ids that differ only in what a label cannot show, the first.
        by_name.setdefault((session_label(session.session),), session)
    names = list(by_name)
    for start in range(0, max(len(names), 1), _STATES_OF):
        yield labelled(
            "statusproxy_session_state",
            (
                ((*name, each), each == by_name[name].state)
                for name in names[start : start + _STATES_OF]
                for each in SessionState
            ),
        )
    records = {name: session.record for name, session in by_name.items() if session.record is not None}
    yield labelled(
        "statusproxy_override_since_timestamp_seconds",
        ((name, record.override.since) for name, record in records.items() if record.override is not None),
    )
    yield labelled(
        "statusproxy_session_last_event_timestamp_seconds",
        ((name, record.heard_at) for name, record in records.items() if record.heard_at),
    )
    yield labelled(
        "statusproxy_session_last_message_timestamp_seconds",
        ((name, record.alive.here) for name, record in records.items() if record.alive_at),
    )
    yield from _losses(registry, by_name)


def _losses(registry: RegistryNow, by_name: Mapping[tuple[str], SessionNow]) -> Iterator[Metric]:
    losses: dict[tuple[str], float] = {}
    flaps: dict[tuple[str], float] = {}
    seconds: dict[tuple[str], float] = {}
    for name, session in by_name.items():
        # The events of one loss may come in two spellings: it is one all the same.
        spellings = session.spellings or (session.session,)
        totals = [registry.losses.of(each) for each in spellings]
        losses[name] = max(each.losses for each in totals)
        flaps[name] = max(each.flaps for each in totals)
        seconds[name] = max(map(registry.losses.seconds, spellings))
    yield labelled("statusproxy_session_losses_total", losses.items())
    yield labelled("statusproxy_session_flaps_total", flaps.items())
    yield labelled("statusproxy_session_lost_seconds_total", seconds.items())


def session_label(session: str) -> str:
    """A session's id as a label's value: of bounded length, and UTF-8 for any event."""
    return session[:LABEL_LENGTH].encode("utf-8", "replace").decode("utf-8")
