"""The keys of the durable state in Redis: who holds them, what is read and written there, how durably.

    statusproxy:owner      string, expires: the proxy that holds these keys (`Owner`)
    statusproxy:records    hash: session id -> its record, a line of JSON (`codec`)
    statusproxy:history    sorted set by time of recording: "number change", the number telling equal ones apart
    statusproxy:rejected   hash: "time session id" -> a row that could not be read, as it was found

One connection for all of it, under WATCH between any two transactions. So a transaction goes through only if
nobody else touched the keys since the last one: a proxy that was suspended for longer than its mark lasts cannot
write over its successor, and keys that were evicted, flushed or lost in a restart of the server are noticed.

Nothing here retries or logs (`redis_hold.py` and `redis.py` do): what fails is `LostError`, `UnsyncedError`, or
redis-py's own errors.
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from redis.exceptions import RedisError

from statusproxy.config.state_url import Place
from statusproxy.status.model import Change, Record
from statusproxy.store.backlog import Entry
from statusproxy.store.codec import RowError, decode_change, decode_record, encode
from statusproxy.store.errors import StoreInUseError
from statusproxy.store.owner import Owner
from statusproxy.store.redis_durability import Durability, durability
from statusproxy.store.redis_errors import LostError, UnsyncedError
from statusproxy.store.redis_link import Command, Link, Reply, raise_first

__all__ = ["Contents", "Keyspace", "history", "member"]

# At a time: a few milliseconds of the event loop, and of a server that serves others too.
_ROWS_READ: Final = 200
_HISTORY_PAGE: Final = 500


@dataclass(slots=True)
class Contents:
    """What was found: the readable records, the ids of rows that could not be read, keys that were not ours."""

    records: dict[str, Record] = field(default_factory=dict)
    rejected: list[str] = field(default_factory=list)
    set_aside: list[tuple[str, str]] = field(default_factory=list)


class Keyspace:
    """Our keys, and the one connection that holds and writes them."""

    def __init__(self, place: Place, link: Link, owner: Owner, lifetime: float, answer_limit: float) -> None:
        self._link = link
        self._owner = owner
        self._mark = owner.encode()
        self._lifetime = max(1, round(lifetime * 1000))
        # Some time is left to hear the answer in.
        self._sync_limit = max(1, round(answer_limit * 600))
        self._place = place
        self._name = {name: place.prefix + name for name in ("owner", "records", "history", "rejected")}
        self._held = False
        self.durability = Durability(waits=False)

    @classmethod
    async def open(cls, place: Place, owner: Owner, lifetime: float, answer_limit: float) -> "Keyspace":
        """Connect and learn what the server promises; nothing is held yet.

        `lifetime`: seconds after which the mark of a holder that is silent expires.
        """
        link = await Link.open(place, answer_limit)
        try:
            keys = cls(place, link, owner, lifetime, answer_limit)
            keys.durability = await durability(link)
        except BaseException:
            await link.close()
            raise
        return keys

    async def take(self) -> None:
        """Become the holder. `StoreInUseError` if another proxy is."""
        owner = self._name["owner"]
        (kind,) = await self._must(("TYPE", owner))
        if kind not in (b"string", b"none"):
            await self._rename_away("owner")
        _, found = await self._must(("SET", owner, self._mark, "NX", "PX", self._lifetime), ("GET", owner))
        if found not in (self._mark, None):
            holder = Owner.decode(found)
            if not holder.is_gone():
                raise StoreInUseError(
                    f"in use: {self._place} are held by another statusproxy ({holder}); two writers would overwrite "
                    "each other's sessions: stop that one, or give this one a state.url of its own (another database "
                    "number). If there is none, delete the key " + owner
                )
            _, again = await self._must(("WATCH", owner), ("GET", owner))
            if again == found:
                await self._must(("MULTI",), ("SET", owner, self._mark, "PX", self._lifetime), ("EXEC",))
        await self._arm()
        if not self._held:
            raise StoreInUseError(f"in use: {self._place} were taken by another statusproxy just now")

    async def read(self, now: float) -> Contents:
        """All records. What cannot be read, and keys that hold something else, are set aside under other keys.

        `now` (epoch seconds) dates what is set aside.
        """
        contents = Contents()
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        for name, kind in (("records", b"hash"), ("history", b"zset"), ("rejected", b"hash")):
            (found,) = await self._must(("TYPE", self._name[name]))
            if found not in (kind, b"none"):
                contents.set_aside.append((self._name[name], await self._rename_away(name)))
        await self._arm()  # from here on nobody else may touch what is read
        broken: list[tuple[bytes, bytes]] = []
        cursor: bytes | int = 0
        while True:
            ((cursor, flat),) = await self._must(("HSCAN", self._name["records"], cursor, "COUNT", _ROWS_READ))
            for key, payload in zip(flat[::2], flat[1::2], strict=True):
                try:
                    record = decode_record(payload)
                    if _field(record.session) != key:
                        raise RowError("of another session than its key says")
                except RowError:
                    broken.append((key, payload))
                else:
                    contents.records[record.session] = record
            if cursor == b"0":
                break
        for key, payload in broken:
            contents.rejected.append(key.decode("utf-8", "replace"))
            await self.transact(
                ("HSET", self._name["rejected"], f"{stamp} ".encode() + key, payload),
                ("HDEL", self._name["records"], key),
            )
        return contents

    async def write(
        self, records: Mapping[str, Record | None], entries: Sequence[Entry], before: float | None, keep: int
    ) -> list[str]:
        """Put records (None: forget the session) and changes there in one transaction, and renew our mark.

        History from before a time (epoch seconds; None: whatever its age) and beyond `keep` changes goes. On return
        all of it is as durable as `durability` says. Returns the sessions whose row could not be encoded. Raises
        `LostError` with nothing written, `UnsyncedError`, and redis-py's errors after which it may be written or not:
        to write the same again is harmless.
        """
        refused: list[str] = []
        put: list[str | bytes] = []
        drop: list[bytes] = []
        history: list[bytes | float] = []
        for session, record in records.items():
            if record is None:
                drop.append(_field(session))
                continue
            try:
                put += (_field(session), encode(record))
            except (TypeError, ValueError):
                refused.append(session)
        for entry in entries:
            try:
                at = entry.change.recorded_at
                history += (at if at == at else 0.0, member(entry))  # the server refuses NaN, and all with it
            except (TypeError, ValueError):
                refused.append(entry.change.session)
        commands: list[Command] = []
        if drop:
            commands.append(("HDEL", self._name["records"], *drop))
        if put:
            commands.append(("HSET", self._name["records"], *put))
        if history:
            commands.append(("ZADD", self._name["history"], *history))
        commands.append(("ZREMRANGEBYRANK", self._name["history"], 0, -1 - keep))
        if before is not None:
            commands.append(("ZREMRANGEBYSCORE", self._name["history"], "-inf", f"({before!r}"))
        await self.transact(*commands)
        return refused

    async def present(self, names: Sequence[str]) -> list[str]:
        """Those of our keys that are there."""
        kinds = await self._must(*(("TYPE", self._name[name]) for name in names))
        return [name for name, kind in zip(names, kinds, strict=True) if kind != b"none"]

    async def leave(self) -> None:
        """Give up the keys, if they are still ours, so that a successor need not wait; and the connection."""
        try:
            if self._held:
                await self._link.ask(("MULTI",), ("DEL", self._name["owner"]), ("EXEC",))
        except (RedisError, OSError):
            pass  # the mark expires
        finally:
            self._held = False
            await self._link.close()

    async def drop(self) -> None:
        """Close the connection only; our mark may still be there."""
        self._held = False
        await self._link.close()

    async def transact(self, *commands: Command) -> None:
        """All or nothing, only while the keys are ours, in one round trip. Raises as `write`."""
        if not self._held:
            raise LostError(f"{self._place}: held by us no more")
        sync: list[Command] = [("WAITAOF", 1, 0, self._sync_limit)] if self.durability.waits else []
        replies = await self._link.ask(
            ("MULTI",),
            ("SET", self._name["owner"], self._mark, "PX", self._lifetime),
            *commands,
            ("EXEC",),
            *sync,
            *self._guard(),
        )
        # EXEC's own reply to a command that was refused is only "there were errors": the refusal itself comes first.
        raise_first(replies)
        done = replies[2 + len(commands)]
        if done is None:
            self._held = False
            raise LostError(f"{self._place}: changed by somebody else")
        raise_first(done)
        self._held = replies[-1] == self._mark
        if sync and replies[3 + len(commands)][0] < 1:
            raise UnsyncedError(f"not synced: {self._place}: the server's disk took longer than {self._sync_limit} ms")

    async def _arm(self) -> None:
        # A key that was touched since an earlier WATCH, by ourselves too, spoils the next transaction until UNWATCH.
        replies = await self._must(("UNWATCH",), *self._guard())
        self._held = replies[-1] == self._mark

    def _guard(self) -> tuple[Command, ...]:
        """Have the next transaction fail if anybody touches the keys from now on; and see that they are ours now."""
        names = self._name
        return ("WATCH", names["owner"], names["records"], names["history"]), ("GET", names["owner"])

    async def _rename_away(self, name: str) -> str:
        """Give a key that holds something else a name with the time, never one that is taken."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        number = 1
        while True:
            target = f"{self._place.prefix}set-aside:{name}:{stamp}" + (f".{number}" if number > 1 else "")
            (renamed,) = await self._must(("RENAMENX", self._name[name], target))
            if renamed:
                return target
            number += 1

    async def _must(self, *commands: Command) -> list[Reply]:
        replies = await self._link.ask(*commands)
        raise_first(replies)
        return replies


