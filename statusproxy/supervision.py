"""The service's status line for systemd, and its watchdog."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from statusproxy import systemd
from statusproxy.spool.order import Totals


class Store(Protocol):
    """The part of a store that is used here."""

    @property
    def error(self) -> str | None:
        """Why it accepts no writes."""


class Registry(Protocol):
    """The part of the session registry that is used here."""

    @property
    def store(self) -> Store:
        """Where sessions are kept."""

    async def works(self) -> bool:
        """Whether the store takes writes. An answer that never comes means that the store hangs."""


def status_line(gateway: str, addresses: Sequence[str], errors: Mapping[str, str | None]) -> str:
    """The `STATUS=` line: what is served and, for each error that there is, what and why."""
    serving = f"Serving {gateway} on {', '.join(addresses)}"
    return systemd.status("; ".join([serving, *(f"{what}: {why}" for what, why in errors.items() if why)]))


def kept_events(totals: Totals | None) -> str | None:
    """How many events the spool holds, for the status line; None where it holds none, or is not open."""
    if totals is None or not totals.entries:
        return None
    return f"{totals.waiting} wait, {totals.unknown} unknown, {totals.dead} dead"


class Watchdog:
    """Shows systemd a sign of life while the event loop turns and the store answers.

    A store that refuses a write, such as on a full disk, is alive: a restart would cut requests off, lose what waits to
    be written and fix nothing. A store that gives no answer hangs, and then a restart helps.
    """

    def __init__(self, registry: Registry, status: Callable[[], str]) -> None:
        """`status` gives the status line, told again when it has changed since the last look."""
        self.error: str | None = None
        """Why the store accepts no writes, as of the last look."""
        self._registry = registry
        self._status = status

    async def feed(self, interval: float) -> None:
        """Show a sign of life every `interval` seconds, until cancelled."""
        status = self._status()
        while True:
            works = await self._registry.works()
            self.error = None if works else self._registry.store.error or "no reason given"
            current = self._status()
            if systemd.notify("WATCHDOG=1", *([] if current == status else [current])):
                status = current
            await asyncio.sleep(interval)
