"""The keys in Redis over one connection: how a proxy joins those that share them, what it reads, and what it writes.

Nothing here retries or logs (`redis_attachment.py` and `redis.py` do): what fails is `LostError`, `UnsyncedError`, or
redis-py's own errors.
"""

import json
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Final

from redis.exceptions import RedisError

from statusproxy.config.state_url import Place
from statusproxy.status.model import Change, Record
from statusproxy.status.stored_times import moved_change
from statusproxy.store.backlog import Entry
from statusproxy.store.codec import RowError, decode_change, encode
from statusproxy.store.errors import StoreError, StoreInUseError
from statusproxy.store.owner import Owner
from statusproxy.store.proxies import Proxy
from statusproxy.store.redis_durability import Durability, durability
from statusproxy.store.redis_errors import LostError, UnsyncedError
from statusproxy.store.redis_follow import BEGINNING, Position, position
from statusproxy.store.redis_link import Command, Link, Reply, raise_first
from statusproxy.store.redis_members import SHARED_MARK, leave, mark, report, seen
from statusproxy.store.redis_names import FORMAT, Names, session_of
from statusproxy.store.redis_rows import read_row
from statusproxy.store.redis_scan import scan
from statusproxy.store.redis_script import Commit, Conflict, Done, EpochError, run
from statusproxy.store.redis_spool_script import Missing, SpoolCommit, run_spool

__all__ = ["Keyspace", "history", "member"]

# At a time: a few milliseconds of the event loop, and of a server that serves others too.
_HISTORY_PAGE: Final = 500

_KINDS: Final = (
    ("records", b"hash"), ("forgotten", b"zset"), ("history", b"zset"), ("changes", b"stream"), ("epoch", b"string"),
    ("format", b"string"), ("proxies", b"hash"), ("rejected", b"hash"), ("owner", b"string"), ("claims", b"hash"),
    ("outbox", b"hash"), ("spool", b"hash"), ("spool_contents", b"hash"),
)  # fmt: skip


