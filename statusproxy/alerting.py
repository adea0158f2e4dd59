"""Starts, changes and ends alerts as the settings say, and shows them what they look at.

Nothing of alerts is imported where the settings have none.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from statusproxy.config.guidance import guidance
from statusproxy.config.settings import Settings
from statusproxy.observe.alert_counts import AlertCounts
from statusproxy.observe.silence import patience
from statusproxy.proxy.handler import Proxy
from statusproxy.proxy.upstream.watch import GatewayWatch
from statusproxy.registry.registry import SessionRegistry
from statusproxy.spool.spool import Spool

if TYPE_CHECKING:
    from statusproxy.alerts.service import Alerts
    from statusproxy.alerts.sightings import SpoolVitals, Vitals
    from statusproxy.store.claims import Claims
    from statusproxy.store.outbox import Outbox

__all__ = ["Alerting", "Site"]

#: Seconds between two looks at a gateway of which no request tells.
_ASK_GATEWAY: Final = 30.0

#: Seconds that the gateway may take to accept a connection.
_PATIENCE: Final = 5.0


class Alerting:
    """The alerts of one process, if it has any."""

    def __init__(self, site: Site, counts: AlertCounts, changed: Callable[[Alerts | None], None]) -> None:
        """`changed` is called where alerts are switched on or off."""
        self.alerts: Alerts | None = None
        self._site = site
        self._counts = counts
        self._changed = changed
        self._unsubscribe: Callable[[], None] = lambda: None
        self._ending: set[asyncio.Task[None]] = set()
        self._starting: asyncio.Task[None] | None = None

    def follow(self, settings: Settings) -> None:
        """Go by these settings from now on: at the start and at each reload."""
        if settings.alerts is None:
            self._end()
            return
        from statusproxy.alerts.service import Alerts
        from statusproxy.alerts.text import Reader

        told = guidance(settings, os.environ)
        reader = Reader(language=settings.language, gateway=told.title, bring_back=told.bring_back)
        if self.alerts is not None:
            self.alerts.configure(settings.alerts, reader)
            return
        self.alerts = Alerts(self._site, self._counts)
        self.alerts.configure(settings.alerts, reader)
        self._start(self.alerts)
        self._unsubscribe = self._site.registry.changes.subscribe(self.alerts)
        self._changed(self.alerts)

    def wake(self) -> None:
        """Something beside the sessions has changed, such as the gateway's reachability."""
        if self.alerts is not None:
            self.alerts.wake()

    async def close(self) -> None:
        """End them. Takes some seconds at most."""
        self._end()
        if self._ending:
            await asyncio.wait(self._ending)

    def _start(self, alerts: Alerts) -> None:
        """Start alerts once those before have ended: two would send the same messages, and share one claim."""
        if not self._ending:
            alerts.start()
            return

        async def start() -> None:
            await asyncio.wait(self._ending)
            alerts.start()

        self._starting = asyncio.create_task(start(), name="statusproxy-alerts-start")

    def _end(self) -> None:
        if self.alerts is None:
            return
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None
        self._unsubscribe()
        task = asyncio.create_task(self.alerts.close(), name="statusproxy-alerts-end")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        self.alerts = None
        self._changed(None)


class Site:
    """What alerts look at, and where they keep what they told. Implements `alerts.service.Surroundings`."""

    def __init__(
        self,
        registry: SessionRegistry,
        proxy: Proxy,
        spool: Spool | None,
        gateway: GatewayWatch,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.registry = registry
        self._proxy = proxy
        self._spool = spool
        self._gateway = gateway
        self._monotonic = monotonic
        self._asked_at = monotonic()
        self._known = False  # whether the map holds what the store does

    @property
    def outbox(self) -> Outbox | None:
        """The store's place for what was told."""
        return self.registry.store.outbox

    @property
    def claims(self) -> Claims | None:
        """The store's claims."""
        return self.registry.store.claims

    def wall(self) -> float:
        """The system's time, epoch seconds."""
        return self.registry.clock.wall()

    @property
    def shift(self) -> float:
        """Seconds by which the system's clock is ahead of the proxy's own."""
        return self.registry.clock.shift

    def vitals(self) -> Vitals:
        """How things stand beside the sessions."""
        from statusproxy.alerts.sightings import Vitals
        from statusproxy.alerts.values import Topic

        self._ask_gateway()
        store, spool = self.registry.store, self._spool
        self._known = self._known or store.healthy
        unsure = {
            Topic.LOST: not self._known,
            Topic.GATEWAY_DOWN: not self._gateway.looked,
            Topic.WEBHOOKS_SILENT: not self.registry.webhooks.rhythm.count,
            Topic.SPOOL: spool is not None and spool.unread is not None,
        }
        return Vitals(
            gateway=self._gateway.error,
            store=None if store.healthy else store.error or "no reason given",
            silent_since=self._silent_since(),
            spool=None if spool is None or spool.unread is not None else self._spool_vitals(spool),
            unsure=frozenset(topic for topic, is_unsure in unsure.items() if is_unsure),
        )

    async def works(self) -> str | None:
        """`store` or `gateway`, whichever does not answer now; None where both do."""
        if not await self.registry.works():
            return "store"
        try:
            async with asyncio.timeout(_PATIENCE):
                return None if await self._proxy.gateway_error() is None else "gateway"
        except TimeoutError:
            return "gateway"

    def _ask_gateway(self) -> None:
        """Have the gateway looked at now and then: on a quiet site no request tells that it is away."""
        now = self._monotonic()
        if now - self._asked_at >= _ASK_GATEWAY:
            self._asked_at = now
            self._gateway.look_soon()

    def _silent_since(self) -> float | None:
        """When the last webhook came, where the silence since is long; None where it is not, or nothing is known."""
        rhythm, now, last = self.registry.webhooks.rhythm, self.registry.now(), self.registry.webhooks.rhythm.last
        most = patience(rhythm.count, rhythm.gap)
        if not rhythm.count or now - last <= most:
            return None
        if self.registry.store.sharing is not None:
            # Those of other proxies count: they may come to one of these since.
            last = max([last, *(record.heard_at for record in self.registry.sessions.records())])
        return last + self.shift if now - last > most else None

    def _spool_vitals(self, spool: Spool) -> SpoolVitals:
        from statusproxy.alerts.sightings import SpoolVitals

        totals, oldest, shift = spool.control.totals, spool.control.oldest_waiting, self.registry.clock.shift
        away = min(spool.control.away.values(), default=None)
        return SpoolVitals(
            unknown=totals.unknown,
            dead=totals.dead,
            waiting=totals.waiting,
            waiting_since=None if oldest is None else oldest.received_at + shift,
            away_since=None if away is None else away + shift,
        )