async def history(link: Link, prefix: str, session: str | None, limit: int, known: Sequence[Entry]) -> list[Change]:
    """The newest changes first, of one session or of all; rows that cannot be read are left out.

    `known`: changes that may not be on the server yet, oldest first; those that are there count once.
    """
    found: list[Change] = []
    seen: set[bytes] = set()
    for entry in reversed(known):
        with suppress(TypeError, ValueError):
            seen.add(member(entry))
        if session in (None, entry.change.session):
            found.append(entry.change)
    needle = b"" if session is None else b'"session":' + json.dumps(session).encode("ascii")
    start = 0
    while len(found) < limit:
        (rows,) = await link.ask(("ZREVRANGE", f"{prefix}history", start, start + _HISTORY_PAGE - 1))
        raise_first([rows])
        for row in rows:
            # A row may come twice, when others were put before it between two pages.
            if needle not in row or row in seen:
                continue
            seen.add(row)
            with suppress(RowError):
                change = decode_change(row.partition(b" ")[2])
                if session in (None, change.session):
                    found.append(change)
        if len(rows) < _HISTORY_PAGE:
            break
        start += _HISTORY_PAGE
    return found[:limit]


def _field(session: str) -> bytes:
    return session.encode("utf-8", "surrogatepass")


def member(entry: Entry) -> bytes:
    """A change as it stands in the sorted set. Raises `TypeError` or `ValueError` if it cannot be encoded."""
    return b"%016x %s" % (entry.number, encode(entry.change).encode("ascii"))
