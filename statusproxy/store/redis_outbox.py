"""The outbox of alerts in Redis: one document that the proxies of a state replace by compare and set."""

from collections.abc import Callable
from typing import Final

from redis.exceptions import RedisError

from statusproxy.config.state_url import Place
from statusproxy.store.errors import NotAttachedError, StoreError
from statusproxy.store.outbox import OutboxDocument
from statusproxy.store.redis_errors import LostError, describe
from statusproxy.store.redis_link import Asks, raise_first
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_script import evaluate

__all__ = ["RedisOutbox", "document_of"]

# KEYS: epoch, outbox. ARGV: epoch, version, payload. Gives the new version, 0 where another stands there, -1 where the
# server lost its memory. Asked twice, since the first reply was lost, it gives what the first one was.
_WRITE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local version = redis.call('HGET', KEYS[2], 'version') or '0'
if version ~= ARGV[2] then
  if tonumber(version) ~= ARGV[2] + 1 or redis.call('HGET', KEYS[2], 'payload') ~= ARGV[3] then return 0 end
  return tonumber(version)
end
local new = string.format('%.0f', tonumber(version) + 1)
redis.call('HSET', KEYS[2], 'version', new, 'payload', ARGV[3])
return tonumber(new)
"""


def document_of(version: bytes | None, payload: bytes | None) -> OutboxDocument:
    """What stands under the key, of its two members."""
    if version is None or payload is None or not version.isdigit():
        return OutboxDocument(0, b"")
    return OutboxDocument(int(version), payload)


class RedisOutbox:
    """Implements `Outbox` for the proxies that share a state."""

    def __init__(self, link: Asks, place: Place, memory_lost: Callable[[], None] = lambda: None) -> None:
        """`memory_lost` is called where the server's epoch is another."""
        self._link = link
        self._place = place
        self._names = Names.of(place)
        self._memory_lost = memory_lost
        self._epoch: bytes | None = None

    def attached(self, epoch: bytes) -> None:
        """The server has this memory."""
        self._epoch = epoch

    async def read(self) -> OutboxDocument:
        """As `Outbox.read`."""
        try:
            (reply,) = await self._link.ask(("HMGET", self._names.outbox, "version", "payload"))
            raise_first([reply])
        except (RedisError, OSError, StoreError) as error:
            raise StoreError(describe(error, self._place)) from error
        return document_of(*reply)

    async def write(self, payload: bytes, after: int) -> int | None:
        """As `Outbox.write`."""
        if self._epoch is None:
            raise NotAttachedError(f"the state in {self._place} is not open yet")
        keys = (self._names.epoch, self._names.outbox)
        try:
            (reply,) = await evaluate(self._link, _WRITE, keys, (self._epoch, after, payload))
            raise_first([reply])
        except (RedisError, OSError, StoreError) as error:
            raise StoreError(describe(error, self._place)) from error
        if reply < 0:
            self._memory_lost()
            raise LostError(f"{self._place}: the server lost its data")
        return int(reply) or None
