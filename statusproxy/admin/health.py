"""The health check: writes to the store, connections to the gateway, damage of the state, and a stop that is near."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Final

from statusproxy.admin.messages import Health
from statusproxy.proxy.handler import Proxy
from statusproxy.registry.registry import SessionRegistry

#: Seconds for which a look at whether the gateway can be reached counts: checks must not become load.
FRESH: Final = 1.0

#: Seconds after which a gateway that does not take a connection counts as not reachable, whatever traffic is given.
PATIENCE: Final = 5.0


#: The status of a proxy that is about to stop.
DRAINING: Final = "draining"


class HealthCheck:
    """Looks at store and gateway when asked; those who ask at the same time share one look at the gateway."""

    def __init__(self, registry: SessionRegistry, proxy: Proxy) -> None:
        self._registry = registry
        self._proxy = proxy
        self._looked_at = float("-inf")
        self._error: str | None = None
        self._looking = asyncio.Lock()

    async def gateway_up(self) -> bool:
        """Whether a connection to the gateway can be had; no later than after `PATIENCE` seconds."""
        return await self._gateway() is None

    async def report(self, within: float | None = None) -> Health:
        """How store and gateway are now. `within`: the seconds that either look may take; None for no limit."""
        store, gateway = await asyncio.gather(_in_time(self._store(), within), _in_time(self._gateway(), within))
        damage = [str(each) for each in self._registry.saving.damage]
        works = store is None and gateway is None
        return Health(
            status=DRAINING if self._proxy.draining else "error" if not works else "degraded" if damage else "ok",
            store=store or "ok",
            gateway=gateway or "ok",
            missing=self._registry.absences.going_on(self._registry.clock.wall()),
            damage=damage,
            journal=self._journal(),
            proxies=self._proxies(),
        )

    def _journal(self) -> str | None:
        return self._registry.store.journal

    def _proxies(self) -> list[str]:
        sharing = self._registry.store.sharing
        return [] if sharing is None else [str(proxy) for proxy in sharing.proxies]

    async def _store(self) -> str | None:
        """Why the store accepts no writes, or None."""
        if await self._registry.works():
            return None
        return self._registry.store.error or "does not accept writes"

    async def _gateway(self) -> str | None:
        """Why no connection to the gateway can be had, or None."""
        async with self._looking:
            if time.monotonic() - self._looked_at >= FRESH:
                self._error = await self._connect()
                self._looked_at = time.monotonic()
            return self._error

    async def _connect(self) -> str | None:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._proxy.gateway_error()
        except TimeoutError:
            return "gateway_connect_slow"


async def _in_time(look: Awaitable[str | None], within: float | None) -> str | None:
    """What a look found; if it has not ended within that many seconds, that."""
    try:
        async with asyncio.timeout(within):
            return await look
    except TimeoutError:
        return f"no answer within {within:g} s"
