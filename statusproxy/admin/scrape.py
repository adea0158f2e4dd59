"""Gauges for Prometheus: values looked up in registry and proxy at each scrape."""

import asyncio
from collections.abc import Iterator, Sequence

from prometheus_client.metrics_core import Metric

from statusproxy.observe.gauges import (
    PoolNow,
    RegistryNow,
    SessionNow,
    SpoolNow,
    proxy_gauges,
    registry_gauges,
    spool_gauges,
)
from statusproxy.proxy.handler import Proxy
from statusproxy.registry.registry import SessionRegistry
from statusproxy.spool.spool import Spool


async def sessions_now(registry: SessionRegistry) -> list[SessionNow]:
    """Every session as it stands, listed or not, found in steps."""
    await registry.rows.read()
    found: list[SessionNow] = []
    for rows in registry.rows.rows():
        for row in rows:
            record = None if row.record is None else registry.in_system_time(row.record)
            found.append(SessionNow(row.session, row.state, record, row.listed, row.spellings))
        await asyncio.sleep(0)
    return found


def gauges(
    registry: SessionRegistry,
    proxy: Proxy,
    spool: Spool | None = None,
    *,
    gateway_up: bool,
    sessions: Sequence[SessionNow],
) -> Iterator[Metric]:
    """The families of gauges, for `Exposition.expose`. `spool` is None where the state keeps none."""
    records, sharing = registry.records(), registry.store.sharing
    yield from registry_gauges(
        RegistryNow(
            records=records,
            sessions=sessions,
            losses=registry.losses(),
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
