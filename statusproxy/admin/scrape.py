"""Gauges for Prometheus: values looked up in registry and proxy at each scrape."""

from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import Metric

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
from statusproxy.observe.session_losses import SessionLosses
from statusproxy.proxy.handler import Proxy
from statusproxy.registry.registry import SessionRegistry
from statusproxy.registry.session_rows import Row
from statusproxy.spool.spool import Spool


def sessions_now(registry: SessionRegistry, rows: Iterable[Row]) -> list[SessionNow]:
    """Every session as it stands, listed or not, in the system's time."""
    return [
        SessionNow(
            row.session,
            row.state,
            None if row.record is None else registry.in_system_time(row.record),
            row.listed,
            row.spellings,
        )
        for row in rows
    ]


def gauges(
    registry: SessionRegistry,
    proxy: Proxy,
    spool: Spool | None = None,
    alerts_waiting: int | None = None,
    *,
    gateway_up: bool,
    sessions: SessionSeries,
    losses: SessionLosses,
) -> Iterator[Metric]:
    """The families of gauges, for `Exposition.expose`. `spool` is None where the state keeps none.

    `alerts_waiting` counts deliveries of alerts that are not made yet; None where no alerts are configured.
    """
    known, sharing = registry.sessions, registry.store.sharing
    lost = map(known.get, known.lost())
    yield from registry_gauges(
        RegistryNow(
            sessions=sessions,
            known=len(known.records()),
            overrides=known.overrides,
            shown=sum(record is not None and record.shown_at is not None for record in lost),
            losses=losses,
            heard_at=registry.webhooks.last_heard or registry.started_at,
            store_healthy=registry.store.healthy,
            damage=len(registry.saving.damage),
            repairs=registry.saving.repairs,
            missing=registry.absences.counts,
            proxies=None if sharing is None else len(sharing.proxies),
            shared={} if sharing is None else {"received": sharing.received, "merged": sharing.conflicts},
        )
    )
    pools = [PoolNow(_to(name), pool.in_use, pool.idle, pool.opened) for name, pool in proxy.site.pools.items()]
    yield from proxy_gauges(proxy.in_flight, pools, gateway_up=gateway_up)
    if spool is not None and spool.unread is None:
        yield from spool_gauges(_spool(spool, registry.clock.shift, {pool.to for pool in pools}))
    if alerts_waiting is not None:
        yield single("statusproxy_alerts_waiting", alerts_waiting)


def _spool(spool: Spool, shift: float, receivers: set[str]) -> SpoolNow:
    totals, oldest = spool.control.totals, spool.control.oldest_waiting
    return SpoolNow(
        states={"waiting": totals.waiting, "unknown": totals.unknown, "dead": totals.dead},
        size=totals.size,
        waiting_since=None if oldest is None else oldest.received_at + shift,
        away=dict.fromkeys(sorted(receivers), False) | {_to(name): True for name in spool.control.away},
    )


def _to(name: str) -> str:
    return "gateway" if name.startswith("gateway") else "hub"