class Keyspace:
    """The keys, and the one connection that writes them."""

    def __init__(self, place: Place, link: Link, answer_limit: float) -> None:
        self.link = link
        self.names = Names.of(place)
        self.epoch = b""
        """What tells this content of the server's memory from another one."""
        self.durability = Durability(waits=False)
        self._place = place
        # In milliseconds: 60 % of the limit, so that time is left to receive the answer.
        self._sync_limit = max(1, round(answer_limit * 600))

    @classmethod
    async def open(cls, place: Place, answer_limit: float) -> "Keyspace":
        """Connect and learn what the server promises; nothing is written yet."""
        link = await Link.open(place, answer_limit)
        try:
            keys = cls(place, link, answer_limit)
            keys.durability = await durability(link)
        except BaseException:
            await link.close()
            raise
        return keys

    async def join(self) -> list[tuple[str, str]]:
        """Become one of those that share the keys. Keys that hold something else get other names, which it returns.

        `StoreInUseError` while a version that knows no sharing holds them; `StoreError` where a newer version has
        arranged them again.
        """
        names, renamed = self.names, []
        kinds = await self._must(*(("TYPE", getattr(names, name)) for name, _ in _KINDS))
        for (name, kind), found in zip(_KINDS, kinds, strict=True):
            if found not in (kind, b"none"):
                renamed.append((getattr(names, name), await self._rename_away(name)))
        await self._expect_no_holder()
        _, number, _, self.epoch = await self._must(
            ("SET", names.format, FORMAT, "NX"), ("GET", names.format),
            ("SET", names.epoch, uuid.uuid4().hex, "NX"), ("GET", names.epoch),
        )  # fmt: skip
        self._expect_format(number)
        return renamed

    async def announce(self, me: Proxy, now: float) -> None:
        """Tell the others that this proxy is about to read all, at `now` (the server's time).

        A restore that looked before that does not take place; one that looks later refuses.
        """
        await report(self.link, self.names, me, now)

    async def guard(self, now: float) -> Sequence[Proxy]:
        """Have `transact` fail if anyone touches the keys from now on; those that share them at `now`.

        `now` is the server's time. Raises as `join`.
        """
        names = self.names
        await self._expect_no_holder()
        await self._must(mark(names), ("WATCH", *(getattr(names, name) for name, _ in _KINDS if name != "owner")))
        (number,) = await self._must(("GET", names.format))
        if number is not None:
            self._expect_format(number)
        return await seen(self.link, names, now)

    async def present(self, names: Sequence[str]) -> list[str]:
        """Those of the keys that are there, whatever they hold."""
        kinds = await self._must(*(("TYPE", getattr(self.names, name)) for name in names))
        return [name for name, kind in zip(names, kinds, strict=True) if kind != b"none"]

    async def transact(self, *commands: Command) -> None:
        """All or nothing, in one round trip, if no one touched the keys since `guard`. Raises as `write`."""
        sync = self._sync()
        replies = await self.link.ask(("MULTI",), *commands, ("EXEC",), *sync)
        # EXEC's own reply to a command that was refused is only "there were errors": the refusal itself comes first.
        raise_first(replies)
        done = replies[1 + len(commands)]
        if done is None:
            raise LostError(f"{self._place}: changed by someone else")
        raise_first(done)
        if sync:
            self._expect_synced(replies[-1])

    async def end(self) -> Position:
        """The place of the newest entry in the stream of changes."""
        (entries,) = await self._must(("XREVRANGE", self.names.changes, "+", "-", "COUNT", 1))
        return position(entries[0][0]) if entries else BEGINNING

    async def has(self, *places: Position) -> bool:
        """Whether the stream of changes still has these entries: then it has all that followed."""
        ids = [f"{first}-{second}" for first, second in places]
        return all(await self._must(*(("XRANGE", self.names.changes, id_, id_) for id_ in ids)))

    async def went_back(self, place: Position) -> bool:
        """Whether the stream of changes lacks this entry without having outgrown it: the server lost what it had."""
        id_ = f"{place[0]}-{place[1]}"
        changes = self.names.changes
        there, first = await self._must(("XRANGE", changes, id_, id_), ("XRANGE", changes, "-", "+", "COUNT", 1))
        return not there and (not first or position(first[0][0]) < place)

    async def rows(self, now: float, rejected: list[str]) -> AsyncIterator[dict[str, tuple[bytes, Record]]]:
        """All rows, some at a time, each as it stands and as a record.

        What cannot be read is moved to another key, dated `now` (epoch seconds); its session goes into `rejected`.
        """
        broken: list[bytes] = []
        async for some in scan(self.link, self.names, self.names.records, _read, "", now, broken):
            yield some
        rejected += [field.decode("utf-8", "replace") for field in broken]

    async def forgotten(self) -> dict[str, float]:
        """The sessions that were forgotten of late, and when (the server's time)."""
        (flat,) = await self._must(("ZRANGE", self.names.forgotten, 0, -1, "WITHSCORES"))
        return {session_of(field): float(at) for field, at in zip(flat[::2], flat[1::2], strict=True)}

    async def write(self, commit: Commit) -> Done | Conflict:
        """Write a commit, or learn what stands there; once it is written, it is as durable as `durability` says.

        Raises `LostError` with nothing written where the server lost its data, `UnsyncedError`, and redis-py's errors
        after which it may be written or not: to write the same again is harmless.
        """
        sync = self._sync()
        try:
            result, replies = await run(self.link, self.names, commit, *sync)
        except EpochError:
            raise LostError(f"{self._place}: the server lost its data") from None
        if sync and isinstance(result, Done):
            self._expect_synced(replies[0])
        return result

    async def write_spool(self, commit: SpoolCommit) -> bytes | Missing:
        """As `write`, of the spool: its last place in the stream of changes, or which large bodies are not there."""
        sync = self._sync()
        try:
            result, replies = await run_spool(self.link, self.names, commit, *sync)
        except EpochError:
            raise LostError(f"{self._place}: the server lost its data") from None
        if sync and not isinstance(result, Missing):
            self._expect_synced(replies[0])
        return result

    async def report(self, me: Proxy, now: float, rows: int) -> Sequence[Proxy]:
        """Tell the others that this proxy is there, `now` (the server's time); those that are.

        Raises `LostError` where the server lost its data, or has fewer rows than the `rows` that are known.
        """
        epoch, count = await self._must(("GET", self.names.epoch), ("HLEN", self.names.records))
        if epoch != self.epoch or count < rows:
            raise LostError(f"{self._place}: the server lost its data")
        return await report(self.link, self.names, me, now)

    async def leave(self, me: Proxy) -> None:
        """Tell the others that this proxy is there no longer, and close the connection."""
        with suppress(RedisError, OSError):  # what it said of itself is outdated soon
            await leave(self.link, self.names, me)
        await self.drop()

    async def drop(self) -> None:
        """Close the connection."""
        await self.link.close()

    async def _rename_away(self, name: str) -> str:
        """Give a key that holds something else a name with the time, never one that is taken."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        number = 1
        while True:
            target = f"{self._place.prefix}set-aside:{name}:{stamp}" + (f".{number}" if number > 1 else "")
            (renamed,) = await self._must(("RENAMENX", getattr(self.names, name), target))
            if renamed:
                return target
            number += 1

    async def _expect_no_holder(self) -> None:
        """Raise `StoreInUseError` while a version that knows no sharing holds the keys."""
        (found,) = await self._must(("GET", self.names.owner))
        if found in (None, SHARED_MARK):
            return
        holder = Owner.decode(found)
        if not holder.is_gone():
            raise StoreInUseError(
                f"in use: {self._place} are held by another statusproxy ({holder}), of a version that cannot share "
                f"them: stop that one first. If there is none, delete the key {self.names.owner}"
            )

    def _expect_format(self, number: bytes) -> None:
        if number != b"%d" % FORMAT:
            raise StoreError(
                f"another version's: {self._place} are arranged as {number.decode('ascii', 'replace')}, this version "
                f"reads {FORMAT}: run one version, or give this one a state.url of its own (?prefix=)"
            )

    def _sync(self) -> list[Command]:
        """What is asked behind a write, so that the reply tells whether the disk has it; else nothing."""
        return [("WAITAOF", 1, 0, self._sync_limit)] if self.durability.waits else []

    def _expect_synced(self, reply: Sequence[int]) -> None:
        if reply[0] < 1:
            raise UnsyncedError(f"not synced: {self._place}: the server's disk took longer than {self._sync_limit} ms")

    async def _must(self, *commands: Command) -> list[Reply]:
        replies = await self.link.ask(*commands)
        raise_first(replies)
        return replies


def _read(field: bytes, payload: bytes) -> tuple[str, Record]:
    record = read_row(field, payload)
    return session_of(field), record


async def history(
    link: Link, prefix: str, session: str | None, limit: int, known: Sequence[Entry], offset: float = 0.0
) -> list[Change]:
    """The newest changes first, of one session or of all; rows that cannot be read are left out.

    `known`: changes that may not be on the server yet, oldest first; those that are there count once. `offset`: seconds
    that the server's clock is ahead of the system's.
    """
    found: list[Change] = []
    seen: set[bytes] = set()
    for entry in reversed(known):
        with suppress(TypeError, ValueError):
            seen.add(member(Entry(moved_change(entry.change, offset), entry.number) if offset else entry))
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
                    found.append(moved_change(change, -offset) if offset else change)
        if len(rows) < _HISTORY_PAGE:
            break
        start += _HISTORY_PAGE
    return found[:limit]


def member(entry: Entry) -> bytes:
    """A change as it stands in the sorted set. Raises `TypeError` or `ValueError` if it cannot be encoded."""
    return b"%016x %s" % (entry.number, encode(entry.change).encode("ascii"))
