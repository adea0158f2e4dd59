"""One process's hold on the keys of a state in Redis: taken at the start, and anew after each loss of the connection.

A server that is just starting is waited for, and so is a holder that is about to leave or has died elsewhere. What
stood under the keys and could not be used is told here, and so is what the server's "OK" is worth.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from statusproxy.config.state_url import Place
from statusproxy.status.model import Record
from statusproxy.store.errors import StoreInUseError, shown
from statusproxy.store.owner import Owner
from statusproxy.store.redis_durability import Durability
from statusproxy.store.redis_errors import is_starting
from statusproxy.store.redis_keys import Contents, Keyspace

__all__ = ["Hold", "RedisTiming"]

_LOCK_POLL_SECONDS: Final = 0.1
_START_POLL_SECONDS: Final = 0.25

# Seconds that giving up the keys may take at the end.
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
    mark_lifetime: float = 9.0
    """A holder that is silent for this long has lost the keys; it is heard of three times as often."""
    lock_wait: float = 10.0
    """How long the start waits for the keys: longer than the mark of a holder that died elsewhere lasts."""
    prune_every: float = 86_400.0
    """Pause between two looks for history past its days, where no change is written that would do it."""


class Hold:
    """The keys while they are held; None between a loss and the next `take`."""

    def __init__(self, place: Place, *, log: logging.Logger, clock: Callable[[], float], timing: RedisTiming) -> None:
        """`clock` gives epoch seconds for the names of what is set aside."""
        self.keys: Keyspace | None = None
        self._place = place
        self._log = log
        self._clock = clock
        self._timing = timing
        self._owner = Owner.new()
        self._told: Durability | None = None

    async def take_at_start(self) -> dict[str, Record]:
        """As `take`, with patience for a server that is starting, and for a predecessor."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timing.open_wait
        pause = _START_POLL_SECONDS
        while True:
            try:
                return await self.take(self._timing.lock_wait)
            except Exception as error:
                if not is_starting(error) or loop.time() + pause > deadline:
                    raise
            await asyncio.sleep(pause)
            pause *= 2

    async def take(self, patience: float = 0.0) -> dict[str, Record]:
        """Connect, become the holder within `patience` seconds, and read what is there.

        Raises `StoreInUseError` if another proxy keeps the keys, else as `Keyspace`.
        """
        timing = self._timing
        keys = await Keyspace.open(self._place, self._owner, timing.mark_lifetime, timing.answer_limit)
        try:
            await self._become_holder(keys, patience)
            contents = await keys.read(self._clock())
        except BaseException:
            await keys.drop()
            raise
        self.keys = keys
        self._tell_of_contents(contents)
        self._tell_of_durability(keys.durability)
        return contents.records

    async def drop(self) -> None:
        """Let go of the connection only, as it is: the mark may still be there."""
        keys, self.keys = self.keys, None
        if keys is not None:
            await keys.drop()

    async def leave(self) -> None:
        """Give up the keys, so that a successor need not wait, and the connection. Takes a bounded time."""
        keys, self.keys = self.keys, None
        if keys is not None:
            try:
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await keys.leave()
            except TimeoutError:
                await keys.drop()

    async def _become_holder(self, keys: Keyspace, patience: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while True:
            try:
                await keys.take()
            except StoreInUseError:
                if loop.time() >= deadline:
                    raise
            else:
                return
            await asyncio.sleep(_LOCK_POLL_SECONDS)

    def _tell_of_contents(self, contents: Contents) -> None:
        for name, target in contents.set_aside:
            self._log.error(
                "state: %s: the key %s held something that is not ours; it was renamed to %s",
                self._place, name, target,
            )  # fmt: skip
        for session in contents.rejected:
            self._log.error(
                "state: %s: the row of session %s cannot be read; it was moved to the key %srejected, the session "
                "starts afresh",
                self._place, shown(session), self._place.prefix,
            )  # fmt: skip

    def _tell_of_durability(self, durability: Durability) -> None:
        """Once, and again where it is another one than the last time."""
        if durability != self._told:
            self._told = durability
            for caveat in durability.caveats:
                self._log.warning("state: %s: %s", self._place, caveat)
