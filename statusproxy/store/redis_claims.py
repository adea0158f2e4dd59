"""Claims in Redis: a name that one proxy holds for some seconds at a time, by the server's clock."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final

from redis.exceptions import RedisError

from statusproxy.config.state_url import Place
from statusproxy.store.claims import LEASE
from statusproxy.store.errors import NotAttachedError, StoreError
from statusproxy.store.listening import tell
from statusproxy.store.redis_errors import LostError, describe
from statusproxy.store.redis_follow import News, Released
from statusproxy.store.redis_link import Asks, raise_first
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_script import STREAM_LENGTH, evaluate

__all__ = ["RedisClaims"]

#: Seconds that giving a claim up may take. The stop of a service waits for it.
_RELEASE_SECONDS: Final = 2.0

# KEYS: epoch, claims. ARGV: epoch, name, which proxy, seconds. What stands there: "until seconds proxy". A moment that
# is further away than the holder's seconds is of a clock that was set back since: from then on it is as far away as
# they say.
_CLAIM: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local held = redis.call('HGET', KEYS[2], ARGV[2]) or ''
local till, seconds, holder = string.match(held, '^(%S+) (%S+) (%S+)$')
till, seconds = tonumber(till), tonumber(seconds)
if till and seconds and holder ~= ARGV[3] and till > now then
  if till > now + seconds then
    redis.call('HSET', KEYS[2], ARGV[2], string.format('%.6f %s %s', now + seconds, seconds, holder))
  end
  return 0
end
redis.call('HSET', KEYS[2], ARGV[2], string.format('%.6f %s %s', now + ARGV[4], ARGV[4], ARGV[3]))
return 1
"""

# KEYS: claims, stream of changes. ARGV: name, which proxy, length of the stream.
_RELEASE: Final = """
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held or string.match(held, '(%S+)$') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'w', ARGV[2], 'c', ARGV[1])
return 1
"""


class RedisClaims:
    """Implements `Claims` for one proxy."""

    def __init__(
        self,
        link: Asks,
        place: Place,
        me: str,
        log: logging.Logger,
        *,
        lease: float = LEASE,
        memory_lost: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`me` is this proxy's id; `lease` in seconds. `memory_lost` is called where the server's epoch is another."""
        self._link = link
        self._place = place
        self._names = Names.of(place)
        self._me = me
        self._lease = lease
        self._log = log
        self._memory_lost = memory_lost
        self._clock = clock
        self._epoch: bytes | None = None
        self._held: dict[str, float] = {}
        self._wait_until = 0.0
        self._listeners: list[Callable[[str], None]] = []

    def listen(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """As `Claims.listen`."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def attached(self, epoch: bytes) -> None:
        """The server has this memory. Where it had another one before, others may hold what it has forgotten."""
        if self._epoch not in (None, epoch):
            self._wait_until = self._clock() + self._lease
        self._epoch = epoch

    async def claim(self, name: str) -> float | None:
        """As `Claims.claim`."""
        if self._epoch is None:
            raise NotAttachedError(f"the state in {self._place} is not open yet")
        asked = self._clock()
        if asked < self._wait_until and self._held.get(name, 0.0) <= asked:
            return None
        keys = (self._names.epoch, self._names.claims)
        arguments = (self._epoch, name, self._me, repr(self._lease))
        try:
            (reply,) = await evaluate(self._link, _CLAIM, keys, arguments)
            raise_first([reply])
        except (RedisError, OSError, StoreError) as error:
            raise StoreError(describe(error, self._place)) from error
        if reply < 0:
            self._memory_lost()
            raise LostError(f"{self._place}: the server lost its data")
        if not reply:
            self._held.pop(name, None)
            return None
        self._held[name] = asked + self._lease
        return asked + self._lease

    async def release(self, name: str) -> None:
        """As `Claims.release`."""
        self._held.pop(name, None)
        keys = (self._names.claims, self._names.changes)
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                await evaluate(self._link, _RELEASE, keys, (name, self._me, STREAM_LENGTH))
        except (RedisError, OSError, StoreError, TimeoutError):
            pass  # it ends by itself

    def follow(self, news: Iterable[News]) -> None:
        """Take in what the stream of changes tells, and tell which claims other proxies gave up."""
        for one in news:
            if isinstance(one, Released) and one.writer != self._me.encode():
                name = one.name.decode("utf-8", "replace")
                for listener in tuple(self._listeners):
                    tell(listener, self._log, "a claim that another proxy gave up could not be applied", name)
