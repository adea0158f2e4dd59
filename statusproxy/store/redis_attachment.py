"""One process's attachment to the keys in Redis: made at the start, and again after each loss of the connection.

A server that is just starting is waited for, and so is a version that has the keys for itself and is about to leave.
What stood under the keys and could not be used is told here, and so is what the server's "OK" is worth.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from statusproxy.config.state_url import Place
from statusproxy.store.claims import LEASE
from statusproxy.store.errors import StoreInUseError, shown
from statusproxy.store.proxies import Proxy
from statusproxy.store.redis_durability import Durability
from statusproxy.store.redis_errors import is_starting
from statusproxy.store.redis_keys import Keyspace

__all__ = ["Attachment", "RedisTiming"]

_LOCK_POLL_SECONDS: Final = 0.1
_START_POLL_SECONDS: Final = 0.25

# Seconds that saying good-bye may take at the end.
_LEAVE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class RedisTiming:
    """The times of a store in Redis, in seconds. Tests shorten them; nothing else has a reason to."""

    answer_limit: float = 5.0
    """A server that says nothing for this long is away. Its disk may use three fifths of it."""
    history_limit: float = 10.0
    """A question for the history may take this long."""
    open_wait: float = 3.0
    """How long the start waits for a server that is just starting before it begins without its records."""
    report_every: float = 3.0
    """Pause between two looks whether the server takes writes, and which proxies share the keys."""
    lock_wait: float = 10.0
    """How long the start waits for a version that has the keys for itself: longer than its mark lasts if it died."""
    prune_every: float = 86_400.0
    """Pause between two looks for history past its days, where no change is written that would do it."""
    lease: float = LEASE
    """How long a claim is held without being renewed."""


class Attachment:
    """The keys while they can be used; None between a loss and the next `make`."""

    def __init__(self, place: Place, *, log: logging.Logger, timing: RedisTiming) -> None:
        self.keys: Keyspace | None = None
        self._place = place
        self._log = log
        self._timing = timing
        self._told: Durability | None = None

    async def make_at_start(self) -> Keyspace:
        """As `make`, with patience for a server that is starting, and for a predecessor."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timing.open_wait
        pause = _START_POLL_SECONDS
        while True:
            try:
                return await self.make(self._timing.lock_wait)
            except Exception as error:
                if not is_starting(error) or loop.time() + pause > deadline:
                    raise
            await asyncio.sleep(pause)
            pause *= 2

    async def make(self, patience: float = 0.0) -> Keyspace:
        """Connect, and share the keys within `patience` seconds.

        Raises `StoreInUseError` if a version that cannot share them keeps them, else as `Keyspace`.
        """
        keys = await Keyspace.open(self._place, self._timing.answer_limit)
        try:
            renamed = await self._join(keys, patience)
        except BaseException:
            await keys.drop()
            raise
        self.keys = keys
        for name, target in renamed:
            self._log.error(
                "state: %s: the key %s held something that is not ours; it was renamed to %s",
                self._place, name, target,
            )  # fmt: skip
        if keys.durability != self._told:  # once, and again where it is another one than the last time
            self._told = keys.durability
            for caveat in keys.durability.caveats:
                self._log.warning("state: %s: %s", self._place, caveat)
        return keys

    async def drop(self) -> None:
        """Let go of the connection."""
        keys, self.keys = self.keys, None
        if keys is not None:
            await keys.drop()

    async def leave(self, me: Proxy) -> None:
        """Say good-bye to the other proxies, and let go of the connection. Takes a bounded time."""
        keys, self.keys = self.keys, None
        if keys is not None:
            try:
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await keys.leave(me)
            except TimeoutError:
                await keys.drop()

    def tell_rejected(self, sessions: Sequence[str]) -> None:
        """Log the sessions whose rows could not be read."""
        for session in sessions:
            self._log.error(
                "state: %s: the row of session %s cannot be read; it was moved to the key %srejected, the session "
                "starts afresh",
                self._place, shown(session), self._place.prefix,
            )  # fmt: skip

    async def _join(self, keys: Keyspace, patience: float) -> list[tuple[str, str]]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while True:
            try:
                return await keys.join()
            except StoreInUseError:
                if loop.time() >= deadline:
                    raise
            await asyncio.sleep(_LOCK_POLL_SECONDS)
